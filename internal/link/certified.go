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
//
// Where a round costs, every beginning that is opened is also written on greedily (a rollout), which opens what lies on
// the way in the same round. A rollout tells the likeliest tokens of each position only: the children that are not among them share a bound,
// and the sum of renormalisation has a lower and an upper one (see view).
type certifiedSearch struct {
	prompt   []int32
	root     trie.Node
	mean     bool // score as beam-hf: raw log-probabilities over length, the end token counted; else as beam-trie
	caps     oracle.Caps
	open     families
	best     whole
	asked    int                   // prefixes the oracle was asked about
	how      string                // empty while it goes on
	straight bool                  // so far every beginning opened was the likeliest child of the one before
	exact    map[trie.Node]float64 // sums of renormalisation that were asked for
	pending  []pending
}

// whole is a name that was reached.
type whole struct {
	leaf  int
	score float64 // logp, over the length under the mean
	logp  float64
}

// family are the unopened children of an opened node. The first has the largest bound, the rest have no order.
type family struct {
	path  []int32 // tokens down to the node
	kids  []kid
	loose []looseSum // sums between the root and the kids that are known within bounds
}

type kid struct {
	node  trie.Node
	logp  float64 // at most, where sums are loose
	bound float64
	seen  map[trie.Node]bool // not nil: the kid stands for the children of node but these, which are not among the likeliest tokens
}

// looseSum is a sum of renormalisation of which the likeliest tokens are known.
type looseSum struct {
	node  trie.Node
	depth int     // tokens down to the node
	low   float64 // logarithm of the part known
	width float64 // by how much the logarithm can be larger
}

// pending is something whose answers are under way.
type pending struct {
	queries int
	take    func([]oracle.Answer)
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

const (
	// openEach is how many beginnings a search opens in a round once it has left the straight way: more make better use of a batch,
	// fewer ask less.
	openEach = 3
	// longestRoll bounds a rollout: names of 24 tokens are rare, and what is written beyond a name is lost.
	longestRoll = 24
	// looseEnough is how far the logarithm of a name's probability may be off, and how much better another may be, before exact sums are
	// asked for: less than the noise of servers that compute in 16 bits.
	looseEnough = 1e-3
	// lostMass is what sums of probabilities in 32 bits may lack.
	lostMass = 1e-6
)

// newCertified starts at a root.
func newCertified(o Oracle, prompt []int32, root trie.Node, mean bool) *certifiedSearch {
	s := &certifiedSearch{prompt: prompt, root: root, mean: mean, caps: o.Caps(), straight: true, exact: map[trie.Node]float64{}}
	s.open = families{{kids: []kid{{node: root}}}}
	return s
}

// certify runs several searches at once until each is proved or has asked about budget prefixes.
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
			for _, p := range s.pending {
				p.take(answers[:p.queries])
				answers = answers[p.queries:]
			}
			s.pending = s.pending[:0]
		}
	}
}

// ask opens the most promising beginnings, or ends the search.
func (s *certifiedSearch) ask(t *trie.Trie, queries []oracle.Query, budget int) []oracle.Query {
	n := openEach
	if s.straight {
		n = 1
	}
	for len(s.pending) < n && len(s.open) > 0 && s.how == "" {
		k, f := s.open[0].kids[0], s.open[0]
		if slices.ContainsFunc(f.loose, s.known) {
			s.pop()
			s.push(s.lowered(k, f))
			continue
		}
		done := s.whole(t, k) && width(f.loose) <= looseEnough
		if done || s.asked >= budget {
			if len(s.pending) == 0 { // nothing is being opened that could score more
				s.end(t, k, f, done)
			}
			return queries
		}
		s.pop()
		switch {
		case s.whole(t, k):
			queries = s.tighten(t, k, f, queries)
		case k.seen != nil:
			queries = s.complete(t, k, f, queries)
		default:
			queries = s.follow(t, k, f, queries)
		}
	}
	return queries
}

// pop takes the kid with the largest bound.
func (s *certifiedSearch) pop() {
	f := &s.open[0]
	if f.kids = f.kids[1:]; len(f.kids) > 0 {
		f.first()
		heap.Fix(&s.open, 0)
		return
	}
	heap.Pop(&s.open)
}

func (s *certifiedSearch) push(f family) {
	if len(f.kids) > 0 {
		f.first()
		heap.Push(&s.open, f)
	}
}

// whole reports whether a kid stands for one name whose score is known.
func (s *certifiedSearch) whole(t *trie.Trie, k kid) bool {
	return k.seen == nil && (t.IsLeaf(k.node) || !s.mean && t.Count(k.node) == 1)
}

// end gives the kid as the best name, if it is proved to be.
func (s *certifiedSearch) end(t *trie.Trie, k kid, f family, proved bool) {
	switch {
	case !proved:
		s.how = byBeam
		return
	case s.straight:
		s.how = byRollout
	default:
		s.how = byBestFirst
	}
	s.best = whole{t.Leaf(k.node), k.bound, k.logp}
}

// width is by how much a kid's log-probability may be off.
func width(loose []looseSum) (sum float64) {
	for _, l := range loose {
		sum += l.width
	}
	return sum
}

// known reports whether a sum was asked for.
func (s *certifiedSearch) known(l looseSum) bool { _, ok := s.exact[l.node]; return ok }

// lowered is a kid by itself, its log-probability less what the sums above it that were asked for are larger.
func (s *certifiedSearch) lowered(k kid, f family) family {
	out := family{path: f.path}
	for _, l := range f.loose {
		if !s.known(l) {
			out.loose = append(out.loose, l)
			continue
		}
		k.logp -= s.exact[l.node] - l.low
		k.bound -= s.exact[l.node] - l.low
	}
	out.kids = []kid{k}
	return out
}

// tighten asks for the sums that a whole name's score lacks. Unless another is better then, it is the best.
func (s *certifiedSearch) tighten(t *trie.Trie, k kid, f family, queries []oracle.Query) []oracle.Query {
	for _, l := range f.loose {
		queries = append(queries, oracle.Query{Prefix: join(s.prompt, f.path[:l.depth]), Want: childTokens(t, l.node)})
	}
	s.asked += len(f.loose)
	s.pending = append(s.pending, pending{len(f.loose), func(answers []oracle.Answer) {
		for i, l := range f.loose {
			s.exact[l.node] = logSumExp(answers[i].Want)
		}
		s.push(s.lowered(k, f))
	}})
	return queries
}

// complete asks for those children that were not among the likeliest tokens. Their own bounds rest on sums that are loose above the node.
func (s *certifiedSearch) complete(t *trie.Trie, k kid, f family, queries []oracle.Query) []oracle.Query {
	s.asked++
	s.straight = false
	queries = append(queries, oracle.Query{Prefix: join(s.prompt, f.path), Want: childTokens(t, k.node)})
	s.pending = append(s.pending, pending{1, func(answers []oracle.Answer) {
		v := newView(t, k.node, answers[0].Want)
		s.exact[k.node] = v.sum
		v.known = slices.DeleteFunc(v.known, func(c child) bool { return k.seen[c.node] })
		s.push(s.family(t, v, k.logp, f.path, f.loose))
	}})
	return queries
}

// follow walks the forced tokens after a beginning, so that they and the next choice are one question.
func (s *certifiedSearch) follow(t *trie.Trie, k kid, f family, queries []oracle.Query) []oracle.Query {
	at, path, count := k.node, f.path, 0
	if at != s.root {
		path = append(slices.Clip(path), t.Token(at))
	}
	for ; ; path = append(slices.Clip(path), t.Token(at)) {
		lo, hi := t.Children(at)
		if hi-lo > 1 || t.IsLeaf(lo) {
			break
		}
		if s.mean {
			queries = append(queries, oracle.Query{Prefix: join(s.prompt, path), Want: []int32{t.Token(lo)}})
			count++
		}
		at = lo
	}
	queries = append(queries, s.question(t, at, path))
	count++
	s.asked += count
	s.pending = append(s.pending, pending{count, func(answers []oracle.Answer) {
		for _, a := range answers[:len(answers)-1] {
			k.logp += a.Want[0]
		}
		s.take(t, at, path, k.logp, f.loose, answers[len(answers)-1])
	}})
	return queries
}

// question asks about a node's children, by a rollout too where that pays.
func (s *certifiedSearch) question(t *trie.Trie, n trie.Node, path []int32) oracle.Query {
	q := oracle.Query{Prefix: join(s.prompt, path), Want: childTokens(t, n)}
	if s.caps.Ahead == 0 {
		return q
	}
	q.Roll, q.TopK = min(longestRoll, t.Depth(n)), s.caps.Ahead
	if s.caps.Context > 0 {
		q.Roll = min(q.Roll, max(1, s.caps.Context-len(q.Prefix)))
	}
	if s.caps.Apart {
		q.Want = nil
	}
	return q
}

// take opens a node and, as far as a rollout stays in the trie and its tokens tell enough, the nodes on its way.
func (s *certifiedSearch) take(t *trie.Trie, n trie.Node, path []int32, logp float64, loose []looseSum, a oracle.Answer) {
	var v view
	if len(a.Want) > 0 {
		v = newView(t, n, a.Want)
	} else {
		v = topView(t, n, a.Roll[0].Top)
	}
	for i := 0; ; i++ {
		f := s.family(t, v, logp, path, loose)
		next := -1
		if i+1 < len(a.Roll) {
			next = slices.IndexFunc(f.kids, func(k kid) bool { return k.seen == nil && t.Token(k.node) == a.Roll[i].Token && !s.whole(t, k) })
		}
		if next >= 0 {
			v = topView(t, f.kids[next].node, a.Roll[i+1].Top)
		}
		if next < 0 || len(v.known) == 0 {
			s.push(f)
			s.straight = s.straight && len(f.kids) > 0 && s.open[0].kids[0].node == f.kids[0].node
			return
		}
		k := f.kids[next]
		path, logp, loose = append(slices.Clip(path), t.Token(k.node)), k.logp, f.loose
		f.kids = slices.Delete(f.kids, next, next+1)
		s.push(f)
	}
}

// family scores the children that a view shows of a node, and pushes what stands for the others.
func (s *certifiedSearch) family(t *trie.Trie, v view, logp float64, path []int32, loose []looseSum) family {
	f := family{path: path, loose: loose, kids: make([]kid, 0, len(v.known))}
	z, withUnseen := 0.0, 0.0
	if !s.mean {
		z, withUnseen = v.sum, logSumExp([]float64{v.sum, v.unseen})
		if v.width > 0 {
			f.loose = append(slices.Clip(loose), looseSum{v.node, len(path), v.sum, v.width})
		}
	}
	for _, c := range v.known {
		f.kids = append(f.kids, s.kid(c.node, logp+c.logp-z, len(path)+1+t.Depth(c.node)))
	}
	if v.unseen > math.Inf(-1) { // the sum that one of the others is divided by has its own part in it
		rest := s.kid(v.node, logp+v.unseen-withUnseen, len(path)+t.Depth(v.node))
		rest.logp, rest.seen = logp, map[trie.Node]bool{}
		for _, c := range v.known {
			rest.seen[c.node] = true
		}
		s.push(family{path: path, kids: []kid{rest}, loose: loose})
	}
	return f
}

func (s *certifiedSearch) kid(n trie.Node, logp float64, longest int) kid {
	if s.mean {
		return kid{node: n, logp: logp, bound: logp / float64(longest)}
	}
	return kid{node: n, logp: logp, bound: logp}
}

// certified answers a batch in the mode certified-top1. Where the proof does not come within the budget, a beam search under
// the same score answers, and its candidates say so.
func (l *Linker) certified(ctx context.Context, batch []*task) error {
	searches := make([]*certifiedSearch, len(batch))
	for i, t := range batch {
		searches[i] = newCertified(l.oracle, t.prompt, t.root, l.opt.CertifyMean)
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
