package kernel

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"
)

// A DType is how a weight is stored. Whatever it is, products are computed and summed in float32.
type DType int

const (
	F32  DType = iota
	F16        // IEEE half precision
	BF16       // the upper half of a float32
	I8         // a signed byte, times its row's scale
)

// Size returns the bytes of one weight.
func (t DType) Size() int { return [...]int{4, 2, 2, 1}[t] }

// A Matrix is a frozen weight matrix W (Rows,Cols), row-major and little-endian, as it lies in a checkpoint file. It holds
// the caller's memory, mapped or not; nothing is copied.
type Matrix struct {
	Rows, Cols int
	Type       DType
	data       []byte
	scale      []float32 // (Rows), I8 only
}

// NewMatrix wraps the bytes of a tensor (rows,cols) of type F32, F16 or BF16. The bytes may start at any address.
func NewMatrix(t DType, rows, cols int, data []byte) (Matrix, error) {
	if t == I8 || rows <= 0 || cols <= 0 || len(data) != rows*cols*t.Size() {
		return Matrix{}, fmt.Errorf("matrix of %d x %d weights of %d bytes does not fill %d bytes", rows, cols, t.Size(), len(data))
	}
	return Matrix{Rows: rows, Cols: cols, Type: t, data: data}, nil
}

// MatrixOf wraps float32 weights (rows,cols).
func MatrixOf(w []float32, rows, cols int) Matrix {
	if rows <= 0 || cols <= 0 || len(w) != rows*cols {
		panic("kernel: MatrixOf: weights do not fill their shape")
	}
	return Matrix{Rows: rows, Cols: cols, Type: F32, data: unsafe.Slice((*byte)(unsafe.Pointer(&w[0])), 4*len(w))}
}

// Quantize returns w as signed bytes with one scale a row: the largest weight of a row becomes 127.
func (w Matrix) Quantize() Matrix {
	q := Matrix{Rows: w.Rows, Cols: w.Cols, Type: I8, data: make([]byte, w.Rows*w.Cols), scale: make([]float32, w.Rows)}
	row := make([]float32, w.Cols)
	for i := range w.Rows {
		w.Row(row, i)
		var top float32
		for _, x := range row {
			top = max(top, x, -x)
		}
		if top == 0 {
			continue
		}
		q.scale[i] = top / 127
		for j, x := range row {
			q.data[i*w.Cols+j] = byte(int8(math.RoundToEven(float64(x * (127 / top)))))
		}
	}
	return q
}

// Bytes returns the size of the weights in bytes.
func (w Matrix) Bytes() int { return len(w.data) }

// Row writes row i (Cols) in float32: an embedding.
func (w Matrix) Row(dst []float32, i int) {
	w.decode(dst[:w.Cols], i, 0)
	if w.Type == I8 {
		for j := range dst[:w.Cols] {
			dst[j] *= w.scale[i]
		}
	}
}

// decode writes len(dst) weights of row i from column at on, without the scale.
func (w Matrix) decode(dst []float32, i, at int) {
	b := w.data[(i*w.Cols+at)*w.Type.Size():]
	switch w.Type {
	case F32:
		for j := range dst {
			dst[j] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*j:]))
		}
	case BF16:
		for j := range dst {
			dst[j] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[2*j:])) << 16)
		}
	case F16:
		for j := range dst {
			dst[j] = halfToFloat(binary.LittleEndian.Uint16(b[2*j:]))
		}
	case I8:
		for j := range dst {
			dst[j] = float32(int8(b[j]))
		}
	}
}

// halfToFloat widens an IEEE half: exact.
func halfToFloat(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch exp {
	case 0: // zero or subnormal: frac * 2**-24
		return math.Float32frombits(sign | math.Float32bits(float32(frac)*0x1p-24))
	case 31:
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// MulT multiplies rows by a frozen matrix, whatever its type:
//
//	for i < m, j < Rows { y[i*ldy+j] = scale[j] * sum over l < Cols of x[i*ldx+l]*W[j,l] }
//
// The sum over l runs in an order that depends on Cols and the variant only, so the bits of a row of y do not depend on m
// or on the number of threads. Reading W once serves all rows; a few rows cost as much as W's bytes.
func MulT(p *Pool, m int, x []float32, ldx int, w Matrix, y []float32, ldy int) {
	if m <= 0 {
		return
	}
	if ldx < w.Cols || ldy < w.Rows || len(x) < (m-1)*ldx+w.Cols || len(y) < (m-1)*ldy+w.Rows {
		panic("kernel: MulT: a slice is shorter than its shape")
	}
	ws := p.workspace()
	c := &ws.mul
	c.dots = &current().dots
	c.m, c.x, c.ldx, c.w, c.y, c.ldy = m, x, ldx, w, y, ldy
	c.n, c.packed, c.rows = 0, x, mulRows(w)
	if c.dots.lanes > 0 {
		c.n = w.Cols &^ (c.dots.lanes - 1)
	}
	if w.Rows*w.Cols*(m+1) < serialMul {
		p = nil
		c.rows = w.Rows
	}
	if m > 1 && c.n > 0 {
		c.packed = grow(&ws.a, m*c.n)
		block := len(c.dots.of[w.Type]) - 1
		p.For((m+block-1)/block, ws.mulPack)
	}
	p.For((w.Rows+c.rows-1)/c.rows, ws.mulTask)
}

// serialMul is the amount of work below which waking another thread does not pay: a few microseconds.
const serialMul = 1 << 17

// mulRows is the number of weight rows that one task takes: about 64 KB, which stay in the second cache for all rows of x.
// Larger tasks leave one thread waiting for the other.
func mulRows(w Matrix) int {
	return max(8, (1<<16)/(w.Cols*w.Type.Size())&^7)
}

// mulCall is what the tasks of one MulT need.
type mulCall struct {
	dots   *dotFuncs
	n      int       // columns that kernels take
	packed []float32 // (m,n) x interleaved
	m      int
	x      []float32
	ldx    int
	w      Matrix
	y      []float32
	ldy    int
	rows   int // of W, by task
}

// A dotFunc multiplies m rows of x by groups of rows consecutive rows of a stored matrix, n a positive multiple of the lanes:
//
//	for i < m, j < groups*rows { y[i*ldy+j] = sum over l < n of x[l/lanes*m*lanes+i*lanes+l%lanes]*w[j*ldw+l] }
//
// ldw in bytes. The rows of x lie interleaved, a register of each in turn, so that rows a power of two apart do not fight
// for the same cache lines.
type dotFunc struct {
	f    func(n int, x *float32, w *byte, ldw int, y *float32, ldy int, groups int)
	rows int
}

// dotFuncs are the kernels of a variant by type and number of rows of x; entry 0 takes one row of x and one of W.
type dotFuncs struct {
	lanes int // 0: none
	of    [4][]dotFunc
}

// task multiplies all rows of x by some rows of W.
func (c *mulCall) task(t int) {
	lo, hi := t*c.rows, min((t+1)*c.rows, c.w.Rows)
	if c.n == 0 {
		for j := lo; j < hi; j++ {
			c.column(j)
		}
		return
	}
	fs := c.dots.of[c.w.Type]
	for i := 0; i < c.m; {
		m := min(c.m-i, len(fs)-1)
		at := lo + c.multiply(fs[m], i, m, lo, hi)
		for r := 0; r < m && at < hi; r++ {
			c.single(fs[0].f, i+r, at, hi)
		}
		i += m
	}
	c.finish(lo, hi)
}

// multiply runs a kernel for rows i to i+m of x over as many rows of W as fill its groups and returns their number.
func (c *mulCall) multiply(f dotFunc, i, m, lo, hi int) int {
	groups := (hi - lo) / f.rows
	if groups > 0 {
		ldw := c.w.Cols * c.w.Type.Size()
		f.f(c.n, &c.packed[i*c.n], &c.w.data[lo*ldw], ldw, &c.y[i*c.ldy+lo], c.ldy, groups)
	}
	return groups * f.rows
}

// single multiplies row i of x by the rows of W that fill no group.
func (c *mulCall) single(f func(n int, x *float32, w *byte, ldw int, y *float32, ldy int, groups int), i, lo, hi int) {
	ldw := c.w.Cols * c.w.Type.Size()
	f(c.n, &c.x[i*c.ldx], &c.w.data[lo*ldw], ldw, &c.y[i*c.ldy+lo], c.ldy, hi-lo)
}

// pack interleaves the rows of the b-th block of x; a block of one row stays as it is.
func (c *mulCall) pack(b int) {
	block, lanes := len(c.dots.of[c.w.Type])-1, c.dots.lanes
	i := b * block
	m := min(block, c.m-i)
	dst := c.packed[i*c.n : (i+m)*c.n]
	for r := range m {
		row := c.x[(i+r)*c.ldx : (i+r)*c.ldx+c.n]
		for at := 0; at < c.n; at += lanes {
			copy(dst[at*m+r*lanes:at*m+(r+1)*lanes], row[at:])
		}
	}
}

// finish adds the columns from n on and applies the scale.
func (c *mulCall) finish(lo, hi int) {
	n := c.n
	if n == c.w.Cols && c.w.scale == nil {
		return
	}
	var buf [16]float32
	tail := buf[:c.w.Cols-n]
	for j := lo; j < hi; j++ {
		c.w.decode(tail, j, n)
		s := float32(1)
		if c.w.scale != nil {
			s = c.w.scale[j]
		}
		for i := range c.m {
			y := &c.y[i*c.ldy+j]
			*y = s * (*y + dotGo(tail, c.x[i*c.ldx+n:]))
		}
	}
}

// column computes column j of y: the portable way.
func (c *mulCall) column(j int) {
	const block = 256
	var buf [block]float32
	for i := range c.m {
		c.y[i*c.ldy+j] = 0
	}
	for at := 0; at < c.w.Cols; at += block {
		part := buf[:min(block, c.w.Cols-at)]
		c.w.decode(part, j, at)
		for i := range c.m {
			c.y[i*c.ldy+j] += dotGo(part, c.x[i*c.ldx+at:i*c.ldx+at+len(part)])
		}
	}
	if c.w.Type == I8 {
		for i := range c.m {
			c.y[i*c.ldy+j] *= c.w.scale[j]
		}
	}
}
