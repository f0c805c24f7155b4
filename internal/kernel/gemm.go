package kernel

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
// with lda, ldb, ldc the row strides in floats. Operands are packed into panels first where that pays, so the three ops
// cost about the same. The sum over k runs in blocks of the variant's kc, ascending, for any m, n and number of threads.
func Gemm(p *Pool, op Op, accumulate bool, m, n, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int) {
	if m <= 0 || n <= 0 {
		return
	}
	if k <= 0 {
		zeroRows(accumulate, m, n, c, ldc)
		return
	}
	checkShape(op, m, n, k, a, lda, b, ldb, c, ldc)
	w := p.workspace()
	w.call = gemmCall{v: current(), op: op, m: m, n: n, k: k, a: a, lda: lda, b: b, ldb: ldb, c: c, ldc: ldc, acc: accumulate}
	w.call.plan(p.Threads())
	w.call.run(p, w)
}

// gemmCall is one product and its plan; it lives in the workspace so that a call allocates nothing.
//
// B is packed a chunk of columns at a time, all of k, by all threads. Then tasks of some row panels each pack their part of
// A, kc steps at a time, into memory of their thread's own, which the second cache holds, and multiply it by the chunk.
type gemmCall struct {
	v        *variant
	op       Op
	m, n, k  int
	a, b, c  []float32
	lda, ldb int
	ldc      int
	acc      bool
	wide     bool // rows of C have room for whole panels

	serial       bool
	inA, inB     bool // operand read in place
	na, nb       int  // panels of A and B
	chunk        int  // panels of B packed at a time
	mt, nt       int  // panels of A and B a task
	columns      int  // tasks side by side
	first, count int  // panels of B in the current chunk
	bp           []float32
	ap           [][]float32 // by thread: packed rows of A, and from edge on a tile
	edge         int
}

const (
	serialFlops = 4_000_000 // below, one thread
	chunkFloats = 1 << 20   // packed part of B: 4 MB, its share of the third cache
	maxRows     = 240       // rows of A that a task packs: 256 steps of them are 240 KB, 384 are 360 KB, of a second cache of 512 KB or more
	minRows     = 48        // fewer do not pay for reading B
)

// plan chooses what to pack and how to cut the product. Tasks are at least four a thread where the product is large enough,
// so that a slow core does not hold up the others.
func (g *gemmCall) plan(threads int) {
	v := g.v
	g.na, g.nb = (g.m+v.rows-1)/v.rows, (g.n+v.cols-1)/v.cols
	g.serial = 2*g.m*g.n*g.k < serialFlops
	if g.serial {
		threads = 1
	}
	g.inA = g.m <= 8 || g.n <= 2*v.cols && (g.op != TN || g.k <= v.kc)
	g.inB = g.op != NT && g.m <= 6*v.rows && g.k <= v.kc
	if g.chunk == 0 {
		g.chunk = min(g.nb, max(chunkFloats/(g.k*v.cols), 8))
	}
	g.mt = min(g.na, maxRows/v.rows)
	g.nt = min(g.nb, g.chunk)
	if threads == 1 {
		return
	}
	for g.mt*v.rows > minRows && g.tasks(g.nt) < 4*threads {
		g.mt = (g.mt + 1) / 2
	}
	for g.nt > 1 && g.tasks(min(g.nb, g.chunk)) < 4*threads {
		g.nt = (g.nt + 1) / 2
	}
	if rows := (g.na + g.mt - 1) / g.mt; g.tasks(min(g.nb, g.chunk))%threads != 0 {
		rows = roundUp(rows, threads) // nine equal tasks would keep two threads as long as ten
		g.mt = (g.na + rows - 1) / rows
	}
}

// tasks is the number of tasks of a chunk of count panels.
func (g *gemmCall) tasks(count int) int {
	return (g.na + g.mt - 1) / g.mt * ((count + g.nt - 1) / g.nt)
}

// run packs and multiplies chunk by chunk. A B that came packed is one chunk.
func (g *gemmCall) run(p *Pool, w *workspace) {
	if g.serial {
		p = nil
	}
	g.edge = g.mt * g.v.rows * min(g.v.kc, g.k)
	g.ap = w.localA(g.edge + g.v.rows*g.v.cols)
	packed := g.bp != nil
	if !packed {
		g.bp = grow(&w.b, min(g.chunk, g.nb)*g.v.cols*g.k)
	}
	for g.first = 0; g.first < g.nb; g.first += g.chunk {
		g.count = min(g.chunk, g.nb-g.first)
		if !packed {
			p.For(g.count, w.packB)
		}
		g.columns = (g.count + g.nt - 1) / g.nt
		p.each(g.tasks(g.count), w.task)
	}
}

// task computes one block of C.
func (g *gemmCall) task(worker, t int) {
	i0 := t / g.columns * g.mt
	j0 := g.first + t%g.columns*g.nt
	i1, j1 := min(i0+g.mt, g.na), min(j0+g.nt, g.first+g.count)
	for kb := 0; kb < g.k; kb += g.v.kc {
		kc := min(g.v.kc, g.k-kb)
		add := 0
		if g.acc || kb > 0 {
			add = 1
		}
		if !g.inA {
			for i := i0; i < i1; i++ {
				g.packA(g.ap[worker][(i-i0)*g.v.rows*kc:], i, kb, kc)
			}
		}
		for j := j0; j < j1; j++ {
			g.column(g.ap[worker], i0, i1, j, kb, kc, add)
		}
	}
}

// column multiplies row panels [i0,i1) by panel j. Shapes were checked, so pointers move freely inside.
func (g *gemmCall) column(ap []float32, i0, i1, j, kb, kc, add int) {
	v := g.v
	c0 := j * v.cols
	cols := min(v.cols, g.n-c0)
	var b *float32
	bks := v.cols
	if g.inB && cols == v.cols {
		b, bks = &g.b[kb*g.ldb+c0], g.ldb
	} else {
		b = &g.bp[(j-g.first)*v.cols*g.k+kb*v.cols]
	}
	for i := i0; i < i1; i++ {
		r0 := i * v.rows
		rows := min(v.rows, g.m-r0)
		a, ars, aks := &ap[(i-i0)*v.rows*kc], 1, rows
		if g.inA {
			a, ars, aks = g.aAt(r0, kb)
		}
		if cols == v.cols || g.wide {
			v.tiles[rows](kc, a, ars, aks, b, bks, &g.c[r0*g.ldc+c0], g.ldc, add)
			continue
		}
		// a tile that reaches over the right edge goes through a buffer
		buf := ap[g.edge:]
		if add != 0 {
			for r := range rows {
				copy(buf[r*v.cols:], g.c[(r0+r)*g.ldc+c0:(r0+r)*g.ldc+c0+cols])
			}
		}
		v.tiles[rows](kc, a, ars, aks, b, bks, &buf[0], v.cols, add)
		for r := range rows {
			copy(g.c[(r0+r)*g.ldc+c0:(r0+r)*g.ldc+c0+cols], buf[r*v.cols:])
		}
	}
}

// aAt returns op(A) at a row and step of k, and its strides, in place.
func (g *gemmCall) aAt(row, kb int) (a *float32, ars, aks int) {
	if g.op == TN {
		return &g.a[kb*g.lda+row], 1, g.lda
	}
	return &g.a[row*g.lda+kb], g.lda, 1
}

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
