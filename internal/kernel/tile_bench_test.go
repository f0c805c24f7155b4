package kernel

import "testing"

// BenchmarkTile measures the bare micro-kernels on operands that stay in cache: the ceiling of Gemm on one core.
func BenchmarkTile(b *testing.B) {
	for _, name := range Variants() {
		b.Run(name, func(b *testing.B) {
			if err := SetVariant(name); err != nil {
				b.Fatal(err)
			}
			defer SetVariant("")
			v := current()
			x, y, c := alignedFloats(v.rows*v.kc), alignedFloats(v.cols*v.kc), alignedFloats(v.rows*v.cols)
			for b.Loop() {
				v.tiles[v.rows](v.kc, &x[0], 1, v.rows, &y[0], v.cols, &c[0], v.cols, 0)
			}
			b.ReportMetric(2*float64(v.rows*v.cols*v.kc)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GF/s")
		})
	}
}
