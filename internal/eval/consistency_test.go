package eval

import (
	"testing"

	"syncabel/internal/corpus"
	"syncabel/internal/prediction"
	"syncabel/internal/text"
)

func TestConsistency(t *testing.T) {
	p := func(doc, mention, s, code, gold string) prediction.Prediction {
		return prediction.Prediction{Document: doc, Mention: mention, Text: s, Candidates: []prediction.Candidate{{Code: code}}, Gold: [][]string{{gold}}}
	}
	once := []prediction.Prediction{p("d", "1", "MS", "A", "A"), p("d", "2", "MS", "B", "A"), p("d", "3", "MS", "A", "A"), p("d", "4", "gout", "C", "C"),
		p("d", "5", "AS", "C", "D"), p("d", "6", "AS", "C", "E"), p("e", "1", "gout", "D", "C")}
	if got, want := consistency(once), (Consistency{2, 1, 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	twice := append(once, once...) // two seeds
	if got, want := consistency(twice), (Consistency{4, 2, 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestScoreEndToEnd(t *testing.T) {
	m := func(start, end int, typ, code string) corpus.Mention {
		return corpus.Mention{Spans: []text.Span{{Start: start, End: end}}, Type: typ, Gold: []corpus.Answer{{code}}}
	}
	docs := []corpus.Document{{ID: "d", Mentions: []corpus.Mention{m(0, 3, "X", "A"), m(5, 8, "X", "B"), m(9, 12, "Y", "C")}}}
	p := func(start, end int, group, code string) prediction.Prediction {
		return prediction.Prediction{Document: "d", Spans: []text.Span{{Start: start, End: end}}, Group: group, Candidates: []prediction.Candidate{{Code: code}}}
	}
	run := []prediction.Prediction{p(0, 3, "X", "A"), p(0, 3, "X", "A"), p(5, 8, "Y", "B"), p(9, 11, "Y", "C")}
	score := func(runs ...[]prediction.Prediction) *EndToEnd {
		return ScoreEndToEnd(docs, runs, func(s string) string { return s }, Options{Seed: 1, Samples: 10, Protocol: Strict})
	}
	e := score(run)
	for i, x := range []struct{ got, want float64 }{{e.Spans.Precision.Value, 2. / 4}, {e.Spans.Recall.Value, 2. / 3}, {e.Groups.Recall.Value, 1. / 3},
		{e.Linked.Recall.Value, 2. / 3}, {e.Linked.F1.Value, 4. / 7}} {
		if x.got != x.want {
			t.Errorf("figure %d: %g, want %g", i, x.got, x.want)
		}
	}
	three := score(run, run, run) // seeds
	if three.Spans.Precision != e.Spans.Precision || three.Concepts.F1 != e.Concepts.F1 || three.Found != 3*e.Found || three.Linked.Found != 3*e.Linked.Found {
		t.Errorf("three runs: %+v, one %+v", three, e)
	}
}
