package kernel

import (
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"
)

//go:generate go run ./gen

// A tileFunc computes rows x cols of C:
//
//	for r, j { s := 0; for k := range kc { s = fma(a[r*ars+k*aks], b[k*bks+j], s) }; c[r*ldc+j] = s (+ c[r*ldc+j] if add != 0) }
//
// A packed panel of A has ars 1 and aks rows, one of B has bks cols; where packing does not pay, operands are read in place.
type tileFunc func(kc int, a *float32, ars, aks int, b *float32, bks int, c *float32, ldc int, add int)

// A copyFunc packs a whole panel that lies straight: for l < k { copy(dst[l*width:(l+1)*width], src[l*ld:]) }.
type copyFunc func(dst, src *float32, ld, k int)

// A variant is one instruction set with its tile shape.
type variant struct {
	name       string
	rows, cols int        // tile of C
	kc         int        // steps of k that one micro-kernel call sums before it adds to C: it fixes the order of summation
	tiles      []tileFunc // by number of rows, 1..rows
	transpose  bool       // transpose4 may be used
	copyA      copyFunc   // of width rows; nil: none
	copyB      copyFunc   // of width cols
	vec        vecFuncs
	dots       dotFuncs
}

var (
	available = sync.OnceValue(variants)
	chosen    atomic.Pointer[variant]
)

// current returns the variant in use: the best of the machine unless SetVariant chose another.
func current() *variant {
	if v := chosen.Load(); v != nil {
		return v
	}
	return &available()[0]
}

// Variant names the instruction set in use: "avx512", "avx2" or "go". Results are the same bits for any batch size and
// number of threads within one variant; between variants they differ in the last digits.
func Variant() string { return current().name }

// Variants names what this machine and build offer, the best first.
func Variants() []string {
	var names []string
	for _, v := range available() {
		names = append(names, v.name)
	}
	return names
}

// SetVariant chooses an instruction set by name, for tests and measurements; "" returns to the best.
func SetVariant(name string) error {
	if name == "" {
		chosen.Store(nil)
		return nil
	}
	for i := range available() {
		if available()[i].name == name {
			chosen.Store(&available()[i])
			return nil
		}
	}
	return fmt.Errorf("kernel variant %q is not offered here: have %v", name, Variants())
}

// goVariant is the portable one. Its 4x8 tile keeps C in locals that the compiler holds in registers.
func goVariant() variant {
	v := variant{name: "go", rows: 4, cols: 8, kc: 256, vec: goVec(), tiles: make([]tileFunc, 5)}
	for m := 1; m <= 4; m++ {
		v.tiles[m] = goTile(m)
	}
	return v
}

func goTile(rows int) tileFunc {
	return func(kc int, a *float32, ars, aks int, b *float32, bks int, c *float32, ldc int, add int) {
		for r := range rows {
			row := unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(c), 4*r*ldc)), 8)
			x := unsafe.Add(unsafe.Pointer(a), 4*r*ars)
			goRow(kc, x, 4*aks, unsafe.Pointer(b), 4*bks, row[:4], add)
			goRow(kc, x, 4*aks, unsafe.Add(unsafe.Pointer(b), 16), 4*bks, row[4:], add)
		}
	}
}

// goRow computes four columns of one row. Four sums and their operands are what the compiler keeps in registers; pointers, in
// steps of bytes, spare it the checks that would take longer than the products. The last step does not move them past the
// operands.
func goRow(kc int, a unsafe.Pointer, aks int, b unsafe.Pointer, bks int, c []float32, add int) {
	var s0, s1, s2, s3 float32
	for k := 0; ; {
		x, y := *(*float32)(a), (*[4]float32)(b)
		s0 += x * y[0]
		s1 += x * y[1]
		s2 += x * y[2]
		s3 += x * y[3]
		if k++; k == kc {
			break
		}
		a, b = unsafe.Add(a, aks), unsafe.Add(b, bks)
	}
	if add != 0 {
		s0, s1, s2, s3 = s0+c[0], s1+c[1], s2+c[2], s3+c[3]
	}
	c[0], c[1], c[2], c[3] = s0, s1, s2, s3
}
