package eval

import (
	"syncabel/internal/prediction"
	"syncabel/internal/stat"
)

// Verdicts counts what a judge said about first candidates. A verdict that nobody gave is missing, never a label.
type Verdicts struct {
	N       int            `json:"n"`       // predictions, judged or not
	Missing int            `json:"missing"` // without a verdict
	Counts  map[string]int `json:"counts"`
	// Appropriate is the share, of all predictions, of those that equal the gold or that the judge found as good.
	Appropriate stat.Interval `json:"appropriate"`
}

// Verdicts that say the answer is as good as the gold.
const (
	verdictStrict = "STRICT"
	verdictExact  = "EXACT"
)

// countVerdicts returns nil where no prediction has a verdict.
func countVerdicts(preds []prediction.Prediction) *Verdicts {
	v := &Verdicts{N: len(preds), Counts: map[string]int{}}
	var list []outcome
	for i := range preds {
		list = append(list, outcome{doc: preds[i].Document})
	}
	docs := documents(list)
	column := stat.Column{Num: make([]float64, len(docs)), Den: make([]float64, len(docs))}
	for i := range preds {
		p := &preds[i]
		column.Den[docs[p.Document]]++
		switch p.Verdict {
		case "":
			v.Missing++
			continue
		case verdictStrict, verdictExact:
			column.Num[docs[p.Document]]++
		}
		v.Counts[p.Verdict]++
	}
	if len(v.Counts) == 0 {
		return nil
	}
	v.Appropriate = stat.Bootstrap([]stat.Column{column}, stat.Samples, 1)[0]
	return v
}
