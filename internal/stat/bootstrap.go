// Package stat holds the statistics that every table needs: bootstrap intervals over documents, paired tests. It knows
// counts, not mentions; eval and report build on it.
//
// Mentions of one document are alike, so documents are resampled, never mentions (Efron and Tibshirani 1993, the cluster
// bootstrap).
package stat

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
)

// An Interval is a value with its bounds.
type Interval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// A Column is one ratio to be bootstrapped: per document, a numerator and a denominator. Both have one entry a document.
type Column struct {
	Num, Den []float64
}

// Samples is how many resamples intervals rest on when the caller does not say.
const Samples = 1000

// Level is the coverage of intervals.
const Level = 0.95

// Bootstrap returns, for each column, sum(Num)/sum(Den) with its percentile interval over resampled documents. All columns
// see the same resamples. A column without denominator is NaN-free: all zero.
func Bootstrap(columns []Column, samples int, seed uint64) []Interval {
	draws := Resample(columns, samples, seed)
	out := make([]Interval, len(columns))
	for c, col := range columns {
		out[c] = IntervalOf(col.Ratio(), draws[c])
	}
	return out
}

// A Test is the difference of two systems over the same documents.
type Test struct {
	Difference float64 `json:"difference"`
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	P          float64 `json:"p"` // two-sided, from the share of resamples on the other side of zero
}

// Paired bootstraps the difference a-b of two columns over the same documents.
func Paired(a, b Column, samples int, seed uint64) Test {
	draws := Resample([]Column{a, b}, samples, seed)
	return TestOf(a.Ratio()-b.Ratio(), draws[0], draws[1])
}

// TestOf is the test of a difference with the resamples of both sides, paired.
func TestOf(difference float64, a, b []float64) Test {
	diff := make([]float64, len(a))
	below, above := 0, 0
	for i := range diff {
		diff[i] = a[i] - b[i]
		if diff[i] <= 0 {
			below++
		}
		if diff[i] >= 0 {
			above++
		}
	}
	iv := IntervalOf(difference, diff)
	p := 2 * float64(min(below, above)+1) / float64(len(diff)+1)
	return Test{iv.Value, iv.Low, iv.High, math.Min(p, 1)}
}

// Resample returns, per column, the ratio of each resample. A sample depends on the seed and its number only, so columns of
// two calls can be paired.
func Resample(columns []Column, samples int, seed uint64) [][]float64 {
	out := make([][]float64, len(columns))
	for c := range out {
		out[c] = make([]float64, samples)
	}
	if len(columns) == 0 {
		return out
	}
	t := newTable(columns)
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wg.Go(func() {
			times, sums := make([]float64, t.docs), make([]float64, t.width)
			for s := w; s < samples; s += workers {
				draw(times, seed, s)
				t.sum(times, sums)
				for c := range columns {
					out[c][s] = ratio(sums[t.num[c]], sums[t.den[c]])
				}
			}
		})
	}
	wg.Wait()
	return out
}

// A table holds what columns are made of side by side, a row a document, each slice once: the measures of a stratum share
// their denominator. One pass over the rows then serves every column, which is what makes many strata cheap.
type table struct {
	docs, width int
	rows        []float64
	num, den    []int // of each column
}

func newTable(columns []Column) *table {
	t := &table{docs: len(columns[0].Num)}
	at := map[*float64]int{}
	var parts [][]float64
	place := func(x []float64) int {
		if len(x) == 0 {
			return 0
		}
		i, ok := at[&x[0]]
		if !ok {
			i = len(parts)
			at[&x[0]], parts = i, append(parts, x)
		}
		return i
	}
	for _, c := range columns {
		t.num, t.den = append(t.num, place(c.Num)), append(t.den, place(c.Den))
	}
	t.width = max(len(parts), 1)
	t.rows = make([]float64, t.docs*t.width)
	for j, x := range parts {
		for d, v := range x {
			t.rows[d*t.width+j] = v
		}
	}
	return t
}

// sum adds up the rows, each as often as its document was drawn.
func (t *table) sum(times, sums []float64) {
	clear(sums)
	for d, n := range times {
		if n == 0 {
			continue
		}
		row := t.rows[d*t.width:][:len(sums)]
		for j, v := range row {
			sums[j] += n * v
		}
	}
}

// draw counts how often each document is drawn.
func draw(times []float64, seed uint64, sample int) {
	clear(times)
	rng := rand.New(rand.NewPCG(seed, uint64(sample)))
	for range times {
		times[rng.IntN(len(times))]++
	}
}

// Ratio is the column's value over all documents; 0 without a denominator.
func (c Column) Ratio() float64 { return ratio(c.sum()) }

// N is the sum of the denominators, the number of mentions in columns that count them.
func (c Column) N() int {
	_, den := c.sum()
	return int(den)
}

func (c Column) sum() (num, den float64) {
	for i := range c.Num {
		num += c.Num[i]
		den += c.Den[i]
	}
	return num, den
}

func ratio(num, den float64) float64 {
	if den == 0 {
		return 0
	}
	return num / den
}

// IntervalOf returns a value with the percentile interval of its resamples.
func IntervalOf(value float64, draws []float64) Interval {
	if len(draws) == 0 {
		return Interval{value, value, value}
	}
	sorted := slices.Clone(draws)
	slices.Sort(sorted)
	return Interval{value, Quantile(sorted, (1-Level)/2), Quantile(sorted, 1-(1-Level)/2)}
}

// Quantile returns the q-quantile of sorted values, interpolated linearly (type 7, numpy's default).
func Quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	lo := int(at)
	if lo+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[lo] + (at-float64(lo))*(sorted[lo+1]-sorted[lo])
}

// McNemar returns the exact two-sided p-value of b and c discordant pairs (binomial test against one half).
func McNemar(b, c int) float64 {
	n, k := b+c, min(b, c)
	if n == 0 {
		return 1
	}
	p := 0.0
	for i := 0; i <= k; i++ {
		p += math.Exp(lchoose(n, i) - float64(n)*math.Ln2)
	}
	return math.Min(2*p, 1)
}

func lchoose(n, k int) float64 {
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c
}
