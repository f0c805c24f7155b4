package stat

import "slices"

// AUROC returns the area under the receiver operating characteristic: the probability that a positive scores above a
// negative, ties counting half (Mann-Whitney). It is 0.5 when either kind is missing.
func AUROC(scores []float64, positive []bool) float64 {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case scores[a] < scores[b]:
			return -1
		case scores[a] > scores[b]:
			return 1
		}
		return 0
	})
	var ranks, n1, n0 float64
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && scores[order[j]] == scores[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			if positive[k] {
				ranks += float64(i+j+1) / 2 // mean of the ranks i+1 to j
				n1++
			} else {
				n0++
			}
		}
		i = j
	}
	if n1 == 0 || n0 == 0 {
		return 0.5
	}
	return (ranks - n1*(n1+1)/2) / (n1 * n0)
}
