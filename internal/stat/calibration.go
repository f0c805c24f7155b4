package stat

import (
	"cmp"
	"math"
	"slices"
)

// A Bin is one interval of predicted probability with what happened in it.
type Bin struct {
	Low        float64 `json:"low"` // of the probability; the last bin includes its upper edge
	High       float64 `json:"high"`
	N          int     `json:"n"`
	Confidence float64 `json:"confidence"` // mean probability
	Accuracy   float64 `json:"accuracy"`   // share that was right
}

// Reliability sorts predictions into bins of equal width over [0,1] (Guo et al. 2017, arXiv 1706.04599). Empty bins stay, with N 0.
func Reliability(probability []float64, right []bool, bins int) []Bin {
	out := make([]Bin, bins)
	for i := range out {
		out[i].Low, out[i].High = float64(i)/float64(bins), float64(i+1)/float64(bins)
	}
	for i, p := range probability {
		b := &out[BinOf(p, bins)]
		b.N++
		b.Confidence += p
		if right[i] {
			b.Accuracy++
		}
	}
	for i := range out {
		if n := float64(out[i].N); n > 0 {
			out[i].Confidence /= n
			out[i].Accuracy /= n
		}
	}
	return out
}

// BinOf is the number of a probability's bin.
func BinOf(p float64, bins int) int { return min(max(int(p*float64(bins)), 0), bins-1) }

// ECE is the expected calibration error of bins: the mean distance of confidence and accuracy, weighted by N.
func ECE(bins []Bin) float64 {
	sum, n := 0.0, 0
	for _, b := range bins {
		sum += float64(b.N) * math.Abs(b.Confidence-b.Accuracy)
		n += b.N
	}
	return ratio(sum, float64(n))
}

// Brier is the mean squared distance of probabilities and what happened.
func Brier(probability []float64, right []bool) float64 {
	sum := 0.0
	for i, p := range probability {
		if right[i] {
			p = 1 - p
		}
		sum += p * p
	}
	return ratio(sum, float64(len(probability)))
}

// A Coverage is a point of a coverage-accuracy curve: of the N most confident answers, a share of all, so many were right.
type Coverage struct {
	Coverage float64 `json:"coverage"`
	Accuracy float64 `json:"accuracy"`
	N        int     `json:"n"`
	Least    float64 `json:"least"` // confidence of the last answer kept
}

// Selective returns the coverage-accuracy curve at steps equal shares of the answers, the most confident first, and the area
// under the risk-coverage curve (El-Yaniv and Wiener 2010), the mean share of wrong answers over all coverages: 0 is perfect.
// Answers of equal confidence are kept or left together in the area's mean: each counts with the share right among them.
func Selective(confidence []float64, right []bool, steps int) ([]Coverage, float64) {
	n := len(confidence)
	if n == 0 {
		return nil, 0
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(confidence[b], confidence[a]) })
	hits := make([]float64, n+1) // right among the first k, ties sharing evenly
	for i := 0; i < n; {
		j, r := i, 0.0
		for ; j < n && confidence[order[j]] == confidence[order[i]]; j++ {
			if right[order[j]] {
				r++
			}
		}
		for k := i; k < j; k++ {
			hits[k+1] = hits[i] + r*float64(k+1-i)/float64(j-i)
		}
		i = j
	}
	area := 0.0
	for k := 1; k <= n; k++ {
		area += (1 - hits[k]/float64(k)) / float64(n)
	}
	var curve []Coverage
	for s := 1; s <= steps; s++ {
		k := (n*s + steps - 1) / steps
		curve = append(curve, Coverage{float64(k) / float64(n), hits[k] / float64(k), k, confidence[order[k-1]]})
	}
	return curve, area
}
