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

// rotateAVX2 is Rotate over heads of 2*half floats, half a positive multiple of 8.
//
//go:noescape
func rotateAVX2(x, cos, sin *float32, sign float32, half, heads int)

// dot3AVX2 returns the sum of x[i]*y[i]*z[i] over n floats, n a positive multiple of 8.
//
//go:noescape
func dot3AVX2(x, y, z *float32, n int) float32

// dotPathAVX2 is dotPathGo for d floats, a positive multiple of 8, of n nodes.
//
//go:noescape
func dotPathAVX2(q, base *float32, nodes *int32, stride int, out *float32, d, n int)

// axpyPathAVX2 is axpyPathGo for d floats, a positive multiple of 8, of n nodes.
//
//go:noescape
func axpyPathAVX2(y, base *float32, nodes *int32, stride int, p *float32, d, n int)

// scaleAVX2 multiplies n floats by a, n a positive multiple of 8.
//
//go:noescape
func scaleAVX2(a float32, x *float32, n int)

// avx2Vec runs multiples of eight floats in assembly and what is left in Go.
func avx2Vec() vecFuncs {
	return vecFuncs{
		dot: dotVec, axpy: axpyVec, expSum: expSumVec, sumExp: sumExpVec, sigmoid: sigmoidVec, max: maxVec, scale: scaleVec,
		gate: gateVec, gateBack: gateBackVec, scaleMul: scaleMulVec, normBack: normBackVec, softmaxBack: softmaxBackVec,
		rotate: rotateVec, adam: adamVec, dotPath: dotPathVec, axpyPath: axpyPathVec,
	}
}

func dotVec(x, y []float32) float32 {
	n := len(x) &^ 7
	var s float32
	if n > 0 {
		s = dotAVX2(&x[0], &y[0], n)
	}
	for i := n; i < len(x); i++ {
		s += x[i] * y[i]
	}
	return s
}

func axpyVec(a float32, x, y []float32) {
	n := len(x) &^ 7
	if n > 0 {
		axpyAVX2(a, &x[0], &y[0], n)
	}
	axpyGo(a, x[n:], y[n:])
}

func expSumVec(dst, src []float32, sub float32) float32 {
	n := len(src) &^ 7
	var s float32
	if n > 0 {
		s = expSumAVX2(&dst[0], &src[0], sub, n)
	}
	return s + expSumGo(dst[n:], src[n:], sub)
}

// sumExpVec takes at most 256 floats at a time.
func sumExpVec(src []float32, sub float32) float32 {
	var buf [256]float32
	var s float32
	for len(src) > 0 {
		part := src[:min(len(buf), len(src))]
		n := len(part) &^ 7
		if n > 0 {
			s += expSumAVX2(&buf[0], &part[0], sub, n)
		}
		s += sumExpGo(part[n:], sub)
		src = src[len(part):]
	}
	return s
}

func sigmoidVec(dst, src []float32) {
	n := len(src) &^ 7
	if n > 0 {
		sigmoidAVX2(&dst[0], &src[0], n)
	}
	sigmoidGo(dst[n:], src[n:])
}

func maxVec(x []float32) float32 {
	n := len(x) &^ 7
	if n == 0 {
		return maxGo(x)
	}
	return max(maxAVX2(&x[0], n), maxGo(x[n:]))
}

func scaleVec(a float32, x []float32) {
	n := len(x) &^ 7
	if n > 0 {
		scaleAVX2(a, &x[0], n)
	}
	scaleGo(a, x[n:])
}

func gateVec(h, g, u []float32) {
	n := len(h) &^ 7
	if n > 0 {
		sigmoidAVX2(&h[0], &g[0], n)
		gateAVX2(&h[0], &g[0], &u[0], n)
	}
	gateGo(h[n:], g[n:], u[n:])
}

func gateBackVec(g, u, d []float32) {
	var s [256]float32 // sigmoids
	for len(g) >= 8 {
		n := min(len(s), len(g)&^7)
		_, _ = u[n-1], d[n-1]
		sigmoidAVX2(&s[0], &g[0], n)
		gateBackAVX2(&g[0], &u[0], &s[0], &d[0], 1, n)
		g, u, d = g[n:], u[n:], d[n:]
	}
	gateBackGo(g, u, d)
}

func scaleMulVec(y, x, w []float32, f float32) {
	n := len(x) &^ 7
	if n > 0 {
		_, _ = y[n-1], w[n-1]
		scaleMulAVX2(&y[0], &x[0], &w[0], f, n)
	}
	scaleMulGo(y[n:], x[n:], w[n:], f)
}

func normBackVec(dx, dw, dy, x, w []float32, inv float32) {
	n := len(x)
	if n%8 != 0 || n == 0 {
		normBackGo(dx, dw, dy, x, w, inv)
		return
	}
	_, _, _, _ = dx[n-1], dw[n-1], dy[n-1], w[n-1]
	s := dot3AVX2(&dy[0], &w[0], &x[0], n)
	normBackAVX2(&dx[0], &dw[0], &dy[0], &x[0], &w[0], inv, s*inv*inv*inv/float32(n), n)
}

func softmaxBackVec(dp, p []float32, sum, scale float32) {
	n := len(p) &^ 7
	if n > 0 {
		_ = dp[n-1]
		softmaxBackAVX2(&dp[0], &p[0], sum, scale, n)
	}
	softmaxBackGo(dp[n:], p[n:], sum, scale)
}

func rotateVec(x, cos, sin []float32, sign float32) {
	half := len(cos)
	if half%8 != 0 || half == 0 || len(x)%(2*half) != 0 || len(x) == 0 {
		rotateGo(x, cos, sin, sign)
		return
	}
	_ = sin[half-1]
	rotateAVX2(&x[0], &cos[0], &sin[0], sign, half, len(x)/(2*half))
}

func adamVec(a *AdamW, w, g, m, v []float32) {
	n := len(g) &^ 7
	if n > 0 {
		_, _, _ = w[n-1], m[n-1], v[n-1]
		adamAVX2(&w[0], &g[0], &m[0], &v[0], a.Clip, a.Beta1, 1-a.Beta1, a.Beta2, 1-a.Beta2, a.LR, 1/a.Correct1, 1/a.Correct2, a.Eps, a.Decay, n)
	}
	adamGo(a, w[n:], g[n:], m[n:], v[n:])
}

func dotPathVec(out, q, base []float32, nodes []int32, stride int) {
	d := len(q)
	if d%8 != 0 || d == 0 || len(nodes) == 0 {
		dotPathGo(out, q, base, nodes, stride)
		return
	}
	checkNodes(base, nodes, stride, d)
	_ = out[len(nodes)-1]
	dotPathAVX2(&q[0], &base[0], &nodes[0], stride, &out[0], d, len(nodes))
}

func axpyPathVec(y, p, base []float32, nodes []int32, stride int) {
	d := len(y)
	if d%8 != 0 || d == 0 || len(nodes) == 0 {
		axpyPathGo(y, p, base, nodes, stride)
		return
	}
	checkNodes(base, nodes, stride, d)
	_ = p[len(nodes)-1]
	axpyPathAVX2(&y[0], &base[0], &nodes[0], stride, &p[0], d, len(nodes))
}

// checkNodes panics where a node lies outside the arena: assembly would read on.
func checkNodes(base []float32, nodes []int32, stride, d int) {
	for _, n := range nodes {
		_ = base[int(n)*stride : int(n)*stride+d]
	}
}
