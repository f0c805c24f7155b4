package link

import (
	"context"

	"syncabel/internal/oracle"
	"syncabel/internal/trie"
)

// scoring asks for the log-probability of given names after one prompt.
type scoring struct {
	prompt []int32
	root   trie.Node
	leaves []leafPath
	logp   []float64 // of leaves, filled by scoreNames
}

// leafPath is a name as tokens, the end token included.
type leafPath struct {
	leaf   int
	tokens []int32
}

// scoreNames computes, for each prompt, the log-probability of each name as beamTrie would: renormalised over the trie's
// children. Names share their beginnings, so all branching nodes of all names are one batch.
func scoreNames(ctx context.Context, t *trie.Trie, o Oracle, list []*scoring) error {
	var queries []oracle.Query
	at := make([]map[trie.Node]int, len(list))
	for i, s := range list {
		at[i] = map[trie.Node]int{}
		for _, l := range s.leaves {
			queries = s.ask(t, l, at[i], queries)
		}
	}
	answers, err := o.Do(ctx, queries)
	if err != nil {
		return err
	}
	z := make([]float64, len(answers))
	for q := range answers {
		z[q] = logSumExp(answers[q].Want)
	}
	for i, s := range list {
		s.logp = make([]float64, len(s.leaves))
		for k, l := range s.leaves {
			s.logp[k] = s.sum(t, l, at[i], answers, z)
		}
	}
	return nil
}

// ask adds a question for each branching node of a name that is not asked yet.
func (s *scoring) ask(t *trie.Trie, l leafPath, at map[trie.Node]int, queries []oracle.Query) []oracle.Query {
	n := s.root
	for i, tok := range l.tokens {
		if t.Count(n) == 1 {
			break
		}
		if lo, hi := t.Children(n); hi-lo > 1 {
			if _, ok := at[n]; !ok {
				at[n] = len(queries)
				queries = append(queries, oracle.Query{Prefix: join(s.prompt, l.tokens[:i]), Want: childTokens(t, n)})
			}
		}
		n, _ = t.Child(n, tok)
	}
	return queries
}

// sum adds up the answers along a name.
func (s *scoring) sum(t *trie.Trie, l leafPath, at map[trie.Node]int, answers []oracle.Answer, z []float64) float64 {
	n, total := s.root, 0.0
	for _, tok := range l.tokens {
		if t.Count(n) == 1 {
			break
		}
		next, _ := t.Child(n, tok)
		if q, ok := at[n]; ok {
			lo, _ := t.Children(n)
			total += answers[q].Want[next-lo] - z[q]
		}
		n = next
	}
	return total
}
