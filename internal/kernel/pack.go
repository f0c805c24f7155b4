package kernel

import "unsafe"

// packA copies kc steps from kb on of panel i of op(A), up to rows rows, as [kc][rows].
func (g *gemmCall) packA(dst []float32, i, kb, kc int) {
	lo := i * g.v.rows
	rows := min(g.v.rows, g.m-lo)
	if g.op == TN {
		copyF := g.v.copyA
		if rows < g.v.rows {
			copyF = nil
		}
		packStraight(copyF, dst, rows, rows, g.a[kb*g.lda+lo:], g.lda, kc)
		return
	}
	packTransposed(g.v, dst, rows, rows, g.a[lo*g.lda+kb:], g.lda, kc)
}

// packB copies the j-th panel of the current chunk, cols columns of op(B), as [k][cols], zero-padded.
func (g *gemmCall) packB(j int) {
	lo := (g.first + j) * g.v.cols
	cols := min(g.v.cols, g.n-lo)
	if g.inB && cols == g.v.cols {
		return
	}
	dst := g.bp[j*g.v.cols*g.k : (j+1)*g.v.cols*g.k]
	copyF := g.v.copyB
	if cols < g.v.cols {
		clear(dst)
		copyF = nil
	}
	if g.op == NT {
		packTransposed(g.v, dst, g.v.cols, cols, g.b[lo*g.ldb:], g.ldb, g.k)
		return
	}
	packStraight(copyF, dst, g.v.cols, cols, g.b[lo:], g.ldb, g.k)
}

// packStraight copies k rows of n floats: dst[l*stride+i] = src[l*ld+i].
func packStraight(f copyFunc, dst []float32, stride, n int, src []float32, ld, k int) {
	if f != nil {
		_, _ = dst[k*n-1], src[(k-1)*ld+n-1]
		f(&dst[0], &src[0], ld, k)
		return
	}
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

// workspace is the packing memory of a pool; it grows to the largest product and stays.
type workspace struct {
	a, b  []float32
	local [][]float32 // a part of A, by thread
	call  gemmCall
	task  func(worker, i int) // methods of call, bound once so that a product allocates no closure
	packB func(int)

	mul     mulCall
	mulTask func(int)
	mulPack func(int)

	paths    pathCall
	pathTask func(worker, i int)

	attend                     attentionCall
	attendTask, attendBackTask func(worker, i int)
}

func (p *Pool) workspace() *workspace {
	var w *workspace
	if p == nil {
		w = &workspace{}
	} else {
		w = &p.space
	}
	w.bind(p.Threads())
	return w
}

func (w *workspace) bind(threads int) {
	if w.task != nil {
		return
	}
	w.local = make([][]float32, threads)
	w.task, w.packB = w.call.task, w.call.packB
	w.mulTask, w.mulPack = w.mul.task, w.mul.pack
	w.pathTask = w.paths.task
	w.attendTask, w.attendBackTask = w.attend.task, w.attend.backTask
}

// localA returns at least n floats for every thread.
func (w *workspace) localA(n int) [][]float32 {
	for i := range w.local {
		grow(&w.local[i], n)
		w.local[i] = w.local[i][:cap(w.local[i])]
	}
	return w.local
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
