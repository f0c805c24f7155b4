package kernel

import (
	"math"
	"testing"
)

func TestDotAxpyAllLengths(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for n := range 257 {
			x, y := randoms(n+3, 1), randoms(n+3, 2)
			var want float64
			for i := range n {
				want += float64(x[i]) * float64(y[i])
			}
			if got := Dot(x[:n], y); math.Abs(float64(got)-want) > 1e-4 {
				t.Fatalf("n=%d: dot %g, want %g", n, got, want)
			}
			before := append([]float32(nil), y...)
			Axpy(0.5, x[:n], y)
			for i := range y {
				w := before[i]
				if i < n {
					w += 0.5 * x[i]
				}
				if math.Abs(float64(y[i]-w)) > 1e-6 {
					t.Fatalf("n=%d: y[%d] = %g, want %g", n, i, y[i], w)
				}
			}
		}
	})
}

func TestExp(t *testing.T) {
	for x := float32(-86); x < 88; x += 0.0137 {
		want := math.Exp(float64(x))
		if math.Abs(float64(Exp(x))-want) > 3e-7*want {
			t.Fatalf("exp(%g) = %g, want %g", x, Exp(x), want)
		}
	}
}
