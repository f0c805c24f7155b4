package link

import (
	"container/heap"
	"context"
	"math"
	"slices"

	"syncabel/internal/oracle"
	"syncabel/internal/trie"
)

// How a certified search ended.
const (
	byRollout   = "rollout"    // the first name written was proved best
	byBestFirst = "best-first" // other beginnings had to be opened before one was
	byBeam      = "beam"       // no proof within the budget: a beam search answers
)

// certifiedSearch looks for the one best name after a prompt and for the proof that none is better. Every beginning of a
// name that was passed by has a bound: no name below can score more. It opens the beginning with the largest bound until
// what has the largest bound is a whole name, which is then the best of all.
//
// Under the sum of renormalised log-probabilities a beginning's bound is its own score, since scores only fall. Under the mean
// of raw log-probabilities it is its sum over the longest length that a name below it has: the rest can at best cost nothing.
type certifiedSearch struct {
	prompt   []int32
	root     trie.Node
	mean     bool // score as beam-hf: raw log-probabilities over length, the end token counted; else as beam-trie
	open     families
	best     whole
	asked    int    // nodes the oracle was asked about
	how      string // empty while it goes on
	straight bool   // so far every beginning opened was the likeliest child of the one before
	chains   []chain
}

// whole is a name that was reached.
type whole struct {
	leaf  int
	score float64 // logp, over the length under the mean
	logp  float64
}

// family are the unopened children of an opened node. The first has the largest bound, the rest have no order.
type family struct {
	path []int32 // tokens down to the node
	kids []kid
}

type kid struct {
	node  trie.Node
	logp  float64
	bound float64
}

// chain is a beginning on its way to the next choice: the tokens in between are forced.
type chain struct {
	logp    float64
	last    trie.Node // where the next choice is
	path    []int32   // tokens down to it
	queries int
}

// families is a heap, the largest bound first; between equals the smaller node.
type families []family

func (f families) Len() int      { return len(f) }
func (f families) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f families) Less(i, j int) bool {
	a, b := f[i].kids[0], f[j].kids[0]
	return a.bound > b.bound || a.bound == b.bound && a.node < b.node
}
func (f *families) Push(x any) { *f = append(*f, x.(family)) }
func (f *families) Pop() any {
	old := *f
	x := old[len(old)-1]
	*f = old[:len(old)-1]
	return x
}

// first brings the kid with the largest bound to the front.
func (f *family) first() {
	at := 0
	for i, k := range f.kids {
		if k.bound > f.kids[at].bound || k.bound == f.kids[at].bound && k.node < f.kids[at].node {
			at = i
		}
	}
	f.kids[0], f.kids[at] = f.kids[at], f.kids[0]
}

// openEach is how many beginnings a search opens in a round once it has left the straight way: more make better use of a batch,
// fewer ask less.
const openEach = 3

// newCertified starts at a root.
func newCertified(t *trie.Trie, prompt []int32, root trie.Node, mean bool) *certifiedSearch {
	s := &certifiedSearch{prompt: prompt, root: root, mean: mean, straight: true}
	s.open = families{{kids: []kid{{root, 0, 0}}}}
	return s
}

// certify runs several searches at once until each is proved or has asked about budget nodes.
func certify(ctx context.Context, t *trie.Trie, o Oracle, searches []*certifiedSearch, budget int) error {
	for {
		var queries []oracle.Query
		for _, s := range searches {
			queries = s.ask(t, queries, budget)
		}
		if len(queries) == 0 {
			return nil
		}
		answers, err := o.Do(ctx, queries)
		if err != nil {
			return err
		}
		for _, s := range searches {
			for _, c := range s.chains {
				s.answer(t, c, answers[:c.queries])
				answers = answers[c.queries:]
			}
			s.chains = s.chains[:0]
		}
	}
}

// ask opens the most promising beginnings, or ends the search.
func (s *certifiedSearch) ask(t *trie.Trie, queries []oracle.Query, budget int) []oracle.Query {
	n := openEach
	if s.straight {
		n = 1
	}
	for len(s.chains) < n && len(s.open) > 0 && s.how == "" {
		f := &s.open[0]
		k, path := f.kids[0], f.path
		if s.whole(t, k) {
			if len(s.chains) == 0 { // nothing is being opened that could score more
				s.conclude(t, k, path)
			}
			break
		}
		if s.asked >= budget {
			if len(s.chains) == 0 {
				s.how = byBeam
			}
			break
		}
		if f.kids = f.kids[1:]; len(f.kids) > 0 {
			f.first()
			heap.Fix(&s.open, 0)
		} else {
			heap.Pop(&s.open)
		}
		queries = s.follow(t, k, path, queries)
	}
	return queries
}

// whole reports whether a kid stands for one name whose score is known.
func (s *certifiedSearch) whole(t *trie.Trie, k kid) bool {
	return t.IsLeaf(k.node) || !s.mean && t.Count(k.node) == 1
}

func (s *certifiedSearch) conclude(t *trie.Trie, k kid, path []int32) {
	s.best = whole{t.Leaf(k.node), k.bound, k.logp}
	s.how = byBestFirst
	if s.straight {
		s.how = byRollout
	}
}

// follow walks the forced tokens after a beginning, so that they and the next choice are one question.
func (s *certifiedSearch) follow(t *trie.Trie, k kid, path []int32, queries []oracle.Query) []oracle.Query {
	c := chain{logp: k.logp, path: path}
	for n := k.node; ; n, _ = t.Children(n) {
		if n != s.root {
			c.path = append(slices.Clip(c.path), t.Token(n))
		}
		c.last = n
		lo, hi := t.Children(n)
		if s.mean || hi-lo > 1 {
			queries = append(queries, oracle.Query{Prefix: join(s.prompt, c.path), Want: childTokens(t, n)})
			c.queries++
		}
		if hi-lo > 1 || t.IsLeaf(lo) {
			break
		}
	}
	s.asked += c.queries
	s.chains = append(s.chains, c)
	return queries
}

// answer takes in what a chain's questions brought: the cost of its forced tokens and of each choice at its end.
func (s *certifiedSearch) answer(t *trie.Trie, c chain, answers []oracle.Answer) {
	if s.mean {
		for _, a := range answers[:len(answers)-1] {
			c.logp += a.Want[0]
		}
	}
	last := answers[len(answers)-1].Want
	z := 0.0
	if !s.mean {
		z = logSumExp(last)
	}
	lo, _ := t.Children(c.last)
	f := family{path: c.path, kids: make([]kid, len(last))}
	for i, lp := range last {
		n := lo + trie.Node(i)
		f.kids[i] = kid{n, c.logp + lp - z, c.logp + lp - z}
		if s.mean {
			f.kids[i].bound /= float64(len(c.path) + 1 + t.Depth(n))
		}
	}
	f.first()
	heap.Push(&s.open, f)
	s.straight = s.straight && &s.open[0].kids[0] == &f.kids[0]
}

// certified answers a batch in the mode certified-top1. Where the proof does not come within the budget, a beam search under
// the same score answers, and its candidates say so.
func (l *Linker) certified(ctx context.Context, batch []*task) error {
	searches := make([]*certifiedSearch, len(batch))
	for i, t := range batch {
		searches[i] = newCertified(l.trie, t.prompt, t.root, l.opt.CertifyMean)
	}
	if err := certify(ctx, l.trie, l.oracle, searches, l.opt.Budget); err != nil {
		return err
	}
	var rest []*task
	for i, t := range batch {
		s := searches[i]
		if s.how == byBeam {
			rest = append(rest, t)
			continue
		}
		concepts := l.trie.Concepts(s.best.leaf)
		for _, c := range concepts {
			x := t.candidate(int(c))
			x.beam, x.how, x.name, x.value = true, s.how, l.trie.Text(s.best.leaf), s.best.score
			x.logp = s.best.logp - math.Log(float64(len(concepts)))
			x.best = x.logp
		}
	}
	if l.opt.CertifyMean {
		return l.sequences(ctx, rest, true)
	}
	return l.beams(ctx, rest)
}

// beams answers tasks by beamTrie.
func (l *Linker) beams(ctx context.Context, batch []*task) error {
	err := l.beamSearches(ctx, batch)
	for _, t := range batch {
		for i := range t.cands {
			t.cands[i].value = t.cands[i].logp
		}
	}
	return err
}
