package kernel

import "testing"

// BenchmarkTile measures the bare micro-kernel on operands that stay in cache: the ceiling of Gemm on one core.
func BenchmarkTile(b *testing.B) {
	v := current()
	x, y, c := alignedFloats(v.rows*KC), alignedFloats(v.cols*KC), alignedFloats(v.rows*v.cols)
	for b.Loop() {
		v.tiles[v.rows](KC, &x[0], 1, v.rows, &y[0], v.cols, &c[0], v.cols, 0)
	}
	b.ReportMetric(2*float64(v.rows*v.cols*KC)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GF/s")
}
