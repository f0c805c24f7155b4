package link

import (
	"context"
	"fmt"
	"math"

	"syncabel/internal/corpus"
	"syncabel/internal/oracle"
	"syncabel/internal/trie"
)

// A Step is one token on the way to a name, for people who ask why a candidate is there.
type Step struct {
	Token       string  // as text
	Ways        int     // tokens that could follow in the trie
	Names       int     // names that begin like this, the token included
	Probability float64 // of the token among the ways, as beam-trie weighs it; 1 where there is only one
}

// Path returns the way through the trie to a concept's name that the model finds most likely for the i-th mention of d, and
// that name. A concept without a name in the mention's group has no path.
func (l *Linker) Path(ctx context.Context, d *corpus.Document, i int, code string) (string, []Step, error) {
	if l.trie == nil || l.opt.Mode == Lexical || l.opt.Mode == Ranked {
		return "", nil, nil
	}
	one := *d
	one.Mentions = d.Mentions[i : i+1]
	tasks, err := l.tasks([]corpus.Document{one})
	if err != nil {
		return "", nil, err
	}
	t := tasks[0]
	concept, ok := l.kb.Index(code)
	if !ok {
		return "", nil, nil
	}
	best, at, steps := math.Inf(-1), "", []Step(nil)
	for _, p := range l.nameLeaves(t, concept) {
		s, logp, err := l.walk(ctx, t, p)
		if err != nil {
			return "", nil, fmt.Errorf("explaining %q: %w", code, err)
		}
		if logp > best {
			best, at, steps = logp, l.trie.Text(p.leaf), s
		}
	}
	return at, steps, nil
}

// walk follows one name and asks for the probability of every token that is a choice.
func (l *Linker) walk(ctx context.Context, t *task, p leafPath) ([]Step, float64, error) {
	nodes := []trie.Node{t.root}
	var queries []oracle.Query
	for i, tok := range p.tokens {
		n := nodes[i]
		queries = append(queries, oracle.Query{Prefix: join(t.prompt, p.tokens[:i]), Want: childTokens(l.trie, n)})
		next, _ := l.trie.Child(n, tok)
		nodes = append(nodes, next)
	}
	answers, err := l.oracle.Do(ctx, queries)
	if err != nil {
		return nil, 0, err
	}
	steps, logp := make([]Step, len(p.tokens)), 0.0
	for i, tok := range p.tokens {
		lo, hi := l.trie.Children(nodes[i])
		lp := answers[i].Want[nodes[i+1]-lo] - logSumExp(answers[i].Want)
		logp += lp
		text := l.tok.Decode([]int32{tok}, false)
		if tok == l.trie.EOS() {
			text = ""
		}
		steps[i] = Step{Token: text, Ways: int(hi - lo), Names: l.trie.Count(nodes[i+1]), Probability: math.Exp(lp)}
	}
	return steps, logp, nil
}
