package trie

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// forms draws random names over a small alphabet, so that prefixes and duplicates are common.
func forms(t *rapid.T) []Form {
	n := rapid.IntRange(1, 60).Draw(t, "n")
	out := make([]Form, n)
	for i := range out {
		tokens := rapid.SliceOfN(rapid.Int32Range(3, 7), 1, 6).Draw(t, "tokens")
		out[i] = Form{Text: string([]byte{byte('a' + i%26), byte('a' + i/26)}), Tokens: tokens, Concepts: []uint32{uint32(i)}}
	}
	return out
}

func TestEveryNameIsFoundAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		eos := rapid.SampledFrom([]int32{0, 2, 5, 9}).Draw(t, "eos")
		fs := forms(t)
		for i := range fs { // the end token is no token of a name
			fs[i].Tokens = slices.DeleteFunc(fs[i].Tokens, func(x int32) bool { return x == eos })
			if len(fs[i].Tokens) == 0 {
				fs[i].Tokens = []int32{1}
			}
		}
		tr, err := Build([]Group{{"G", fs}, {"H", fs[:1]}}, Options{EOS: eos, All: true})
		if err != nil {
			t.Fatal(err)
		}
		all, _ := tr.Root(All)
		root, _ := tr.Root("G")
		distinct := map[string]bool{}
		for i, f := range fs {
			distinct[key(f.Tokens)] = true
			n, ok := tr.Find(root, append(slices.Clone(f.Tokens), eos))
			if !ok || !tr.IsLeaf(n) {
				t.Fatalf("name %v is not found", f.Tokens)
			}
			if !slices.Contains(tr.Concepts(tr.Leaf(n)), uint32(i)) {
				t.Fatalf("leaf of %v lacks concept %d: %v", f.Tokens, i, tr.Concepts(tr.Leaf(n)))
			}
		}
		if tr.Leaves() != 2*len(distinct)+1 || tr.Count(all) != len(distinct) {
			t.Fatalf("%d leaves, %d below all, for %d distinct names", tr.Leaves(), tr.Count(all), len(distinct))
		}
		count, depth := walk(t, tr, root)
		if count != len(distinct) || count != tr.Count(root) || depth != tr.Depth(root) {
			t.Fatalf("walked %d leaves to depth %d; the root says %d and %d", count, depth, tr.Count(root), tr.Depth(root))
		}
	})
}

func key(tokens []int32) string {
	b := make([]byte, len(tokens))
	for i, x := range tokens {
		b[i] = byte(x)
	}
	return string(b)
}

// walk counts leaves and depth below n and checks the order of children and the numbering of leaves.
func walk(t *rapid.T, tr *Trie, n Node) (leaves, depth int) {
	if tr.IsLeaf(n) {
		return 1, 0
	}
	lo, hi := tr.Children(n)
	first := tr.Leaf(n)
	for c := lo; c < hi; c++ {
		if c > lo && tr.Token(c) <= tr.Token(c-1) {
			t.Fatalf("children of %d are not in order", n)
		}
		if _, ok := tr.Child(n, tr.Token(c)); !ok {
			t.Fatalf("child %d of %d is not found", c, n)
		}
		if !tr.IsLeaf(c) && tr.Leaf(c) < first {
			t.Fatalf("leaves below %d are not in order", n)
		}
		k, d := walk(t, tr, c)
		leaves, depth = leaves+k, max(depth, d+1)
	}
	return leaves, depth
}

func sample(t testing.TB) *Trie {
	tr, err := Build([]Group{{"A", []Form{{"x", []int32{5, 6}, []uint32{1}}, {"y", []int32{5}, []uint32{2, 3}}}},
		{"B", []Form{{"x", []int32{5, 6}, []uint32{4}}}}}, Options{EOS: 1, Tokenizer: "t", KB: "k", All: true})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestFileRoundTrip(t *testing.T) {
	tr := sample(t)
	path := filepath.Join(t.TempDir(), "names.trie")
	if err := tr.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	got, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if err := got.Verify(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tr.Groups(), got.Groups()); diff != "" || got.Leaves() != 5 || got.Tokenizer() != "t" || got.KB() != "k" {
		t.Errorf("%s %d %q %q", diff, got.Leaves(), got.Tokenizer(), got.KB())
	}
	root, _ := got.Root("A")
	n, ok := got.Find(root, []int32{5, 1})
	if !ok || got.Text(got.Leaf(n)) != "y" || !slices.Equal(got.Concepts(got.Leaf(n)), []uint32{2, 3}) {
		t.Errorf("leaf y: %v %q", ok, got.Text(got.Leaf(n)))
	}
}

func TestBuildRefuses(t *testing.T) {
	long := Form{Text: "long", Tokens: make([]int32, MaxTokens+1), Concepts: []uint32{1}}
	ok := []Form{{"x", []int32{1}, []uint32{1}}}
	for _, g := range [][]Group{nil, {{"A", nil}}, {{"A", []Form{long}}}, {{"A", []Form{{"x", []int32{1}, nil}}}}, {{All, ok}}, {{"A", ok}, {"A", ok}},
		{{"A", []Form{{"the end token", []int32{0}, []uint32{1}}}}}, {{"A", []Form{{"too large", []int32{1 << 24}, []uint32{1}}}}}} {
		if _, err := Build(g, Options{All: true}); err == nil {
			t.Errorf("Build(%v) succeeded", g)
		}
	}
}

// FuzzOpen: a damaged file is an error, never a panic or an index out of range later.
func FuzzOpen(f *testing.F) {
	path := filepath.Join(f.TempDir(), "seed")
	if err := sample(f).WriteFile(path); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(bytes.Repeat([]byte{0}, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		tr, err := parse(b)
		if err != nil || tr.Verify() != nil {
			return
		}
		for _, g := range tr.Groups() {
			root, _ := tr.Root(g)
			tr.Find(root, []int32{5, 6, 1})
		}
	})
}
