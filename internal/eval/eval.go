// Package eval says how good predictions are: Recall@k, mean reciprocal rank and credit for parts of composites over mentions, by
// strata, with intervals from a bootstrap over documents; whether confidence can be trusted; precision and recall where the
// spans are predicted too; and the paired comparison of two systems. It reads predictions only and never a model, so
// anyone's output can be scored. It stands after link and before report.
//
// Protocols:
//
//	strict  every mention with a gold concept counts, linkable or not. A composite is right when all its parts are named.
//	        With Lenient one part is enough.
//	paper   the published rule (arXiv 2601.19667), row for row: right when the predicted code equals the annotated one as a
//	        string; mentions without a code count as wrong.
package eval

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"syncabel/internal/prediction"
	"syncabel/internal/stat"
)

// Protocols of Evaluate.
const (
	Strict = "strict"
	Paper  = "paper"
)

// Options of Evaluate.
type Options struct {
	Protocol string // default Strict
	Lenient  bool   // one part of a composite is enough
	Samples  int    // of the bootstrap; default 1,000
	Seed     uint64
}

// A Cell is the result of one stratum.
type Cell struct {
	N        int           `json:"n"`
	Correct  int           `json:"correct"`
	Recall1  stat.Interval `json:"recall@1"`
	Recall5  stat.Interval `json:"recall@5"`
	Recall10 stat.Interval `json:"recall@10"`
	MRR      stat.Interval `json:"mrr"`
	Lenient  stat.Interval `json:"lenient_recall@1"` // one part of a composite is enough

	// Credit for parts of the first candidate against the gold answer it fits best, means over mentions. For answers of one part on
	// both sides all three are Recall@1.
	PartRecall    stat.Interval `json:"part_recall@1"`    // of the gold parts, those named
	PartPrecision stat.Interval `json:"part_precision@1"` // of the named parts, those that are gold; 0 where nothing is named
	Jaccard       stat.Interval `json:"part_jaccard@1"`   // shared parts of all parts on either side
}

// A Result is the evaluation of one system.
type Result struct {
	System    string          `json:"system,omitempty"`
	Protocol  string          `json:"protocol"`
	Lenient   bool            `json:"lenient"`
	Mode      string          `json:"mode,omitempty"`
	Overall   Cell            `json:"overall"`
	Strata    map[string]Cell `json:"strata"`
	NIL       NIL             `json:"nil"`
	Missing   int             `json:"missing"` // predictions without any gold annotation: not evaluated
	Verdicts  *Verdicts       `json:"verdicts,omitempty"`
	Selective *Selective      `json:"selective,omitempty"` // nil where the predictions have no confidence
	Repeats   Consistency     `json:"repeats"`             // strings that stand in a document more than once
	Ambiguous Ambiguous       `json:"ambiguous"`           // strings of several meanings
}

// NIL counts mentions that mean no concept of the knowledge base.
type NIL struct {
	Gold    int `json:"gold"`
	Right   int `json:"right"`   // abstained there
	Abstain int `json:"abstain"` // abstained anywhere
	// AUROC is how well the predicted NIL probability tells these mentions from the others; 0 when there is none.
	AUROC float64 `json:"auroc,omitempty"`
}

// nilScores collects what AUROC needs.
type nilScores struct {
	scores []float64
	isNIL  []bool
	known  bool
}

func (n *nilScores) add(p *prediction.Prediction) {
	if p.HasGold {
		n.scores, n.isNIL = append(n.scores, p.NIL), append(n.isNIL, len(p.Gold) == 0)
		n.known = n.known || p.NIL > 0
	}
}

// outcome is one evaluated mention.
type outcome struct {
	doc        string
	rank       int // of the first right candidate, from 1; 0: none
	lenient    int // the same when one part is enough
	parts      parts
	confidence float64
	tags       []string
}

// Evaluate scores the predictions of one system. Several files of one system are scored as one by joining their rows.
func Evaluate(preds []prediction.Prediction, opt Options) (*Result, error) {
	opt.Protocol, opt.Samples = cmp.Or(opt.Protocol, Strict), cmp.Or(opt.Samples, stat.Samples)
	if opt.Protocol != Strict && opt.Protocol != Paper {
		return nil, fmt.Errorf("unknown protocol %q: have %s, %s", opt.Protocol, Strict, Paper)
	}
	r := &Result{Protocol: opt.Protocol, Lenient: opt.Lenient, Strata: map[string]Cell{}, Verdicts: countVerdicts(preds)}
	var list []outcome
	var nils nilScores
	again := repetitions(preds)
	confidence := confidenceOf(preds)
	for i := range preds {
		p := &preds[i]
		nils.add(p)
		r.System, r.Mode = cmp.Or(r.System, p.System), cmp.Or(r.Mode, p.Mode)
		if o, ok := r.outcome(p, opt); ok {
			r.Ambiguous.count(p.Meanings, o.rank == 1)
			o.tags = append(o.tags, again.tag(p)...)
			o.confidence = confidence(p)
			list = append(list, o)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("none of %d predictions has a gold concept: nothing to evaluate", len(preds))
	}
	r.fill(list, opt)
	r.Selective = selective(preds, list)
	r.Repeats = consistency(preds)
	if nils.known && r.NIL.Gold > 0 {
		r.NIL.AUROC = stat.AUROC(nils.scores, nils.isNIL)
	}
	return r, nil
}

// Columns returns the documents of predictions, sorted, and Recall@1 of each stratum as a column over them; "" is all. It is what
// analyses over several runs resample.
func Columns(preds []prediction.Prediction, strata []string, opt Options) ([]string, []stat.Column, error) {
	opt.Protocol = cmp.Or(opt.Protocol, Strict)
	var scratch Result
	var list []outcome
	for i := range preds {
		if o, ok := scratch.outcome(&preds[i], opt); ok {
			list = append(list, o)
		}
	}
	if len(list) == 0 {
		return nil, nil, fmt.Errorf("none of %d predictions has a gold concept", len(preds))
	}
	docs := documents(list)
	out := make([]stat.Column, len(strata))
	for i, s := range strata {
		columns := newColumns(len(docs))
		for _, o := range list {
			if s == "" || slices.Contains(o.tags, s) {
				add(columns, docs[o.doc], o.values())
			}
		}
		out[i] = columns[0]
	}
	return slices.Sorted(maps.Keys(docs)), out, nil
}

// outcome scores one prediction; false when it does not count.
func (r *Result) outcome(p *prediction.Prediction, opt Options) (outcome, bool) {
	abstained := len(p.Candidates) == 0
	if abstained {
		r.NIL.Abstain++
	}
	if len(p.Gold) == 0 {
		if !p.HasGold {
			r.Missing++
			return outcome{}, false
		}
		r.NIL.Gold++
		if abstained {
			r.NIL.Right++
		}
		if opt.Protocol != Paper {
			return outcome{}, false
		}
	}
	o := outcome{doc: p.Document, tags: Tags(p), parts: partsOf(p)}
	for k := range p.Candidates {
		whole, part := right(&p.Candidates[k], p.Gold, opt.Protocol)
		if whole && o.rank == 0 {
			o.rank = k + 1
		}
		if part && o.lenient == 0 {
			o.lenient = k + 1
		}
	}
	if opt.Lenient {
		o.rank = o.lenient
	}
	return o, true
}

// right says whether a candidate names a whole answer, and whether it names a part of one.
func right(c *prediction.Candidate, gold [][]string, protocol string) (whole, part bool) {
	if c.Code == "" {
		return false, false
	}
	parts := c.IDs()
	for _, g := range gold {
		if protocol == Paper {
			whole = whole || strings.Join(g, "+") == c.Code
		} else {
			whole = whole || sameSet(parts, g)
		}
		part = part || slices.ContainsFunc(g, func(id string) bool { return slices.Contains(parts, id) })
	}
	return whole, part || whole
}

func sameSet(a, b []string) bool {
	for _, x := range a {
		if !slices.Contains(b, x) {
			return false
		}
	}
	for _, x := range b {
		if !slices.Contains(a, x) {
			return false
		}
	}
	return true
}

// fill computes every cell with one set of resamples.
func (r *Result) fill(list []outcome, opt Options) {
	docs := documents(list)
	names := []string{""}
	number := map[string]int{"": 0}
	for _, o := range list {
		for _, t := range o.tags {
			if _, ok := number[t]; !ok {
				number[t] = len(names)
				names = append(names, t)
			}
		}
	}
	columns := make([]stat.Column, 0, len(names)*measures)
	for range names {
		columns = append(columns, newColumns(len(docs))...)
	}
	for _, o := range list {
		values := o.values()
		add(columns[:measures], docs[o.doc], values)
		for _, t := range o.tags {
			add(columns[number[t]*measures:][:measures], docs[o.doc], values)
		}
	}
	intervals := stat.Bootstrap(columns, opt.Samples, opt.Seed)
	for i, n := range names {
		c := cell(intervals[i*measures:(i+1)*measures], columns[i*measures])
		if n == "" {
			r.Overall = c
		} else {
			r.Strata[n] = c
		}
	}
}

// documents numbers the documents in the order of their names, so that the order of rows does not matter.
func documents(list []outcome) map[string]int {
	var ids []string
	seen := map[string]int{}
	for _, o := range list {
		if _, ok := seen[o.doc]; !ok {
			seen[o.doc] = 0
			ids = append(ids, o.doc)
		}
	}
	slices.Sort(ids)
	for i, id := range ids {
		seen[id] = i
	}
	return seen
}

// measures is the number of columns of a stratum, in the order of outcome.values.
const measures = 8

// newColumns returns the columns of one stratum; they share their denominator, the number of mentions.
func newColumns(docs int) []stat.Column {
	den := make([]float64, docs)
	out := make([]stat.Column, measures)
	for i := range out {
		out[i] = stat.Column{Num: make([]float64, docs), Den: den}
	}
	return out
}

func add(columns []stat.Column, doc int, values [measures]float64) {
	columns[0].Den[doc]++
	for i, v := range values {
		columns[i].Num[doc] += v
	}
}

// values are recall at 1, 5 and 10, reciprocal rank, lenient recall at 1, and the credit for parts.
func (o *outcome) values() [measures]float64 {
	return [measures]float64{within(o.rank, 1), within(o.rank, 5), within(o.rank, 10), reciprocal(o.rank), within(o.lenient, 1),
		o.parts.recall, o.parts.precision, o.parts.jaccard}
}

func within(rank, k int) float64 {
	if rank > 0 && rank <= k {
		return 1
	}
	return 0
}

func reciprocal(rank int) float64 {
	if rank == 0 {
		return 0
	}
	return 1 / float64(rank)
}

func cell(iv []stat.Interval, recall1 stat.Column) Cell {
	c := Cell{Recall1: iv[0], Recall5: iv[1], Recall10: iv[2], MRR: iv[3], Lenient: iv[4], PartRecall: iv[5], PartPrecision: iv[6], Jaccard: iv[7]}
	for i := range recall1.Num {
		c.N += int(recall1.Den[i])
		c.Correct += int(recall1.Num[i])
	}
	return c
}
