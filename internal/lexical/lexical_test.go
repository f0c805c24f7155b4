package lexical

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"testing"

	"syncabel/internal/terminology"
)

// TestAsScikitLearn compares with scikit-learn 1.9.1 TfidfVectorizer(analyzer="char_wb", ngram_range=(3,3)) fitted on the names of the
// demonstration and odd strings: cosines within 1e-6, and the nearest of a concept's names with ties to the earlier. Written by
// scripts/lexical_fixture.py.
func TestAsScikitLearn(t *testing.T) {
	b, err := os.ReadFile("testdata/tfidf.json")
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Names   []string
		Cosines [][3]any
		Choices [][3]any
	}
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	v := Fit(f.Names)
	for _, c := range f.Cosines {
		a, b, want := c[0].(string), c[1].(string), c[2].(float64)
		if got := float64(Cosine(v.Vector(a), v.Vector(b))); math.Abs(got-want) > 1e-6 {
			t.Errorf("cosine(%q, %q) = %.8f, want %.8f", a, b, got, want)
		}
	}
	for _, c := range f.Choices {
		var names []string
		for _, n := range c[1].([]any) {
			names = append(names, n.(string))
		}
		if got := v.Nearest(c[0].(string), names); got != int(c[2].(float64)) {
			t.Errorf("nearest to %q is %q, want %q", c[0], names[got], names[int(c[2].(float64))])
		}
	}
	if len(f.Cosines) < 800 || len(f.Choices) < 1900 {
		t.Errorf("%d cosines, %d choices", len(f.Cosines), len(f.Choices))
	}
}

// TestFitIsIndependentOfCores: chunks are merged in their order.
func TestFitIsIndependentOfCores(t *testing.T) {
	var names []string
	for i := range 3*fitChunk + 5 {
		names = append(names, fmt.Sprintf("nom%d maladie é%d", i*7919%10007, i%97))
	}
	many := Fit(names)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if one := Fit(names); !slices.Equal(one.idf, many.idf) || one.ids.n != many.ids.n {
		t.Error("one worker fits differently")
	}
}

func sample() *terminology.KB {
	b := terminology.NewBuilder()
	for id, names := range map[string][]string{"D1": {"gout", "gouty arthritis"}, "D2": {"arthritis"}, "D3": {"mitral stenosis", "MS"},
		"D4": {"multiple sclerosis", "MS"}} {
		c := terminology.Concept{ID: id, Types: []terminology.SemanticType{{Name: "Disease", Group: "Disorders"}}}
		for _, n := range names {
			c.Names = append(c.Names, terminology.Name{Text: n})
		}
		b.Add(c)
	}
	kb, _ := b.Build()
	return kb
}

func TestRetrieve(t *testing.T) {
	kb := sample()
	obs := []Observation{{Surface: "MS", Concept: 3, Group: "Disorders"}, {Surface: "MS", Concept: 3, Group: "Disorders"},
		{Surface: "MS", Concept: 2, Group: "Disorders"}, {Surface: "podagra", Concept: 0, Group: "Disorders"}}
	r := NewRetriever(kb, Options{Names: true, Training: obs})
	var s Scratch
	for _, c := range []struct{ query, id, source string }{
		{"Gout", "D1", SourceDictionary}, {"podagra", "D1", SourceMemory}, {"ms", "D4", SourceMemory}, {"arthritic", "D2", SourceTFIDF},
	} {
		got := r.Retrieve(&s, "Disorders", 3, c.query)
		if len(got) == 0 || kb.Concept(got[0].Concept).ID != c.id || got[0].Source != c.source {
			t.Errorf("%s: %+v, want %s from %s", c.query, got, c.id, c.source)
		}
	}
	if got := r.Retrieve(&s, "Chemicals", 3, "gout"); got != nil {
		t.Errorf("unknown group gives %v", got)
	}
	two := r.Retrieve(&s, "Disorders", 2, "MS")
	if len(two) != 2 || two[0].TrainShare < 0.6 || two[1].TrainShare > 0.4 {
		t.Errorf("shares of an ambiguous training string: %+v", two)
	}
}
