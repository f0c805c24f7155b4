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
	return func(kc int, ap *float32, ars, aks int, bp *float32, bks int, cp *float32, ldc int, add int) {
		a, b := unsafe.Slice(ap, (rows-1)*ars+(kc-1)*aks+1), unsafe.Slice(bp, (kc-1)*bks+8)
		c := unsafe.Slice(cp, (rows-1)*ldc+8)
		for r := range rows {
			for half := 0; half < 8; half += 4 {
				var s0, s1, s2, s3 float32
				for k := range kc {
					x := a[r*ars+k*aks]
					row := b[k*bks+half : k*bks+half+4 : k*bks+half+4]
					s0 += x * row[0]
					s1 += x * row[1]
					s2 += x * row[2]
					s3 += x * row[3]
				}
				out := c[r*ldc+half : r*ldc+half+4]
				if add != 0 {
					s0, s1, s2, s3 = s0+out[0], s1+out[1], s2+out[2], s3+out[3]
				}
				out[0], out[1], out[2], out[3] = s0, s1, s2, s3
			}
		}
	}
}
