package umls

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"syncabel/internal/terminology"
	"syncabel/internal/terminology/invented"
	"syncabel/internal/terminology/release"
)

// BenchmarkImport imports a release of 20,000 concepts and 100,000 rows from its folder into a file; rows/s counts MRCONSO.
func BenchmarkImport(b *testing.B) {
	dir := b.TempDir()
	const rows = 100_000
	if err := invented.UMLS(dir, invented.UMLSOptions{Concepts: rows / 5, Rows: rows, Seed: 1}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		importFolder(b, dir, filepath.Join(b.TempDir(), terminology.FileName), terminology.BuildOptions{Dir: dir})
	}
	b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
}

func importFolder(t testing.TB, dir, path string, opt terminology.BuildOptions) *terminology.KB {
	t.Helper()
	builder := terminology.NewBuilderWith(opt)
	defer builder.Close()
	if err := release.Open([]string{dir}, func(rel *release.Release) error { return Read(builder, rel, Options{}) }); err != nil {
		t.Fatal(err)
	}
	kb, _, err := builder.BuildFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kb.Close() })
	return kb
}

// A tenth of the UMLS: 340,000 concepts, 1.7 million rows. The store opens in under 100 ms, memory while reading stays far below the size of
// the release, a search takes under 50 ms. Times are bounds for a busy machine, not figures.
func TestScale(t *testing.T) {
	if os.Getenv("SYNCABEL_SLOW") == "" {
		t.Skip("set SYNCABEL_SLOW=1: half a minute and 500 MB of disk")
	}
	dir := t.TempDir()
	if err := invented.UMLS(dir, invented.UMLSOptions{Concepts: 340_000, Rows: 1_700_000, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, terminology.FileName)
	kb := importFolder(t, dir, path, terminology.BuildOptions{Dir: dir, Memory: 32 << 20})
	if kb.Len() != 340_000 {
		t.Errorf("%d concepts", kb.Len())
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > 64<<20 {
		t.Errorf("%d MB of heap are left after the import: the store lies in its file", m.HeapAlloc>>20)
	}
	fastest := func(f func()) time.Duration {
		best := time.Hour
		for range 5 {
			start := time.Now()
			f()
			best = min(best, time.Since(start))
		}
		return best
	}
	open := func() {
		kb, err := terminology.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		kb.Close()
	}
	if d := fastest(open); d > 100*time.Millisecond {
		t.Errorf("opening takes %v", d)
	}
	for _, q := range []string{"s", "pre", "veo lia", kb.Concept(170_000).Names[0].Text, "veostysys"} {
		if d := fastest(func() { kb.Search(q, terminology.SearchOptions{}) }); d > 50*time.Millisecond {
			t.Errorf("searching %q takes %v", q, d)
		}
	}
}
