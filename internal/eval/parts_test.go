package eval

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"syncabel/internal/corpus"
	"syncabel/internal/prediction"
	"syncabel/internal/text"
)

func TestPartsByHand(t *testing.T) {
	whole := pred("1", [][]string{{"A", "B"}})
	whole.Candidates = []prediction.Candidate{{Code: "A+B", Parts: []string{"B", "A"}}}
	three := pred("1", [][]string{{"A", "B"}, {"D"}})
	three.Candidates = []prediction.Candidate{{Code: "A+C+E", Parts: []string{"A", "C", "E"}}}
	for _, c := range []struct {
		p    prediction.Prediction
		want parts
	}{
		{whole, parts{1, 1, 1}},
		{pred("1", [][]string{{"A", "B"}}, "A"), parts{0.5, 1, 0.5}},
		{three, parts{0.5, 1.0 / 3, 0.25}},
		{pred("1", [][]string{{"A"}}, "A"), parts{1, 1, 1}},
		{pred("1", [][]string{{"A"}}, "B"), parts{}},
		{pred("1", [][]string{{"A"}}), parts{}},
	} {
		if got := partsOf(&c.p); math.Abs(got.recall-c.want.recall)+math.Abs(got.precision-c.want.precision)+math.Abs(got.jaccard-c.want.jaccard) > 1e-12 {
			t.Errorf("%v against %v: %+v, want %+v", c.p.Candidates, c.p.Gold, got, c.want)
		}
	}
}

func document(id string, mentions ...corpus.Mention) corpus.Document {
	d := corpus.Document{ID: id, Language: "en", Text: "0123456789 0123456789 0123456789"}
	for i, m := range mentions {
		m.ID = fmt.Sprint(i)
		m.Text = corpus.SurfaceOf(d.Text, m.Spans)
		d.Mentions = append(d.Mentions, m)
	}
	return d
}

func at(start, end int, codes ...string) corpus.Mention {
	m := corpus.Mention{Spans: []text.Span{{Start: start, End: end}}, Gold: []corpus.Answer{}}
	if len(codes) > 0 {
		m.Gold = append(m.Gold, codes)
	}
	return m
}

func TestEndToEndByHand(t *testing.T) {
	gold := []corpus.Document{document("1", at(0, 5, "A"), at(6, 8, "B"), at(11, 15), at(22, 26, "C")), document("2", at(0, 5, "A"))}
	preds := FromDocuments([]corpus.Document{document("1", at(0, 5, "A"), at(5, 8, "B"), at(11, 15, "X"), at(17, 20, "D"))})
	s := ScoreEndToEnd(gold, [][]prediction.Prediction{preds}, func(t string) string { return t }, Options{Samples: 50})
	// five annotated, four of them with a concept; four found
	for _, c := range []struct {
		name string
		got  PRF
		want [3]int
	}{{"linked", s.Linked, [3]int{4, 4, 1}}, {"overlap", s.Overlap, [3]int{4, 4, 2}}, {"spans", s.Spans, [3]int{5, 4, 2}}, {"concepts", s.Concepts, [3]int{4, 4, 2}}} {
		if got := [3]int{c.got.Gold, c.got.Found, c.got.Right}; got != c.want {
			t.Errorf("%s: gold, found, right %v, want %v", c.name, got, c.want)
		}
	}
	if s.Missed != 2 || s.Spurious != 1 || math.Abs(s.Linked.F1.Value-2.0/8) > 1e-12 {
		t.Errorf("missed %d, spurious %d, F1 %v", s.Missed, s.Spurious, s.Linked.F1.Value)
	}
	joined, spurious := Attach(gold, preds)
	if len(joined) != 5 || len(spurious) != 2 || len(joined[1].Candidates) != 0 || joined[0].Candidates[0].Code != "A" || joined[4].Document != "2" {
		t.Errorf("%+v\n%+v", joined, spurious)
	}
}

func drawn(t *rapid.T) []prediction.Prediction {
	var out []prediction.Prediction
	for i := range rapid.IntRange(1, 30).Draw(t, "n") {
		code := func(name string) string { return string(rune('A' + rapid.IntRange(0, 3).Draw(t, name))) }
		gold := [][]string{{code("gold")}}
		if rapid.Bool().Draw(t, "composite") {
			gold[0] = []string{"A", "D"}
		}
		p := pred(fmt.Sprint(rapid.IntRange(0, 6).Draw(t, "doc")), gold, code("first"), code("second"))
		p.Mention = fmt.Sprint(i)
		p.Candidates[0].Probability = float64(rapid.IntRange(1, 9).Draw(t, "p")) / 10
		out = append(out, p)
	}
	return out
}

func counted(res *Result) map[string][2]int {
	out := map[string][2]int{"": {res.Overall.N, res.Overall.Correct}}
	for n, c := range res.Strata {
		if n != Repeated && n != NotRepeated { // says something about the whole file
			out[n] = [2]int{c.N, c.Correct}
		}
	}
	return out
}

// TestMerging: two files scored together are the sum of the two, in every stratum.
func TestMerging(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawn(t), drawn(t)
		for i := range b {
			b[i].Document += "b"
		}
		opt := Options{Samples: 20}
		ra, _ := Evaluate(a, opt)
		rb, _ := Evaluate(b, opt)
		both, _ := Evaluate(append(slices.Clone(a), b...), opt)
		sum := counted(ra)
		for n, c := range counted(rb) {
			sum[n] = [2]int{sum[n][0] + c[0], sum[n][1] + c[1]}
		}
		for n, c := range counted(both) {
			if sum[n] != c {
				t.Fatalf("%q: together %v, apart %v", n, c, sum[n])
			}
		}
	})
}

// TestOrders: metrics do not depend on the order of rows and are ordered as they must be.
func TestOrders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawn(t)
		b := rapid.Permutation(a).Draw(t, "order")
		opt := Options{Samples: 20}
		ra, _ := Evaluate(a, opt)
		rb, _ := Evaluate(b, opt)
		if ra.Overall != rb.Overall {
			t.Fatalf("the order of rows matters: %+v %+v", ra.Overall, rb.Overall)
		}
		if (ra.Selective == nil) != (rb.Selective == nil) || ra.Selective != nil && (math.Abs(ra.Selective.AURC-rb.Selective.AURC) > 1e-9 || ra.Selective.AUROC != rb.Selective.AUROC) {
			t.Fatalf("the order of rows matters to confidence: %+v %+v", ra.Selective, rb.Selective)
		}
		for n, c := range ra.Strata {
			r := c.Recall1.Value
			if c.Recall5.Value < r || c.MRR.Value < r || c.Lenient.Value < r || c.PartRecall.Value < r-1e-12 || c.Jaccard.Value > c.PartRecall.Value+1e-12 || c.Jaccard.Value > c.PartPrecision.Value+1e-12 {
				t.Fatalf("%q: %+v", n, c)
			}
		}
	})
}

// BenchmarkEvaluate is the figure of docs/results.md: 1,000 bootstraps of 40,000 mentions in 20 strata and all measures.
func BenchmarkEvaluate(b *testing.B) {
	var preds []prediction.Prediction
	for i := range 40_000 {
		p := pred(fmt.Sprint(i/45), [][]string{{fmt.Sprint(i % 977)}}, fmt.Sprint(i%977+i%3), fmt.Sprint(i%977))
		p.Mention, p.Group = fmt.Sprint(i), fmt.Sprint("group", i%8)
		p.Text = []string{"gout", "renal failure", "acute renal failure", "MI", "a long name of a disease"}[i%5]
		p.Tags = []string{pick(i%3 == 0, SeenConcept, UnseenConcept), pick(i%5 == 0, SeenMention, UnseenMention)}
		preds = append(preds, p)
	}
	res, err := Evaluate(preds, Options{Samples: 1})
	if err != nil || len(res.Strata) < 19 {
		b.Fatal(err, len(res.Strata))
	}
	b.ReportMetric(float64(len(res.Strata)+1), "strata")
	for b.Loop() {
		if _, err := Evaluate(preds, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
