package pipeline

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"syncabel/internal/link"
	"syncabel/internal/markup"
	"syncabel/internal/tokenizer"
	"syncabel/internal/trie"
)

// TestBenchAmbiguousNames counts the names that several concepts of a group share and walks every one of them in the trie: the plain
// name's leaf holds all its concepts, and each concept's own form ends in a leaf that is its alone.
func TestBenchAmbiguousNames(t *testing.T) {
	needBench(t)
	if os.Getenv("SYNCABEL_SLOW") == "" {
		t.Skip("set SYNCABEL_SLOW=1: half a minute")
	}
	for set, want := range map[string]int{"ncbi-disease": 958, "bc5cdr": 3472, "hpo-gsc": 59, "spaccc-es": 12, "quaero-emea-fr": 5} {
		kb, _, err := ReadKB(KB{Format: "table", Paths: []string{filepath.Join(bench, set, "kb.tsv")}}, func(p string) string { return p })
		if err != nil {
			t.Fatal(err)
		}
		names := func(yield func(string) bool) {
			for i := 0; i < kb.Len(); i += 5 {
				if !yield(" " + kb.Concept(i).Names[0].Text) {
					return
				}
			}
		}
		tok, err := tokenizer.Train(names, tokenizer.TrainOptions{VocabSize: 1000, Special: []string{"<s>", "</s>"}, Lowercase: true})
		if err != nil {
			t.Fatal(err)
		}
		tr, _, err := link.BuildTrie(kb, tok, markup.Options{}, trie.Options{EOS: 1, All: true})
		if err != nil {
			t.Fatal(err)
		}
		leaf := func(group, name string) []uint32 {
			root, _ := tr.Root(group)
			n, ok := tr.Find(root, append(tok.EncodeOrdinary(nil, " "+name), 1))
			if !ok {
				t.Fatalf("%s: %q is not reached", set, name)
			}
			return tr.Concepts(tr.Leaf(n))
		}
		ambiguous, own := 0, 0
		for _, g := range kb.Groups() {
			for _, f := range kb.Forms(g) {
				if f.Qualified || len(f.Concepts) < 2 {
					continue
				}
				ambiguous++
				all, any := leaf(g, f.Text), leaf(trie.All, f.Text)
				for _, c := range f.Concepts {
					if form := leaf(g, kb.TargetForm(c, f.Text, g)); len(form) == 1 && form[0] == uint32(c) {
						own++
					}
					if !slices.Contains(all, uint32(c)) || !slices.Contains(any, uint32(c)) {
						t.Errorf("%s: %q does not reach %s", set, f.Text, kb.ID(c))
					}
				}
			}
		}
		t.Logf("%s: %d ambiguous names, %d forms of one concept's own", set, ambiguous, own)
		if ambiguous != want {
			t.Errorf("%s: %d ambiguous names, want %d", set, ambiguous, want)
		}
	}
}
