package link

import (
	"context"
	"math"

	"syncabel/internal/oracle"
)

// wideFrom is how many wanted tokens make a question that is first asked for the likeliest tokens: more than one request of vLLM takes, and
// of llama-server, which tells the likeliest only, a reply of many kilobytes.
const wideFrom = 128

// wideTop is how many likely tokens such a question asks for, in units of a rollout's: it is one position, not a whole name, and the more
// they are the more often nothing to speak of is missing.
const wideTop = 4

// topFirst asks engines for which wanted tokens are dear for the likeliest tokens instead, and for the wanted ones only where those do not
// do: a child that is not among the likeliest tokens is no likelier than any that is, so that where `need` children are, no other can be among
// the best `need`. Its log-probability is then given as -Inf.
type topFirst struct {
	Oracle
	need int
	sums bool // log-probabilities are renormalised: what is missing must be next to nothing
}

// wide wraps an oracle where that pays.
func wide(o Oracle, need int, sums bool) Oracle {
	if !o.Caps().Apart {
		return o
	}
	return topFirst{o, need, sums}
}

func (w topFirst) Do(ctx context.Context, queries []oracle.Query) ([]oracle.Answer, error) {
	first := make([]oracle.Query, len(queries))
	k := min(wideTop*w.Caps().Ahead, w.Caps().Vocab)
	for i, q := range queries {
		if first[i] = q; len(q.Want) > wideFrom {
			first[i] = oracle.Query{Prefix: q.Prefix, TopK: k, Roll: 1}
		}
	}
	answers, err := w.Oracle.Do(ctx, first)
	if err != nil {
		return nil, err
	}
	var again []oracle.Query
	var of []int
	for i, q := range queries {
		if len(q.Want) <= wideFrom {
			continue
		}
		if a, ok := w.fromTop(q.Want, answers[i].Roll[0].Top); ok {
			answers[i] = a
			continue
		}
		again, of = append(again, q), append(of, i)
	}
	if len(again) == 0 {
		return answers, nil
	}
	exact, err := w.Oracle.Do(ctx, again)
	if err != nil {
		return nil, err
	}
	for k, a := range exact {
		answers[of[k]] = a
	}
	return answers, nil
}

// fromTop answers a question by the likeliest tokens, if they do.
func (w topFirst) fromTop(want []int32, top []oracle.Token) (a oracle.Answer, ok bool) {
	at := make(map[int32]float64, len(top))
	for _, t := range top {
		at[t.ID] = t.LogProb
	}
	known := 0
	a.Want = make([]float64, len(want))
	for i, t := range want {
		lp, ok := at[t]
		if !ok {
			lp = math.Inf(-1)
		} else {
			known++
		}
		a.Want[i] = lp
	}
	if known == len(want) {
		return a, true
	}
	return a, known >= w.need && (!w.sums || math.Log1p(math.Exp(leftOver(top)-logSumExp(a.Want))) <= looseEnough)
}
