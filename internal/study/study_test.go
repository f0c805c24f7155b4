package study

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"syncabel/internal/eval"
	"syncabel/internal/prediction"
)

func sampleGrid() Grid {
	return Grid{Fractions: []float64{0, 0.5, 1}, Sentences: []int{1, 0}, Presets: []string{""}, Seeds: []uint64{1, 2},
		Modes: []Mode{{Name: "human", Human: true}, {Name: "mixed", Human: true, Synthetic: true, Empty: true}}}
}

func TestCells(t *testing.T) {
	count := map[string]int{}
	for _, c := range sampleGrid().Cells() {
		count[fmt.Sprintf("%s %d", c.Mode, c.Sentences)]++
		if c.Mode == "human" && c.Fraction == 0 {
			t.Error("a mode without anything to train on has a cell at 0 %")
		}
	}
	// two seeds; human: 50 and 100 %, sentences do not matter; mixed: three shares, twice
	if diff := cmp.Diff(map[string]int{"human 0": 4, "mixed 1": 6, "mixed 0": 6}, count); diff != "" {
		t.Error(diff)
	}
	for _, f := range [][]float64{nil, {0, 0.5}, {0.5, 0.2, 1}, {0.5, 0.5, 1}, {-1, 1}} {
		g := sampleGrid()
		g.Fractions = f
		if g.Check() == nil {
			t.Errorf("fractions %v pass", f)
		}
	}
}

// fake gives cells whose accuracy is known: human rises with the share from 0 to 0.6, mixed from 0.5 to 0.7.
type fake struct{ fail int }

func (f *fake) Run(_ context.Context, c Cell) (Outcome, error) {
	if f.fail--; f.fail == 0 {
		return Outcome{}, errors.New("no power")
	}
	return Outcome{Cell: c, Cost: Cost{Documents: int(100 * c.Fraction), Mentions: int(1000 * c.Fraction)}}, nil
}

func accuracy(c Cell) float64 {
	if c.Mode == "human" {
		return 0.6 * c.Fraction
	}
	return 0.5 + 0.2*c.Fraction
}

func predictionsOf(o Outcome) ([]prediction.Prediction, error) {
	var out []prediction.Prediction
	for doc := range 100 {
		for m := range 10 {
			p := prediction.Prediction{Document: fmt.Sprint(doc), Mention: fmt.Sprint(m), Text: "x", HasGold: true, Gold: [][]string{{"A"}},
				Candidates: []prediction.Candidate{{Code: "B"}}, Tags: []string{eval.SeenConcept}}
			if float64((7*doc+m)%10)+0.5 < 10*accuracy(o.Cell) {
				p.Candidates[0].Code = "A"
			}
			if m%2 == 0 {
				p.Tags[0] = eval.UnseenConcept
			}
			out = append(out, p)
		}
	}
	return out, nil
}

func TestAnalyse(t *testing.T) {
	g := sampleGrid()
	g.Sentences = []int{0}
	saved := 0
	outcomes, err := Run(context.Background(), g, &fake{}, func(done []Outcome, total int) error { saved = len(done); return nil })
	if err != nil || saved != len(g.Cells()) {
		t.Fatal(err, saved)
	}
	res, err := Analyse(outcomes, predictionsOf, Options{Reference: "human", Eval: eval.Options{Samples: 200, Seed: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(res.Level-0.6) > 1e-9 || res.Documents != 100 || res.Seeds != 2 || len(res.Curves) != 2 {
		t.Errorf("%+v", res)
	}
	human, mixed := res.Curves[0], res.Curves[1]
	if *human.Crossing.Value != 1 || human.Difference.Difference != 0 {
		t.Errorf("the reference reaches itself at %v", *human.Crossing.Value)
	}
	// 0.5 + 0.2 f = 0.6 at one half
	if c := mixed.Crossing; math.Abs(*c.Value-0.5) > 1e-9 || *c.Low > 0.5 || *c.High < 0.5 || c.Documents != 50 || c.Mentions != 500 {
		t.Errorf("crossing %v [%v %v] %+v", *c.Value, *c.Low, *c.High, c)
	}
	if p := mixed.Points[0]; p.N != 1000 || p.NSeen != 500 || p.Recall1.Value != 0.5 || p.Seen.Low >= p.Seen.High {
		t.Errorf("%+v", p)
	}
	for i, j := 0, len(outcomes)-1; i < j; i, j = i+1, j-1 {
		outcomes[i], outcomes[j] = outcomes[j], outcomes[i]
	}
	again, err := Analyse(outcomes, predictionsOf, Options{Reference: "human", Eval: eval.Options{Samples: 200, Seed: 1}})
	if err != nil || cmp.Diff(res.Curves[1], again.Curves[0]) != "" {
		t.Error("the order of cells matters", err)
	}
}

func TestNotReachedAndUnfinished(t *testing.T) {
	g := sampleGrid()
	g.Sentences = []int{0}
	outcomes, err := Run(context.Background(), g, &fake{fail: 4}, func([]Outcome, int) error { return nil })
	if err == nil || outcomes != nil {
		t.Error("a failed cell passes")
	}
	outcomes, _ = Run(context.Background(), g, &fake{}, func([]Outcome, int) error { return nil })
	opt := Options{Reference: "mixed", Cells: 99, Eval: eval.Options{Samples: 50}}
	res, err := Analyse(outcomes, predictionsOf, opt)
	if err != nil || res.Missing != 99-len(outcomes) {
		t.Fatal(err, res)
	}
	if c := res.Curves[0].Crossing; c.Value != nil || c.Low != nil || c.High != nil || c.Reached != 0 {
		t.Errorf("0.6 reaches 0.7: %+v", c)
	}
	if _, err := Analyse(outcomes[:1], predictionsOf, opt); err == nil {
		t.Error("a study without its reference passes")
	}
}
