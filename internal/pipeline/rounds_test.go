package pipeline

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"syncabel/internal/corpus"
	"syncabel/internal/link"
	"syncabel/internal/oracle"
	"syncabel/internal/oracle/llamacpp"
	"syncabel/internal/oracle/mock"
	"syncabel/internal/oracle/sglang"
	"syncabel/internal/oracle/vllm"
	"syncabel/internal/trie"
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
// is linked. Rounds and prefixes are counted at the native oracle, requests at servers that speak the engines' protocols over it.
func TestRounds(t *testing.T) {
	dir := os.Getenv("SYNCABEL_RUN")
	if dir == "" {
		t.Skip("SYNCABEL_RUN names no finished run")
	}
	for _, mode := range []string{link.BeamHF, link.BeamTrie, link.CertifiedTop1, link.Hybrid} {
		o := opening(t, dir, OpenOptions{Mode: mode, Native: true})
		docs, mentions := someDocuments(t, dir, o)
		if mode == link.BeamHF {
			t.Log(shape(o.parts.Trie))
		}
		per := func(x int) float64 { return float64(x) / float64(mentions) }
		c := &counted{Oracle: o.parts.Oracle}
		oneByOne(t, o, c, docs)
		t.Logf("%-14s %d mentions: %.1f rounds, %.1f prefixes, %.1f of them with more than 128 wanted tokens", mode, mentions, per(c.rounds), per(c.prefixes), per(c.wide))
		if mode == link.Hybrid {
			continue // some hundred prefixes each
		}
		for _, name := range []string{sglang.Name, vllm.Name, llamacpp.Name} {
			h := httptest.NewServer(mockedWith(o, name, mock.Faults{}))
			defer h.Close()
			r := opening(t, dir, OpenOptions{Mode: mode, Oracle: Oracle{URLs: []string{h.URL}}})
			_, pool := r.Remote()
			before := pool.Stats()
			oneByOne(t, r, r.parts.Oracle, docs)
			s := pool.Stats()
			t.Logf("  %-12s %.1f rounds, %.1f requests with %.1f prefixes", name, per(int(s.Rounds-before.Rounds)), per(int(s.Requests-before.Requests)), per(int(s.Prefixes-before.Prefixes)))
		}
	}
}

func opening(t *testing.T, dir string, opt OpenOptions) *Opened {
	t.Helper()
	o, err := OpenRun(t.Context(), dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return o
}

// someDocuments are whole documents of the dev split with some two hundred mentions.
func someDocuments(t *testing.T, dir string, o *Opened) (docs []corpus.Document, mentions int) {
	t.Helper()
	docs, err := corpus.ReadFile(filepath.Join(dir, o.Record.Corpus, corpus.FileName))
	if err != nil {
		t.Fatal(err)
	}
	docs = corpus.Split(docs, "dev")
	const enough = 200
	for i := range docs {
		if mentions += len(docs[i].Mentions); mentions >= enough {
			return docs[:i+1], mentions
		}
	}
	return docs, mentions
}

// oneByOne links with an oracle, one mention at a time.
func oneByOne(t *testing.T, o *Opened, with link.Oracle, docs []corpus.Document) {
	t.Helper()
	o.parts.Oracle, o.opt.Batch = with, 1
	l, err := link.New(o.parts, o.opt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Link(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
}

// shape describes the names of a trie: a node is on the path of as many names as it counts.
func shape(tr *trie.Trie) string {
	g := tr.Groups()[0]
	root, _ := tr.Root(g)
	var tokens, branching, wide float64
	var walk func(trie.Node)
	walk = func(n trie.Node) {
		lo, hi := tr.Children(n)
		if hi-lo > 1 {
			branching += float64(tr.Count(n))
		}
		if hi-lo > 128 {
			wide += float64(tr.Count(n))
		}
		for c := lo; c < hi; c++ {
			tokens += float64(tr.Count(c))
			walk(c)
		}
	}
	walk(root)
	names := float64(tr.Count(root))
	lo, hi := tr.Children(root)
	return fmt.Sprintf("%s: %.0f names, %.2f tokens, %.2f branching nodes, %d children of the root, %.2f nodes with more than 128", g, names, tokens/names, branching/names, hi-lo, wide/names)
}
