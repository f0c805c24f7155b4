package pipeline

import (
	"os"
	"path/filepath"
	"testing"

	"syncabel/internal/corpus"
)

const bench = "../../../shared/bench"

func needBench(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(bench); err != nil {
		t.Skip("the benchmark data is not here")
	}
}

// TestBenchKnowledgeBases: every knowledge base imports with the counts its README states, without a warning.
func TestBenchKnowledgeBases(t *testing.T) {
	needBench(t)
	for path, want := range map[string][2]int{
		"ncbi-disease/kb.tsv": {11915, 75969}, "ncbi-disease/kb_doid.tsv": {8906, 22597}, "bc5cdr/kb.tsv": {27020, 134896}, "hpo-gsc/kb.tsv": {19570, 32952},
		"spaccc-es/kb.tsv": {6106, 7126}, "spaccc-es/kb_ext.tsv": {19462, 33130}, "quaero-emea-fr/kb.tsv": {3000, 3805}, "quaero-emea-fr/kb_ext.tsv": {8531, 11882},
	} {
		kb, warnings, err := ReadKB(KB{Format: "table", Paths: []string{filepath.Join(bench, path)}}, func(p string) string { return p })
		if err != nil || len(warnings) > 0 {
			t.Fatal(path, err, warnings)
		}
		if s := kb.Stats(); s.Concepts != want[0] || s.Names != want[1] {
			t.Errorf("%s: %d concepts, %d names, want %v", path, s.Concepts, s.Names, want)
		}
	}
	for path, want := range map[string][2]int{"hpo-gsc/hp-2015.obo": {10972, 58 + 3434}, "ncbi-disease/doid.obo": {8906, 0}} { // every term is a concept or in the history, which also has the alternate IDs
		kb, warnings, err := ReadKB(KB{Format: "obo", Paths: []string{filepath.Join(bench, path)}}, func(p string) string { return p })
		if err != nil || len(warnings) > 0 {
			t.Fatal(path, err, warnings)
		}
		if s := kb.Stats(); s.Concepts != want[0] || s.Retired != want[1] {
			t.Errorf("%s: %d concepts, %d retired, %d names, want %v", path, s.Concepts, s.Retired, s.Names, want)
		}
	}
}

// TestBenchCorpora: every mention stands at its offsets, and the counts are those of the README.
func TestBenchCorpora(t *testing.T) {
	needBench(t)
	for set, want := range map[string][6]int{
		"ncbi-disease": {592, 5133, 100, 787, 100, 960}, "bc5cdr": {500, 9385, 500, 9591, 500, 9809}, "hpo-gsc": {139, 1261, 16, 176, 73, 645},
		"spaccc-es": {668, 17088, 82, 1885, 250, 9249}, "quaero-emea-fr": {11, 2695, 12, 2260, 15, 2204},
	} {
		for i, split := range []string{"train", "dev", "test"} {
			docs, warnings, err := ReadCorpus(Corpus{Format: "pubtator", Test: []string{filepath.Join(bench, set, split+".pubtator")}}, func(p string) string { return p })
			if err != nil || len(warnings) > 0 {
				t.Fatal(set, split, err, warnings)
			}
			for _, d := range docs {
				for _, m := range d.Mentions {
					if corpus.SurfaceOf(d.Text, m.Spans) != m.Text {
						t.Fatalf("%s %s: %q is not at %v", set, d.ID, m.Text, m.Spans)
					}
				}
			}
			if len(docs) != want[2*i] || corpus.Mentions(docs) != want[2*i+1] {
				t.Errorf("%s %s: %d documents, %d mentions, want %v", set, split, len(docs), corpus.Mentions(docs), want)
			}
		}
	}
}
