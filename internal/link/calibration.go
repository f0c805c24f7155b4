package link

import (
	"math"
	"slices"

	"syncabel/internal/prediction"
	"syncabel/internal/stat"
)

// Calibration makes the probabilities of candidates, and of none being right, mean what they say: a scaling for every semantic group
// with enough development mentions, and one for the others. It is fitted on development mentions under weights that have not seen
// their documents.
type Calibration struct {
	All    stat.Scaling            `json:"all"`
	Groups map[string]stat.Scaling `json:"groups,omitempty"`
	None   float64                 `json:"none"` // probability of none being right where no Confidence was fitted
}

// Folds that weights are fitted without in turn, and the fewest mentions a semantic group is calibrated by itself on.
const (
	calibrationFolds = 5
	minCalibration   = 100
	// maxFold bounds the mentions that a fold's weights are fitted on; more cost time and move nothing.
	maxFold = 1500
)

// outcomes returns log-probabilities of a mention's candidates and of none, which sum to one.
func outcomes(p []float64, none float64) []float64 {
	out := make([]float64, len(p)+1)
	for i, x := range p {
		out[i] = math.Log(x) + math.Log1p(-none)
	}
	out[len(p)] = math.Log(none)
	return out
}

// least and most keep the probability of none off the ends, where logarithms end.
const least, most = 1e-6, 1 - 1e-6

// calibrate fits on all development mentions.
func calibrate(all []mentionCase, fit func([]mentionCase) *Weights) *Calibration {
	c := &Calibration{None: noneShare(all)}
	byGroup := map[string][]stat.ScalingCase{}
	var cases []stat.ScalingCase
	for k := range calibrationFolds {
		var rest, held []mentionCase
		for _, m := range all {
			if m.fold(calibrationFolds) == k {
				held = append(held, m)
			} else {
				rest = append(rest, m)
			}
		}
		if len(rest) == 0 || len(held) == 0 {
			continue
		}
		w := fit(thin(rest, maxFold))
		none := noneShare(rest)
		for _, m := range held {
			if x, ok := m.scalingCase(w, none); ok {
				cases = append(cases, x)
				byGroup[m.group] = append(byGroup[m.group], x)
			}
		}
	}
	c.All = stat.FitScaling(cases, stat.Scaling{})
	for g, list := range byGroup {
		if len(list) >= minCalibration && len(list) < len(cases) {
			if c.Groups == nil {
				c.Groups = map[string]stat.Scaling{}
			}
			c.Groups[g] = stat.FitScaling(list, c.All)
		}
	}
	return c
}

// noneShare is the share of mentions without a right candidate, smoothed.
func noneShare(all []mentionCase) float64 {
	none := 0.5
	for _, m := range all {
		if !slices.Contains(m.gold, true) {
			none++
		}
	}
	return none / float64(len(all)+1)
}

// thin takes every so many-th of a list.
func thin(list []mentionCase, n int) []mentionCase {
	if len(list) <= n {
		return list
	}
	out := make([]mentionCase, n)
	for i := range out {
		out[i] = list[i*len(list)/n]
	}
	return out
}

// scalingCase is a mention under weights w; false when it has no candidate.
func (c *mentionCase) scalingCase(w *Weights, none float64) (stat.ScalingCase, bool) {
	if len(c.features) == 0 {
		return stat.ScalingCase{}, false
	}
	p := make([]float64, len(c.features))
	for k, f := range c.features {
		p[k] = w.value(f)
	}
	z := logSumExp(p)
	for k := range p {
		p[k] = math.Exp(p[k] - z)
	}
	if f, ok := c.confidenceCase(w); ok && w.Confidence != nil {
		none = w.Confidence.probability(f.f)
	}
	right := append(slices.Clone(c.gold), !slices.Contains(c.gold, true))
	return stat.ScalingCase{LogP: outcomes(p, min(max(none, least), most)), Right: right}, true
}

// apply calibrates the probabilities of ranked candidates and returns that of none being right. Candidates' own probabilities stay
// conditional on one of them being right.
func (c *Calibration) apply(group string, ranked []prediction.Candidate, none float64) float64 {
	if none == 0 {
		none = c.None
	}
	p := make([]float64, len(ranked))
	for i := range ranked {
		p[i] = ranked[i].Probability
	}
	s, ok := c.Groups[group]
	if !ok {
		s = c.All
	}
	out := outcomes(p, min(max(none, least), most))
	s.Apply(out, out)
	none = math.Exp(out[len(p)])
	for i := range ranked {
		ranked[i].Probability = math.Exp(out[i]) / (1 - none)
	}
	return none
}
