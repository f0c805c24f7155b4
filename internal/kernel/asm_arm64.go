//go:build arm64 && !noasm

package kernel

// pause tells the processor that the caller spins.
//
//go:noescape
func pause()

func transpose4(src *float32, lds int, dst *float32, ldd int, blocks int) {
	panic("kernel: no transpose in this variant")
}

// variants returns the instruction sets this machine offers, the best first. Every arm64 processor has NEON; only the
// micro-kernels of products use it, the other loops are Go.
func variants() []variant {
	return []variant{{name: "neon", rows: 6, cols: 16, kc: 256, tiles: neonTiles(), vec: goVec()}, goVariant()}
}
