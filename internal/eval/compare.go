package eval

import (
	"cmp"
	"fmt"
	"slices"

	"syncabel/internal/prediction"
	"syncabel/internal/stat"
)

// A Comparison is the paired difference of two systems, first minus second, over the mentions both have.
type Comparison struct {
	N       int               `json:"n"`
	OnlyA   int               `json:"only_a"` // mentions without a partner, left out
	OnlyB   int               `json:"only_b"`
	Recall1 stat.Test         `json:"recall@1"`
	McNemar float64           `json:"mcnemar_p"`
	Gained  []Change          `json:"gained,omitempty"` // right in A, wrong in B
	Lost    []Change          `json:"lost,omitempty"`
	Strata  map[string]Strand `json:"strata"`
}

// A Strand is the difference within one stratum.
type Strand struct {
	N int `json:"n"`
	stat.Test
}

// A Change is a mention on which the systems differ.
type Change struct {
	Document string     `json:"document"`
	Mention  string     `json:"mention"`
	Text     string     `json:"text"`
	Sentence string     `json:"sentence,omitempty"`
	Gold     [][]string `json:"gold"`
	A        string     `json:"a"` // first candidates
	B        string     `json:"b"`
}

// Noise reports whether a difference could be none: its interval holds zero.
func Noise(t stat.Test) bool { return t.Low <= 0 && t.High >= 0 }

// Compare pairs two systems' predictions by document and mention.
func Compare(a, b []prediction.Prediction, opt Options) (*Comparison, error) {
	opt.Protocol, opt.Samples = cmp.Or(opt.Protocol, Strict), cmp.Or(opt.Samples, stat.Samples)
	pairs, c := pair(a, b, opt)
	if len(pairs) == 0 {
		return nil, fmt.Errorf("the two files share no mention: they are not of the same corpus")
	}
	c.N = len(pairs)
	var list []outcome
	for _, p := range pairs {
		list = append(list, p.a)
	}
	docs := documents(list)
	gained, lost := 0, 0
	for _, p := range pairs {
		switch x, y := p.a.rank == 1, p.b.rank == 1; {
		case x && !y:
			gained++
			c.Gained = append(c.Gained, p.change)
		case y && !x:
			lost++
			c.Lost = append(c.Lost, p.change)
		}
	}
	c.McNemar = stat.McNemar(gained, lost)
	_, c.Recall1 = difference(pairs, docs, "", opt)
	c.Strata = map[string]Strand{}
	for _, p := range pairs {
		for _, t := range p.a.tags {
			if _, ok := c.Strata[t]; !ok {
				n, test := difference(pairs, docs, t, opt)
				c.Strata[t] = Strand{n, test}
			}
		}
	}
	return c, nil
}

type paired struct {
	a, b   outcome
	change Change
}

// pair joins the two files. Rows that stand several times for one mention pair in their order.
func pair(a, b []prediction.Prediction, opt Options) ([]paired, *Comparison) {
	type key struct {
		doc, mention, text string
		nth                int
	}
	index := func(list []prediction.Prediction) (map[key]*prediction.Prediction, []key) {
		m, times := map[key]*prediction.Prediction{}, map[key]int{}
		var order []key
		for i := range list {
			k := key{list[i].Document, list[i].Mention, list[i].Text, 0}
			times[k]++
			k.nth = times[k]
			m[k] = &list[i]
			order = append(order, k)
		}
		return m, order
	}
	ma, order := index(a)
	mb, _ := index(b)
	var out []paired
	var scratch Result
	again := repetitions(a)
	c := &Comparison{}
	for _, k := range order {
		q, ok := mb[k]
		if !ok {
			c.OnlyA++
			continue
		}
		p := ma[k]
		x, counts := scratch.outcome(p, opt)
		y, _ := scratch.outcome(q, opt)
		if counts {
			x.tags = append(x.tags, again.tag(p)...)
			out = append(out, paired{x, y, Change{p.Document, p.Mention, p.Text, p.Sentence, p.Gold, first(p), first(q)}})
		}
	}
	c.OnlyB = len(mb) - (len(order) - c.OnlyA)
	slices.SortStableFunc(out, func(a, b paired) int {
		return cmp.Or(cmp.Compare(a.change.Document, b.change.Document), cmp.Compare(a.change.Mention, b.change.Mention))
	})
	return out, c
}

func first(p *prediction.Prediction) string {
	if len(p.Candidates) == 0 {
		return "NIL"
	}
	return p.Candidates[0].Name + " (" + cmp.Or(p.Candidates[0].Code, "no concept") + ")"
}

// difference is the paired test of Recall@1 within a stratum; "" is all.
func difference(pairs []paired, docs map[string]int, tag string, opt Options) (int, stat.Test) {
	a, b := newColumns(len(docs)), newColumns(len(docs))
	n := 0
	for _, p := range pairs {
		if tag == "" || slices.Contains(p.a.tags, tag) {
			n++
			add(a, docs[p.a.doc], p.a.values())
			add(b, docs[p.a.doc], p.b.values())
		}
	}
	return n, stat.Paired(a[0], b[0], opt.Samples, opt.Seed)
}
