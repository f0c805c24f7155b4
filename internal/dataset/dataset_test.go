package dataset

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"syncabel/internal/corpus"
	"syncabel/internal/lexical"
	"syncabel/internal/markup"
	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

func sample() (*terminology.KB, []corpus.Document) {
	b := terminology.NewBuilder()
	for id, names := range map[string][]string{"D1": {"breast cancer", "mammary carcinoma"}, "D2": {"ovarian cancer"}, "D3": {"mitral stenosis", "MS"},
		"D4": {"multiple sclerosis", "MS"}} {
		c := terminology.Concept{ID: id, Types: []terminology.SemanticType{{Name: "Disease", Group: "Disorders"}}}
		for i, n := range names {
			c.Names = append(c.Names, terminology.Name{Text: n, Language: "en", Preferred: i == 0})
		}
		b.Add(c)
	}
	kb, _ := b.Build()
	d := corpus.Document{ID: "1", Language: "en", Text: "Severe mitral stenosis (MS). MS was old. Breast and ovarian cancer; carcinoma of the breast."}
	mention := func(s string, gold ...corpus.Answer) {
		from := 0
		if n := len(d.Mentions); n > 0 {
			from = d.Mentions[n-1].Span().End
		}
		at := from + strings.Index(d.Text[from:], s)
		d.Mentions = append(d.Mentions, corpus.Mention{ID: s, Spans: []text.Span{{Start: at, End: at + len(s)}}, Text: s, Type: "Disorders", Gold: gold})
	}
	mention("mitral stenosis", corpus.Answer{"D3"})
	mention("MS", corpus.Answer{"D3"})
	mention("Breast and ovarian cancer", corpus.Answer{"D1", "D2"})
	mention("carcinoma", corpus.Answer{"D9"})
	mention("breast")
	return kb, []corpus.Document{d}
}

func examples(t *testing.T, opt Options, n int) []string {
	t.Helper()
	kb, docs := sample()
	set, err := New(t.Context(), kb, lexical.NewRetriever(kb, lexical.Options{Names: true}).Vectorizer(), docs, nil, opt)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"code not in knowledge base": 1, "nil": 1}, set.Skipped); diff != "" {
		t.Error(diff)
	}
	st := set.Stream()
	var out []string
	for range n {
		p, target, origin := st.Next()
		out = append(out, origin+": "+markup.Text(p)+markup.Text(target))
	}
	return out
}

func TestTargets(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range examples(t, Options{Expand: true}, 3) {
		seen[e] = true
	}
	want := map[string]bool{"human: {Disorders}[ mitral stenosis] is mitral stenosis": true,
		"human: {Disorders}[ Breast and ovarian cancer] is breast cancer<SEP> ovarian cancer": true}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
	seen = map[string]bool{}
	for _, e := range examples(t, Options{}, 3) {
		seen[e] = true
	}
	if !seen["human: {Disorders}[ MS] is MS (mitral stenosis)"] {
		t.Errorf("an ambiguous name needs its qualifier: %v", seen)
	}
}

func TestSharesAndSkip(t *testing.T) {
	opt := Options{Noisy: 1, Synonym: 1, Noise: 0.5, Seed: 4}
	all := examples(t, opt, 300)
	count := map[string]int{}
	for _, e := range all {
		origin, _, _ := strings.Cut(e, ":")
		count[origin]++
	}
	if count[Human] != 100 || count[NoisyName] != 100 || count[Synonym] != 100 {
		t.Errorf("shares %v", count)
	}
	kb, docs := sample()
	set, _ := New(t.Context(), kb, lexical.NewRetriever(kb, lexical.Options{Names: true}).Vectorizer(), docs, nil, opt)
	st := set.Stream()
	st.Skip(250)
	for i := 250; i < 300; i++ {
		p, target, origin := st.Next()
		if got := origin + ": " + markup.Text(p) + markup.Text(target); got != all[i] {
			t.Fatalf("example %d after Skip is %q, was %q", i, got, all[i])
		}
	}
}

func TestUnknownMode(t *testing.T) {
	kb, docs := sample()
	_, err := New(t.Context(), kb, lexical.NewRetriever(kb, lexical.Options{Names: true}).Vectorizer(), docs, nil, Options{Mode: "half"})
	if err == nil || !strings.Contains(err.Error(), FullUpsampled) {
		t.Errorf("%v", err)
	}
}

func FuzzPerturb(f *testing.F) {
	f.Add("diabetes mellitus, type 2", uint64(1))
	f.Fuzz(func(t *testing.T, s string, seed uint64) {
		if !utf8.ValidString(s) {
			return
		}
		out := Perturb(s, rand.New(rand.NewPCG(seed, 1)))
		if !utf8.ValidString(out) || strings.TrimSpace(s) != "" && strings.TrimSpace(out) == "" {
			t.Fatalf("%q became %q", s, out)
		}
	})
}
