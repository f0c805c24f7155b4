package link

import (
	"context"
	"slices"

	"syncabel/internal/oracle"
	"syncabel/internal/trie"
)

// sequenceSearch is one prompt's token-synchronous beam search with raw log-probabilities and length normalisation, as
// Hugging Face's generate does it with num_beams, length_penalty 1 and early_stopping false. With a root it writes names of
// the trie only; without one it writes what it likes. With a separator it may, after a whole name, write another that it has not written yet.
type sequenceSearch struct {
	prompt []int32
	root   trie.Node
	guided bool
	sep    int32 // of a guided search: the token between names; 0: one name
	live   []hypothesis
	done   []sequence
	over   bool
	asked  []told          // the questions under way
	known  map[string]told // by path: answers ahead of their hypothesis
}

// told is what is asked, and then known, of a hypothesis.
type told struct {
	key    string              // of its path
	node   func(int) trie.Node // of a guided search: where each wanted token leads
	tokens []int32             // the wanted tokens
	answer oracle.Answer
}

// sequence is a finished hypothesis.
type sequence struct {
	tokens []int32 // without the end token
	leaves []int   // of a guided search: the names
	logp   float64 // sum over tokens and end
	score  float64 // logp / length
}

// runSequences searches several prompts at once for at most limit tokens each.
func runSequences(ctx context.Context, t *trie.Trie, o Oracle, searches []*sequenceSearch, beams, limit int) error {
	o = wide(o, 2*beams, false)
	ahead := o.Caps().Ahead > 0
	for length := 1; length <= limit; length++ {
		var queries []oracle.Query
		for _, s := range searches {
			queries = s.ask(t, queries, beams, ahead)
		}
		var answers []oracle.Answer
		if len(queries) > 0 {
			var err error
			if answers, err = o.Do(ctx, queries); err != nil {
				return err
			}
		}
		live := false
		for _, s := range searches {
			n := len(s.asked)
			s.step(t, s.collect(answers[:n]), beams, length, length == limit)
			answers = answers[n:]
			live = live || len(s.live) > 0 && !s.over
		}
		if !live {
			return nil
		}
	}
	return nil
}

// ask asks about every live hypothesis of which nothing is known yet. Where a round costs, the tokens that are forced behind it, and the next
// choice, are asked about in the same round.
func (s *sequenceSearch) ask(t *trie.Trie, queries []oracle.Query, beams int, ahead bool) []oracle.Query {
	s.asked = s.asked[:0]
	if s.over {
		s.live = nil
	}
	for _, h := range s.live {
		if _, ok := s.known[pathKey(h.path)]; ok {
			continue
		}
		for forced := true; forced; {
			q, x := oracle.Query{Prefix: join(s.prompt, h.path)}, told{key: pathKey(h.path)}
			if s.guided {
				x.tokens, x.node = s.ways(t, h)
				q.Want = x.tokens
			} else {
				q.TopK = 2 * beams
			}
			queries, s.asked = append(queries, q), append(s.asked, x)
			if forced = ahead && len(q.Want) == 1 && q.Want[0] != t.EOS(); forced {
				h = hypothesis{node: x.node(0), path: append(slices.Clip(h.path), q.Want[0])}
			}
		}
	}
	return queries
}

// collect returns what is known of each live hypothesis and keeps the rest for when it comes to it.
func (s *sequenceSearch) collect(answers []oracle.Answer) []told {
	if s.known == nil {
		s.known = map[string]told{}
	}
	for i, x := range s.asked {
		x.answer = answers[i]
		s.known[x.key] = x
	}
	out := make([]told, len(s.live))
	for i, h := range s.live {
		k := pathKey(h.path)
		out[i] = s.known[k]
		delete(s.known, k)
	}
	return out
}

// pathKey makes a path a key.
func pathKey(path []int32) string { return string(appendKey(make([]byte, 0, 4*len(path)), path)) }

// step takes the best 2 x beams extensions: ends among the first `beams` are finished, the others live on. At the limit of a
// free search everything ends. The search is over when the best that lives is, at its present length, no better than the
// worst of `beams` finished ones, which is generate's heuristic and may miss a better, longer name.
func (s *sequenceSearch) step(t *trie.Trie, known []told, beams, length int, last bool) {
	if len(s.live) == 0 {
		return
	}
	var next []hypothesis
	for rank, e := range s.extensions(known, 2*beams) {
		h := s.live[e.from]
		if e.token == t.EOS() {
			if rank < beams {
				s.finish(sequence{h.path, s.leaves(t, h.path), e.logp, e.logp / float64(length)}, beams)
			}
			continue
		}
		path := append(slices.Clip(h.path), e.token)
		if last && !s.guided && rank < beams {
			s.finish(sequence{path, nil, e.logp, e.logp / float64(length)}, beams)
		}
		if len(next) < beams {
			next = append(next, hypothesis{e.node, path, e.logp})
		}
	}
	s.live = next
	s.over = len(next) == 0 || len(s.done) == beams && s.done[beams-1].score >= next[0].logp/float64(length)
}

// extensions returns the k best of all, best first.
func (s *sequenceSearch) extensions(known []told, k int) []extension {
	all := make([]extension, 0, k)
	for i, h := range s.live {
		if s.guided {
			for c, lp := range known[i].answer.Want {
				all = best(all, extension{i, known[i].tokens[c], known[i].node(c), h.logp + lp}, k)
			}
			continue
		}
		for _, tok := range known[i].answer.Top {
			all = best(all, extension{i, tok.ID, 0, h.logp + tok.LogProb}, k)
		}
	}
	return all
}

// finish keeps the best `beams` finished sequences, best first.
func (s *sequenceSearch) finish(q sequence, beams int) {
	i := 0
	for i < len(s.done) && s.done[i].score >= q.score {
		i++
	}
	s.done = slices.Insert(s.done, i, q)
	s.done = s.done[:min(beams, len(s.done))]
}

// ways returns the tokens that may follow a hypothesis of a guided search, and where each leads.
func (s *sequenceSearch) ways(t *trie.Trie, h hypothesis) (tokens []int32, node func(int) trie.Node) {
	lo, hi := t.Children(h.node)
	if s.sep == 0 {
		return childTokens(t, h.node), func(i int) trie.Node { return lo + trie.Node(i) }
	}
	names := s.names(h.path)
	written, begun := names[:len(names)-1], names[len(names)-1]
	var nodes []trie.Node
	for n := lo; n < hi; n++ {
		if exhausted(t, n, written, begun) {
			continue
		}
		tokens, nodes = append(tokens, t.Token(n)), append(nodes, n)
		if t.IsLeaf(n) && len(names) < t.Count(s.root) {
			tokens, nodes = append(tokens, s.sep), append(nodes, s.root)
		}
	}
	return tokens, func(i int) trie.Node { return nodes[i] }
}

// names cuts a path at the separators. The last name may be unfinished.
func (s *sequenceSearch) names(path []int32) [][]int32 {
	if s.sep == 0 {
		return [][]int32{path}
	}
	var out [][]int32
	for {
		i := slices.Index(path, s.sep)
		if i < 0 {
			return append(out, path)
		}
		out, path = append(out, path[:i]), path[i+1:]
	}
}

// exhausted reports whether all names below a node, which continues the name begun, have been written.
func exhausted(t *trie.Trie, n trie.Node, written [][]int32, begun []int32) bool {
	below := 0
	for _, w := range written {
		switch k := len(begun); {
		case len(w) < k || !slices.Equal(w[:k], begun):
		case len(w) == k && t.IsLeaf(n), len(w) > k && w[k] == t.Token(n) && !t.IsLeaf(n):
			below++
		}
	}
	return below == t.Count(n)
}

// leaves are the names of a whole path.
func (s *sequenceSearch) leaves(t *trie.Trie, path []int32) (out []int) {
	for _, name := range s.names(path) {
		n, _ := t.Find(s.root, append(slices.Clip(name), t.EOS()))
		out = append(out, t.Leaf(n))
	}
	return out
}
