package eval

import (
	"cmp"
	"slices"

	"syncabel/internal/prediction"
	"syncabel/internal/stat"
)

// Selective says whether the confidence of first candidates can be trusted: how many would be right if only the most confident
// answers were kept.
type Selective struct {
	N     int             `json:"n"`
	Of    string          `json:"of"` // "probability", or "score" where the predictions have none
	AUROC float64         `json:"auroc"`
	AURC  float64         `json:"aurc"` // mean share of wrong answers over all coverages; 0 is perfect
	Curve []stat.Coverage `json:"curve"`
	// Of probabilities only.
	ECE   float64    `json:"ece,omitempty"`
	Brier float64    `json:"brier,omitempty"`
	Bins  []stat.Bin `json:"reliability,omitempty"`
}

// Points of the coverage-accuracy curve and bins of the reliability diagram.
const (
	coverageSteps   = 20
	reliabilityBins = 10
)

// hasProbabilities: some first candidate has a probability.
func hasProbabilities(preds []prediction.Prediction) bool {
	return slices.ContainsFunc(preds, func(p prediction.Prediction) bool { return len(p.Candidates) > 0 && p.Candidates[0].Probability > 0 })
}

// confidenceOf returns what the confidence of a prediction is: the probability of its first candidate times that of there
// being a right one, or the raw score where there are no probabilities. Abstention has none.
func confidenceOf(preds []prediction.Prediction) func(*prediction.Prediction) float64 {
	probable := hasProbabilities(preds)
	return func(p *prediction.Prediction) float64 {
		switch {
		case len(p.Candidates) == 0:
			return 0
		case probable:
			return p.Candidates[0].Probability * (1 - p.NIL)
		}
		return p.Candidates[0].Score
	}
}

// selective returns nil where confidences do not differ.
func selective(preds []prediction.Prediction, list []outcome) *Selective {
	s := &Selective{N: len(list), Of: "score"}
	values, right := make([]float64, len(list)), make([]bool, len(list))
	slices.SortStableFunc(list, func(a, b outcome) int { return cmp.Compare(a.doc, b.doc) })
	for i, o := range list {
		values[i], right[i] = o.confidence, o.rank == 1
	}
	if len(list) == 0 || slices.Max(values) == slices.Min(values) {
		return nil
	}
	s.AUROC = stat.AUROC(values, right)
	s.Curve, s.AURC = stat.Selective(values, right, coverageSteps)
	if !hasProbabilities(preds) {
		return s
	}
	s.Of = "probability"
	s.Bins = stat.Reliability(values, right, reliabilityBins)
	s.ECE, s.Brier = stat.ECE(s.Bins), stat.Brier(values, right)
	return s
}
