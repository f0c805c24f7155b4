package oracle

import (
	"context"
	"math"
	"slices"
)

// Mean answers with the mean of the probabilities that several models of one vocabulary give. Models trained from other seeds err
// elsewhere, so that their mean errs less. Like its members it is not safe for concurrent use.
type Mean []*Native

// Close ends the members.
func (m Mean) Close() {
	for _, n := range m {
		n.Close()
	}
}

// Caps are the members', which differ in nothing but their room.
func (m Mean) Caps() Caps {
	c := m[0].Caps()
	for _, n := range m[1:] {
		c.Context = min(c.Context, n.Caps().Context)
	}
	return c
}

// Do asks every member the same. What is likeliest to the mean need not be likely to any one, so that for Query.TopK all tokens are compared.
func (m Mean) Do(ctx context.Context, queries []Query) ([]Answer, error) {
	asked := make([]Query, len(queries))
	for i, q := range queries {
		asked[i] = Query{Prefix: q.Prefix, Want: q.Want}
		if q.TopK > 0 && q.Roll == 0 {
			asked[i].Want = append(slices.Clone(q.Want), m.vocabulary()...)
		}
	}
	out := make([]Answer, len(queries))
	for k, n := range m {
		answers, err := n.Do(ctx, asked)
		if err != nil {
			return nil, err
		}
		for i, a := range answers {
			share(&out[i], a.Want, k == 0, math.Log(float64(len(m))))
		}
	}
	room := m[0].room()
	for _, n := range m {
		room = min(room, n.room())
	}
	for i, q := range queries {
		if n := len(q.Want); len(out[i].Want) > n {
			out[i].Want, out[i].Top = out[i].Want[:n:n], top(out[i].Want[n:], 0, q.TopK)
		}
	}
	return out, roll(ctx, m.Do, room, queries, out)
}

// share adds probabilities, divided by the members' number, whose logarithm is given.
func share(a *Answer, want []float64, first bool, members float64) {
	if first {
		a.Want = make([]float64, len(want))
	}
	for j, lp := range want {
		lp -= members
		if !first {
			hi, lo := max(a.Want[j], lp), min(a.Want[j], lp)
			lp = hi + math.Log1p(math.Exp(lo-hi))
		}
		a.Want[j] = lp
	}
}

func (m Mean) vocabulary() []int32 {
	all := make([]int32, m[0].s.Vocab())
	for i := range all {
		all[i] = int32(i)
	}
	return all
}
