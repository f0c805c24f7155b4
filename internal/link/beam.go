package link

import (
	"cmp"
	"context"
	"math"
	"slices"

	"syncabel/internal/kernel"
	"syncabel/internal/oracle"
	"syncabel/internal/trie"
)

// An Oracle answers next-token questions; package oracle has them.
type Oracle interface {
	Caps() oracle.Caps
	Do(ctx context.Context, queries []oracle.Query) ([]oracle.Answer, error)
}

// hypothesis is a partly written name.
type hypothesis struct {
	node trie.Node
	path []int32 // tokens written so far
	logp float64
}

// finished is a whole name.
type finished struct {
	leaf int
	logp float64
	node trie.Node // reached, from which the rest is forced
	path []int32   // tokens up to it
}

// search is the state of one prompt's beam search.
type search struct {
	prompt []int32
	live   []hypothesis
	done   []finished
	paths  []leafPath // of done, whole, after complete
}

// beamTrie searches several prompts at once: a step asks the oracle one batch. Log-probabilities are renormalised over the
// children of a node, so that scores of all names of a group sum to one, and forced tokens cost neither probability nor
// computation. A search ends when no live hypothesis can enter the best `beams` finished ones: scores only fall.
func beamTrie(ctx context.Context, t *trie.Trie, o Oracle, searches []*search, beams int) error {
	o = wide(o, beams, true)
	for {
		var queries []oracle.Query
		for _, s := range searches {
			s.settle(t, beams)
			for _, h := range s.live {
				queries = append(queries, oracle.Query{Prefix: join(s.prompt, h.path), Want: childTokens(t, h.node)})
			}
		}
		if len(queries) == 0 {
			return nil
		}
		answers, err := o.Do(ctx, queries)
		if err != nil {
			return err
		}
		for _, s := range searches {
			n := len(s.live)
			s.expand(t, answers[:n], beams)
			answers = answers[n:]
		}
	}
}

// settle walks forced tokens, moves whole names to done, and drops hypotheses that cannot win any more.
func (s *search) settle(t *trie.Trie, beams int) {
	live := s.live[:0]
	for _, h := range s.live {
		for t.Count(h.node) > 1 {
			lo, hi := t.Children(h.node)
			if hi-lo != 1 {
				break
			}
			h.node, h.path = lo, append(slices.Clip(h.path), t.Token(lo))
		}
		if t.Count(h.node) == 1 {
			s.done = append(s.done, finished{t.Leaf(h.node), h.logp, h.node, h.path})
			continue
		}
		live = append(live, h)
	}
	s.live = live
	sortFinished(s.done)
	if len(s.done) >= beams {
		s.done = s.done[:beams]
		worst := s.done[beams-1].logp
		s.live = slices.DeleteFunc(s.live, func(h hypothesis) bool { return h.logp <= worst })
	}
}

func sortFinished(done []finished) {
	slices.SortFunc(done, func(a, b finished) int { return cmp.Or(cmp.Compare(b.logp, a.logp), cmp.Compare(a.leaf, b.leaf)) })
}

// extension is a hypothesis with one token more.
type extension struct {
	from  int // index into the live hypotheses
	token int32
	node  trie.Node
	logp  float64
}

// best keeps the k best extensions, best first; between equals the earlier hypothesis, then the smaller token. A root has thousands
// of children: nearly all are turned away by one comparison.
func best(list []extension, x extension, k int) []extension {
	if len(list) == k && x.logp < list[k-1].logp {
		return list
	}
	i, _ := slices.BinarySearchFunc(list, x, func(a, b extension) int {
		return cmp.Or(cmp.Compare(b.logp, a.logp), cmp.Compare(a.from, b.from), cmp.Compare(a.token, b.token))
	})
	if i == k {
		return list
	}
	return slices.Insert(list[:min(len(list), k-1)], i, x)
}

// expand replaces the live hypotheses by the best of their children.
func (s *search) expand(t *trie.Trie, answers []oracle.Answer, beams int) {
	all := make([]extension, 0, beams)
	for i, h := range s.live {
		lo, _ := t.Children(h.node)
		z := logSumExp(answers[i].Want)
		for k, lp := range answers[i].Want {
			n := lo + trie.Node(k)
			all = best(all, extension{i, t.Token(n), n, h.logp + lp - z}, beams)
		}
	}
	next := make([]hypothesis, len(all))
	for i, c := range all {
		next[i] = hypothesis{c.node, append(slices.Clip(s.live[c.from].path), c.token), c.logp}
	}
	s.live = next
}

func childTokens(t *trie.Trie, n trie.Node) []int32 {
	lo, hi := t.Children(n)
	return t.AppendTokens(make([]int32, 0, hi-lo), n)
}

func join(a, b []int32) []int32 { return append(slices.Clip(a), b...) }

func logSumExp(x []float64) float64 {
	m := math.Inf(-1)
	for _, v := range x {
		m = max(m, v)
	}
	if math.IsInf(m, -1) {
		return m
	}
	if len(x) >= manyTerms {
		return m + math.Log(manyExp(x, m))
	}
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(v - m)
	}
	return m + math.Log(sum)
}

// manyTerms is from where on a sum is left to the vector loops, whose relative error of some 1e-7 is a rounding of logits more. A root has
// thousands of children, and more the more names there are.
const manyTerms = 128

// manyExp sums exp(x-m).
func manyExp(x []float64, m float64) (sum float64) {
	var block [256]float32
	for part := range slices.Chunk(x, len(block)) {
		for i, v := range part {
			block[i] = float32(v - m)
		}
		sum += math.Exp(kernel.LogSumExp(block[:len(part)]))
	}
	return sum
}

// complete walks the forced rest of every finished name.
func (s *search) complete(t *trie.Trie) {
	for _, f := range s.done {
		tokens := slices.Clip(f.path)
		for n := f.node; !t.IsLeaf(n); {
			n, _ = t.Children(n)
			tokens = append(tokens, t.Token(n))
		}
		s.paths = append(s.paths, leafPath{f.leaf, tokens})
	}
}
