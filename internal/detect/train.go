package detect

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"syncabel/internal/corpus"
	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

// maxGroups bounds the semantic groups that are told apart; the tags of 120 groups fit a byte.
const maxGroups = 120

// Options of Train.
type Options struct {
	Epochs int                 // default 12
	Seed   uint64              // of the order of sentences
	Group  func(string) string // semantic group of an annotated type, empty where none fits; default: the type itself
}

// Train makes a model from annotated documents. Without any the model knows the dictionary only.
func Train(kb *terminology.KB, docs []corpus.Document, opt Options) (*Model, error) {
	if len(kb.Groups()) > maxGroups {
		return nil, fmt.Errorf("training the detector: %d semantic groups, at most %d can be told apart", len(kb.Groups()), maxGroups)
	}
	m := &Model{Groups: kb.Groups(), Words: vocabulary(kb)}
	t := &trainer{m: m, group: opt.Group, rng: rand.New(rand.NewPCG(opt.Seed, 0x7a67))}
	if t.group == nil {
		t.group = func(s string) string { return s }
	}
	t.collect(New(kb, m), docs)
	if t.mentions == 0 {
		return m, nil
	}
	t.run(cmp.Or(opt.Epochs, 12))
	return m, nil
}

// example is a sentence with its features as indexes and its gold tags.
type example struct {
	f    [][]feature
	gold []uint8
}

// trainer holds the running weights and the sums that their average is made of.
type trainer struct {
	m        *Model
	group    func(string) string
	rng      *rand.Rand
	examples []example
	mentions int
	step     float64
	sums     []float64 // of step x update, by weight
	moveSums []float64
}

// collect turns documents into examples and keeps the features that occur more than once.
func (t *trainer) collect(d *Detector, docs []corpus.Document) {
	counts := map[feature]uint32{}
	for i := range docs {
		v := d.view(&docs[i])
		gold := t.gold(v)
		for _, s := range v.sentences {
			x := example{v.features(s, nil), gold[s.lo:s.hi]}
			t.examples = append(t.examples, x)
			for _, f := range x.f {
				for _, h := range f {
					counts[h]++
				}
			}
		}
	}
	t.m.at = map[feature]int32{}
	for _, x := range t.examples { // in the order of the text, so that the result does not depend on the map's
		for i, f := range x.f {
			kept := f[:0]
			for _, h := range f {
				if counts[h] < 2 {
					continue
				}
				if _, ok := t.m.at[h]; !ok {
					t.m.at[h] = int32(len(t.m.at))
				}
				kept = append(kept, h)
			}
			x.f[i] = kept
		}
	}
}

// gold writes the annotations of a document as tags; of overlapping ones the longest counts.
func (t *trainer) gold(v *view) []uint8 {
	out := make([]uint8, len(v.words))
	list := slices.Clone(v.doc.Mentions)
	slices.SortStableFunc(list, func(a, b corpus.Mention) int { return cmp.Compare(b.Span().Len(), a.Span().Len()) })
	for _, m := range list {
		g := slices.Index(t.m.Groups, t.group(m.Type))
		lo, hi := v.covered(m.Span())
		if g < 0 || lo == hi || slices.ContainsFunc(out[lo:hi], func(x uint8) bool { return x != outside }) {
			continue
		}
		t.mentions++
		for i := lo; i < hi; i++ {
			out[i] = inside(g)
		}
		out[lo] = begin(g)
	}
	for _, s := range v.sentences { // a mention over the end of a sentence begins again
		if s.lo < s.hi && out[s.lo] != outside && out[s.lo]%2 == 0 {
			out[s.lo]--
		}
	}
	return out
}

// covered returns the words that a span touches.
func (v *view) covered(sp text.Span) (lo, hi int) {
	lo, _ = slices.BinarySearchFunc(v.words, sp.Start, func(w text.Span, at int) int { return cmp.Compare(w.End, at+1) })
	for hi = lo; hi < len(v.words) && v.words[hi].Start < sp.End; hi++ {
	}
	return lo, hi
}

// run is the averaged perceptron: where the best tags differ from the gold, both are pulled.
func (t *trainer) run(epochs int) {
	k := t.m.tags()
	t.m.Weights, t.m.Moves = make([]float32, len(t.m.at)*k), make([]float32, k*k)
	t.sums, t.moveSums = make([]float64, len(t.m.Weights)), make([]float64, k*k)
	for range epochs {
		for _, i := range t.rng.Perm(len(t.examples)) {
			x := &t.examples[i]
			t.step++
			if got := t.m.decode(x.f); !slices.Equal(got, x.gold) {
				t.pull(x, x.gold, 1)
				t.pull(x, got, -1)
			}
		}
	}
	for i := range t.m.Weights {
		t.m.Weights[i] -= float32(t.sums[i] / t.step)
	}
	for i := range t.m.Moves {
		t.m.Moves[i] -= float32(t.moveSums[i] / t.step)
	}
	t.m.prune()
}

func (t *trainer) pull(x *example, tags []uint8, by float32) {
	k := t.m.tags()
	last := outside
	for i, tag := range tags {
		for _, f := range x.f[i] {
			at := int(t.m.at[f])*k + int(tag)
			t.m.Weights[at] += by
			t.sums[at] += t.step * float64(by)
		}
		move := int(last)*k + int(tag)
		t.m.Moves[move] += by
		t.moveSums[move] += t.step * float64(by)
		last = tag
	}
}
