//go:build amd64 && !noasm

package kernel

import "golang.org/x/sys/cpu"

// pause tells the processor that the caller spins.
//
//go:noescape
func pause()

// transpose4 copies four rows of src into four columns of dst:
//
//	for k := range 4 * blocks { for r := range 4 { dst[k*ldd+r] = src[r*lds+k] } }
//
//go:noescape
func transpose4(src *float32, lds int, dst *float32, ldd int, blocks int)

// variants returns the instruction sets this machine offers, the best first.
func variants() []variant {
	var out []variant
	fma := cpu.X86.HasFMA && cpu.X86.HasF16C && cpu.X86.HasAVX2 && cpu.X86.HasAVX
	if fma && cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ {
		out = append(out, variant{name: "avx512", rows: 12, cols: 32, kc: 384, tiles: avx512Tiles(), copyA: avx512CopyA, copyB: avx512CopyB,
			transpose: true, vec: avx2Vec(), dots: avx512Dots()})
	}
	if fma {
		out = append(out, variant{name: "avx2", rows: 6, cols: 16, kc: 256, tiles: avx2Tiles(), copyA: avx2CopyA, copyB: avx2CopyB,
			transpose: true, vec: avx2Vec(), dots: avx2Dots()})
	}
	return append(out, goVariant())
}
