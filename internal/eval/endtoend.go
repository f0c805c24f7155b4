package eval

import (
	"slices"

	"syncabel/internal/corpus"
	"syncabel/internal/prediction"
	"syncabel/internal/stat"
	"syncabel/internal/text"
)

// EndToEnd scores predictions whose mentions were found in the raw text, not given.
type EndToEnd struct {
	Gold  int `json:"gold"`  // annotated mentions
	Found int `json:"found"` // mentions found
	// Found mentions and answers that are right: by span alone; by span and semantic group; by span and concept, abstentions not
	// counted as found and mentions without a concept not as gold.
	Spans  PRF `json:"spans"`
	Groups PRF `json:"groups"`
	Linked PRF `json:"linked"`

	Overlap  PRF `json:"overlap"`  // as Linked, spans that share a character
	Concepts PRF `json:"concepts"` // distinct concepts of a document, wherever they stand
	Missed   int `json:"missed"`   // annotated mentions that nothing found touches
	Spurious int `json:"spurious"` // mentions found where nothing is annotated
}

// PRF is precision, recall and their harmonic mean.
type PRF struct {
	Gold      int           `json:"gold"`
	Found     int           `json:"found"`
	Right     int           `json:"right"`
	Precision stat.Interval `json:"precision"`
	Recall    stat.Interval `json:"recall"`
	F1        stat.Interval `json:"f1"`
}

// matches counts one document.
type matches struct{ right, found, gold float64 }

func (m matches) plus(o matches) matches {
	return matches{m.right + o.right, m.found + o.found, m.gold + o.gold}
}

// ScoreEndToEnd compares predictions with the annotations of the same documents, those of several runs (seeds) with the same annotations
// each; a document is one unit of the intervals however many runs there are. A span is right when it covers exactly what an annotation
// covers, the outer bounds of a discontinuous one; an annotation is used up by its match. Group maps an annotated type to its semantic group.
func ScoreEndToEnd(docs []corpus.Document, runs [][]prediction.Prediction, group func(string) string, opt Options) *EndToEnd {
	e := &EndToEnd{}
	var counts [5][]matches // spans, groups, linked, overlap, concepts
	for i := range counts {
		counts[i] = make([]matches, len(docs))
	}
	for _, preds := range runs {
		e.Found += len(preds)
		found := map[string][]*prediction.Prediction{}
		for i := range preds {
			found[preds[i].Document] = append(found[preds[i].Document], &preds[i])
		}
		for i := range docs {
			e.Gold += len(docs[i].Mentions)
			for k, m := range e.document(&docs[i], found[docs[i].ID], group, opt) {
				counts[k][i] = counts[k][i].plus(m)
			}
		}
	}
	e.Spans, e.Groups, e.Linked, e.Overlap, e.Concepts = prf(counts[0], opt), prf(counts[1], opt), prf(counts[2], opt), prf(counts[3], opt), prf(counts[4], opt)
	return e
}

// document counts the matches of one document in the order of ScoreEndToEnd.
func (e *EndToEnd) document(d *corpus.Document, list []*prediction.Prediction, group func(string) string, opt Options) [5]matches {
	e.untouched(d.Mentions, list)
	answered := slices.DeleteFunc(slices.Clone(list), func(p *prediction.Prediction) bool { return len(p.Candidates) == 0 })
	meant := slices.DeleteFunc(slices.Clone(d.Mentions), func(m corpus.Mention) bool { return m.NIL() })
	return [5]matches{
		match(d.Mentions, list, func(*corpus.Mention, *prediction.Prediction) bool { return true }),
		match(d.Mentions, list, func(m *corpus.Mention, p *prediction.Prediction) bool { return group(m.Type) == p.Group }),
		match(meant, answered, func(m *corpus.Mention, p *prediction.Prediction) bool { return answers(m, p, opt) }),
		pairs(meant, answered, func(m *corpus.Mention, p *prediction.Prediction) bool { return touches(m, p) && answers(m, p, opt) }),
		distinct(meant, answered),
	}
}

// match pairs found with annotated mentions of equal bounds.
func match(gold []corpus.Mention, found []*prediction.Prediction, right func(*corpus.Mention, *prediction.Prediction) bool) matches {
	return pairs(gold, found, func(m *corpus.Mention, p *prediction.Prediction) bool { return m.Span() == outer(p) && right(m, p) })
}

// outer are the outer bounds of a found mention.
func outer(p *prediction.Prediction) text.Span { return corpus.Mention{Spans: p.Spans}.Span() }

func touches(m *corpus.Mention, p *prediction.Prediction) bool {
	a, b := m.Span(), outer(p)
	return a.Start < b.End && b.Start < a.End
}

// untouched counts what stands alone on either side.
func (e *EndToEnd) untouched(gold []corpus.Mention, found []*prediction.Prediction) {
	for i := range gold {
		if !slices.ContainsFunc(found, func(p *prediction.Prediction) bool { return touches(&gold[i], p) }) {
			e.Missed++
		}
	}
	for _, p := range found {
		if !slices.ContainsFunc(gold, func(m corpus.Mention) bool { return touches(&m, p) }) {
			e.Spurious++
		}
	}
}

// distinct compares the concepts that a document is about; of alternatives the first counts.
func distinct(gold []corpus.Mention, found []*prediction.Prediction) matches {
	meant, named := map[string]bool{}, map[string]bool{}
	for _, m := range gold {
		for _, id := range m.Gold[0] {
			meant[id] = true
		}
	}
	for _, p := range found {
		for _, id := range p.Candidates[0].IDs() {
			named[id] = true
		}
	}
	m := matches{found: float64(len(named)), gold: float64(len(meant))}
	for id := range named {
		if meant[id] {
			m.right++
		}
	}
	return m
}

// pairs matches in reading order, each side at most once.
func pairs(gold []corpus.Mention, found []*prediction.Prediction, fit func(*corpus.Mention, *prediction.Prediction) bool) matches {
	m := matches{found: float64(len(found)), gold: float64(len(gold))}
	used := make([]bool, len(gold))
	for _, p := range found {
		for i := range gold {
			if !used[i] && fit(&gold[i], p) {
				used[i] = true
				m.right++
				break
			}
		}
	}
	return m
}

func answers(m *corpus.Mention, p *prediction.Prediction, opt Options) bool {
	var gold [][]string
	for _, a := range m.Gold {
		gold = append(gold, a)
	}
	whole, part := right(&p.Candidates[0], gold, opt.Protocol)
	return whole || opt.Lenient && part
}

func prf(docs []matches, opt Options) PRF {
	columns := make([]stat.Column, 3)
	var out PRF
	for _, d := range docs {
		for i, v := range [][2]float64{{d.right, d.found}, {d.right, d.gold}, {2 * d.right, d.found + d.gold}} {
			columns[i].Num, columns[i].Den = append(columns[i].Num, v[0]), append(columns[i].Den, v[1])
		}
		out.Gold, out.Found, out.Right = out.Gold+int(d.gold), out.Found+int(d.found), out.Right+int(d.right)
	}
	samples := opt.Samples
	if samples <= 0 {
		samples = stat.Samples
	}
	iv := stat.Bootstrap(columns, samples, opt.Seed)
	out.Precision, out.Recall, out.F1 = iv[0], iv[1], iv[2]
	return out
}
