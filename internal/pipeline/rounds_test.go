package pipeline

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"syncabel/internal/corpus"
	"syncabel/internal/link"
	"syncabel/internal/oracle"
)

// counted counts what a search asks: rounds it waits for, prefixes, prefixes with more than 128 wanted tokens.
type counted struct {
	link.Oracle
	rounds, prefixes, wide int
}

func (c *counted) Do(ctx context.Context, queries []oracle.Query) ([]oracle.Answer, error) {
	c.rounds++
	c.prefixes += len(queries)
	for i := range queries {
		if len(queries[i].Want) > 128 {
			c.wide++
		}
	}
	return c.Oracle.Do(ctx, queries)
}

// TestRounds reports what a mention costs a server, one mention searched at a time: SYNCABEL_RUN names a finished run whose dev split
// is linked.
func TestRounds(t *testing.T) {
	dir := os.Getenv("SYNCABEL_RUN")
	if dir == "" {
		t.Skip("SYNCABEL_RUN names no finished run")
	}
	const enough = 200 // mentions, by whole documents
	for _, mode := range []string{link.BeamHF, link.BeamTrie, link.CertifiedTop1, link.Hybrid} {
		o, err := OpenRun(t.Context(), dir, OpenOptions{Mode: mode})
		if err != nil {
			t.Fatal(err)
		}
		docs, err := corpus.ReadFile(filepath.Join(dir, o.Record.Corpus, corpus.FileName))
		if err != nil {
			t.Fatal(err)
		}
		docs = corpus.Split(docs, "dev")
		n, mentions := 0, 0
		for ; n < len(docs) && mentions < enough; n++ {
			mentions += len(docs[n].Mentions)
		}
		c := &counted{Oracle: o.parts.Oracle}
		o.parts.Oracle, o.opt.Batch = c, 1
		l, err := link.New(o.parts, o.opt)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Link(context.Background(), docs[:n]); err != nil {
			t.Fatal(err)
		}
		per := func(x int) float64 { return float64(x) / float64(mentions) }
		t.Logf("%-14s %d mentions: %.1f rounds, %.1f prefixes, %.1f of them with more than 128 wanted tokens", mode, mentions, per(c.rounds), per(c.prefixes), per(c.wide))
		o.Close()
	}
}
