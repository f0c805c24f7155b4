package judge

import (
	"slices"

	"syncabel/internal/terminology"
)

// Hierarchy is a second opinion that costs nothing: what the knowledge base's hierarchy says about predicted concepts beside the
// gold ones. BROAD: above the gold; NARROW: below it; EXACT never, as the hierarchy knows no synonymous concepts. Parts of
// composites are paired by relation, not by position: every predicted part takes its best gold part, and the worst of the
// parts decides. The best of several alternatives counts.
func Hierarchy(kb *terminology.KB, gold [][]string, predicted []string) string {
	best := NoRelation
	for _, g := range gold {
		worst := Exact
		for _, id := range predicted {
			part := NoRelation
			for _, other := range g {
				part = better(part, relation(kb, other, id))
			}
			if rank(part) > rank(worst) {
				worst = part
			}
		}
		best = better(best, worst)
	}
	return best
}

func rank(v string) int { return slices.Index(Labels(), v) }

func better(a, b string) string {
	if rank(b) < rank(a) {
		return b
	}
	return a
}

func relation(kb *terminology.KB, gold, predicted string) string {
	g, ok := kb.Index(gold)
	p, known := kb.Index(predicted)
	switch {
	case gold == predicted:
		return Exact
	case !ok || !known:
		return NoRelation
	case slices.Contains(kb.Ancestors(g), p):
		return Broad
	case slices.Contains(kb.Ancestors(p), g):
		return Narrow
	}
	return NoRelation
}
