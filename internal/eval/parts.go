package eval

import (
	"slices"

	"syncabel/internal/prediction"
)

// parts is the credit of a mention's first candidate for the parts it shares with a gold answer.
type parts struct {
	recall, precision, jaccard float64
}

// partsOf compares the first candidate with the gold answer it shares most with.
func partsOf(p *prediction.Prediction) parts {
	var best parts
	if len(p.Candidates) == 0 {
		return best
	}
	named := p.Candidates[0].IDs()
	if len(named) == 0 {
		return best
	}
	for _, g := range p.Gold {
		shared := 0.0
		for _, id := range g {
			if slices.Contains(named, id) {
				shared++
			}
		}
		x := parts{shared / float64(len(g)), shared / float64(len(named)), shared / (float64(len(g)+len(named)) - shared)}
		if x.jaccard > best.jaccard {
			best = x
		}
	}
	return best
}
