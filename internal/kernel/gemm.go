package kernel

import "unsafe"

// An Op says which operand of a product is transposed.
type Op int

const (
	NN Op = iota // C = A·B     A (m,k), B (k,n)
	NT           // C = A·Bᵀ    A (m,k), B (n,k): weights in Hugging Face [out,in] order
	TN           // C = Aᵀ·B    A (k,m), B (k,n): weight gradients
)

// Gemm computes a product of row-major matrices:
//
//	for i < m, j < n { s := sum over l < k of A[i,l]*B[l,j]; C[i,j] = s (+ C[i,j] if accumulate) }
//
// with lda, ldb, ldc the row strides in floats. Both operands are packed into panels first, whatever their order, so the
// three ops cost about the same. The sum over k runs in blocks of KC, ascending, for any m, n and number of threads.
func Gemm(p *Pool, op Op, accumulate bool, m, n, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int) {
	if m <= 0 || n <= 0 {
		return
	}
	if k <= 0 {
		zeroRows(accumulate, m, n, c, ldc)
		return
	}
	checkShape(op, m, n, k, a, lda, b, ldb, c, ldc)
	v := current()
	w := p.workspace()
	ap := grow(&w.a, m*k)
	bp := grow(&w.b, roundUp(n, v.cols)*k)
	w.call = gemmCall{v: v, op: op, m: m, n: n, k: k, a: a, lda: lda, b: b, ldb: ldb, ap: ap, bp: bp}
	serial := 2*m*n*k < 4_000_000
	na, nb := (m+v.rows-1)/v.rows, (n+v.cols-1)/v.cols
	if serial {
		w.call.packAll(na, nb)
	} else {
		w.packers(p, na, nb)
	}
	run(p, w, v, m, n, k, ap, bp, accumulate, c, ldc, serial)
}

// gemmCall is what the packing tasks of one product need; it lives in the workspace so that a call allocates nothing.
type gemmCall struct {
	v        *variant
	op       Op
	m, n, k  int
	a, b     []float32
	lda, ldb int
	ap, bp   []float32
	acc      bool
	c        []float32
	ldc      int
	mt, nt   int // panels per task
	tasksN   int
	panelsA  int
	panelsB  int
}

func (g *gemmCall) packAll(na, nb int) {
	for i := range na {
		g.packA(i)
	}
	for j := range nb {
		g.packB(j)
	}
}

// packA copies one panel of up to rows rows of op(A) as [k][rows].
func (g *gemmCall) packA(i int) {
	lo := i * g.v.rows
	rows := min(g.v.rows, g.m-lo)
	dst := g.ap[lo*g.k : (lo+rows)*g.k]
	if g.op == TN {
		packStraight(dst, rows, rows, g.a[lo:], g.lda, g.k)
		return
	}
	packTransposed(g.v, dst, rows, rows, g.a[lo*g.lda:], g.lda, g.k)
}

// packB copies one panel of cols columns of op(B) as [k][cols], zero-padded.
func (g *gemmCall) packB(j int) {
	lo := j * g.v.cols
	cols := min(g.v.cols, g.n-lo)
	dst := g.bp[lo*g.k : (lo+g.v.cols)*g.k]
	if cols < g.v.cols {
		clear(dst)
	}
	if g.op == NT {
		packTransposed(g.v, dst, g.v.cols, cols, g.b[lo*g.ldb:], g.ldb, g.k)
		return
	}
	packStraight(dst, g.v.cols, cols, g.b[lo:], g.ldb, g.k)
}

// packStraight copies k rows of n floats: dst[l*stride+i] = src[l*ld+i].
func packStraight(dst []float32, stride, n int, src []float32, ld, k int) {
	for l := range k {
		copy(dst[l*stride:l*stride+n], src[l*ld:l*ld+n])
	}
}

// packTransposed turns n rows of k floats: dst[l*stride+i] = src[i*ld+l].
func packTransposed(v *variant, dst []float32, stride, n int, src []float32, ld, k int) {
	i := 0
	if k4 := k / 4; v.transpose && k4 > 0 {
		for ; i+4 <= n; i += 4 {
			_ = src[(i+3)*ld+4*k4-1]
			_ = dst[(4*k4-1)*stride+i+3]
			transpose4(&src[i*ld], ld, &dst[i], stride, k4)
			for l := 4 * k4; l < k; l++ {
				for r := range 4 {
					dst[l*stride+i+r] = src[(i+r)*ld+l]
				}
			}
		}
	}
	for ; i < n; i++ {
		row := src[i*ld : i*ld+k]
		for l, x := range row {
			dst[l*stride+i] = x
		}
	}
}

// run multiplies packed panels. Tasks are blocks of panels, at least four a thread where the product is large enough, so
// that a slow core does not hold up the others.
func run(p *Pool, w *workspace, v *variant, m, n, k int, ap, bp []float32, acc bool, c []float32, ldc int, serial bool) {
	g := &w.call
	g.v, g.m, g.n, g.k, g.ap, g.bp, g.acc, g.c, g.ldc = v, m, n, k, ap, bp, acc, c, ldc
	g.panelsA, g.panelsB = (m+v.rows-1)/v.rows, (n+v.cols-1)/v.cols
	g.mt, g.nt = min(20, g.panelsA), min(16, g.panelsB)
	if !serial {
		for tasks(g) < 4*p.Threads() && (g.mt > 2 || g.nt > 1) {
			if g.mt*v.rows >= g.nt*v.cols && g.mt > 2 {
				g.mt = (g.mt + 1) / 2
			} else if g.nt > 1 {
				g.nt = (g.nt + 1) / 2
			} else {
				g.mt = (g.mt + 1) / 2
			}
		}
	}
	g.tasksN = (g.panelsB + g.nt - 1) / g.nt
	if serial {
		for i := range tasks(g) {
			g.task(i)
		}
		return
	}
	p.For(tasks(g), w.task)
}

func tasks(g *gemmCall) int {
	return ((g.panelsA + g.mt - 1) / g.mt) * ((g.panelsB + g.nt - 1) / g.nt)
}

// task computes one block of C.
func (g *gemmCall) task(i int) {
	a0 := i / g.tasksN * g.mt
	b0 := i % g.tasksN * g.nt
	a1, b1 := min(a0+g.mt, g.panelsA), min(b0+g.nt, g.panelsB)
	for kb := 0; kb < g.k; kb += KC {
		kc := min(KC, g.k-kb)
		add := 0
		if g.acc || kb > 0 {
			add = 1
		}
		for j := b0; j < b1; j++ {
			for i := a0; i < a1; i++ {
				g.tile(i, j, kb, kc, add)
			}
		}
	}
}

// tile computes one micro-tile; one that reaches over the right edge goes through a buffer.
func (g *gemmCall) tile(i, j, kb, kc, add int) {
	v := g.v
	r0, c0 := i*v.rows, j*v.cols
	rows, cols := min(v.rows, g.m-r0), min(v.cols, g.n-c0)
	a := &g.ap[r0*g.k+kb*rows]
	b := &g.bp[c0*g.k+kb*v.cols]
	if cols == v.cols {
		v.tiles[rows](kc, a, b, &g.c[r0*g.ldc+c0], g.ldc, add)
		return
	}
	var buf [12 * 32]float32
	if add != 0 {
		for r := range rows {
			copy(buf[r*v.cols:], g.c[(r0+r)*g.ldc+c0:(r0+r)*g.ldc+c0+cols])
		}
	}
	v.tiles[rows](kc, a, b, &buf[0], v.cols, add)
	for r := range rows {
		copy(g.c[(r0+r)*g.ldc+c0:(r0+r)*g.ldc+c0+cols], buf[r*v.cols:])
	}
}

// A Packed is a frozen weight matrix W (n,k) in panels, ready to be multiplied by any number of rows.
type Packed struct {
	n, k    int
	variant *variant
	data    []float32
}

// PackNT packs W (n,k), row-major, for X·Wᵀ.
func PackNT(w []float32, n, k int) *Packed {
	v := current()
	pw := &Packed{n: n, k: k, variant: v, data: alignedFloats(roundUp(n, v.cols) * k)}
	g := gemmCall{v: v, op: NT, n: n, k: k, b: w, ldb: k, bp: pw.data}
	for j := range (n + v.cols - 1) / v.cols {
		g.packB(j)
	}
	return pw
}

// Rows returns the number of outputs n.
func (pw *Packed) Rows() int { return pw.n }

// GemmPacked computes C = A·Wᵀ for frozen weights:
//
//	for i < m, j < n { C[i,j] = sum over l < k of A[i,l]*W[j,l] }
//
// It gives the same bits as Gemm with NT of the same variant, for any m.
func GemmPacked(p *Pool, m int, a []float32, lda int, pw *Packed, c []float32, ldc int) {
	if m <= 0 {
		return
	}
	v := pw.variant
	w := p.workspace()
	ap := grow(&w.a, m*pw.k)
	w.call = gemmCall{v: v, op: NT, m: m, n: pw.n, k: pw.k, a: a, lda: lda, ap: ap}
	for i := range (m + v.rows - 1) / v.rows {
		w.call.packA(i)
	}
	serial := 2*m*pw.n*pw.k < 2_000_000
	run(p, w, v, m, pw.n, pw.k, ap, pw.data, false, c, ldc, serial)
}

// workspace is the packing memory of a pool; it grows to the largest product and stays.
type workspace struct {
	a, b  []float32
	call  gemmCall
	task  func(int) // call.task and the packers, bound once so that a product allocates no closure
	packA func(int)
	packB func(int)

	mul     mulCall
	mulTask func(int)
	mulPack func(int)
}

func (p *Pool) workspace() *workspace {
	var w *workspace
	if p == nil {
		w = &workspace{}
	} else {
		w = &p.space
	}
	if w.task == nil {
		w.task = w.call.task
		w.packA = w.call.packA
		w.packB = w.call.packB
		w.mulTask, w.mulPack = w.mul.task, w.mul.pack
	}
	return w
}

func (w *workspace) packers(p *Pool, na, nb int) {
	p.For(na, w.packA)
	p.For(nb, w.packB)
}

func grow(buf *[]float32, n int) []float32 {
	if cap(*buf) < n {
		*buf = alignedFloats(n)
	}
	return (*buf)[:n]
}

// alignedFloats returns n floats that start on a cache line.
func alignedFloats(n int) []float32 {
	raw := make([]float32, n+16)
	off := 0
	for uintptr(unsafe.Pointer(&raw[off]))&63 != 0 {
		off++
	}
	return raw[off : off+n : off+n]
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

func zeroRows(accumulate bool, m, n int, c []float32, ldc int) {
	if accumulate {
		return
	}
	for i := range m {
		clear(c[i*ldc : i*ldc+n])
	}
}

func checkShape(op Op, m, n, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int) {
	ar, ac, br, bc := m, k, k, n
	switch op {
	case NT:
		br, bc = n, k
	case TN:
		ar, ac = k, m
	}
	if lda < ac || ldb < bc || ldc < n || len(a) < (ar-1)*lda+ac || len(b) < (br-1)*ldb+bc || len(c) < (m-1)*ldc+n {
		panic("kernel: Gemm: a slice is shorter than its shape")
	}
}
