package eval

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"syncabel/internal/corpus"
	"syncabel/internal/prediction"
	"syncabel/internal/terminology"
)

// Cold is a name of A and B, not of C in another group; training means A by it twice, C+D once, and by chill always B.
func TestAmbiguousStrings(t *testing.T) {
	b := terminology.NewBuilder()
	for _, c := range [][3]string{{"A", "cold", "Disorders"}, {"B", "Cold", "Disorders"}, {"C", "cold", "Drugs"}, {"D", "chill", "Disorders"}} {
		b.Add(terminology.Concept{ID: c[0], Names: []terminology.Name{{Text: c[1], Preferred: true}}, Types: []terminology.SemanticType{{Name: c[2], Group: c[2]}}})
	}
	kb, _ := b.Build()
	mention := func(text string, gold ...string) corpus.Mention {
		return corpus.Mention{Text: text, Gold: []corpus.Answer{gold}}
	}
	train := []corpus.Document{{ID: "t", Mentions: []corpus.Mention{mention("cold", "A"), mention("COLD", "A"), mention("cold", "D", "C"), mention("chill", "B")}}}
	predicted := func(text, first string, gold ...[]string) prediction.Prediction {
		return prediction.Prediction{Document: "d", Text: text, Group: "Disorders", HasGold: true, Gold: gold, Candidates: []prediction.Candidate{{Code: first}}}
	}
	preds := []prediction.Prediction{
		predicted("cold", "A", []string{"A"}),
		predicted("cold", "A", []string{"B"}),                // training never means B by it
		predicted("Cold", "X", []string{"C", "D"}),           // no name of D
		predicted("cold", "A", []string{"A"}, []string{"B"}), // both are right
		predicted("cold", "E", []string{"E"}),
		predicted("chill", "B", []string{"B"}),
	}
	NewTagger(train, kb).Tag(preds)
	want := []*prediction.Meanings{{Named: 2, Taught: 2, Usual: true}, {Named: 2}, {Taught: 2}, {Taught: 2, Usual: true}, nil, nil}
	for i := range preds {
		if d := cmp.Diff(want[i], preds[i].Meanings); d != "" {
			t.Errorf("%d: %s", i, d)
		}
	}
	res, err := Evaluate(preds, Options{Samples: 10})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Ambiguous{Named: Ambiguity{N: 2, Right: 1, Chance: 1}, Taught: Ambiguity{N: 3, Right: 2, Chance: 1.5, Usual: 2}}, res.Ambiguous); d != "" {
		t.Error(d)
	}
	NewTagger(train, nil).Tag(preds)
	if preds[0].Meanings.Named != 0 || preds[0].Meanings.Taught != 2 {
		t.Error("without a knowledge base training alone says what is ambiguous")
	}
}
