package kernel

import "math"

// Attention is causal attention inside examples that are packed behind each other. Row i of qkv (T,(H+2KV)*D) holds the
// token's queries, keys and values, rotated already; examples are rows seg[s] to seg[s+1]. With g = h*KV/H:
//
//	y[i,h] = sum over j of softmax over j of (q[i,h]·k[j,g]/sqrt(D)) v[j,g],   start <= j <= i, with a window j > i-window
//
// A block of queries at a time goes through the same micro-kernels as Gemm; blocks of keys that lie in its future are never
// computed. One task is an example and a key head, so sums do not depend on the number of threads.
type Attention struct {
	Heads, KVHeads, Width int // H, KV, D
	Window                int // 0: none
}

// masked is the score of a key that a query may not see: finite, so that no difference of infinities arises.
const masked = -1e30

// queryBlock is the number of queries whose scores exist at a time.
const queryBlock = 48

// attentionCall is one forward or backward pass over a batch.
type attentionCall struct {
	Attention
	qkv, y, dqkv, dy []float32
	seg              []int32
	scale            float32
	stride           int
	workers          []attentionSpace
}

// attentionSpace is a thread's memory: scores, their gradients, and for their products.
type attentionSpace struct {
	workspace
	p, dp []float32 // (queryBlock, keys)
	ld    int       // of both
}

// Forward computes y (T,H*D).
func (a Attention) Forward(p *Pool, y, qkv []float32, seg []int32) {
	w := p.workspace()
	w.attend.prepare(a, p, qkv, seg)
	w.attend.y = y
	p.each((len(seg)-1)*a.KVHeads, w.attendTask)
}

// Backward computes dqkv, the gradient of qkv, from dy (T,H*D). Probabilities are computed again: keeping T*T floats a head
// would cost more memory than time.
func (a Attention) Backward(p *Pool, dqkv, dy, qkv []float32, seg []int32) {
	w := p.workspace()
	w.attend.prepare(a, p, qkv, seg)
	w.attend.dy, w.attend.dqkv = dy, dqkv
	p.each((len(seg)-1)*a.KVHeads, w.attendBackTask)
}

func (c *attentionCall) prepare(a Attention, p *Pool, qkv []float32, seg []int32) {
	c.Attention, c.qkv, c.seg = a, qkv, seg
	c.stride = (a.Heads + 2*a.KVHeads) * a.Width
	c.scale = float32(1 / math.Sqrt(float64(a.Width)))
	if c.workers == nil {
		c.workers = make([]attentionSpace, p.Threads())
	}
	longest := 0
	for s := range len(seg) - 1 {
		longest = max(longest, int(seg[s+1]-seg[s]))
	}
	ld := roundUp(longest+8, 32) // room for the last group of eight
	for i := range c.workers {
		sp := &c.workers[i]
		sp.bind(1)
		v := current()
		grow(&sp.b, max(roundUp(longest, v.cols)*a.Width, roundUp(a.Width, v.cols)*longest))
		sp.localA(roundUp(maxRows, v.rows)*v.kc + v.rows*v.cols)
		sp.ld = ld
		sp.p, sp.dp = grow(&sp.p, queryBlock*ld), grow(&sp.dp, queryBlock*ld)
	}
}

// keyBlock is what one block of queries [i0,i1) of a head sees: keys [k0,i1).
type keyBlock struct{ h, g, k0, i0, i1 int }

// blocks calls f for every block of queries of every head that reads key head t%KV of example t/KV.
func (c *attentionCall) blocks(t int, f func(b keyBlock)) {
	s, g := t/c.KVHeads, t%c.KVHeads
	lo, hi := int(c.seg[s]), int(c.seg[s+1])
	group := c.Heads / c.KVHeads
	for h := g * group; h < (g+1)*group; h++ {
		for i0 := lo; i0 < hi; i0 += queryBlock {
			f(keyBlock{h, g, c.first(lo, i0), i0, min(i0+queryBlock, hi)})
		}
	}
}

// first is the first key that query i of an example starting at lo sees.
func (c *attentionCall) first(lo, i int) int {
	if c.Window == 0 {
		return lo
	}
	return max(lo, i-c.Window+1)
}

func (c *attentionCall) task(worker, t int) {
	sp, d := &c.workers[worker], c.Width
	c.blocks(t, func(b keyBlock) {
		c.probabilities(sp, t, b)
		v := c.qkv[b.k0*c.stride+(c.Heads+c.KVHeads+b.g)*d:]
		sp.gemm(NN, false, b.i1-b.i0, d, b.i1-b.k0, sp.p, sp.ld, v, c.stride, c.y[(b.i0*c.Heads+b.h)*d:], c.Heads*d)
	})
}

// probabilities fills sp.p (queries, keys), zero where a query may not look.
func (c *attentionCall) probabilities(sp *attentionSpace, t int, b keyBlock) {
	d, n := c.Width, b.i1-b.k0
	q, k := c.qkv[b.i0*c.stride+b.h*d:], c.qkv[b.k0*c.stride+(c.Heads+b.g)*d:]
	sp.gemmWide(NT, b.i1-b.i0, n, d, q, c.stride, k, c.stride, sp.p, sp.ld)
	lo := int(c.seg[t/c.KVHeads])
	vec := &current().vec
	for i := b.i0; i < b.i1; i++ {
		row := sp.p[(i-b.i0)*sp.ld : (i-b.i0+1)*sp.ld]
		from, to := c.first(lo, i)-b.k0, i+1-b.k0
		live := row[from : from+roundUp(to-from, 8)]
		for j := to - from; j < len(live); j++ {
			live[j] = masked
		}
		vec.scale(c.scale, live)
		sum := vec.expSum(live, live, vec.max(live))
		vec.scale(1/sum, live)
		clear(row[:from])
		clear(row[to:n])
	}
}

func (c *attentionCall) backTask(worker, t int) {
	sp, d := &c.workers[worker], c.Width
	g := t % c.KVHeads
	kAt, vAt := (c.Heads+g)*d, (c.Heads+c.KVHeads+g)*d
	for i := c.seg[t/c.KVHeads]; i < c.seg[t/c.KVHeads+1]; i++ {
		row := c.dqkv[int(i)*c.stride : (int(i)+1)*c.stride]
		clear(row[kAt : kAt+d])
		clear(row[vAt : vAt+d])
	}
	c.blocks(t, func(b keyBlock) {
		m, n := b.i1-b.i0, b.i1-b.k0
		c.probabilities(sp, t, b)
		dy, yd := c.dy[(b.i0*c.Heads+b.h)*d:], c.Heads*d
		keys := b.k0 * c.stride
		sp.gemm(TN, true, n, d, m, sp.p, sp.ld, dy, yd, c.dqkv[keys+vAt:], c.stride)
		sp.gemmWide(NT, m, n, d, dy, yd, c.qkv[keys+vAt:], c.stride, sp.dp, sp.ld)
		c.scoreGradients(sp, m, n)
		sp.gemm(NN, false, m, d, n, sp.dp, sp.ld, c.qkv[keys+kAt:], c.stride, c.dqkv[b.i0*c.stride+b.h*d:], c.stride)
		sp.gemm(TN, true, n, d, m, sp.dp, sp.ld, c.qkv[b.i0*c.stride+b.h*d:], c.stride, c.dqkv[keys+kAt:], c.stride)
	})
}

// scoreGradients turns gradients of probabilities into gradients of scores: dp = p*(dp - sum of p*dp)*scale.
func (c *attentionCall) scoreGradients(sp *attentionSpace, m, n int) {
	vec := &current().vec
	for i := range m {
		p, dp := sp.p[i*sp.ld:i*sp.ld+n], sp.dp[i*sp.ld:i*sp.ld+n]
		vec.softmaxBack(dp, p, vec.dot(p, dp), c.scale)
	}
}

// gemm is Gemm on the thread that owns the workspace.
func (w *workspace) gemm(op Op, acc bool, m, n, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int) {
	checkShape(op, m, n, k, a, lda, b, ldb, c, ldc)
	w.call = gemmCall{v: current(), op: op, m: m, n: n, k: k, a: a, lda: lda, b: b, ldb: ldb, c: c, ldc: ldc, acc: acc}
	w.call.plan(1)
	w.call.run(nil, w)
}

// gemmWide is gemm into rows of c with room for whole panels, which it may fill with zeros behind n.
func (w *workspace) gemmWide(op Op, m, n, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int) {
	checkShape(op, m, n, k, a, lda, b, ldb, c, ldc)
	w.call = gemmCall{v: current(), op: op, m: m, n: n, k: k, a: a, lda: lda, b: b, ldb: ldb, c: c, ldc: ldc, wide: true}
	w.call.plan(1)
	w.call.run(nil, w)
}
