package model

import "math"

// rope holds the cosines and sines of the rotary positions computed so far: row p, of D/2 entries, belongs to position p.
// As in transformers, frequencies and angles are rounded to float32.
type rope struct {
	freq     []float32 // D/2
	cos, sin []float32
	rows     int
}

func newRope(cfg Config) *rope {
	d := cfg.headDim()
	r := &rope{freq: make([]float32, d/2)}
	for i := range r.freq {
		f := 1 / math.Pow(cfg.RopeTheta, float64(2*i)/float64(d))
		r.freq[i] = float32(scaleFrequency(cfg.RopeScaling, float64(float32(f))))
	}
	return r
}

// scaleFrequency applies rope_scaling. llama3 keeps high frequencies, divides low ones by the factor and blends between
// (Llama 3.1, arXiv 2407.21783); linear divides all.
func scaleFrequency(s *RopeScaling, f float64) float64 {
	if s == nil {
		return f
	}
	if s.Type == "linear" {
		return f / s.Factor
	}
	old := float64(s.OriginalMaxPos)
	wavelength := 2 * math.Pi / f
	switch {
	case wavelength < old/s.HighFreqFactor:
		return f
	case wavelength > old/s.LowFreqFactor:
		return f / s.Factor
	}
	smooth := (old/wavelength - s.LowFreqFactor) / (s.HighFreqFactor - s.LowFreqFactor)
	return (1-smooth)*f/s.Factor + smooth*f
}

// grow computes the tables for positions below n.
func (r *rope) grow(n int) {
	if n <= r.rows {
		return
	}
	n = max(n, 2*r.rows, 64)
	half := len(r.freq)
	cos, sin := make([]float32, n*half), make([]float32, n*half)
	copy(cos, r.cos)
	copy(sin, r.sin)
	for p := r.rows; p < n; p++ {
		for i, f := range r.freq {
			s, c := math.Sincos(float64(float32(p) * f))
			cos[p*half+i], sin[p*half+i] = float32(c), float32(s)
		}
	}
	r.cos, r.sin, r.rows = cos, sin, n
}

// at returns the cosines and sines (D/2 each) of a position below rows.
func (r *rope) at(pos int) (cos, sin []float32) {
	half := len(r.freq)
	return r.cos[pos*half : (pos+1)*half], r.sin[pos*half : (pos+1)*half]
}
