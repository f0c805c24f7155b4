package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func randoms(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = r.Float32()*2 - 1
	}
	return x
}

// naive is the definition of Gemm in float64.
func naive(op Op, m, n, k int, a, b []float32) []float64 {
	c := make([]float64, m*n)
	for i := range m {
		for j := range n {
			for l := range k {
				x, y := a[min(i*k+l, len(a)-1)], b[min(l*n+j, len(b)-1)]
				switch op {
				case NT:
					y = b[j*k+l]
				case TN:
					x = a[l*m+i]
				}
				c[i*n+j] += float64(x) * float64(y)
			}
		}
	}
	return c
}

func eachVariant(t *testing.T, f func(t *testing.T)) {
	for _, name := range Variants() {
		t.Run(name, func(t *testing.T) {
			if err := SetVariant(name); err != nil {
				t.Fatal(err)
			}
			defer SetVariant("")
			f(t)
		})
	}
}

func lead(op Op, m, n, k int) (lda, ldb int) {
	switch op {
	case NT:
		return k, k
	case TN:
		return m, n
	}
	return k, n
}

func TestGemmAgainstDefinition(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	shapes := [][3]int{{1, 1, 1}, {5, 3, 2}, {12, 32, 256}, {13, 33, 257}, {64, 64, 64}, {100, 17, 300}, {7, 130, 513}, {200, 96, 70}}
	eachVariant(t, func(t *testing.T) {
		for _, s := range shapes {
			for _, op := range []Op{NN, NT, TN} {
				m, n, k := s[0], s[1], s[2]
				a, b := randoms(m*k, 1), randoms(k*n, 2)
				want := naive(op, m, n, k, a, b)
				lda, ldb := lead(op, m, n, k)
				c := randoms(m*n+7, 3)
				guard := append([]float32(nil), c[m*n:]...)
				Gemm(pool, op, false, m, n, k, a, lda, b, ldb, c, n)
				for i, w := range want {
					if math.Abs(float64(c[i])-w) > 1e-4*(1+math.Abs(w)) {
						t.Fatalf("op %d %v: c[%d] = %g, want %g", op, s, i, c[i], w)
					}
				}
				if fmt.Sprint(guard) != fmt.Sprint(c[m*n:]) {
					t.Fatalf("op %d %v wrote past its end", op, s)
				}
			}
		}
	})
}

// Every micro-kernel computes its definition, for every number of rows and any k, adding or not.
func TestTiles(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		v := current()
		for rows := 1; rows <= v.rows; rows++ {
			for _, kc := range []int{1, 2, 3, 4, 5, 7, 64, 255, v.kc} {
				for add := range 2 {
					a, b, c := randoms(kc*rows, 1), randoms(kc*v.cols, 2), randoms(rows*(v.cols+5), 3)
					before := append([]float32(nil), c...)
					v.tiles[rows](kc, &a[0], 1, rows, &b[0], v.cols, &c[0], v.cols+5, add)
					for i := range c {
						r, j := i/(v.cols+5), i%(v.cols+5)
						want := float64(before[i])
						if j < v.cols {
							want *= float64(add)
							for k := range kc {
								want += float64(a[k*rows+r]) * float64(b[k*v.cols+j])
							}
						}
						if math.Abs(float64(c[i])-want) > 2e-5 {
							t.Fatalf("%d rows, k %d, add %d: c[%d,%d] = %g, want %g", rows, kc, add, r, j, c[i], want)
						}
					}
				}
			}
		}
	})
}

// Any batch size and number of threads gives the same bits, for packed weights too.
func TestGemmBitIdentical(t *testing.T) {
	const n, k, m = 200, 600, 150
	a, w := randoms(m*k, 4), randoms(n*k, 5)
	eachVariant(t, func(t *testing.T) {
		whole := make([]float32, m*n)
		Gemm(nil, NT, false, m, n, k, a, k, w, k, whole, n)
		pw := PackNT(w, n, k)
		for _, threads := range []int{1, 2, 3} {
			pool := NewPool(threads)
			for _, rows := range []int{1, 2, 5, 11, 12, 13, 50, m} {
				got, packed := make([]float32, rows*n), make([]float32, rows*n)
				Gemm(pool, NT, false, rows, n, k, a[3*k%(m*k-rows*k+1):], k, w, k, got, n)
				Gemm(pool, NT, false, rows, n, k, a, k, w, k, got, n)
				GemmPacked(pool, rows, a, k, pw, packed, n)
				for i := range got {
					if got[i] != whole[i] || packed[i] != whole[i] {
						t.Fatalf("%d threads, %d rows: element %d is %g and %g, alone %g", threads, rows, i, got[i], packed[i], whole[i])
					}
				}
			}
			pool.Close()
		}
	})
}

func TestGemmAllocatesNothing(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	a, b, c := randoms(256*256, 1), randoms(256*256, 2), make([]float32, 256*256)
	f := func() { Gemm(pool, NT, false, 256, 256, 256, a, 256, b, 256, c, 256) }
	f()
	if n := testing.AllocsPerRun(20, f); n > 0 {
		t.Errorf("%v allocations a product", n)
	}
}

func BenchmarkGemm(b *testing.B) {
	pool := NewPool(0)
	defer pool.Close()
	for _, s := range [][3]int{{64, 64, 64}, {512, 512, 512}, {1536, 128, 128}, {1536, 344, 128}, {1536, 128, 344}, {2048, 1024, 256}} {
		for _, op := range []Op{NN, NT, TN} {
			m, n, k := s[0], s[1], s[2]
			x, y, c := randoms(m*k, 1), randoms(k*n, 2), make([]float32, m*n)
			lda, ldb := lead(op, m, n, k)
			b.Run(fmt.Sprintf("%v/op%d", s, op), func(b *testing.B) {
				pool.Begin()
				defer pool.End()
				for b.Loop() {
					Gemm(pool, op, false, m, n, k, x, lda, y, ldb, c, n)
				}
				b.ReportMetric(2*float64(m*n*k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GF/s")
			})
		}
	}
}
