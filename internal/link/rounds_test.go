package link

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"syncabel/internal/markup"
	"syncabel/internal/oracle"
	"syncabel/internal/terminology"
	"syncabel/internal/tokenizer"
	"syncabel/internal/trie"
)

// drawn is a model that is drawn at random, as the one that estimates of remote search rest on: the logit of a child is half the logarithm
// of the names below it, plus a normal number, plus sharp where it leads to the mention's name; forced tokens are certain. A
// prompt is the number of a mention. It counts what it is asked.
type drawn struct {
	t                      *trie.Trie
	root                   trie.Node
	names                  [][]int32 // of the mentions
	sharp                  float64
	ahead                  int // tokens told at each position of a rollout; 0: no rollouts
	rounds, prefixes, wide int
	written                int // tokens of rollouts
}

// Modes of an oracle whose rounds cost: CertifiedTop1 with rollouts, BeamHF with forced tokens asked about ahead.
const (
	rollouts = "rollouts"
	chains   = "chains"
)

// wideAt is the most tokens that vLLM tells of in one request.
const wideAt = 128

func (d *drawn) Caps() oracle.Caps { return oracle.Caps{Name: "drawn", Exact: true, Ahead: d.ahead} }

func (d *drawn) Do(_ context.Context, queries []oracle.Query) ([]oracle.Answer, error) {
	d.rounds++
	d.prefixes += len(queries)
	out := make([]oracle.Answer, len(queries))
	for i, q := range queries {
		if len(q.Want) > wideAt {
			d.wide++
		}
		if q.Roll > 0 {
			out[i].Roll = d.roll(q)
			d.written += len(out[i].Roll)
		}
		if len(q.Want) > 0 {
			out[i].Want = d.row(q.Prefix[0], q.Prefix[1:], q.Want)
		}
	}
	return out, nil
}

// row gives the log-probabilities of a node's children.
func (d *drawn) row(mention int32, path, children []int32) []float64 {
	name := d.names[mention]
	leads := len(path) < len(name) && slices.Equal(path, name[:len(path)])
	node, _ := d.t.Find(d.root, path)
	rng := rand.New(rand.NewPCG(uint64(mention), uint64(node)))
	lp := make([]float64, len(children))
	for k, token := range children {
		child, _ := d.t.Child(node, token)
		lp[k] = math.Log(float64(d.t.Count(child)))/2 + rng.NormFloat64()
		if leads && token == name[len(path)] {
			lp[k] += d.sharp
		}
	}
	z := logSumExp(lp)
	for k := range lp {
		lp[k] -= z
	}
	return lp
}

// roll writes greedily until a name is whole.
func (d *drawn) roll(q oracle.Query) (out []oracle.Written) {
	path := slices.Clone(q.Prefix[1:])
	for len(out) < q.Roll {
		node, _ := d.t.Find(d.root, path)
		if d.t.IsLeaf(node) {
			break
		}
		children := childTokens(d.t, node)
		var top []oracle.Token
		for k, lp := range d.row(q.Prefix[0], path, children) {
			top = append(top, oracle.Token{ID: children[k], LogProb: lp})
		}
		slices.SortFunc(top, func(a, b oracle.Token) int { return cmp.Compare(b.LogProb, a.LogProb) })
		path, out = append(path, top[0].ID), append(out, oracle.Written{Token: top[0].ID, Top: top[:min(q.TopK, len(top))]})
	}
	return out
}

// draw draws the names of n mentions and returns their tokens, branching nodes and wide nodes, each a name.
func (d *drawn) draw(n int) (tokens, branching, wide float64) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range n {
		var name []int32
		for node := d.root; !d.t.IsLeaf(node); {
			lo, hi := d.t.Children(node)
			if hi-lo > 1 {
				branching++
			}
			if hi-lo > wideAt {
				wide++
			}
			at := rng.IntN(d.t.Count(node))
			for node = lo; at >= d.t.Count(node); node++ {
				at -= d.t.Count(node)
			}
			name = append(name, d.t.Token(node))
		}
		d.names = append(d.names, name)
		tokens += float64(len(name))
	}
	return tokens / float64(n), branching / float64(n), wide / float64(n)
}

// kbNames reads the distinct names of a table with a column "name".
func kbNames(t *testing.T, path string) iter.Seq[terminology.Form] {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(bufio.NewReader(f))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := slices.Index(rows[0], "name")
	return func(yield func(terminology.Form) bool) {
		seen := map[string]bool{}
		for i, row := range rows[1:] {
			if seen[row[column]] {
				continue
			}
			seen[row[column]] = true
			if !yield(terminology.Form{Text: row[column], Concepts: []int{i}}) {
				return
			}
		}
	}
}

// TestRoundTrips counts what two searches ask of a model that is drawn, among real names cut by a real tokenizer: SYNCABEL_NAMES is a
// table of a knowledge base, SYNCABEL_TOKENIZER a tokenizer.json with an end token of one of the usual names.
func TestRoundTrips(t *testing.T) {
	if os.Getenv("SYNCABEL_NAMES") == "" {
		t.Skip("SYNCABEL_NAMES and SYNCABEL_TOKENIZER name no files")
	}
	tok, err := tokenizer.Load(os.Getenv("SYNCABEL_TOKENIZER"))
	if err != nil {
		t.Fatal(err)
	}
	b := trie.NewBuilder(trie.Options{EOS: int32(tok.VocabSize())}) // no token of a name
	b.Group("G")
	if _, err := addForms(b, tok, markup.Options{}, kbNames(t, os.Getenv("SYNCABEL_NAMES"))); err != nil {
		t.Fatal(err)
	}
	tr, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	const mentions = 2000
	for _, sharp := range []float64{2, 4, 8} {
		d := &drawn{t: tr, sharp: sharp}
		d.root, _ = tr.Root("G")
		tokens, branching, wide := d.draw(mentions)
		lo, hi := tr.Children(d.root)
		t.Logf("%d names, %.2f tokens, %.2f branching nodes, %.0f %% forced, %d children of the root, %.2f wide nodes; sharpness %g", tr.Leaves(), tokens, branching,
			100*(1-branching/tokens), hi-lo, wide, sharp)
		for _, mode := range []string{BeamHF, chains, BeamTrie, CertifiedTop1, rollouts} {
			d.rounds, d.prefixes, d.wide, d.written, d.ahead = 0, 0, 0, 0, 0
			if mode == rollouts || mode == chains {
				d.ahead = wideAt
			}
			for m := range int32(mentions) {
				if err := d.search(mode, m); err != nil {
					t.Fatal(err)
				}
			}
			per := func(n int) float64 { return float64(n) / mentions }
			t.Logf("  %-14s %5.1f rounds %6.1f prefixes %5.2f wide %6.1f tokens written", mode, per(d.rounds), per(d.prefixes), per(d.wide), per(d.written))
		}
	}
}

func (d *drawn) search(mode string, mention int32) error {
	const beams = 5
	prompt, ctx := []int32{mention}, context.Background()
	switch mode {
	case BeamHF, chains:
		return runSequences(ctx, d.t, d, []*sequenceSearch{{prompt: prompt, root: d.root, guided: true, live: []hypothesis{{node: d.root}}}}, beams, trie.MaxTokens)
	case BeamTrie:
		return beamTrie(ctx, d.t, d, []*search{{prompt: prompt, live: []hypothesis{{node: d.root}}}}, beams)
	}
	return certify(ctx, d.t, d, []*certifiedSearch{newCertified(d, prompt, d.root, false)}, math.MaxInt)
}
