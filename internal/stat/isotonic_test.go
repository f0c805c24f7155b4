package stat

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The curve is the best rising step function: no other choice of levels for its pools is nearer, and the definition by max-min of means
// gives the same.
func TestFitCurveAgainstDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "n")
		x := make([]float64, n)
		right := make([]bool, n)
		for i := range x {
			x[i] = float64(rapid.IntRange(0, 9).Draw(t, "x")) / 10
			right[i] = rapid.Bool().Draw(t, "right")
		}
		c := FitCurve(x, right)
		if !slices.IsSorted(c.X) || !slices.IsSorted(c.Y) || len(c.X) != len(c.Y) {
			t.Fatalf("%v does not rise", c)
		}
		// Level at each distinct x: max over a of min over b of the mean of y for x in [a,b], a at most and b at least x.
		for _, at := range x {
			best := math.Inf(-1)
			for _, a := range x {
				if a > at {
					continue
				}
				least := math.Inf(1)
				for _, b := range x {
					if b >= at {
						least = math.Min(least, meanOf(x, right, a, b))
					}
				}
				best = math.Max(best, least)
			}
			if !slices.ContainsFunc(c.Y, func(y float64) bool { return math.Abs(y-best) < 1e-12 }) {
				t.Fatalf("no point of %v has the level %g of %g", c, best, at)
			}
		}
	})
}

func meanOf(x []float64, right []bool, a, b float64) float64 {
	n, k := 0.0, 0.0
	for i, v := range x {
		if v >= a && v <= b {
			n++
			if right[i] {
				k++
			}
		}
	}
	return k / n
}

func TestCurveAt(t *testing.T) {
	c := Curve{X: []float64{0.2, 0.6}, Y: []float64{0.1, 0.9}}
	for x, want := range map[float64]float64{0: 0, 0.1: 0.05, 0.2: 0.1, 0.4: 0.5, 0.6: 0.9, 1: 0.9} {
		if got := c.At(x); math.Abs(got-want) > 1e-12 {
			t.Errorf("at %g: %g, want %g", x, got, want)
		}
	}
	if (Curve{}).At(0.3) != 0.3 {
		t.Error("no curve is no change")
	}
}

// Curves mend what no temperature can: answers that are right nine times in ten above a half and once in ten below. Order stays, and
// outcomes sum to one.
func TestFitIsotonic(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	draw := func(n int) []ScalingCase {
		var out []ScalingCase
		for range n {
			p := 0.05 + 0.9*rng.Float64()
			truth := 0.1
			if p > 0.5 {
				truth = 0.9
			}
			c := ScalingCase{LogP: []float64{math.Log(0.97 * p), math.Log(0.97 * (1 - p)), math.Log(0.03)}, Right: make([]bool, 3)}
			if rng.Float64() < truth {
				c.Right[0] = true
			} else {
				c.Right[1] = true
			}
			out = append(out, c)
		}
		return out
	}
	cases := draw(3000)
	scaling, curves := FitScaling(cases, Scaling{}), FitIsotonic(cases)
	var scaled, curved []float64
	var right []bool
	for _, c := range draw(3000) {
		a, b := make([]float64, 3), make([]float64, 3)
		scaling.Apply(a, c.LogP)
		curves.Apply(b, c.LogP)
		sum := 0.0
		for _, x := range b {
			sum += math.Exp(x)
		}
		if math.Abs(sum-1) > 1e-9 || (b[0] > b[1]) != (c.LogP[0] > c.LogP[1]) {
			t.Fatalf("%v became %v", c.LogP, b)
		}
		scaled, curved, right = append(scaled, math.Exp(a[0])), append(curved, math.Exp(b[0])), append(right, c.Right[0])
	}
	if s, i := ECE(Reliability(scaled, right, 10)), ECE(Reliability(curved, right, 10)); i > 0.04 || i > s/2 {
		t.Errorf("ECE %g by scaling, %g by curves", s, i)
	}
}
