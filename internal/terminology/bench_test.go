package terminology_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"syncabel/internal/terminology"
	"syncabel/internal/terminology/invented"
	"syncabel/internal/terminology/release"
	"syncabel/internal/terminology/umls"
)

// benchmarkKB opens the file that SYNCABEL_KB names, else a knowledge base of 20,000 invented concepts.
func benchmarkKB(b *testing.B) (*terminology.KB, string) {
	b.Helper()
	path := os.Getenv("SYNCABEL_KB")
	if path == "" {
		dir := b.TempDir()
		if err := invented.UMLS(dir, invented.UMLSOptions{Concepts: 20_000, Rows: 100_000, Seed: 1}); err != nil {
			b.Fatal(err)
		}
		builder := terminology.NewBuilder()
		err := release.Open([]string{dir}, func(rel *release.Release) error { return umls.Read(builder, rel, umls.Options{}) })
		if err != nil {
			b.Fatal(err)
		}
		path = filepath.Join(dir, terminology.FileName)
		if _, _, err := builder.BuildFile(path); err != nil {
			b.Fatal(err)
		}
	}
	kb, err := terminology.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { kb.Close() })
	return kb, path
}

func BenchmarkOpen(b *testing.B) {
	_, path := benchmarkKB(b)
	for b.Loop() {
		kb, err := terminology.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		kb.Close()
	}
}

// sampleNames draws names that the knowledge base has.
func sampleNames(kb *terminology.KB, n int) []string {
	r := rand.New(rand.NewPCG(1, 1))
	out := make([]string, n)
	for i := range out {
		names := kb.Concept(r.IntN(kb.Len())).Names
		out[i] = names[r.IntN(len(names))].Text
	}
	return out
}

func BenchmarkNormalized(b *testing.B) {
	kb, _ := benchmarkKB(b)
	names := sampleNames(kb, 10_000)
	i := 0
	for b.Loop() {
		if len(kb.Normalized(names[i%len(names)])) == 0 {
			b.Fatal("a name is not found")
		}
		i++
	}
}

func BenchmarkIndex(b *testing.B) {
	kb, _ := benchmarkKB(b)
	r := rand.New(rand.NewPCG(1, 1))
	for b.Loop() {
		if _, ok := kb.Index(kb.ID(r.IntN(kb.Len()))); !ok {
			b.Fatal("a concept is not found")
		}
	}
}

// BenchmarkSearch types 300 names letter by letter, then with a letter left out, and prints quantiles of the time a search takes.
func BenchmarkSearch(b *testing.B) {
	kb, _ := benchmarkKB(b)
	queries := map[string][]string{}
	for _, name := range sampleNames(kb, 300) {
		if len(name) > 24 {
			name = name[:24]
		}
		for n := 1; n <= len(name); n++ {
			key := fmt.Sprint(n, " letters")
			if n > 3 {
				key = "4+ letters"
			}
			queries[key] = append(queries[key], strings.ToValidUTF8(name[:n], ""))
		}
		if n := len(name); n > 6 {
			queries["a letter wrong"] = append(queries["a letter wrong"], strings.ToValidUTF8(name[:n/2]+name[n/2+1:], ""))
		}
	}
	for _, kind := range []string{"1 letters", "2 letters", "3 letters", "4+ letters", "a letter wrong"} {
		b.Run(kind, func(b *testing.B) {
			var times []time.Duration
			for b.Loop() {
				q := queries[kind][len(times)%len(queries[kind])]
				start := time.Now()
				kb.Search(q, terminology.SearchOptions{})
				times = append(times, time.Since(start))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Microseconds())/1e3, "ms-p50")
			b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1e3, "ms-p99")
		})
	}
}
