package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// naiveAttention is the definition of Attention in float64, and with dy the gradient of qkv.
func naiveAttention(a Attention, qkv, dy []float32, seg []int32) (y, dqkv []float64) {
	d, stride := a.Width, (a.Heads+2*a.KVHeads)*a.Width
	rows := int(seg[len(seg)-1])
	y, dqkv = make([]float64, rows*a.Heads*d), make([]float64, rows*stride)
	for s := range len(seg) - 1 {
		for h := range a.Heads {
			k, v := (a.Heads+h*a.KVHeads/a.Heads)*d, (a.Heads+a.KVHeads+h*a.KVHeads/a.Heads)*d
			for i := int(seg[s]); i < int(seg[s+1]); i++ {
				from := int(seg[s])
				if a.Window > 0 {
					from = max(from, i-a.Window+1)
				}
				p, sum := make([]float64, i-from+1), 0.0
				for j := range p {
					for l := range d {
						p[j] += float64(qkv[i*stride+h*d+l]) * float64(qkv[(from+j)*stride+k+l])
					}
					p[j] = math.Exp(p[j] / math.Sqrt(float64(d)))
					sum += p[j]
				}
				dp, mean := make([]float64, len(p)), 0.0
				for j := range p {
					p[j] /= sum
					for l := range d {
						y[(i*a.Heads+h)*d+l] += p[j] * float64(qkv[(from+j)*stride+v+l])
						dp[j] += float64(dy[(i*a.Heads+h)*d+l]) * float64(qkv[(from+j)*stride+v+l])
						dqkv[(from+j)*stride+v+l] += p[j] * float64(dy[(i*a.Heads+h)*d+l])
					}
					mean += p[j] * dp[j]
				}
				for j := range p {
					ds := p[j] * (dp[j] - mean) / math.Sqrt(float64(d))
					for l := range d {
						dqkv[i*stride+h*d+l] += ds * float64(qkv[(from+j)*stride+k+l])
						dqkv[(from+j)*stride+k+l] += ds * float64(qkv[i*stride+h*d+l])
					}
				}
			}
		}
	}
	return y, dqkv
}

func near(t *testing.T, what string, got []float32, want []float64) {
	t.Helper()
	for i, w := range want {
		if math.Abs(float64(got[i])-w) > 3e-5*(1+math.Abs(w)) {
			t.Fatalf("%s[%d] = %g, want %g", what, i, got[i], w)
		}
	}
}

func TestAttentionAgainstDefinition(t *testing.T) {
	seg := []int32{0, 1, 4, 24, 24 + 49, 24 + 49 + 130}
	rows := int(seg[len(seg)-1])
	eachVariant(t, func(t *testing.T) {
		for _, a := range []Attention{{4, 4, 16, 0}, {4, 2, 64, 0}, {2, 1, 6, 0}, {2, 2, 40, 7}, {3, 1, 16, 50}} {
			n := rows * (a.Heads + 2*a.KVHeads) * a.Width
			qkv, dy := randoms(n, 1), randoms(rows*a.Heads*a.Width, 2)
			want, wantD := naiveAttention(a, qkv, dy, seg)
			var first []float32
			for _, threads := range []int{1, 2, 3} {
				pool := NewPool(threads)
				y, dqkv := make([]float32, len(dy)), randoms(n, 3)
				a.Forward(pool, y, qkv, seg)
				near(t, fmt.Sprint(a, " y"), y, want)
				a.Backward(pool, dqkv, dy, qkv, seg)
				near(t, fmt.Sprint(a, " dqkv"), dqkv, wantD)
				if first == nil {
					first = append(y, dqkv...)
				}
				if !slices.Equal(first, append(y, dqkv...)) {
					t.Fatalf("%v: %d threads give other bits than one", a, threads)
				}
				pool.Close()
			}
		}
	})
}

func TestPathAttentionAgainstDefinition(t *testing.T) {
	const nodes = 60
	eachVariant(t, func(t *testing.T) {
		for _, a := range []Attention{{4, 4, 16, 0}, {4, 2, 64, 0}, {2, 1, 6, 0}, {2, 2, 40, 7}, {1, 1, 72, 0}} {
			d, stride := a.Width, (a.Heads+2*a.KVHeads)*a.Width
			kv, qkv := randoms(nodes*2*a.KVHeads*d, 1), randoms(20*stride, 2)
			path := func(row int) (p []int32, node int32) {
				for j := range 2 * row {
					p = append(p, int32((j*7+row)%nodes))
				}
				return p, int32(nodes - 1 - row)
			}
			y := make([]float32, 20*a.Heads*d)
			PathAttention{a, path}.Run(nil, 20, 2*19, y, qkv, kv)
			for i := range 20 {
				// the same as an example of the path's keys whose last query is the row's
				p, own := path(i)
				if a.Window > 0 {
					p = p[max(0, len(p)-a.Window+1):]
				}
				ex := make([]float32, (len(p)+1)*stride)
				for j, n := range append(p, own) {
					copy(ex[j*stride+a.Heads*d:(j+1)*stride], kv[int(n)*2*a.KVHeads*d:])
				}
				copy(ex[len(p)*stride:], qkv[i*stride:i*stride+a.Heads*d])
				want, _ := naiveAttention(a, ex, make([]float32, (len(p)+1)*a.Heads*d), []int32{0, int32(len(p) + 1)})
				near(t, fmt.Sprint(a, " row ", i), y[i*a.Heads*d:(i+1)*a.Heads*d], want[len(p)*a.Heads*d:])
			}
		}
	})
}
