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

func TestExpSigmoidMaxScaleAllLengths(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		v := current().vec
		for n := 1; n < 257; n++ {
			x := randoms(n, 3)
			for i := range x {
				x[i] *= 30
			}
			x[n/2] = -200
			e, s := make([]float32, n), make([]float32, n)
			sum := v.expSum(e, x, 0.5)
			v.sigmoid(s, x)
			var want float64
			for i := range x {
				w := math.Exp(float64(x[i] - 0.5))
				want += w
				if math.Abs(float64(e[i])-w) > 3e-7*w+1e-37 {
					t.Fatalf("n=%d: exp(%g) = %g, want %g", n, x[i]-0.5, e[i], w)
				}
				if w = 1 / (1 + math.Exp(-float64(x[i]))); math.Abs(float64(s[i])-w) > 1e-6*w+1e-37 {
					t.Fatalf("n=%d: sigmoid(%g) = %g, want %g", n, x[i], s[i], w)
				}
			}
			if math.Abs(float64(sum)-want) > 1e-5*want+1e-37 {
				t.Fatalf("n=%d: sum %g, want %g", n, sum, want)
			}
			if got := v.max(x); got != maxGo(x) {
				t.Fatalf("n=%d: max %g, want %g", n, got, maxGo(x))
			}
			v.scale(0.25, e)
			if math.Abs(float64(e[n-1])-0.25*math.Exp(float64(x[n-1])-0.5)) > 3e-7*math.Exp(float64(x[n-1]))+1e-37 {
				t.Fatalf("n=%d: scale", n)
			}
		}
	})
}
