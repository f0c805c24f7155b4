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

// expSumAVX2 writes e**(src[i]-sub) to dst over n floats, n a positive multiple of 8, and returns their sum: eight partial
// sums, added pairwise. dst may be src.
//
//go:noescape
func expSumAVX2(dst, src *float32, sub float32, n int) float32

// sigmoidAVX2 writes 1/(1+e**-src[i]) to dst over n floats, n a positive multiple of 8.
//
//go:noescape
func sigmoidAVX2(dst, src *float32, n int)

// maxAVX2 returns the largest of n floats, n a positive multiple of 8.
//
//go:noescape
func maxAVX2(x *float32, n int) float32

// scaleAVX2 multiplies n floats by a, n a positive multiple of 8.
//
//go:noescape
func scaleAVX2(a float32, x *float32, n int)

func avx2Vec() vecFuncs {
	return vecFuncs{
		expSum: func(dst, src []float32, sub float32) float32 {
			n := len(src) &^ 7
			var s float32
			if n > 0 {
				s = expSumAVX2(&dst[0], &src[0], sub, n)
			}
			return s + expSumGo(dst[n:], src[n:], sub)
		},
		sigmoid: func(dst, src []float32) {
			n := len(src) &^ 7
			if n > 0 {
				sigmoidAVX2(&dst[0], &src[0], n)
			}
			sigmoidGo(dst[n:], src[n:])
		},
		max: func(x []float32) float32 {
			n := len(x) &^ 7
			if n == 0 {
				return maxGo(x)
			}
			return max(maxAVX2(&x[0], n), maxGo(x[n:]))
		},
		scale: func(a float32, x []float32) {
			n := len(x) &^ 7
			if n > 0 {
				scaleAVX2(a, &x[0], n)
			}
			scaleGo(a, x[n:])
		},
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
