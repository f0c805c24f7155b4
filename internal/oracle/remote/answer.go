package remote

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"syncabel/internal/oracle"
)

// FromTop answers a query from the most likely tokens of the vocabulary, in any order; ok is false when a wanted one is not
// among them.
func FromTop(q *oracle.Query, top []oracle.Token) (a oracle.Answer, ok bool) {
	at := make(map[int32]float64, len(top))
	for _, t := range top {
		at[t.ID] = t.LogProb
	}
	if a.Want, ok = Pick(q.Want, at); !ok {
		return oracle.Answer{}, false
	}
	a.Top = Best(top, q.TopK)
	return a, true
}

// Pick returns the log-probabilities of tokens in their order; ok is false when one is missing.
func Pick(want []int32, at map[int32]float64) (out []float64, ok bool) {
	out = make([]float64, len(want))
	for i, t := range want {
		if out[i], ok = at[t]; !ok {
			return nil, false
		}
	}
	return out, true
}

// Best returns the k most likely of tokens, most likely first, between equals the smaller ID; nil for none.
func Best(tokens []oracle.Token, k int) []oracle.Token {
	if k == 0 {
		return nil
	}
	slices.SortFunc(tokens, func(a, b oracle.Token) int {
		return cmp.Or(cmp.Compare(b.LogProb, a.LogProb), cmp.Compare(a.ID, b.ID))
	})
	return slices.Clip(tokens[:min(k, len(tokens))])
}

// CheckLogProb refuses what cannot be a log-probability.
func CheckLogProb(lp float64) error {
	if math.IsNaN(lp) || lp > 1e-3 {
		return fmt.Errorf("%w: %g as a log-probability", ErrProtocol, lp)
	}
	return nil
}
