package stat

import "slices"

// A Confusion counts pairs of labels of two raters.
type Confusion struct {
	Labels []string `json:"labels"` // of rows and columns
	Counts [][]int  `json:"counts"` // [first rater][second rater]
}

// Confuse counts the pairs of a and b, which have equal length. Labels come in the given order, further ones behind it, sorted.
func Confuse(a, b []string, labels []string) *Confusion {
	labels = slices.Clone(labels)
	var more []string
	for _, l := range slices.Concat(a, b) {
		if !slices.Contains(labels, l) && !slices.Contains(more, l) {
			more = append(more, l)
		}
	}
	slices.Sort(more)
	c := &Confusion{Labels: append(labels, more...)}
	c.Counts = make([][]int, len(c.Labels))
	for i := range c.Counts {
		c.Counts[i] = make([]int, len(c.Labels))
	}
	for i := range a {
		c.Counts[slices.Index(c.Labels, a[i])][slices.Index(c.Labels, b[i])]++
	}
	return c
}

// N is the number of pairs.
func (c *Confusion) N() int {
	n := 0
	for i := range c.Counts {
		row, _ := c.margins(i)
		n += row
	}
	return n
}

// margins are the sums of row i and of column i.
func (c *Confusion) margins(i int) (row, column int) {
	for j := range c.Counts {
		row += c.Counts[i][j]
		column += c.Counts[j][i]
	}
	return row, column
}

// Accuracy is the share of equal pairs.
func (c *Confusion) Accuracy() float64 {
	same := 0
	for i := range c.Counts {
		same += c.Counts[i][i]
	}
	return ratio(float64(same), float64(c.N()))
}

// Kappa is Cohen's kappa (1960), unweighted: agreement beyond what the margins alone would give. It is 0 when nothing can be
// beyond, as where both raters know one label only.
func (c *Confusion) Kappa() float64 {
	n, chance := float64(c.N()), 0.0
	for i := range c.Counts {
		row, column := c.margins(i)
		chance += float64(row) * float64(column)
	}
	if n == 0 || chance == n*n {
		return 0
	}
	chance /= n * n
	return (c.Accuracy() - chance) / (1 - chance)
}

// A Share says how often the second rater is right and complete about a label of the first.
type Share struct {
	N         int     `json:"n"`         // the first rater's
	Precision float64 `json:"precision"` // of the second's, the part that the first gave too
	Recall    float64 `json:"recall"`    // of the first's, the part that the second gave too
	F1        float64 `json:"f1"`
}

// Label returns precision and recall of label i, the first rater being the truth.
func (c *Confusion) Label(i int) Share {
	row, column := c.margins(i)
	hit := float64(c.Counts[i][i])
	return Share{row, ratio(hit, float64(column)), ratio(hit, float64(row)), ratio(2*hit, float64(row+column))}
}
