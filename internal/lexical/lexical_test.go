package lexical

import (
	"math"
	"testing"

	"syncabel/internal/terminology"
)

// Figures of scikit-learn 1.9.1 TfidfVectorizer(analyzer="char_wb", ngram_range=(3,3)) fitted on these names; written by
// scripts/lexical_fixture.py.
func TestCosineAsScikitLearn(t *testing.T) {
	v := Fit([]string{"gout", "gouty arthritis", "arthritis", "acute gout", "Émile's disease"})
	for _, c := range []struct {
		a, b string
		want float64
	}{
		{"gout", "gout", 1.000000000},
		{"Gout", "gouty arthritis", 0.313894507},
		{"gouty", "acute gout", 0.278115179},
		{"émile disease", "Émile's disease", 0.886405260},
		{"arthritis gout", "gouty arthritis", 0.847252164},
		{"x", "gout", 0.000000000},
		{"unknown words", "gout", 0.000000000},
	} {
		if got := float64(Cosine(v.Vector(c.a), v.Vector(c.b))); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("cosine(%q, %q) = %.7f, want %.7f", c.a, c.b, got, c.want)
		}
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
