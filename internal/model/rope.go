package model

import (
	"fmt"
	"math"
)

// Rope is rope_parameters of transformers 5.
type Rope struct {
	Theta   float64 `json:"rope_theta"`
	Partial float64 `json:"partial_rotary_factor"`
	Scaling
}

// Scaling is a frequency scaling: "llama3" (Llama 3.1 and later) or "linear" (all positions divided by Factor).
type Scaling struct {
	Type     string  `json:"rope_type"`
	Old      string  `json:"type,omitempty"` // how older files write rope_type
	Factor   float64 `json:"factor"`
	Low      float64 `json:"low_freq_factor,omitempty"`
	High     float64 `json:"high_freq_factor,omitempty"`
	Original int     `json:"original_max_position_embeddings,omitempty"`
}

// foldRope brings both written forms of the rotary settings into RopeTheta and Scaling.
func (c *Config) foldRope() error {
	if r := c.Rope; r != nil {
		if r.Partial != 0 && r.Partial != 1 {
			return fmt.Errorf("partial_rotary_factor %g is not supported", r.Partial)
		}
		c.RopeTheta, c.Scaling, c.Rope = r.Theta, &r.Scaling, nil
	}
	if c.RopeTheta == 0 {
		c.RopeTheta = 10000
	}
	s := c.Scaling
	if s == nil {
		return nil
	}
	if s.Type == "" {
		s.Type, s.Old = s.Old, ""
	}
	switch {
	case s.Type == "default" || s.Type == "":
		c.Scaling = nil
	case s.Type != "llama3" && s.Type != "linear":
		return fmt.Errorf("rope_type %q is not supported", s.Type)
	case !(s.Factor > 0):
		return fmt.Errorf("rope scaling factor %g is not positive", s.Factor)
	case s.Type == "llama3" && !(s.Low > 0 && s.High > s.Low && s.Original > 0):
		return fmt.Errorf("rope_type llama3 needs 0 < low_freq_factor < high_freq_factor and original_max_position_embeddings")
	}
	return nil
}

// frequencies returns the angular frequency of each of the D/2 rotary pairs.
func (c *Config) frequencies() []float64 {
	f := make([]float64, c.HeadWidth/2)
	for i := range f {
		f[i] = math.Pow(c.RopeTheta, -2*float64(i)/float64(c.HeadWidth))
		if s := c.Scaling; s != nil {
			f[i] = s.scale(f[i])
		}
	}
	return f
}

// scale slows down the low frequencies and leaves the high ones, smoothly in between (Llama 3.1's rule); linear scaling slows
// down all.
func (s *Scaling) scale(f float64) float64 {
	if s.Type == "linear" {
		return f / s.Factor
	}
	wave := 2 * math.Pi / f
	low, high := float64(s.Original)/s.Low, float64(s.Original)/s.High
	switch {
	case wave < high:
		return f
	case wave > low:
		return f / s.Factor
	}
	smooth := (float64(s.Original)/wave - s.Low) / (s.High - s.Low)
	return (1-smooth)*f/s.Factor + smooth*f
}

// rope returns cos and sin (positions, D/2) of positions [0,n).
func (c *Config) rope(n int) (cos, sin []float32) {
	f := c.frequencies()
	cos, sin = make([]float32, n*len(f)), make([]float32, n*len(f))
	for p := range n {
		for i, w := range f {
			s, co := math.Sincos(float64(p) * w)
			cos[p*len(f)+i], sin[p*len(f)+i] = float32(co), float32(s)
		}
	}
	return cos, sin
}
