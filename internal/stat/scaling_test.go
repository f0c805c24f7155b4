package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

// drawCases draws outcomes from known probabilities and hands out log-probabilities that are too sharp by a factor and too sure that
// one of the outcomes is right.
func drawCases(rng *rand.Rand, n int, factor, bias float64) []ScalingCase {
	var out []ScalingCase
	for range n {
		x := make([]float64, 5)
		for i := range x {
			x[i] = 2 * rng.NormFloat64()
		}
		Scaling{Sharpness: 1}.Apply(x, x)
		c := ScalingCase{LogP: make([]float64, 5), Right: make([]bool, 5)}
		u, at := rng.Float64(), 0
		for u -= math.Exp(x[0]); u > 0 && at < 4; u -= math.Exp(x[at]) {
			at++
		}
		c.Right[at] = true
		Scaling{Sharpness: factor, Bias: -bias}.Apply(c.LogP, x)
		out = append(out, c)
	}
	return out
}

// Fitting undoes what was done to known probabilities, and what comes out is calibrated.
func TestFitScaling(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	cases := drawCases(rng, 4000, 2, 1.5)
	s := FitScaling(cases, Scaling{})
	if math.Abs(s.Sharpness-0.5) > 0.03 || math.Abs(s.Bias-0.75) > 0.1 {
		t.Errorf("sharpness %g and bias %g, want 0.5 and 0.75", s.Sharpness, s.Bias)
	}
	var before, after []float64
	var right []bool
	for _, c := range drawCases(rng, 4000, 2, 1.5) {
		p := make([]float64, 5)
		s.Apply(p, c.LogP)
		before, after, right = append(before, math.Exp(c.LogP[0])), append(after, math.Exp(p[0])), append(right, c.Right[0])
	}
	if b, a := ECE(Reliability(before, right, 10)), ECE(Reliability(after, right, 10)); a > 0.02 || a > b/3 {
		t.Errorf("ECE %g before, %g after", b, a)
	}
}

// Few cases move little; none change nothing.
func TestFitScalingOfFew(t *testing.T) {
	if s := FitScaling(nil, Scaling{}); s.Sharpness != 1 || s.Bias != 0 {
		t.Errorf("%+v", s)
	}
	start := Scaling{Sharpness: 0.7, Bias: 0.2}
	s := FitScaling(drawCases(rand.New(rand.NewPCG(1, 1)), 3, 1, 0), start)
	if math.Abs(s.Sharpness-0.7) > 0.25 || math.Abs(s.Bias-0.2) > 0.25 {
		t.Errorf("%+v", s)
	}
}
