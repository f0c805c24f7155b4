package kernel

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
	if lda < pw.k || ldc < pw.n || len(a) < (m-1)*lda+pw.k || len(c) < (m-1)*ldc+pw.n {
		panic("kernel: GemmPacked: a slice is shorter than its shape")
	}
	v := pw.variant
	w := p.workspace()
	w.call = gemmCall{v: v, op: NT, m: m, n: pw.n, k: pw.k, a: a, lda: lda, c: c, ldc: ldc, bp: pw.data, chunk: (pw.n + v.cols - 1) / v.cols}
	w.call.plan(p.Threads())
	w.call.run(p, w)
}
