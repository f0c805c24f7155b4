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
	logp   []float64 // of leaves, as beamTrie scores them: renormalised over the trie's children
	raw    []float64 // of leaves: over the whole vocabulary, every token and the end counted
}

// leafPath is a name as tokens, the end token included.
type leafPath struct {
	leaf   int
	tokens []int32
}

// scoreNames computes the log-probabilities of each name after each prompt. Names share their beginnings, so all nodes of
// all names are one batch.
func scoreNames(ctx context.Context, t *trie.Trie, o Oracle, list []*scoring) error {
	var queries []oracle.Query
	at := make([]map[trie.Node]int, len(list))
	for i, s := range list {
		at[i] = map[trie.Node]int{}
		for _, l := range s.leaves {
			queries = s.ask(t, l, at[i], queries)
		}
	}
	if len(queries) == 0 {
		return nil
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
		s.logp, s.raw = make([]float64, len(s.leaves)), make([]float64, len(s.leaves))
		for k, l := range s.leaves {
			s.logp[k], s.raw[k] = s.sum(t, l, at[i], answers, z)
		}
	}
	return nil
}

// ask adds a question for each node of a name that is not asked yet.
func (s *scoring) ask(t *trie.Trie, l leafPath, at map[trie.Node]int, queries []oracle.Query) []oracle.Query {
	n := s.root
	for i, tok := range l.tokens {
		if _, ok := at[n]; !ok {
			at[n] = len(queries)
			queries = append(queries, oracle.Query{Prefix: join(s.prompt, l.tokens[:i]), Want: childTokens(t, n)})
		}
		n, _ = t.Child(n, tok)
	}
	return queries
}

// sum adds up the answers along a name. A node with one child adds nothing to logp: its answer is its own denominator.
func (s *scoring) sum(t *trie.Trie, l leafPath, at map[trie.Node]int, answers []oracle.Answer, z []float64) (logp, raw float64) {
	n := s.root
	for _, tok := range l.tokens {
		next, _ := t.Child(n, tok)
		lo, _ := t.Children(n)
		lp := answers[at[n]].Want[next-lo]
		logp += lp - z[at[n]]
		raw += lp
		n = next
	}
	return logp, raw
}
