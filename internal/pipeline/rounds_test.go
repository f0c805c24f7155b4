package pipeline

import (
	"context"
	"fmt"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"syncabel/internal/corpus"
	"syncabel/internal/link"
	"syncabel/internal/oracle"
	"syncabel/internal/oracle/llamacpp"
	"syncabel/internal/oracle/mock"
	"syncabel/internal/oracle/remote"
	"syncabel/internal/oracle/sglang"
	"syncabel/internal/oracle/vllm"
	"syncabel/internal/prediction"
	"syncabel/internal/trie"
)

// counted counts what a search asks: rounds it waits for, prefixes, prefixes with more than 128 wanted tokens.
type counted struct {
	link.Oracle
	ahead                           int // tokens told at each position of a rollout; 0: no rollouts
	rounds, prefixes, wide, written int
}

func (c *counted) Caps() oracle.Caps {
	caps := c.Oracle.Caps()
	caps.Ahead = c.ahead
	return caps
}

func (c *counted) Do(ctx context.Context, queries []oracle.Query) ([]oracle.Answer, error) {
	c.rounds++
	c.prefixes += len(queries)
	for i := range queries {
		if len(queries[i].Want) > 128 {
			c.wide++
		}
	}
	answers, err := c.Oracle.Do(ctx, queries)
	for _, a := range answers {
		c.written += len(a.Roll)
	}
	return answers, err
}

// TestRounds reports what a mention costs, one mention searched at a time: SYNCABEL_RUN names a finished run whose dev split is linked.
func TestRounds(t *testing.T) {
	dir := measured(t)
	for _, c := range []struct {
		mode  string
		ahead int
	}{{link.BeamHF, 0}, {link.BeamHF, remote.RollTop}, {link.BeamTrie, 0}, {link.CertifiedTop1, 0}, {link.CertifiedTop1, remote.RollTop}, {link.Hybrid, 0}} {
		mode, ahead := c.mode, c.ahead
		o := opening(t, dir, OpenOptions{Mode: mode, Native: true})
		if mode == link.BeamHF {
			t.Log(shape(o.parts.Trie))
		}
		docs, mentions := someDocuments(t, dir, o, 200)
		c := &counted{Oracle: o.parts.Oracle, ahead: ahead}
		oneByOne(t, o, c, docs)
		per := func(x int) float64 { return float64(x) / float64(mentions) }
		t.Logf("%-14s %d mentions: %.1f rounds, %.1f prefixes, %.1f of them with more than 128 wanted tokens, %.1f tokens written ahead", mode, mentions, per(c.rounds), per(c.prefixes), per(c.wide),
			per(c.written))
	}
}

// TestRequests reports how many requests a mention takes over the engines' protocols, spoken by servers over the run's own model.
func TestRequests(t *testing.T) {
	dir := measured(t)
	for _, mode := range []string{link.BeamTrie, link.CertifiedTop1, link.BeamHF} {
		for _, name := range []string{sglang.Name, vllm.Name, llamacpp.Name} {
			native := opening(t, dir, OpenOptions{Mode: mode, Native: true})
			h := httptest.NewServer(mockedWith(native, name, mock.Faults{}))
			defer h.Close()
			o := opening(t, dir, OpenOptions{Mode: mode, Oracle: Oracle{URLs: []string{h.URL}}})
			docs, mentions := someDocuments(t, dir, o, 30)
			_, pool := o.Remote()
			before := pool.Stats()
			oneByOne(t, o, o.parts.Oracle, docs)
			s := pool.Stats()
			per := func(a, b int64) float64 { return float64(b-a) / float64(mentions) }
			t.Logf("%-14s %-8s %d mentions: %.1f rounds, %.1f requests with %.1f prefixes, %.0f kB read", mode, name, mentions, per(before.Rounds, s.Rounds),
				per(before.Requests, s.Requests), per(before.Prefixes, s.Prefixes), per(before.Read, s.Read)/1000)
		}
	}
}

// TestRealServerLinks links with a llama-server that has the run's model (scripts/llama_server_model.py): SYNCABEL_LLAMA_SERVER is its address.
func TestRealServerLinks(t *testing.T) {
	dir, url := measured(t), os.Getenv("SYNCABEL_LLAMA_SERVER")
	if url == "" {
		t.Skip("SYNCABEL_LLAMA_SERVER names no llama-server")
	}
	for _, mode := range []string{link.BeamTrie, link.CertifiedTop1, link.BeamHF} {
		native := opening(t, dir, OpenOptions{Mode: mode, Native: true})
		caps := native.parts.Oracle.Caps()
		pool, err := remote.New(remote.Options{URLs: []string{url}, Vocab: caps.Vocab, Context: caps.Context, InFlight: 4})
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		docs, mentions := someDocuments(t, dir, native, 200)
		want := oneByOne(t, native, native.parts.Oracle, docs)
		begin := time.Now()
		got := oneByOne(t, native, llamacpp.New(pool), docs)
		took := time.Since(begin)
		for i := range want {
			w, g := want[i].Candidates[0], got[i].Candidates[0]
			if w.Code != g.Code || math.Abs(w.Score-g.Score) > 5e-3 {
				t.Errorf("%s, mention %d: %s %g natively, %s %g there", mode, i, w.Code, w.Score, g.Code, g.Score)
			}
		}
		s := pool.Stats()
		per := func(n int64) float64 { return float64(n) / float64(mentions) }
		t.Logf("%-14s %d mentions in %.1f s: %.1f rounds, %.1f requests, %.1f kB read", mode, mentions, took.Seconds(), per(s.Rounds), per(s.Requests), per(s.Read)/1000)
	}
}

func measured(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SYNCABEL_RUN")
	if dir == "" {
		t.Skip("SYNCABEL_RUN names no finished run")
	}
	return dir
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

// someDocuments are whole documents of the dev split with enough mentions, or all.
func someDocuments(t *testing.T, dir string, o *Opened, enough int) (docs []corpus.Document, mentions int) {
	t.Helper()
	docs, err := corpus.ReadFile(filepath.Join(dir, o.Record.Corpus, corpus.FileName))
	if err != nil {
		t.Fatal(err)
	}
	docs = corpus.Split(docs, "dev")
	for i := range docs {
		if mentions += len(docs[i].Mentions); mentions >= enough {
			return docs[:i+1], mentions
		}
	}
	return docs, mentions
}

// oneByOne links with an oracle, one mention at a time.
func oneByOne(t *testing.T, o *Opened, with link.Oracle, docs []corpus.Document) []prediction.Prediction {
	t.Helper()
	o.parts.Oracle, o.opt.Batch = with, 1
	l, err := link.New(o.parts, o.opt)
	if err != nil {
		t.Fatal(err)
	}
	out, err := l.Link(t.Context(), docs)
	if err != nil {
		t.Fatal(err)
	}
	return out
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
