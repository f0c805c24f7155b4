package link

import (
	"math"
	"slices"

	"syncabel/internal/prediction"
	"syncabel/internal/stat"
)

// Methods of calibration.
const (
	CalibrateAuto     = "auto"     // whichever of the others a cross-validation over development documents prefers, for each group
	CalibrateScaling  = "scaling"  // temperature and a bias on none being right
	CalibrateIsotonic = "isotonic" // rising curves on top of it, which say more and need more mentions
	CalibrateNone     = "none"
)

// CalibrationMethods returns every method.
func CalibrationMethods() []string {
	return []string{CalibrateAuto, CalibrateScaling, CalibrateIsotonic, CalibrateNone}
}

// Calibration makes the probabilities of candidates, and of none being right, mean what they say: one calibrator for every semantic group
// with enough development mentions, and one for the others. It is fitted on development mentions under weights that have not seen
// their documents.
type Calibration struct {
	All    Calibrator            `json:"all"`
	Groups map[string]Calibrator `json:"groups,omitempty"`
	None   float64               `json:"none"` // probability of none being right where no Confidence was fitted
	// Held is how each method did on development documents that it had not seen, by method.
	Held map[string]Held `json:"held_out,omitempty"`
}

// A Calibrator is a scaling and, where it was worth it, curves behind it.
type Calibrator struct {
	stat.Scaling
	Curves *stat.Isotonic `json:"isotonic,omitempty"`
}

// Held says how calibrated the confidence of first candidates was.
type Held struct {
	Mentions int     `json:"mentions"`
	ECE      float64 `json:"ece"`
	Brier    float64 `json:"brier"`
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

// heldCase is a mention under weights that have not seen its document.
type heldCase struct {
	stat.ScalingCase
	group string
	fold  int
}

// calibrate fits on all development mentions by a method, nil for CalibrateNone. Refit fits weights on some of them.
func calibrate(all []mentionCase, method string, refit func([]mentionCase) *Weights) *Calibration {
	if method == CalibrateNone {
		return nil
	}
	var cases []heldCase
	count := map[string]int{}
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
		w := refit(thin(rest, maxFold))
		none := noneShare(rest)
		for _, m := range held {
			if x, ok := m.scalingCase(w, none); ok {
				cases = append(cases, heldCase{x, m.group, k})
				count[m.group]++
			}
		}
	}
	c := &Calibration{None: noneShare(all), Held: map[string]Held{}}
	for _, m := range []string{CalibrateNone, CalibrateScaling, CalibrateIsotonic} {
		c.Held[m] = heldOut(cases, m)
	}
	c.All = fitCalibrator(cases, resolve(cases, method), stat.Scaling{})
	for g, n := range count {
		if n >= minCalibration && n < len(cases) {
			own := ofGroup(cases, g)
			if c.Groups == nil {
				c.Groups = map[string]Calibrator{}
			}
			c.Groups[g] = fitCalibrator(own, resolve(own, method), c.All.Scaling)
		}
	}
	return c
}

func ofGroup(cases []heldCase, group string) []heldCase {
	return slices.DeleteFunc(slices.Clone(cases), func(c heldCase) bool { return c.group != group })
}

// resolve decides CalibrateAuto by the Brier score on documents held out.
func resolve(cases []heldCase, method string) string {
	if method != CalibrateAuto {
		return method
	}
	if heldOut(cases, CalibrateIsotonic).Brier < heldOut(cases, CalibrateScaling).Brier {
		return CalibrateIsotonic
	}
	return CalibrateScaling
}

func fitCalibrator(cases []heldCase, method string, start stat.Scaling) Calibrator {
	list := make([]stat.ScalingCase, len(cases))
	for i := range cases {
		list[i] = cases[i].ScalingCase
	}
	c := Calibrator{Scaling: stat.FitScaling(list, start)}
	if method != CalibrateIsotonic || len(cases) == 0 {
		return c
	}
	for i := range list {
		list[i].LogP = slices.Clone(list[i].LogP)
		c.Scaling.Apply(list[i].LogP, list[i].LogP)
	}
	curves := stat.FitIsotonic(list)
	c.Curves = &curves
	return c
}

// heldOut scores a method on each fold's mentions, fitted on the others'.
func heldOut(cases []heldCase, method string) Held {
	var confidence []float64
	var right []bool
	for k := range calibrationFolds {
		fit := fitCalibrator(slices.DeleteFunc(slices.Clone(cases), func(c heldCase) bool { return c.fold == k }), method, stat.Scaling{})
		for _, c := range cases {
			if c.fold != k {
				continue
			}
			answers := c.LogP[:len(c.LogP)-1]
			first := slices.Index(answers, slices.Max(answers))
			p := slices.Clone(c.LogP)
			if method != CalibrateNone {
				fit.apply(p)
			}
			confidence, right = append(confidence, math.Exp(p[first])), append(right, c.Right[first])
		}
	}
	return Held{len(right), stat.ECE(stat.Reliability(confidence, right, 10)), stat.Brier(confidence, right)}
}

// apply calibrates log-probabilities in place.
func (c Calibrator) apply(logP []float64) {
	c.Scaling.Apply(logP, logP)
	if c.Curves != nil {
		c.Curves.Apply(logP, logP)
	}
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
	s.apply(out)
	none = math.Exp(out[len(p)])
	for i := range ranked {
		ranked[i].Probability = math.Exp(out[i]) / (1 - none)
	}
	return none
}
