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
	// one part right in 65.2 %, part recall 44.9, Jaccard 40.1: recomputed from the same table
	s := with.Strata[Composite]
	for _, x := range [][2]float64{{s.Lenient.Value, 0.652}, {s.PartRecall.Value, 0.449}, {s.Jaccard.Value, 0.401}} {
		if math.Abs(x[0]-x[1]) > 0.002 {
			t.Errorf("parts of composites: %.4f, want %.3f", x[0], x[1])
		}
	}
	c, err := Compare(published(t, "spaccc.with"), published(t, "spaccc.without"), Options{Protocol: Paper})
	if err != nil || len(c.Gained) != 589 || len(c.Lost) != 331 || math.Abs(c.Recall1.Low-0.022) > 0.002 || math.Abs(c.Recall1.High-0.035) > 0.002 {
		t.Errorf("paired interval %+v %v", c.Recall1, err)
	}
}

// TestPublishedVerdicts reproduces the shares of the released judges' labels, in percent of all rows: STRICT, EXACT, NARROW, BROAD,
// PARTIAL, NO_RELATION of the second judge, and what of them the first gave where it was noted.
func TestPublishedVerdicts(t *testing.T) {
	labels := []string{"STRICT", "EXACT", "NARROW", "BROAD", "PARTIAL", "NO_RELATION"}
	for file, want := range map[string][2][6]float64{
		"spaccc.with":    {{67.0, 5.6, 5.9, 10.3, 0.7, 10.5}, {67.0, 2.5, 5.5, 9.5, 0.7, 14.8}},
		"spaccc.without": {{64.2, 4.7, 4.3, 12.2, 0.8, 13.9}, {64.2, 2.0, 4.4, 11.2, 0.8, 17.4}},
		"emea.with":      {{79.0, 6.4, 2.3, 4.8, 0, 7.5}, {79.0, 3.6, 4.6, 3.1, 0, 9.7}},
		"emea.without":   {{72.9, 5.1, 3.5, 5.8, 0, 12.7}, {72.9, 1.5, 6.0, 4.9, 0, 14.7}},
	} {
		preds := published(t, file)
		for judge, name := range []string{"LLM_Evaluation_v2", "LLM_Evaluation"} {
			for i := range preds {
				preds[i].Verdict = preds[i].Verdicts[name]
			}
			v := countVerdicts(preds)
			if v.N != len(preds) || v.Missing != 0 {
				t.Errorf("%s, %s: %+v", file, name, v)
			}
			for i, l := range labels {
				if got := 100 * float64(v.Counts[l]) / float64(v.N); math.Abs(got-want[judge][i]) > 0.051 {
					t.Errorf("%s, %s: %s %.2f %%, want %.1f", file, name, l, got, want[judge][i])
				}
			}
		}
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
