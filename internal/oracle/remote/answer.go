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
	if a.Want, ok = Pick(q.Want, top); !ok {
		return oracle.Answer{}, false
	}
	a.Top = Best(top, q.TopK)
	return a, true
}

// RollTop is the TopK of a rollout: the children of a trie's node that a trained model finds likely are among as many.
const RollTop = 128

// Apart cuts queries that want tokens and a rollout into two, since an engine tells the same of every token it writes. of are the
// queries that the parts belong to.
func Apart(queries []oracle.Query) (parts []oracle.Query, of []int) {
	for i, q := range queries {
		if q.Roll > 0 && len(q.Want) > 0 {
			parts, of = append(parts, oracle.Query{Prefix: q.Prefix, Want: q.Want}), append(of, i)
			q.Want = nil
		}
		parts, of = append(parts, q), append(of, i)
	}
	return parts, of
}

// Together puts the answers to parts into those to n queries.
func Together(n int, answers []oracle.Answer, of []int) []oracle.Answer {
	out := make([]oracle.Answer, n)
	for k, a := range answers {
		o := &out[of[k]]
		if len(a.Want) > 0 || o.Want == nil {
			o.Want = a.Want
		}
		o.Top, o.Roll = a.Top, a.Roll
	}
	return out
}

// CheckRoll refuses a rollout without tokens and one with more than were asked for.
func CheckRoll(q *oracle.Query, written int) error {
	if written < 1 || written > q.Roll {
		return fmt.Errorf("%w: %d tokens were written, 1 to %d were asked for", ErrProtocol, written, q.Roll)
	}
	return nil
}

// CheckPositions refuses log-probabilities at other than the wanted number of positions.
func CheckPositions(n, want int) error {
	if n != want {
		return fmt.Errorf("%w: log-probabilities at %d positions instead of %d", ErrProtocol, n, want)
	}
	return nil
}

// Pick returns the log-probabilities of wanted tokens in their order; ok is false when one is not among those told.
func Pick(want []int32, told []oracle.Token) (out []float64, ok bool) {
	at := make(map[int32]float64, len(told))
	for _, t := range told {
		at[t.ID] = t.LogProb
	}
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
