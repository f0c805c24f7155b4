package kernel

import "math"

// vecFuncs are the vector loops that have assembly in some variants.
type vecFuncs struct {
	dot  func(x, y []float32) float32
	axpy func(a float32, x, y []float32)
	// expSum writes e**(src-sub) to dst, which is as long, and returns the sum.
	expSum  func(dst, src []float32, sub float32) float32
	sigmoid func(dst, src []float32)
	max     func(x []float32) float32
	scale   func(a float32, x []float32)
	// sumExp is expSum without dst.
	sumExp func(src []float32, sub float32) float32
	// The others are what their callers' comments say.
	gate        func(h, g, u []float32)
	gateBack    func(g, u, d []float32)
	scaleMul    func(y, x, w []float32, f float32) // y = x*f*w
	normBack    func(dx, dw, dy, x, w []float32, inv float32)
	softmaxBack func(dp, p []float32, sum, scale float32)
	rotate      func(x, cos, sin []float32, sign float32)
	adam        func(a *AdamW, w, g, m, v []float32)
	dotPath     func(out, q, base []float32, nodes []int32, stride int)
	axpyPath    func(y, p, base []float32, nodes []int32, stride int)
}

func goVec() vecFuncs {
	return vecFuncs{dot: dotGo, axpy: axpyGo, expSum: expSumGo, sigmoid: sigmoidGo, max: maxGo, scale: scaleGo,
		sumExp: sumExpGo, gate: gateGo, gateBack: gateBackGo, scaleMul: scaleMulGo, normBack: normBackGo, softmaxBack: softmaxBackGo,
		rotate: rotateGo, adam: adamGo, dotPath: dotPathGo, axpyPath: axpyPathGo}
}

func expSumGo(dst, src []float32, sub float32) float32 {
	var sum float32
	for i, v := range src {
		e := Exp(v - sub)
		dst[i] = e
		sum += e
	}
	return sum
}

func sumExpGo(src []float32, sub float32) float32 {
	var sum float32
	for _, v := range src {
		sum += Exp(v - sub)
	}
	return sum
}

func sigmoidGo(dst, src []float32) {
	for i, v := range src {
		dst[i] = 1 / (1 + Exp(-v))
	}
}

func maxGo(x []float32) float32 {
	top := float32(math.Inf(-1))
	for _, v := range x {
		if v > top {
			top = v
		}
	}
	return top
}

func scaleGo(a float32, x []float32) {
	for i := range x {
		x[i] *= a
	}
}

// Dot returns the sum of x[i]*y[i], accumulated in float32 in an order that depends only on the length:
//
//	for i := range x { sum += x[i] * y[i] }
//
// y is at least as long as x.
func Dot(x, y []float32) float32 { return current().vec.dot(x, y[:len(x)]) }

func dotGo(x, y []float32) float32 {
	var s float32
	for i, v := range x {
		s += v * y[i]
	}
	return s
}

// Axpy adds a multiple of x to y:
//
//	for i := range x { y[i] += a * x[i] }
//
// y is at least as long as x.
func Axpy(a float32, x, y []float32) { current().vec.axpy(a, x, y[:len(x)]) }

func axpyGo(a float32, x, y []float32) {
	for i, v := range x {
		y[i] += a * v
	}
}

// Exp returns e**x with a relative error below 2e-7. Arguments below -87 give 0, above 88 the largest finite value near
// e**88: a clamp, so that a diverged loss shows as a large number that the caller checks, not as Inf-Inf.
//
// Method: x = n ln2 + r with |r| <= ln2/2, e**r by its Taylor polynomial of degree 6, scaled by 2**n in the exponent bits.
func Exp(x float32) float32 {
	if x < -87 {
		return 0
	}
	x = min(x, 88)
	const log2e, ln2hi, ln2lo = 1.44269504088896341, 0.693145751953125, 1.428606765330187e-06
	n := int32(x*log2e + 128.5)
	n -= 128
	f := float32(n)
	r := x - f*ln2hi - f*ln2lo
	p := 1 + r*(1+r*(0.5+r*(1.0/6+r*(1.0/24+r*(1.0/120+r*(1.0/720))))))
	return p * math.Float32frombits(uint32(n+127)<<23)
}

// RMSNorm normalises each row of x (rows,n) to unit root mean square and scales it by w (n):
//
//	inv[i] = 1/sqrt(mean over j of x[i,j]² + eps); y[i,j] = x[i,j]*inv[i]*w[j]
//
// inv (rows) keeps the factors for the backward pass; it may be nil. Zhang and Sennrich 2019, arXiv 1910.07467.
func RMSNorm(y, x, w, inv []float32, n int, eps float32) {
	v := &current().vec
	for i := 0; i*n < len(x); i++ {
		row, out := x[i*n:(i+1)*n], y[i*n:(i+1)*n]
		f := float32(1 / math.Sqrt(float64(v.dot(row, row)/float32(n)+eps)))
		if inv != nil {
			inv[i] = f
		}
		v.scaleMul(out, row, w, f)
	}
}

func scaleMulGo(y, x, w []float32, f float32) {
	for j, v := range x {
		y[j] = v * f * w[j]
	}
}

// RMSNormBackward adds the gradient of RMSNorm to dx (rows,n) and dw (n), given dy (rows,n), the input x and its inv:
//
//	g = dy*w;  dx += inv*g - x*inv³*mean(g*x);  dw += sum over rows of dy*x*inv
func RMSNormBackward(dx, dw, dy, x, w, inv []float32, n int) {
	v := &current().vec
	for i := 0; i*n < len(x); i++ {
		lo, hi := i*n, (i+1)*n
		v.normBack(dx[lo:hi], dw[:n], dy[lo:hi], x[lo:hi], w[:n], inv[i])
	}
}

func normBackGo(dx, dw, dy, x, w []float32, inv float32) {
	var s float32
	for j, v := range x {
		s += dy[j] * w[j] * v
	}
	c := s * inv * inv * inv / float32(len(x))
	for j, v := range x {
		dx[j] += dy[j]*w[j]*inv - v*c
		dw[j] += dy[j] * v * inv
	}
}

// SwiGLU computes the gated activation of a row of gu (2,f), gate then up, into h (f):
//
//	h[j] = g*sigmoid(g)*u   (Shazeer 2020, arXiv 2002.05202)
func SwiGLU(h, gu []float32) {
	f := len(h)
	current().vec.gate(h, gu[:f], gu[f:2*f])
}

func gateGo(h, g, u []float32) {
	sigmoidGo(h, g)
	for j, x := range g {
		h[j] *= x * u[j]
	}
}

// SwiGLUBackward replaces gu (2,f) by its gradient, given dh (f):
//
//	s = sigmoid(g); dg = dh*u*s*(1+g*(1-s)); du = dh*g*s
func SwiGLUBackward(gu, dh []float32) {
	f := len(dh)
	current().vec.gateBack(gu[:f], gu[f:2*f], dh)
}

func gateBackGo(g, u, d []float32) {
	for j, x := range g {
		s := 1 / (1 + Exp(-x))
		g[j], u[j] = d[j]*u[j]*s*(1+x*(1-s)), d[j]*x*s
	}
}

func softmaxBackGo(dp, p []float32, sum, scale float32) {
	for j, x := range p {
		dp[j] = x * (dp[j] - sum) * scale
	}
}

// Rotate applies rotary positions to the heads of a row x (heads*d), in the half-split order of Hugging Face:
//
//	a, b = x[i], x[i+d/2];  x[i] = a*cos[i]-b*sin[i];  x[i+d/2] = b*cos[i]+a*sin[i]
//
// cos and sin (d/2) belong to the row's position; sign -1 turns back, which is the backward pass. Su et al. 2021,
// arXiv 2104.09864.
func Rotate(x, cos, sin []float32, d int, sign float32) {
	current().vec.rotate(x, cos[:d/2], sin[:d/2], sign)
}

func rotateGo(x, cos, sin []float32, sign float32) {
	half := len(cos)
	for at := 0; at < len(x); at += 2 * half {
		lo, hi := x[at:at+half], x[at+half:at+2*half]
		for i, c := range cos {
			a, b, s := lo[i], hi[i], sign*sin[i]
			lo[i], hi[i] = a*c-b*s, b*c+a*s
		}
	}
}

// Softmax turns scores into probabilities in place and returns the logarithm of the sum of exponentials.
func Softmax(x []float32) float32 {
	v := &current().vec
	top := v.max(x)
	sum := v.expSum(x, x, top)
	v.scale(1/sum, x)
	return top + float32(math.Log(float64(sum)))
}

// LogSumExp returns log(sum(exp(x))), summed in float64 over blocks of 256.
func LogSumExp(x []float32) float64 {
	const block = 256
	v := &current().vec
	top := v.max(x)
	var sum float64
	for len(x) > 0 {
		n := min(block, len(x))
		sum += float64(v.sumExp(x[:n], top))
		x = x[n:]
	}
	return float64(top) + math.Log(sum)
}

// CrossEntropy replaces the logits of one row by the gradient of its loss, scaled, and returns the loss:
//
//	p = softmax(x); loss = -log p[target]; x = scale*(p - onehot(target))
func CrossEntropy(x []float32, target int, scale float32) float32 {
	v := &current().vec
	at := x[target]
	top := v.max(x)
	sum := v.expSum(x, x, top)
	v.scale(scale/sum, x)
	x[target] -= scale
	return top + float32(math.Log(float64(sum))) - at
}

// An AdamW is the state-free part of a step of decoupled Adam (Loshchilov and Hutter 2019, arXiv 1711.05101).
type AdamW struct {
	LR, Beta1, Beta2, Eps, Decay float32
	Clip                         float32 // gradients are multiplied by it first
	Correct1, Correct2           float32 // 1-beta**step of both moments
}

// Step updates parameters w with gradient g and moments m, v:
//
//	g *= clip; m = b1*m+(1-b1)*g; v = b2*v+(1-b2)*g²; w -= lr*(m/c1/(sqrt(v/c2)+eps) + decay*w)
func (a *AdamW) Step(w, g, m, v []float32) { current().vec.adam(a, w, g, m, v) }

func adamGo(a *AdamW, w, g, m, v []float32) {
	c1, c2 := 1/a.Correct1, 1/a.Correct2
	for i, x := range g {
		x *= a.Clip
		m[i] = a.Beta1*m[i] + (1-a.Beta1)*x
		v[i] = a.Beta2*v[i] + (1-a.Beta2)*x*x
		w[i] -= a.LR * (m[i]*c1/(float32(math.Sqrt(float64(v[i]*c2)))+a.Eps) + a.Decay*w[i])
	}
}
