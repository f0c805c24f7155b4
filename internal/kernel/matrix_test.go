package kernel

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"
)

var dtypes = map[string]DType{"f32": F32, "f16": F16, "bf16": BF16, "int8": I8}

// stored returns random weights in a type, at an odd address for types that a file may hold.
func stored(t DType, rows, cols int, seed uint64) Matrix {
	w := randoms(rows*cols, seed)
	if t == I8 {
		return MatrixOf(w, rows, cols).Quantize()
	}
	b := make([]byte, 1, 1+len(w)*t.Size())
	for _, x := range w {
		if t == F16 && math.Abs(float64(x)) < 0x1p-14 {
			x = 0
		}
		switch bits := math.Float32bits(x); t {
		case F32:
			b = binary.LittleEndian.AppendUint32(b, bits)
		case BF16:
			b = binary.LittleEndian.AppendUint16(b, uint16(bits>>16))
		case F16:
			b = binary.LittleEndian.AppendUint16(b, half(bits))
		}
	}
	m, err := NewMatrix(t, rows, cols, b[1:])
	if err != nil {
		panic(err)
	}
	return m
}

// half narrows the bits of a normal float32 to a half, towards zero.
func half(bits uint32) uint16 {
	if bits<<1 == 0 {
		return 0
	}
	return uint16(bits>>16&0x8000 | (bits>>23&255-112)<<10 | bits>>13&1023)
}

func TestMulTAgainstDefinition(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachVariant(t, func(t *testing.T) {
		for name, dt := range dtypes {
			for cols := 1; cols <= 257; cols++ {
				rows, m := 1+cols*7%23, 1+cols%13
				w := stored(dt, rows, cols, uint64(cols))
				x, y := randoms(m*(cols+1), 2), make([]float32, m*(rows+2))
				MulT(pool, m, x, cols+1, w, y, rows+2)
				row := make([]float32, cols)
				for j := range rows {
					w.Row(row, j)
					for i := range m {
						var want float64
						for l, v := range row {
							want += float64(v) * float64(x[i*(cols+1)+l])
						}
						if got := y[i*(rows+2)+j]; math.Abs(float64(got)-want) > 2e-5*(1+math.Abs(want)) {
							t.Fatalf("%s %d rows, W %dx%d: y[%d,%d] = %g, want %g", name, m, rows, cols, i, j, got, want)
						}
					}
				}
				for i := range m {
					if y[i*(rows+2)+rows] != 0 || y[i*(rows+2)+rows+1] != 0 {
						t.Fatalf("%s %d rows, W %dx%d: wrote past a row", name, m, rows, cols)
					}
				}
			}
		}
	})
}

// A row's product is the same bits alone and among others, with any number of threads.
func TestMulTBitIdentical(t *testing.T) {
	const rows, cols, m = 203, 771, 29
	x := randoms(m*cols, 1)
	eachVariant(t, func(t *testing.T) {
		for name, dt := range dtypes {
			w := stored(dt, rows, cols, 3)
			want := make([]float32, m*rows)
			for i := range m {
				MulT(nil, 1, x[i*cols:], cols, w, want[i*rows:], rows)
			}
			for _, threads := range []int{1, 2, 3} {
				pool := NewPool(threads)
				for k := 1; k <= m; k++ {
					got := make([]float32, k*rows)
					MulT(pool, k, x, cols, w, got, rows)
					if !slices.Equal(got, want[:k*rows]) {
						t.Fatalf("%s: %d rows on %d threads differ from each row alone", name, k, threads)
					}
				}
				pool.Close()
			}
		}
	})
}

func TestMulTAllocatesNothing(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	w, x, y := stored(BF16, 300, 256, 1), randoms(5*256, 2), make([]float32, 5*300)
	f := func() { MulT(pool, 5, x, 256, w, y, 300) }
	f()
	if n := testing.AllocsPerRun(20, f); n > 0 {
		t.Errorf("%v allocations a product", n)
	}
}

func TestHalfToFloat(t *testing.T) {
	for bits, want := range map[uint16]float32{0: 0, 0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 1: 0x1p-24, 0x03ff: 1023 * 0x1p-24, 0x0400: 0x1p-14,
		0x7c00: float32(math.Inf(1)), 0xfc00: float32(math.Inf(-1))} {
		if got := halfToFloat(bits); got != want {
			t.Errorf("half %#04x = %g, want %g", bits, got, want)
		}
	}
	if got := halfToFloat(0x7e00); got == got {
		t.Errorf("half NaN = %g", got)
	}
}

func TestQuantize(t *testing.T) {
	w := MatrixOf([]float32{0, 0, 0, 1, -2, 0.5}, 2, 3).Quantize()
	row := make([]float32, 3)
	w.Row(row, 1)
	for i, want := range []float32{1, -2, 0.5} {
		if math.Abs(float64(row[i]-want)) > 2.0/127 {
			t.Errorf("weight %d = %g, want %g", i, row[i], want)
		}
	}
	if w.Row(row, 0); !slices.Equal(row, []float32{0, 0, 0}) {
		t.Errorf("a row of zeros became %v", row)
	}
}

func BenchmarkMulT(b *testing.B) {
	pool := NewPool(0)
	defer pool.Close()
	const rows, cols = 8192, 2048
	for name, dt := range dtypes {
		w := stored(dt, rows, cols, 1)
		for _, m := range []int{1, 2, 5, 8, 64} {
			x, y := randoms(m*cols, 1), make([]float32, m*rows)
			b.Run(fmt.Sprintf("%s/%d", name, m), func(b *testing.B) {
				pool.Begin()
				defer pool.End()
				b.SetBytes(int64(w.Bytes()))
				for b.Loop() {
					MulT(pool, m, x, cols, w, y, rows)
				}
				b.ReportMetric(2*float64(m*rows*cols)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GF/s")
			})
		}
	}
}

var readSink uint64

// BenchmarkRead is the bandwidth that a plain loop of loads reaches on memory larger than the caches: what few-row products
// with stored weights are measured against.
func BenchmarkRead(b *testing.B) {
	pool := NewPool(0)
	defer pool.Close()
	const words = 8192 * 2048 * 2 / 8
	data := make([]uint64, words)
	for i := range data {
		data[i] = uint64(i)
	}
	const block = 1 << 13
	sums := make([]uint64, words/block)
	f := func(i int) {
		var a, b, c, d uint64
		for x := data[i*block : (i+1)*block]; len(x) >= 8; x = x[8:] {
			a, b, c, d = a+x[0]+x[4], b+x[1]+x[5], c+x[2]+x[6], d+x[3]+x[7]
		}
		sums[i] = a + b + c + d
	}
	pool.Begin()
	defer pool.End()
	b.SetBytes(words * 8)
	for b.Loop() {
		pool.For(len(sums), f)
	}
	readSink = sums[0]
}
