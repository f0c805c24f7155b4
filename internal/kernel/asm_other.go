//go:build (!amd64 && !arm64) || noasm

package kernel

func pause() {}

func transpose4(src *float32, lds int, dst *float32, ldd int, blocks int) {
	panic("kernel: no assembly")
}

// variants returns the instruction sets this build offers.
func variants() []variant { return []variant{goVariant()} }
