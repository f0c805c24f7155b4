package link

import (
	"context"
	"slices"

	"syncabel/internal/oracle"
	"syncabel/internal/trie"
)

// sequenceSearch is one prompt's token-synchronous beam search with raw log-probabilities and length normalisation, as
// Hugging Face's generate does it with num_beams, length_penalty 1 and early_stopping false. With a root it writes names of
// the trie only; without one it writes what it likes.
type sequenceSearch struct {
	prompt []int32
	root   trie.Node
	guided bool
	live   []hypothesis
	done   []sequence
	over   bool
}

// sequence is a finished hypothesis.
type sequence struct {
	tokens []int32 // without the end token
	leaf   int     // of a guided search
	logp   float64 // sum over tokens and end
	score  float64 // logp / length
}

// runSequences searches several prompts at once for at most limit tokens each.
func runSequences(ctx context.Context, t *trie.Trie, o Oracle, searches []*sequenceSearch, beams, limit int) error {
	for length := 1; length <= limit; length++ {
		var queries []oracle.Query
		for _, s := range searches {
			queries = s.ask(t, queries, beams)
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
			s.step(t, answers[:n], beams, length, length == limit)
			answers = answers[n:]
		}
	}
	return nil
}

func (s *sequenceSearch) ask(t *trie.Trie, queries []oracle.Query, beams int) []oracle.Query {
	if s.over {
		s.live = nil
	}
	for _, h := range s.live {
		q := oracle.Query{Prefix: join(s.prompt, h.path)}
		if s.guided {
			q.Want = childTokens(t, h.node)
		} else {
			q.TopK = 2 * beams
		}
		queries = append(queries, q)
	}
	return queries
}

// step takes the best 2 x beams extensions: ends among the first `beams` are finished, the others live on. At the limit of a
// free search everything ends. The search is over when the best that lives is, at its present length, no better than the
// worst of `beams` finished ones, which is generate's heuristic and may miss a better, longer name.
func (s *sequenceSearch) step(t *trie.Trie, answers []oracle.Answer, beams, length int, last bool) {
	if len(s.live) == 0 {
		return
	}
	var next []hypothesis
	for rank, e := range s.extensions(t, answers, 2*beams) {
		h := s.live[e.from]
		if e.token == t.EOS() {
			if rank < beams {
				s.finish(sequence{h.path, t.Leaf(e.node), e.logp, e.logp / float64(length)}, beams)
			}
			continue
		}
		path := append(slices.Clip(h.path), e.token)
		if last && !s.guided && rank < beams {
			s.finish(sequence{path, -1, e.logp, e.logp / float64(length)}, beams)
		}
		if len(next) < beams {
			next = append(next, hypothesis{e.node, path, e.logp})
		}
	}
	s.live = next
	s.over = len(next) == 0 || len(s.done) == beams && s.done[beams-1].score >= next[0].logp/float64(length)
}

// extensions returns the k best of all, best first.
func (s *sequenceSearch) extensions(t *trie.Trie, answers []oracle.Answer, k int) []extension {
	all := make([]extension, 0, k)
	for i, h := range s.live {
		if s.guided {
			lo, _ := t.Children(h.node)
			for c, lp := range answers[i].Want {
				n := lo + trie.Node(c)
				all = best(all, extension{i, t.Token(n), n, h.logp + lp}, k)
			}
			continue
		}
		for _, tok := range answers[i].Top {
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
