//go:build amd64 && !noasm

package kernel

// dotAVX2 returns the sum of x[i]*y[i] over n floats, n a multiple of 8: sixteen partial sums, added pairwise.
//
//go:noescape
func dotAVX2(x, y *float32, n int) float32

// axpyAVX2 computes y[i] += a*x[i] over n floats, n a positive multiple of 8.
//
//go:noescape
func axpyAVX2(a float32, x, y *float32, n int)

func avx2Vec() vecFuncs {
	return vecFuncs{
		dot: func(x, y []float32) float32 {
			n := len(x) &^ 7
			var s float32
			if n > 0 {
				s = dotAVX2(&x[0], &y[0], n)
			}
			for i := n; i < len(x); i++ {
				s += x[i] * y[i]
			}
			return s
		},
		axpy: func(a float32, x, y []float32) {
			n := len(x) &^ 7
			if n > 0 {
				axpyAVX2(a, &x[0], &y[0], n)
			}
			for i := n; i < len(x); i++ {
				y[i] += a * x[i]
			}
		},
	}
}
