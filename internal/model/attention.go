package model

import (
	"math"

	"syncabel/internal/kernel"
)

// attention describes one layer's causal attention over examples laid end to end. Queries, keys and values of a row lie
// side by side: qkv (T,(H+2K)*D). Query head h reads key-value head h*K/H.
type attention struct {
	heads, kv, d int
	window       int
	starts       []int32 // first row of each example
	rows         int     // T
	qkv          []float32
	y            []float32 // (T,H*D)
	dy, dqkv     []float32
	scores, dsc  []float32 // (T*K) scratch
}

// example returns the rows [lo,hi) of task i's example and its key-value head.
func (a *attention) example(i int) (lo, hi, head int) {
	e := i / a.kv
	lo, hi = int(a.starts[e]), a.rows
	if e+1 < len(a.starts) {
		hi = int(a.starts[e+1])
	}
	return lo, hi, i % a.kv
}

// first returns the first row that row i of an example starting at lo may attend to.
func (a *attention) first(i, lo int) int {
	if a.window > 0 {
		return max(lo, i-a.window+1)
	}
	return lo
}

// scratch returns the part of buf that belongs to key-value head g of the example at rows [lo,hi).
func (a *attention) scratch(buf []float32, lo, hi, g int) []float32 {
	at := lo*a.kv + g*(hi-lo)
	return buf[at : at+hi-lo]
}

// probabilities fills p with softmax over j in [from,i] of q_i·k_j/sqrt(D).
func (a *attention) probabilities(p, q []float32, from, i, keyAt int) {
	width := (a.heads + 2*a.kv) * a.d
	scale := float32(1 / math.Sqrt(float64(a.d)))
	for j := from; j <= i; j++ {
		at := j*width + keyAt
		p[j-from] = kernel.Dot(q, a.qkv[at:at+a.d]) * scale
	}
	kernel.Softmax(p[:i+1-from])
}

// forward computes task i, one example and one key-value head with all query heads that share it:
//
//	p = softmax over j <= i of q_i·k_j/sqrt(D); y_i = sum over j of p_j*v_j
func (a *attention) forward(task int) {
	lo, hi, g := a.example(task)
	width, group := (a.heads+2*a.kv)*a.d, a.heads/a.kv
	keyAt, valueAt := (a.heads+g)*a.d, (a.heads+a.kv+g)*a.d
	p := a.scratch(a.scores, lo, hi, g)
	for h := g * group; h < (g+1)*group; h++ {
		for i := lo; i < hi; i++ {
			from := a.first(i, lo)
			a.probabilities(p, a.qkv[i*width+h*a.d:i*width+(h+1)*a.d], from, i, keyAt)
			y := a.y[(i*a.heads+h)*a.d : (i*a.heads+h+1)*a.d]
			clear(y)
			for j := from; j <= i; j++ {
				kernel.Axpy(p[j-from], a.qkv[j*width+valueAt:j*width+valueAt+a.d], y)
			}
		}
	}
}

// backward computes task i of the gradient, adding to dqkv. Probabilities are computed again rather than kept, so that
// memory stays linear in the length:
//
//	dv_j += p_j*dy_i; dp_j = dy_i·v_j; ds_j = p_j*(dp_j - sum over j of p_j*dp_j)/sqrt(D); dq_i += ds_j*k_j; dk_j += ds_j*q_i
func (a *attention) backward(task int) {
	lo, hi, g := a.example(task)
	width, group := (a.heads+2*a.kv)*a.d, a.heads/a.kv
	keyAt, valueAt := (a.heads+g)*a.d, (a.heads+a.kv+g)*a.d
	p, ds := a.scratch(a.scores, lo, hi, g), a.scratch(a.dsc, lo, hi, g)
	scale := float32(1 / math.Sqrt(float64(a.d)))
	for h := g * group; h < (g+1)*group; h++ {
		for i := lo; i < hi; i++ {
			from := a.first(i, lo)
			n := i + 1 - from
			q := a.qkv[i*width+h*a.d : i*width+(h+1)*a.d]
			dq := a.dqkv[i*width+h*a.d : i*width+(h+1)*a.d]
			dy := a.dy[(i*a.heads+h)*a.d : (i*a.heads+h+1)*a.d]
			a.probabilities(p, q, from, i, keyAt)
			for j := from; j <= i; j++ {
				at := j*width + valueAt
				kernel.Axpy(p[j-from], dy, a.dqkv[at:at+a.d])
				ds[j-from] = kernel.Dot(dy, a.qkv[at:at+a.d])
			}
			mean := kernel.Dot(p[:n], ds[:n])
			for j := from; j <= i; j++ {
				at := j*width + keyAt
				s := p[j-from] * (ds[j-from] - mean) * scale
				kernel.Axpy(s, a.qkv[at:at+a.d], dq)
				kernel.Axpy(s, q, a.dqkv[at:at+a.d])
			}
		}
	}
}
