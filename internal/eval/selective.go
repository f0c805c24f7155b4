package eval

import (
	"cmp"
	"math"
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

// Calibration compares how calibrated two systems are over the same documents: the expected calibration error of each with its interval,
// and their paired difference. The error of a resample has a bias upwards that both sides share.
func Calibration(a, b []prediction.Prediction, opt Options) (x, y stat.Interval, difference stat.Test) {
	opt.Protocol, opt.Samples = cmp.Or(opt.Protocol, Strict), cmp.Or(opt.Samples, stat.Samples)
	one := gaps(a, opt)
	columns := append(one, gaps(b, opt)...)
	if len(columns[0].Num) == 0 || len(columns[0].Num) != len(columns[len(one)].Num) {
		return x, y, difference
	}
	draws := stat.Resample(columns, opt.Samples, opt.Seed)
	sides := [2]stat.Interval{}
	var errors [2][]float64
	for side := range sides {
		value := 0.0
		errors[side] = make([]float64, opt.Samples)
		for i := side * reliabilityBins; i < (side+1)*reliabilityBins; i++ {
			value += math.Abs(columns[i].Ratio())
			for s, d := range draws[i] {
				errors[side][s] += math.Abs(d)
			}
		}
		sides[side] = stat.IntervalOf(value, errors[side])
	}
	return sides[0], sides[1], stat.TestOf(sides[0].Value-sides[1].Value, errors[0], errors[1])
}

// gaps are the bins of the reliability diagram as columns over documents: confidence minus right answers, per mention of any bin.
func gaps(preds []prediction.Prediction, opt Options) []stat.Column {
	var scratch Result
	var list []outcome
	confidence := confidenceOf(preds)
	for i := range preds {
		if o, ok := scratch.outcome(&preds[i], opt); ok {
			o.confidence = confidence(&preds[i])
			list = append(list, o)
		}
	}
	docs := documents(list)
	den := make([]float64, len(docs))
	out := make([]stat.Column, reliabilityBins)
	for i := range out {
		out[i] = stat.Column{Num: make([]float64, len(docs)), Den: den}
	}
	for _, o := range list {
		d := docs[o.doc]
		den[d]++
		out[stat.BinOf(o.confidence, reliabilityBins)].Num[d] += o.confidence - within(o.rank, 1)
	}
	return out
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
