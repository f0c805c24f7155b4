package lexical

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestTargetsAtScale times the choice of targets of 460,000 synthetic mentions, each among the names of its concept, by TF-IDF fitted on
// 3,000,000 names: SYNCABEL_TARGETS names a folder, into which the invented names and mentions go too, so that
// scripts/targets_peer.py can do the same with scikit-learn.
func TestTargetsAtScale(t *testing.T) {
	dir := os.Getenv("SYNCABEL_TARGETS")
	if dir == "" {
		t.Skip("set SYNCABEL_TARGETS to a folder")
	}
	const concepts, perConcept, mentions = 1_000_000, 3, 460_000
	words := demoWords(t)
	rng := rand.New(rand.NewPCG(5, 5))
	names := make([]string, 0, concepts*perConcept)
	for range concepts * perConcept {
		w := make([]string, 1+rng.IntN(5))
		for i := range w {
			w[i] = words[int(float64(len(words))*rng.Float64()*rng.Float64())]
		}
		names = append(names, strings.Join(w, " "))
	}
	surface, concept := make([]string, mentions), make([]int, mentions)
	for i := range surface {
		concept[i] = rng.IntN(concepts)
		s := []rune(names[concept[i]*perConcept+rng.IntN(perConcept)])
		if k := rng.IntN(len(s)); rng.IntN(2) == 0 && len(s) > 3 {
			s = append(s[:k:k], s[k+1:]...)
		}
		surface[i] = string(s)
	}
	start := time.Now()
	v := Fit(names)
	fitted := time.Since(start)
	choice := make([]int, mentions)
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for k := range workers {
		wg.Go(func() {
			for i := k; i < mentions; i += workers {
				choice[i] = v.Nearest(surface[i], names[concept[i]*perConcept:(concept[i]+1)*perConcept])
			}
		})
	}
	wg.Wait()
	fmt.Printf("fit %.1f s, all %.1f s on %d cores, %d 3-grams\n", fitted.Seconds(), time.Since(start).Seconds(), workers, v.ids.n)
	writeLines(t, filepath.Join(dir, "names.txt"), len(names), func(i int) string { return names[i] })
	writeLines(t, filepath.Join(dir, "mentions.txt"), mentions, func(i int) string { return fmt.Sprintf("%d\t%s\t%d", concept[i], surface[i], choice[i]) })
}

func demoWords(t *testing.T) []string {
	b, err := os.ReadFile("../demo/data/kb.tsv")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var out []string
	for _, w := range strings.Fields(string(b)) {
		if !seen[w] {
			seen[w] = true
			out = append(out, w)
		}
	}
	return out
}

func writeLines(t *testing.T, path string, n int, line func(int) string) {
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	b := bufio.NewWriter(f)
	for i := range n {
		fmt.Fprintln(b, line(i))
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
