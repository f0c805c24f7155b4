package eval

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"syncabel/internal/prediction"
)

func pred(doc string, gold [][]string, codes ...string) prediction.Prediction {
	p := prediction.Prediction{Document: doc, Mention: doc, Text: "x", Gold: gold, HasGold: true}
	for _, c := range codes {
		p.Candidates = append(p.Candidates, prediction.Candidate{Code: c})
	}
	return p
}

func TestEvaluateByHand(t *testing.T) {
	preds := []prediction.Prediction{
		pred("1", [][]string{{"A"}}, "A", "B"),        // right
		pred("1", [][]string{{"A"}}, "B", "A"),        // second
		pred("2", [][]string{{"A"}, {"B"}}, "B"),      // an alternative
		pred("2", [][]string{{"A", "B"}}, "A"),        // one part
		pred("3", [][]string{{"A"}}),                  // abstained wrongly
		pred("3", [][]string{}, "A"),                  // NIL, missed
		pred("3", [][]string{}),                       // NIL, right
		{Document: "4", Mention: "x", HasGold: false}, // no annotation
	}
	res, err := Evaluate(preds, Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := res.Overall
	if o.N != 5 || o.Correct != 2 || o.Recall5.Value != 0.6 || math.Abs(o.MRR.Value-0.5) > 1e-12 || math.Abs(o.Lenient.Value-0.6) > 1e-12 {
		t.Errorf("%+v", o)
	}
	if diff := cmp.Diff(NIL{Gold: 2, Right: 1, Abstain: 3}, res.NIL); diff != "" || res.Missing != 1 {
		t.Errorf("%s, %d missing", diff, res.Missing)
	}
	if c := res.Strata[Composite]; c.N != 1 || c.Correct != 0 {
		t.Errorf("composite %+v", c)
	}
	if res, _ = Evaluate(preds, Options{Lenient: true}); res.Overall.Correct != 3 {
		t.Errorf("lenient: %d", res.Overall.Correct)
	}
	if _, err := Evaluate(preds[5:], Options{}); err == nil {
		t.Error("no error without gold")
	}
}

func TestEvaluateProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a, perfect []prediction.Prediction
		for i := range rapid.IntRange(1, 30).Draw(t, "n") {
			code := func(name string) string { return string(rune('A' + rapid.IntRange(0, 3).Draw(t, name))) }
			gold := code("gold")
			p := pred(fmt.Sprint(i%5), [][]string{{gold}}, code("code"))
			p.Mention = fmt.Sprint(i)
			a = append(a, p)
			perfect = append(perfect, pred(p.Document, p.Gold, gold))
		}
		opt := Options{Samples: 50}
		res, _ := Evaluate(a, opt)
		reversed := make([]prediction.Prediction, len(a))
		for i := range a {
			reversed[len(a)-1-i] = a[i]
		}
		if other, _ := Evaluate(reversed, opt); other.Overall != res.Overall {
			t.Fatalf("the order of rows matters: %+v, %+v", res.Overall, other.Overall)
		}
		if all, _ := Evaluate(perfect, opt); all.Overall.Recall1.Low != 1 {
			t.Fatalf("perfect predictions score %+v", all.Overall.Recall1)
		}
		c, err := Compare(a, a, opt)
		if err != nil || c.Recall1.Difference != 0 || c.McNemar != 1 || c.OnlyA+c.OnlyB != 0 {
			t.Fatalf("a system differs from itself: %+v %v", c, err)
		}
	})
}

// TestPublished reproduces the four figures of arXiv 2601.19667 from its released predictions, to the row.
func TestPublished(t *testing.T) {
	for _, c := range []struct {
		file       string
		n, correct int
	}{{"spaccc.with", 9059, 6071}, {"spaccc.without", 9059, 5813}, {"emea.with", 2197, 1736}, {"emea.without", 2197, 1602}} {
		preds := published(t, c.file)
		res, err := Evaluate(preds, Options{Protocol: Paper})
		if err != nil || res.Overall.N != c.n || res.Overall.Correct != c.correct {
			t.Errorf("%s: %d of %d, want %d of %d (%v)", c.file, res.Overall.Correct, res.Overall.N, c.correct, c.n, err)
		}
	}
	with, _ := Evaluate(published(t, "spaccc.with"), Options{Protocol: Paper})
	if s := with.Strata[Composite]; s.N != 330 || math.Abs(s.Recall1.Value-0.218) > 0.0005 {
		t.Errorf("composites: %+v", s)
	}
	c, err := Compare(published(t, "spaccc.with"), published(t, "spaccc.without"), Options{Protocol: Paper})
	if err != nil || math.Abs(c.Recall1.Low-0.022) > 0.002 || math.Abs(c.Recall1.High-0.035) > 0.002 {
		t.Errorf("paired interval %+v %v", c.Recall1, err)
	}
}

func published(t *testing.T, name string) []prediction.Prediction {
	t.Helper()
	f, err := os.Open("../../../shared/published/" + name + ".tsv")
	if err != nil {
		t.Skip("the released predictions are not here")
	}
	defer f.Close()
	preds, err := prediction.ReadReference(bufio.NewReader(f), name)
	if err != nil {
		t.Fatal(err)
	}
	return preds
}
