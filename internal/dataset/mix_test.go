package dataset

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"syncabel/internal/corpus"
	"syncabel/internal/lexical"
	"syncabel/internal/markup"
)

var update = flag.Bool("update", false, "rewrite golden files")

func show(refs []Ref) string {
	var b strings.Builder
	for _, r := range refs {
		fmt.Fprintf(&b, " %c%d", strings.ToUpper(r.Origin)[0], r.Index)
	}
	return b.String()
}

// TestSequences: the modes as docs of the paper's scripts define them, in testdata/modes.golden.
func TestSequences(t *testing.T) {
	var b strings.Builder
	for _, n := range [][2]int{{3, 7}, {5, 2}, {0, 2}, {2, 0}} {
		for _, mode := range Modes() {
			ratio := 0.5
			refs, err := Sequence(mode, n[0], n[1], ratio)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%d human, %d synthetic, %s:%s\n", n[0], n[1], mode, show(refs))
		}
	}
	if *update {
		if err := os.WriteFile("testdata/modes.golden", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/modes.golden")
	if diff := cmp.Diff(string(want), b.String()); err != nil || diff != "" {
		t.Error(err, diff)
	}
	one, _ := Sequence(Ratio, 3, 7, 1)
	up, _ := Sequence(FullUpsampled, 3, 7, 0)
	if !slices.Equal(one, up) {
		t.Error("ratio 1 is not full_upsampled")
	}
	if _, err := Sequence(Ratio, 1, 1, -1); err == nil {
		t.Error("a negative ratio passes")
	}
}

// mixed returns the origins of n examples of a stream over 3 linkable human and 2 synthetic mentions, on so many cores.
func mixed(t *testing.T, opt Options, n, cores int) string {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	kb, docs := sample()
	synthetic := slices.Clone(docs)
	synthetic[0].Mentions = synthetic[0].Mentions[:2]
	set, err := New(t.Context(), kb, lexical.NewRetriever(kb, lexical.Options{Names: true}).Vectorizer(), docs, synthetic, opt)
	if err != nil {
		t.Fatal(err)
	}
	st := set.Stream()
	var b strings.Builder
	for range n {
		p, target, origin := st.Next()
		fmt.Fprintf(&b, "%s %s%s\n", origin, markup.Text(p), markup.Text(target))
	}
	return b.String()
}

func origins(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteByte(line[0])
	}
	return b.String()
}

func TestStreamModes(t *testing.T) {
	for _, c := range []struct {
		opt  Options
		want string
	}{
		{Options{Mode: FullUpsampled}, "hshshshs"},
		{Options{Mode: HumanOnly}, "hhhhhhhh"},
		{Options{Mode: SynthOnly}, "ssssssss"},
		{Options{Mode: HumanFT, First: 2}, "sssshhhh"},
		{Options{Mode: Ratio, Ratio: 3}, "hhshhhsh"},
		{Options{Mode: Full}, "hshshhsh"},
	} {
		got := mixed(t, c.opt, 8, 1)
		if origins(got) != c.want {
			t.Errorf("%s: %s, want %s", c.opt.Mode, origins(got), c.want)
		}
		if again := mixed(t, c.opt, 8, 4); again != got {
			t.Errorf("%s: another number of cores gives other examples", c.opt.Mode)
		}
	}
}

type fakeEmbedder struct{ asked []string }

func (f *fakeEmbedder) Embed(_ context.Context, texts []string) ([][]float32, error) {
	f.asked = append(f.asked, texts...)
	out := make([][]float32, len(texts))
	for i, t := range texts {
		out[i] = []float32{float32(len(t)), 10}
	}
	return out, nil
}

func TestChoices(t *testing.T) {
	kb, docs := sample()
	d := &docs[0]
	d.Mentions = []corpus.Mention{d.Mentions[0], d.Mentions[2]} // "mitral stenosis" of D3, "Breast and ovarian cancer" of D1 and D2
	d.Mentions[1].Gold = []corpus.Answer{{"D9"}, {"D2"}, {"D1"}}
	target := func(opt Options) string {
		set, err := New(t.Context(), kb, lexical.NewRetriever(kb, lexical.Options{Names: true}).Vectorizer(), docs, nil, opt)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, it := range set.items[Human] {
			out = append(out, strings.Join(it.Names, "+"))
		}
		return strings.Join(out, "; ")
	}
	e := &fakeEmbedder{}
	for _, c := range []struct {
		opt  Options
		want string
	}{
		{Options{}, "mitral stenosis; ovarian cancer"},
		{Options{Choice: ChoiceEdit}, "mitral stenosis; ovarian cancer"},
		{Options{Choice: ChoicePreferred}, "mitral stenosis; ovarian cancer"}, // no name is nearer: the first answer with names
		{Options{Choice: ChoiceEmbedding, Embedder: e}, "mitral stenosis; mammary carcinoma"},
	} {
		if got := target(c.opt); got != c.want {
			t.Errorf("%s: %s, want %s", c.opt.Choice, got, c.want)
		}
	}
	if len(e.asked) != 6 || !slices.IsSorted(e.asked) {
		t.Errorf("asked for %q", e.asked)
	}
	vec := lexical.NewRetriever(kb, lexical.Options{Names: true}).Vectorizer()
	for _, opt := range []Options{{Choice: "best"}, {Choice: ChoiceEmbedding}} {
		if _, err := New(t.Context(), kb, vec, docs, nil, opt); err == nil {
			t.Errorf("choice %q passes", opt.Choice)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"kitten", "sitting", 3}, {"é", "e", 1}, {"abc", "", 3}, {"flaw", "lawn", 2}} {
		if got := editDistance([]rune(c.a), []rune(c.b)); got != c.want || editDistance([]rune(c.b), []rune(c.a)) != got {
			t.Errorf("%q, %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestPack(t *testing.T) {
	got, long := Pack([]int{5, 9, 3, 4, 2, 12, 5}, 10)
	if diff := cmp.Diff([][]int{{1}, {0, 6}, {2, 3, 4}}, got); diff != "" || !slices.Equal(long, []int{5}) {
		t.Error(diff, long)
	}
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 200).Draw(t, "limit")
		lengths := rapid.SliceOf(rapid.IntRange(1, 250)).Draw(t, "lengths")
		seqs, long := Pack(lengths, limit)
		seen := map[int]bool{}
		for _, i := range long {
			seen[i] = true
		}
		for _, s := range seqs {
			sum := 0
			for _, i := range s {
				sum += lengths[i]
				if seen[i] {
					t.Fatalf("example %d is there twice", i)
				}
				seen[i] = true
			}
			if sum > limit {
				t.Fatalf("a sequence of %d tokens", sum)
			}
		}
		if len(seen) != len(lengths) {
			t.Fatalf("%d of %d examples", len(seen), len(lengths))
		}
	})
	s := CountTokens([]int{1, 2, 3, 4}, []int{1, 1, 1, 7})
	if s.Examples != 4 || s.Prompt != 10 || s.Target != 10 || s.Mean != 5 || s.Max != 11 || s.Median != 4 {
		t.Errorf("%+v", s)
	}
}
