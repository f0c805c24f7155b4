package stat

import "math"

// Scaling calibrates probabilities over outcomes of which one is "none of them" (temperature scaling, Guo et al. 2017, arXiv
// 1706.04599, with a bias on that one outcome): log-probabilities are multiplied by Sharpness, the one of "none" is raised by Bias,
// and all are normalised again. The order of the others does not change.
type Scaling struct {
	Sharpness float64 `json:"sharpness"` // one over the temperature
	Bias      float64 `json:"none_bias"`
	Cases     int     `json:"cases"` // it was fitted on
}

// A ScalingCase is one prediction: log-probabilities of its outcomes, the last of them "none", and which turned out to be right.
type ScalingCase struct {
	LogP  []float64
	Right []bool // of LogP; several when any counts
}

// Apply writes the calibrated log-probabilities of a case into dst, which may be the case's own.
func (s Scaling) Apply(dst, logP []float64) {
	top := math.Inf(-1)
	for i, x := range logP {
		dst[i] = s.Sharpness * x
		if i == len(logP)-1 {
			dst[i] += s.Bias
		}
		top = math.Max(top, dst[i])
	}
	sum := 0.0
	for _, x := range dst {
		sum += math.Exp(x - top)
	}
	for i := range dst {
		dst[i] -= top + math.Log(sum)
	}
}

// scalingRidge is the weight, in cases, of the pull towards the scaling fitting starts from.
const scalingRidge = 10

// FitScaling maximises the likelihood of what turned out right by Newton's method, with a pull towards start that a few dozen cases
// outweigh. The zero start means no scaling at all.
func FitScaling(cases []ScalingCase, start Scaling) Scaling {
	if start == (Scaling{}) {
		start.Sharpness = 1
	}
	s := start
	const steps = 50
	for range steps {
		// Gradient g and Hessian h of the penalised log-likelihood in (Sharpness, Bias).
		g := [2]float64{-scalingRidge * (s.Sharpness - start.Sharpness), -scalingRidge * (s.Bias - start.Bias)}
		h := [3]float64{scalingRidge, 0, scalingRidge}
		for _, c := range cases {
			s.newton(c, &g, &h)
		}
		det := h[0]*h[2] - h[1]*h[1]
		if det <= 0 {
			break
		}
		d0, d1 := (h[2]*g[0]-h[1]*g[1])/det, (h[0]*g[1]-h[1]*g[0])/det
		s.Sharpness = math.Max(s.Sharpness+clamp(d0), minSharpness)
		s.Bias += clamp(d1)
		if math.Abs(d0)+math.Abs(d1) < 1e-9 {
			break
		}
	}
	s.Cases = len(cases)
	return s
}

// minSharpness keeps the order of outcomes.
const minSharpness = 0.01

func clamp(x float64) float64 { return math.Max(-1, math.Min(1, x)) }

// newton adds a case to gradient and Hessian. Both are differences of moments under what is predicted and under what is right.
func (s Scaling) newton(c ScalingCase, g *[2]float64, h *[3]float64) {
	p := make([]float64, len(c.LogP))
	s.Apply(p, c.LogP)
	right := 0.0
	for i := range p {
		if p[i] = math.Exp(p[i]); c.Right[i] {
			right += p[i]
		}
	}
	if right == 0 {
		return
	}
	var all, won moments
	for i, x := range c.LogP {
		x = math.Max(x, floorLogP)
		none := 0.0
		if i == len(p)-1 {
			none = 1
		}
		all.add(p[i], x, none)
		if c.Right[i] {
			won.add(p[i]/right, x, none)
		}
	}
	g[0] += won.x - all.x
	g[1] += won.n - all.n
	h[0] += all.xx - all.x*all.x - (won.xx - won.x*won.x)
	h[1] += all.xn - all.x*all.n - (won.xn - won.x*won.n)
	h[2] += all.nn - all.n*all.n - (won.nn - won.n*won.n)
}

// floorLogP keeps outcomes that are as good as impossible out of the moments.
const floorLogP = -50

// moments of the log-probability x and of being the outcome "none".
type moments struct{ x, n, xx, xn, nn float64 }

func (m *moments) add(p, x, none float64) {
	m.x += p * x
	m.n += p * none
	m.xx += p * x * x
	m.xn += p * x * none
	m.nn += p * none
}
