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

// Every vector loop of every variant agrees with the Go loop, for lengths 0 to 256.
func TestVecAgainstGoLoops(t *testing.T) {
	opt := &AdamW{LR: 0.1, Beta1: 0.9, Beta2: 0.98, Eps: 1e-8, Decay: 0.05, Clip: 0.7, Correct1: 0.3, Correct2: 0.2}
	loops := map[string]func(v *vecFuncs, a, b, c, d, e []float32){
		"expSum":      func(v *vecFuncs, a, b, c, _, _ []float32) { set(c, v.expSum(a, b, 0.5)) },
		"sumExp":      func(v *vecFuncs, a, b, _, _, _ []float32) { set(a, v.sumExp(b, 0.5)) },
		"sigmoid":     func(v *vecFuncs, a, b, _, _, _ []float32) { v.sigmoid(a, b) },
		"gate":        func(v *vecFuncs, a, b, c, _, _ []float32) { v.gate(a, b, c) },
		"gateBack":    func(v *vecFuncs, a, b, c, _, _ []float32) { v.gateBack(a, b, c) },
		"scaleMul":    func(v *vecFuncs, a, b, c, _, _ []float32) { v.scaleMul(a, b, c, 0.7) },
		"normBack":    func(v *vecFuncs, a, b, c, d, e []float32) { v.normBack(a, b, c, d, e, 0.7) },
		"softmaxBack": func(v *vecFuncs, a, b, _, _, _ []float32) { v.softmaxBack(a, b, 0.3, 0.7) },
		"dot":         func(v *vecFuncs, a, b, c, _, _ []float32) { set(a, v.dot(b, c)) },
		"axpy":        func(v *vecFuncs, a, b, _, _, _ []float32) { v.axpy(0.7, b, a) },
		"scale":       func(v *vecFuncs, a, _, _, _, _ []float32) { v.scale(0.7, a) },
		"rotate": func(v *vecFuncs, a, b, c, _, _ []float32) {
			if half := len(a) / 2; half > 0 {
				v.rotate(a[:2*half], b[:half], c[:half], -1)
				v.rotate(a[:half/2*4], b[:half/2], c[:half/2], 1) // two heads
			}
		},
		"adam": func(v *vecFuncs, a, b, c, d, _ []float32) {
			for i := range d {
				d[i] *= d[i]
			}
			v.adam(opt, a, b, c, d)
		},
	}
	want := goVec()
	eachVariant(t, func(t *testing.T) {
		v := &current().vec
		for name, loop := range loops {
			for n := range 257 {
				var got, ref [5][]float32
				for i := range got {
					got[i], ref[i] = randoms(n, uint64(i)), randoms(n, uint64(i))
				}
				loop(v, got[0], got[1], got[2], got[3], got[4])
				loop(&want, ref[0], ref[1], ref[2], ref[3], ref[4])
				for i := range got {
					for j := range got[i] {
						if math.Abs(float64(got[i][j]-ref[i][j])) > 2e-5*(1+math.Abs(float64(ref[i][j]))) {
							t.Fatalf("%s of %d: argument %d at %d is %g, the Go loop says %g", name, n, i, j, got[i][j], ref[i][j])
						}
					}
				}
			}
		}
	})
}

func set(x []float32, v float32) {
	if len(x) > 0 {
		x[0] = v
	}
}
