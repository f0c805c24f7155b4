package study

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"syncabel/internal/corpus"
	"syncabel/internal/eval"
	"syncabel/internal/prediction"
	"syncabel/internal/terminology"
)

// Strategies of choosing which documents to annotate next.
const (
	Random      = "random"
	Uncertainty = "uncertainty" // documents whose mentions the linker is least sure of, on average
	Coverage    = "coverage"    // documents that bring most surface forms nobody has annotated
	Both        = "both"        // documents that bring most unsure mentions with new surface forms
)

// Strategies lists them.
func Strategies() []string { return []string{Random, Uncertainty, Coverage, Both} }

// A Proposal is a document to annotate, with what speaks for it.
type Proposal struct {
	Document    string  `json:"document"`
	Mentions    int     `json:"mentions"`
	New         int     `json:"new_forms"`   // surface forms that neither annotated nor earlier proposed documents have
	Uncertainty float64 `json:"uncertainty"` // mean over mentions of one minus the confidence of the first candidate
	Gain        float64 `json:"gain"`        // what the strategy maximises, after the earlier proposals
}

// Select proposes n documents of pool in the order in which to annotate them. preds are the linker's answers on the pool's
// mentions; annotated are the documents that are done. Coverage and Both are greedy: what an earlier proposal brings is no gain
// of a later one, which is within 63 % of the best set (Nemhauser, Wolsey and Fisher 1978).
func Select(strategy string, annotated, pool []corpus.Document, preds []prediction.Prediction, n int, seed uint64) ([]Proposal, error) {
	if !slices.Contains(Strategies(), strategy) {
		return nil, fmt.Errorf("unknown strategy %q: have %v", strategy, Strategies())
	}
	known := map[string]bool{}
	for i := range annotated {
		for _, m := range annotated[i].Mentions {
			known[terminology.Normalize(m.Text)] = true
		}
	}
	list := candidates(pool, preds)
	rng := rand.New(rand.NewPCG(seed, 0xac7))
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] }) // ties, and the order of Random
	var out []Proposal
	for len(out) < n && len(list) > 0 {
		best := 0
		for i := range list {
			list[i].weigh(strategy, known)
			if list[i].Gain > list[best].Gain {
				best = i
			}
		}
		out = append(out, list[best].Proposal)
		for f := range list[best].forms {
			known[f] = true
		}
		list = slices.Delete(list, best, best+1)
	}
	return out, nil
}

// candidate is a document of the pool. forms holds, by surface form, the largest uncertainty of its mentions.
type candidate struct {
	Proposal
	forms map[string]float64
}

func candidates(pool []corpus.Document, preds []prediction.Prediction) []candidate {
	at := map[string]int{}
	out := make([]candidate, len(pool))
	for i := range pool {
		at[pool[i].ID] = i
		out[i] = candidate{Proposal{Document: pool[i].ID}, map[string]float64{}}
	}
	for i := range preds {
		k, ok := at[preds[i].Document]
		if !ok {
			continue
		}
		c, u := &out[k], unsure(&preds[i])
		c.Mentions++
		c.Uncertainty += u
		form := terminology.Normalize(preds[i].Text)
		c.forms[form] = max(c.forms[form], u)
	}
	for i := range out {
		out[i].Uncertainty /= float64(max(out[i].Mentions, 1))
	}
	return out
}

// unsure is one minus the confidence of the first candidate: its probability, or its similarity where it has none.
func unsure(p *prediction.Prediction) float64 {
	if len(p.Candidates) == 0 {
		return 1
	}
	c := cmp.Or(p.Candidates[0].Probability*(1-p.NIL), p.Candidates[0].Score)
	return 1 - min(max(c, 0), 1)
}

// weigh sets what the document would bring now. The new forms are counted whatever the strategy, for people to see.
func (c *candidate) weigh(strategy string, known map[string]bool) {
	c.New, c.Gain = 0, 0
	unsureNew := 0.0
	for _, f := range slices.Sorted(maps.Keys(c.forms)) { // sums must not depend on the order of a map
		if !known[f] {
			c.New++
			unsureNew += c.forms[f]
		}
	}
	switch strategy {
	case Uncertainty:
		c.Gain = c.Uncertainty
	case Coverage:
		c.Gain = float64(c.New)
	case Both:
		c.Gain = unsureNew
	}
}

// A Linker links documents with what some annotated documents teach it.
type Linker interface {
	Link(ctx context.Context, annotated, docs []corpus.Document) ([]prediction.Prediction, error)
}

// A Simulation plays active selection on documents whose annotations are known: the strategies start from the same random
// documents, choose round by round, and learn what they chose.
type Simulation struct {
	Pool, Test []corpus.Document
	Tagger     *eval.Tagger
	Fractions  []float64 // of the pool that are annotated after each round; the first is drawn at random
	Seeds      []uint64
	Strategies []string
	Progress   func(done, total int64)
}

// Simulate returns one outcome per strategy, share and seed, and the reader of their predictions, for Analyse.
func Simulate(ctx context.Context, s Simulation, l Linker) ([]Outcome, Reader, error) {
	preds := map[Cell][]prediction.Prediction{}
	var out []Outcome
	total := int64(len(s.Seeds) * len(s.Strategies) * len(s.Fractions))
	for _, seed := range s.Seeds {
		for _, strategy := range s.Strategies {
			annotated := corpus.Subset(s.Pool, s.Fractions[0], seed)
			for i, f := range s.Fractions {
				if i > 0 {
					more, err := s.round(ctx, l, strategy, annotated, f, seed+uint64(i)<<32)
					if err != nil {
						return nil, nil, err
					}
					annotated = append(annotated, more...)
				}
				c := Cell{Mode: strategy, Fraction: f, Seed: seed}
				list, err := l.Link(ctx, annotated, s.Test)
				if err != nil {
					return nil, nil, fmt.Errorf("simulating %s: %w", c, err)
				}
				s.Tagger.Tag(list)
				preds[c] = list
				out = append(out, Outcome{Cell: c, Cost: Cost{Documents: len(annotated), Mentions: corpus.Mentions(annotated)}})
				if s.Progress != nil {
					s.Progress(int64(len(out)), total)
				}
			}
		}
	}
	return out, func(o Outcome) ([]prediction.Prediction, error) { return preds[o.Cell], nil }, nil
}

// round chooses the documents that bring the share to f.
func (s *Simulation) round(ctx context.Context, l Linker, strategy string, annotated []corpus.Document, f float64, seed uint64) ([]corpus.Document, error) {
	done := map[string]bool{}
	for i := range annotated {
		done[annotated[i].ID] = true
	}
	rest := slices.DeleteFunc(slices.Clone(s.Pool), func(d corpus.Document) bool { return done[d.ID] })
	n := int(f*float64(len(s.Pool))+0.5) - len(annotated)
	var preds []prediction.Prediction
	if strategy != Random && n < len(rest) {
		var err error
		if preds, err = l.Link(ctx, annotated, rest); err != nil {
			return nil, fmt.Errorf("linking the pool: %w", err)
		}
	}
	chosen, err := Select(strategy, annotated, rest, preds, n, seed)
	if err != nil {
		return nil, err
	}
	at := map[string]int{}
	for i := range rest {
		at[rest[i].ID] = i
	}
	var out []corpus.Document
	for _, c := range chosen {
		out = append(out, rest[at[c.Document]])
	}
	return out, nil
}
