package study

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"syncabel/internal/eval"
	"syncabel/internal/stat"
)

// A Point is a curve at one share of the documents: means over seeds, with intervals of a bootstrap over test documents and
// seeds.
type Point struct {
	Fraction float64       `json:"fraction"`
	Seeds    int           `json:"seeds"`
	N        int           `json:"n"` // test mentions, each counted once
	Recall1  stat.Interval `json:"recall@1"`
	Seen     stat.Interval `json:"seen_concepts"` // of the whole training annotations, the same mentions at every share
	NSeen    int           `json:"n_seen"`
	Unseen   stat.Interval `json:"unseen_concepts"`
	NUnseen  int           `json:"n_unseen"`
	BySeed   []float64     `json:"recall@1_by_seed"`
	Cost     Cost          `json:"cost"` // means over seeds
}

// A Crossing is the smallest share of the documents at which a curve reaches the reference, interpolated linearly between two
// points. A bound is nil where the curve does not reach it at any share.
type Crossing struct {
	Value   *float64 `json:"value"`
	Low     *float64 `json:"low"`
	High    *float64 `json:"high"`
	Reached float64  `json:"reached"` // share of the resamples in which it was reached at all
	// Documents and Mentions are what Value means in annotation, interpolated between the points' costs; 0 where Value is nil.
	Documents float64 `json:"documents"`
	Mentions  float64 `json:"mentions"`
}

// A Curve is a data-efficiency curve.
type Curve struct {
	Series
	Name       string    `json:"name"`
	Points     []Point   `json:"points"`
	Crossing   Crossing  `json:"crossing"`
	Difference stat.Test `json:"difference"` // at all documents, minus the reference, paired
}

// Results are what a study found.
type Results struct {
	Reference string  `json:"reference"` // curve whose last point is to be reached
	Level     float64 `json:"level"`     // its Recall@1 with all documents
	Target    float64 `json:"target"`    // share of it that is to be reached
	Documents int     `json:"documents"` // of training
	Seeds     int     `json:"seeds"`
	Cells     int     `json:"cells"`
	Missing   int     `json:"missing"` // cells of the grid not finished
	Curves    []Curve `json:"curves"`
}

// Options of Analyse.
type Options struct {
	Reference string  // name of the mode to be reached; its first curve counts
	Cells     int     // of the whole grid; 0: as many as there are outcomes
	Target    float64 // share of the reference's result that counts as reaching it; default 1
	Eval      eval.Options
}

// cellData is what the analysis keeps of a cell's predictions: columns of documents for all, seen and unseen concepts.
type cellData struct {
	outcome Outcome
	columns [3]stat.Column
	draws   [3][]float64 // of the resamples
}

// Analyse reads the predictions of finished cells and draws the curves. All cells see the same resamples of documents, and
// within a resample the same draw of seeds, so that curves and reference are paired.
func Analyse(outcomes []Outcome, read Reader, opt Options) (*Results, error) {
	opt.Eval.Samples = cmp.Or(opt.Eval.Samples, stat.Samples)
	cells, err := load(outcomes, read, opt.Eval)
	if err != nil {
		return nil, err
	}
	a := &analysis{cells: cells, samples: len(cells[0].draws[0]), target: cmp.Or(opt.Target, 1)}
	res := &Results{Reference: opt.Reference, Target: a.target, Cells: len(outcomes), Missing: max(opt.Cells-len(outcomes), 0)}
	list := series(outcomes)
	at := slices.IndexFunc(list, func(s Series) bool { return s.Mode == opt.Reference })
	if at < 0 {
		return nil, fmt.Errorf("the study has no finished cell of its reference %q yet", opt.Reference)
	}
	reference := a.last(of(outcomes, list[at]))
	if reference == nil {
		return nil, fmt.Errorf("the reference %q has no finished cell with all documents yet: let `syncabel study run` finish", opt.Reference)
	}
	res.Level = reference.value[0]
	for _, s := range list {
		c := a.curve(s, of(outcomes, s), reference)
		res.Seeds = max(res.Seeds, c.Points[len(c.Points)-1].Seeds)
		res.Documents = max(res.Documents, c.Points[len(c.Points)-1].Cost.Documents)
		res.Curves = append(res.Curves, c)
	}
	return res, nil
}

// load reduces every cell to its columns and draws the resamples of all together.
func load(outcomes []Outcome, read Reader, opt eval.Options) ([]*cellData, error) {
	if len(outcomes) == 0 {
		return nil, fmt.Errorf("the study has no finished cell yet")
	}
	var out []*cellData
	var columns []stat.Column
	var docs []string
	for _, o := range outcomes {
		preds, err := read(o)
		if err != nil {
			return nil, fmt.Errorf("study, cell %s: %w", o.Cell, err)
		}
		ids, cols, err := eval.Columns(preds, []string{"", eval.SeenConcept, eval.UnseenConcept}, opt)
		if err != nil {
			return nil, fmt.Errorf("study, cell %s: %w", o.Cell, err)
		}
		if docs == nil {
			docs = ids
		} else if !slices.Equal(docs, ids) {
			return nil, fmt.Errorf("study, cell %s: its test documents are not those of the other cells", o.Cell)
		}
		c := &cellData{outcome: o}
		copy(c.columns[:], cols)
		out, columns = append(out, c), append(columns, cols...)
	}
	draws := stat.Resample(columns, opt.Samples, opt.Seed)
	for i, c := range out {
		copy(c.draws[:], draws[3*i:3*i+3])
	}
	return out, nil
}

// analysis holds the cells and their resamples.
type analysis struct {
	cells   []*cellData
	samples int
	target  float64
}

func (a *analysis) find(o Outcome) *cellData {
	i := slices.IndexFunc(a.cells, func(c *cellData) bool { return c.outcome.Cell == o.Cell })
	return a.cells[i]
}

// mean is a point's value and its resamples for all, seen and unseen concepts.
type mean struct {
	value [3]float64
	draws [3][]float64
}

// average joins the seeds of a point. In each resample seeds are drawn with replacement, the same ones at every point.
func (a *analysis) average(seeds []Outcome) *mean {
	m := &mean{}
	n := float64(len(seeds))
	for k := range m.value {
		m.draws[k] = make([]float64, a.samples)
		for _, o := range seeds {
			m.value[k] += a.find(o).columns[k].Ratio() / n
		}
		for s := range a.samples {
			rng := rand.New(rand.NewPCG(0x5eed, uint64(s)))
			for range seeds {
				m.draws[k][s] += a.find(seeds[rng.IntN(len(seeds))]).draws[k][s] / n
			}
		}
	}
	return m
}

// last is the point of all documents; nil when it is not finished.
func (a *analysis) last(points [][]Outcome) *mean {
	end := points[len(points)-1]
	if end[0].Fraction < 1 {
		return nil
	}
	return a.average(end)
}

func (a *analysis) curve(s Series, points [][]Outcome, reference *mean) Curve {
	c := Curve{Series: s, Name: s.String()}
	var means []*mean
	for _, seeds := range points {
		m := a.average(seeds)
		means = append(means, m)
		first := a.find(seeds[0])
		p := Point{Fraction: seeds[0].Fraction, Seeds: len(seeds), N: first.columns[0].N(), NSeen: first.columns[1].N(), NUnseen: first.columns[2].N(),
			Recall1: stat.IntervalOf(m.value[0], m.draws[0]), Seen: stat.IntervalOf(m.value[1], m.draws[1]), Unseen: stat.IntervalOf(m.value[2], m.draws[2])}
		for _, o := range seeds {
			p.BySeed = append(p.BySeed, a.find(o).columns[0].Ratio())
		}
		p.Cost = meanCost(seeds)
		c.Points = append(c.Points, p)
	}
	c.Crossing = crossing(c.Points, means, reference, a.target)
	if end := a.last(points); end != nil {
		c.Difference = stat.TestOf(end.value[0]-reference.value[0], end.draws[0], reference.draws[0])
	}
	return c
}

func meanCost(seeds []Outcome) Cost {
	var c Cost
	for _, o := range seeds {
		c.Documents += o.Cost.Documents
		c.Mentions += o.Cost.Mentions
		c.Sentences += o.Cost.Sentences
		c.Tokens += o.Cost.Tokens
	}
	n := len(seeds)
	return Cost{c.Documents / n, c.Mentions / n, c.Sentences / n, c.Tokens / int64(n)}
}

// crossing finds the share in the means and in each resample. Resamples in which it is never reached count as later than any
// share.
func crossing(points []Point, means []*mean, reference *mean, target float64) Crossing {
	never := points[len(points)-1].Fraction + 1
	at := func(value func(*mean) float64) float64 {
		goal := target * value(reference)
		for i, m := range means {
			v := value(m)
			if v < goal {
				continue
			}
			if i == 0 {
				return points[0].Fraction
			}
			before := value(means[i-1])
			return points[i-1].Fraction + (points[i].Fraction-points[i-1].Fraction)*(goal-before)/(v-before)
		}
		return never
	}
	var draws []float64
	reached := 0
	for s := range means[0].draws[0] {
		f := at(func(m *mean) float64 { return m.draws[0][s] })
		if f < never {
			reached++
		}
		draws = append(draws, f)
	}
	bound := func(f float64) *float64 {
		if f > points[len(points)-1].Fraction {
			return nil
		}
		return &f
	}
	value := at(func(m *mean) float64 { return m.value[0] })
	slices.Sort(draws)
	c := Crossing{Value: bound(value), Low: bound(stat.Quantile(draws, (1-stat.Level)/2)), High: bound(stat.Quantile(draws, 1-(1-stat.Level)/2)),
		Reached: float64(reached) / float64(len(draws))}
	if c.Value != nil {
		c.Documents, c.Mentions = costAt(points, value)
	}
	return c
}

// costAt interpolates the annotation at a share.
func costAt(points []Point, f float64) (documents, mentions float64) {
	for i, p := range points {
		if p.Fraction < f {
			continue
		}
		d, m := float64(p.Cost.Documents), float64(p.Cost.Mentions)
		if i == 0 || p.Fraction == f {
			return d, m
		}
		q := points[i-1]
		t := (f - q.Fraction) / (p.Fraction - q.Fraction)
		return float64(q.Cost.Documents) + t*(d-float64(q.Cost.Documents)), float64(q.Cost.Mentions) + t*(m-float64(q.Cost.Mentions))
	}
	return 0, 0
}
