package stat

import (
	"cmp"
	"math"
	"slices"
	"sort"
)

// A Curve is a rising function of a probability: straight lines between its points, from (0,0) to the first and level after the last.
type Curve struct {
	X []float64 `json:"x"`
	Y []float64 `json:"y"`
}

// FitCurve is isotonic regression of what turned out right on what was predicted: the rising step function nearest by least squares,
// found by pooling adjacent violators (Ayer et al. 1955; for calibration Zadrozny and Elkan 2002). A point of the curve is the mean of a
// pool, so that unequal predictions stay unequal.
func FitCurve(predicted []float64, right []bool) Curve {
	order := make([]int, len(predicted))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(predicted[a], predicted[b]) })
	type pool struct{ n, x, y float64 } // sums
	var pools []pool
	for i := 0; i < len(order); {
		var p pool
		for x := predicted[order[i]]; i < len(order) && predicted[order[i]] == x; i++ {
			p.n, p.x = p.n+1, p.x+x
			if right[order[i]] {
				p.y++
			}
		}
		for n := len(pools); n > 0 && pools[n-1].y*p.n >= p.y*pools[n-1].n; n = len(pools) {
			p = pool{p.n + pools[n-1].n, p.x + pools[n-1].x, p.y + pools[n-1].y}
			pools = pools[:n-1]
		}
		pools = append(pools, p)
	}
	var c Curve
	for _, p := range pools {
		c.X, c.Y = append(c.X, p.x/p.n), append(c.Y, p.y/p.n)
	}
	return c
}

// At returns the curve's value.
func (c Curve) At(x float64) float64 {
	i := sort.SearchFloat64s(c.X, x)
	switch {
	case len(c.X) == 0:
		return x
	case i == len(c.X):
		return c.Y[i-1]
	case c.X[i] == x:
		return c.Y[i]
	}
	x0, y0 := 0.0, 0.0
	if i > 0 {
		x0, y0 = c.X[i-1], c.Y[i-1]
	}
	return y0 + (c.Y[i]-y0)*(x-x0)/(c.X[i]-x0)
}

// Isotonic calibrates probabilities over outcomes of which one is "none of them" by two curves, one for that outcome and one for all
// others; what they give is normalised again. The order of the others does not change.
type Isotonic struct {
	Answers Curve `json:"answers"`
	None    Curve `json:"none"`
}

// FitIsotonic fits both curves on every outcome of every case.
func FitIsotonic(cases []ScalingCase) Isotonic {
	var p, none []float64
	var right, isNone []bool
	for _, c := range cases {
		last := len(c.LogP) - 1
		for i, x := range c.LogP[:last] {
			p, right = append(p, math.Exp(x)), append(right, c.Right[i])
		}
		none, isNone = append(none, math.Exp(c.LogP[last])), append(isNone, c.Right[last])
	}
	return Isotonic{FitCurve(p, right), FitCurve(none, isNone)}
}

// leastProbability keeps logarithms of calibrated probabilities finite.
const leastProbability = 1e-9

// Apply writes the calibrated log-probabilities of a case into dst, which may be the case's own.
func (s Isotonic) Apply(dst, logP []float64) {
	sum := 0.0
	for i, x := range logP {
		curve := s.Answers
		if i == len(logP)-1 {
			curve = s.None
		}
		dst[i] = math.Max(curve.At(math.Exp(x)), leastProbability*math.Exp(x))
		sum += dst[i]
	}
	for i := range dst {
		dst[i] = math.Log(dst[i] / sum)
	}
}
