package ranker

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Trees is a sum of regression trees. A mention's candidates compete in a softmax over their sums; every tree climbs the
// log-likelihood of the gold with second-order leaves (Chen and Guestrin 2016, arXiv 1603.02754, with a softmax over each list as
// in ListNet).
type Trees []Tree

// A Tree is nodes in arrays; node 0 is the root.
type Tree struct {
	Feature []int16   `json:"feature"` // -1: a leaf
	Cut     []float32 `json:"cut"`     // go left when the feature is at most the cut
	Left    []int16   `json:"left"`
	Right   []int16   `json:"right"`
	Value   []float32 `json:"value"` // of a leaf
}

// BoostOptions say how trees are grown. The defaults are the better of four settings on the development splits of ncbi-disease
// and hpo-gsc.
type BoostOptions struct {
	Rounds  int     // trees; default 120
	Rate    float64 // step of each; default 0.07
	Leaves  int     // of a tree; default 12
	MinHess float64 // smallest weight of a leaf; default 1
	L2      float64 // pull of leaves to zero; default 1
	Columns float64 // part of the features a tree may use; default 0.7
	Rows    float64 // part of the mentions a tree sees; default 0.8
	Seed    uint64
}

func (o BoostOptions) withDefaults() BoostOptions {
	set := func(x *float64, v float64) {
		if *x == 0 {
			*x = v
		}
	}
	if o.Rounds == 0 {
		o.Rounds = 120
	}
	if o.Leaves == 0 {
		o.Leaves = 12
	}
	set(&o.Rate, 0.07)
	set(&o.MinHess, 1)
	set(&o.L2, 1)
	set(&o.Columns, 0.7)
	set(&o.Rows, 0.8)
	return o
}

// A List is one mention's candidates: features of each, and which are right.
type List struct {
	X      [][]float32
	Gold   []bool
	Hidden bool // the training annotations of its concept were hidden; a model may have learnt from them all the same
}

// mean returns trees whose score is the mean of several's.
func mean(list ...Trees) Trees {
	var out Trees
	for _, trees := range list {
		for _, t := range trees {
			t.Value = slices.Clone(t.Value)
			for i := range t.Value {
				t.Value[i] /= float32(len(list))
			}
			out = append(out, t)
		}
	}
	return out
}

// maxBins is the number of intervals a feature is cut into for finding splits.
const maxBins = 64

func (t *Tree) at(x []float32) float32 {
	i := int16(0)
	for t.Feature[i] >= 0 {
		if x[t.Feature[i]] <= t.Cut[i] {
			i = t.Left[i]
		} else {
			i = t.Right[i]
		}
	}
	return t.Value[i]
}

// Score is the log-odds of a candidate up to a constant of its mention.
func (t Trees) Score(x []float32) float64 {
	s := 0.0
	for i := range t {
		s += float64(t[i].at(x))
	}
	return s
}

// booster is the state of training.
type booster struct {
	opt   BoostOptions
	rows  [][]float32
	gold  []bool
	start []int       // first row of each list, and the end
	cuts  [][]float32 // by feature
	bin   [][]uint8   // by feature and row
	score []float64
	grad  []float64
	hess  []float64
}

// Boost grows trees on the lists that hold a gold candidate beside another. Same lists and options, same trees.
func Boost(lists []List, features int, opt BoostOptions) Trees {
	b := &booster{opt: opt.withDefaults()}
	for _, l := range lists {
		if len(l.X) < 2 || !slices.Contains(l.Gold, true) {
			continue
		}
		b.start = append(b.start, len(b.rows))
		b.rows = append(b.rows, l.X...)
		b.gold = append(b.gold, l.Gold...)
	}
	b.start = append(b.start, len(b.rows))
	if len(b.rows) == 0 {
		return nil
	}
	for f := range features {
		b.cut(f)
	}
	n := len(b.rows)
	b.score, b.grad, b.hess = make([]float64, n), make([]float64, n), make([]float64, n)
	rng := rand.New(rand.NewPCG(b.opt.Seed, 7))
	var out Trees
	for range b.opt.Rounds {
		b.gradients()
		t := b.grow(b.sample(rng), b.columns(rng, features))
		out = append(out, t)
		for i, x := range b.rows {
			b.score[i] += float64(t.at(x))
		}
	}
	return out
}

// cut divides a feature at quantiles, between distinct values where they are few.
func (b *booster) cut(f int) {
	sorted := make([]float32, len(b.rows))
	for i, x := range b.rows {
		sorted[i] = x[f]
	}
	slices.Sort(sorted)
	distinct := slices.Compact(slices.Clone(sorted))
	var cuts []float32
	if len(distinct) <= maxBins {
		for i := 0; i+1 < len(distinct); i++ {
			cuts = append(cuts, (distinct[i]+distinct[i+1])/2)
		}
	} else {
		for k := 1; k < maxBins; k++ {
			cuts = append(cuts, sorted[k*len(sorted)/maxBins])
		}
		cuts = slices.Compact(cuts)
		if cuts[len(cuts)-1] == sorted[len(sorted)-1] {
			cuts = cuts[:len(cuts)-1]
		}
	}
	bin := make([]uint8, len(b.rows))
	for i, x := range b.rows {
		k, _ := slices.BinarySearch(cuts, x[f])
		bin[i] = uint8(k)
	}
	b.cuts, b.bin = append(b.cuts, cuts), append(b.bin, bin)
}

// gradients of the log-likelihood of the gold of each list.
func (b *booster) gradients() {
	for l := 0; l+1 < len(b.start); l++ {
		lo, hi := b.start[l], b.start[l+1]
		top := slices.Max(b.score[lo:hi])
		var z, zg float64
		for i := lo; i < hi; i++ {
			e := math.Exp(b.score[i] - top)
			z += e
			if b.gold[i] {
				zg += e
			}
		}
		for i := lo; i < hi; i++ {
			e := math.Exp(b.score[i] - top)
			p := e / z
			b.grad[i], b.hess[i] = -p, math.Max(p*(1-p), 1e-6)
			if b.gold[i] {
				b.grad[i] += e / zg
			}
		}
	}
}

// sample draws the rows of a part of the lists.
func (b *booster) sample(rng *rand.Rand) []int32 {
	var rows []int32
	for l := 0; l+1 < len(b.start); l++ {
		if rng.Float64() >= b.opt.Rows {
			continue
		}
		for i := b.start[l]; i < b.start[l+1]; i++ {
			rows = append(rows, int32(i))
		}
	}
	return rows
}

// columns draws a part of the features that vary.
func (b *booster) columns(rng *rand.Rand, features int) []int {
	var cols []int
	for f := range features {
		if len(b.cuts[f]) > 0 && rng.Float64() < b.opt.Columns {
			cols = append(cols, f)
		}
	}
	return cols
}

// leaf is a leaf while its tree grows, with its best split.
type leaf struct {
	node    int16
	rows    []int32
	g, h    float64
	gain    float64 // 0: no split is worth it
	feature int
	bin     uint8
}

// grow makes one tree, splitting the leaf that gains most until there are enough.
func (b *booster) grow(rows []int32, cols []int) Tree {
	var t Tree
	leaves := []*leaf{b.leaf(t.add(), rows, cols)}
	for len(leaves) < b.opt.Leaves {
		at := 0
		for i := range leaves {
			if leaves[i].gain > leaves[at].gain {
				at = i
			}
		}
		l := leaves[at]
		if l.gain == 0 {
			break
		}
		var left, right []int32
		for _, r := range l.rows {
			if b.bin[l.feature][r] <= l.bin {
				left = append(left, r)
			} else {
				right = append(right, r)
			}
		}
		a, c := t.add(), t.add()
		t.Feature[l.node], t.Cut[l.node], t.Left[l.node], t.Right[l.node] = int16(l.feature), b.cuts[l.feature][l.bin], a, c
		leaves[at] = b.leaf(a, left, cols)
		leaves = append(leaves, b.leaf(c, right, cols))
	}
	for _, l := range leaves {
		t.Value[l.node] = float32(b.opt.Rate * l.g / (l.h + b.opt.L2))
	}
	return t
}

func (t *Tree) add() int16 {
	t.Feature, t.Cut, t.Left, t.Right, t.Value = append(t.Feature, -1), append(t.Cut, 0), append(t.Left, 0), append(t.Right, 0), append(t.Value, 0)
	return int16(len(t.Feature) - 1)
}

// leaf finds the best split of rows.
func (b *booster) leaf(node int16, rows []int32, cols []int) *leaf {
	l := &leaf{node: node, rows: rows}
	for _, r := range rows {
		l.g += b.grad[r]
		l.h += b.hess[r]
	}
	for _, f := range cols {
		b.split(l, f)
	}
	return l
}

// split tries every cut of one feature.
func (b *booster) split(l *leaf, f int) {
	var g, h [maxBins + 1]float64
	for _, r := range l.rows {
		k := b.bin[f][r]
		g[k] += b.grad[r]
		h[k] += b.hess[r]
	}
	value := func(g, h float64) float64 { return g * g / (h + b.opt.L2) }
	var gl, hl float64
	for k := range b.cuts[f] {
		gl += g[k]
		hl += h[k]
		if hl < b.opt.MinHess || l.h-hl < b.opt.MinHess {
			continue
		}
		gain := value(gl, hl) + value(l.g-gl, l.h-hl) - value(l.g, l.h)
		if gain > l.gain+1e-9 {
			l.gain, l.feature, l.bin = gain, f, uint8(k)
		}
	}
}
