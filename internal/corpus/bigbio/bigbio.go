// Package bigbio reads and writes the knowledge-base schema of BigBio (Fries et al. 2022, arXiv 2206.15076): JSON, one object a line
// or an array, and Parquet as the Hugging Face hub serves it. It is one of the corpus readers.
//
// A concept ID is the pair db_name, db_id joined by a colon, except for UMLS and SNOMED CT, whose identifiers stand alone. Several
// entries of normalized are alternatives, as BigBio does not say otherwise; the parts of a composite are joined by "+" inside one
// db_id, as the SPACCC release of SynCABEL has them.
package bigbio

import (
	"slices"
	"strconv"
	"strings"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

// maxFile bounds a file.
const maxFile = 4 << 30

const composite = "+"

type document struct {
	ID           string        `json:"id" parquet:"id,optional"`
	DocumentID   string        `json:"document_id" parquet:"document_id,optional"`
	Passages     []passage     `json:"passages" parquet:"passages,optional,list"`
	Entities     []entity      `json:"entities" parquet:"entities,optional,list"`
	Events       []event       `json:"events" parquet:"events,optional,list"`
	Coreferences []coreference `json:"coreferences" parquet:"coreferences,optional,list"`
	Relations    []relation    `json:"relations" parquet:"relations,optional,list"`
}

type passage struct {
	ID      string    `json:"id" parquet:"id,optional"`
	Type    string    `json:"type" parquet:"type,optional"`
	Text    []string  `json:"text" parquet:"text,optional,list"`
	Offsets [][]int32 `json:"offsets" parquet:"offsets,optional,list"` // code points [start, end)
}

type entity struct {
	ID         string       `json:"id" parquet:"id,optional"`
	Type       string       `json:"type" parquet:"type,optional"`
	Text       []string     `json:"text" parquet:"text,optional,list"`
	Offsets    [][]int32    `json:"offsets" parquet:"offsets,optional,list"`
	Normalized []normalized `json:"normalized" parquet:"normalized,optional,list"`
}

type normalized struct {
	DB string `json:"db_name" parquet:"db_name,optional"`
	ID string `json:"db_id" parquet:"db_id,optional"`
}

// Events, coreferences and relations are part of the schema; they are written empty and counted, not read.
type event struct {
	ID        string     `json:"id" parquet:"id,optional"`
	Type      string     `json:"type" parquet:"type,optional"`
	Trigger   trigger    `json:"trigger" parquet:"trigger,optional"`
	Arguments []argument `json:"arguments" parquet:"arguments,optional,list"`
}

type trigger struct {
	Text    []string  `json:"text" parquet:"text,optional,list"`
	Offsets [][]int32 `json:"offsets" parquet:"offsets,optional,list"`
}

type argument struct {
	Role string `json:"role" parquet:"role,optional"`
	Ref  string `json:"ref_id" parquet:"ref_id,optional"`
}

type coreference struct {
	ID       string   `json:"id" parquet:"id,optional"`
	Entities []string `json:"entity_ids" parquet:"entity_ids,optional,list"`
}

type relation struct {
	ID         string       `json:"id" parquet:"id,optional"`
	Type       string       `json:"type" parquet:"type,optional"`
	Arg1       string       `json:"arg1_id" parquet:"arg1_id,optional"`
	Arg2       string       `json:"arg2_id" parquet:"arg2_id,optional"`
	Normalized []normalized `json:"normalized" parquet:"normalized,optional,list"`
}

type parser struct {
	n        int // of the document
	opt      corpus.ReadOptions
	docs     []corpus.Document
	problems text.Problems
}

func (p *parser) warn(kind, format string, args ...any) { p.problems.Add(p.n, kind, format, args...) }

// document converts one record.
func (p *parser) document(d *document) {
	out := corpus.Document{ID: d.DocumentID, Language: p.opt.Language, Split: p.opt.Split}
	if out.ID == "" {
		out.ID = d.ID
	}
	var l corpus.Layout
	for _, x := range d.Passages {
		for i, s := range x.Text {
			at := l.Len()
			if i < len(x.Offsets) && len(x.Offsets[i]) == 2 {
				at = int(x.Offsets[i][0])
			}
			sp, ok := l.Add(at, s, '\n')
			if !ok {
				p.warn("passage", "a passage of document %q overlaps the one before or lies far behind", out.ID)
			}
			out.Passages = append(out.Passages, corpus.Passage{Type: x.Type, Span: sp})
		}
	}
	if n := len(d.Events) + len(d.Relations) + len(d.Coreferences); n > 0 {
		p.warn("relation", "%d events, relations and coreferences of document %q are not read", n, out.ID)
	}
	out.Text = l.Text()
	off := text.NewOffsets(out.Text)
	for i := range d.Entities {
		if m, ok := p.mention(&d.Entities[i], &out, off); ok {
			out.Mentions = append(out.Mentions, m)
		}
	}
	corpus.SortMentions(out.Mentions)
	p.docs = append(p.docs, out)
}

func (p *parser) mention(e *entity, d *corpus.Document, off *text.Offsets) (corpus.Mention, bool) {
	var parts []corpus.Range
	for _, o := range e.Offsets {
		if len(o) == 2 {
			parts = append(parts, corpus.Range{Start: int(o[0]), End: int(o[1])})
		}
	}
	spans, err := corpus.Locate(d.Text, off, parts, strings.Join(e.Text, " "))
	if err != nil {
		p.warn("offset", "entity %q of document %q: %v: left out", e.ID, d.ID, err)
		return corpus.Mention{}, false
	}
	return corpus.Mention{ID: e.ID, Type: e.Type, Spans: spans, Text: corpus.SurfaceOf(d.Text, spans), Gold: p.gold(e.Normalized)}, true
}

func (p *parser) gold(list []normalized) []corpus.Answer {
	gold := []corpus.Answer{}
	for _, n := range list {
		if p.opt.Database != "" && n.DB != p.opt.Database {
			continue
		}
		answers, _ := p.opt.Codes.Parse(n.ID)
		for _, a := range answers {
			for i, code := range a {
				a[i] = corpus.CURIE(n.DB, code)
			}
			slices.Sort(a)
			if !slices.ContainsFunc(gold, func(b corpus.Answer) bool { return slices.Equal(a, b) }) {
				gold = append(gold, a)
			}
		}
	}
	return gold
}

// render is the inverse of parser.document. IDs are unique in the file: the number of the document, then of the part.
func render(number int, d *corpus.Document, lost corpus.Losses) *document {
	id := strconv.Itoa(number)
	out := &document{ID: id, DocumentID: d.ID, Passages: []passage{}, Entities: []entity{}, Events: []event{}, Coreferences: []coreference{}, Relations: []relation{}}
	off := text.NewOffsets(d.Text)
	offsets := func(s text.Span) []int32 { return []int32{int32(off.Unit(s.Start)), int32(off.Unit(s.End))} }
	for i, p := range corpus.WholePassages(d) {
		out.Passages = append(out.Passages, passage{ID: id + "_p" + strconv.Itoa(i), Type: p.Type, Text: []string{d.Text[p.Span.Start:p.Span.End]}, Offsets: [][]int32{offsets(p.Span)}})
	}
	for i := range d.Mentions {
		m := &d.Mentions[i]
		e := entity{ID: m.ID, Type: m.Type, Normalized: []normalized{}}
		for _, s := range m.Spans {
			e.Text = append(e.Text, d.Text[s.Start:s.End])
			e.Offsets = append(e.Offsets, offsets(s))
		}
		for _, a := range m.Gold {
			e.Normalized = append(e.Normalized, normalize(a))
		}
		lost.Mention(d, m, true, true)
		out.Entities = append(out.Entities, e)
	}
	lost.Document(d)
	return out
}

// normalize splits an answer into database and identifier; parts of several databases keep their whole IDs.
func normalize(a corpus.Answer) normalized {
	db, _ := corpus.SplitCURIE(a[0])
	ids := make([]string, len(a))
	for i, code := range a {
		d, id := corpus.SplitCURIE(code)
		if d != db {
			return normalized{db, strings.Join(a, composite)}
		}
		ids[i] = id
	}
	return normalized{db, strings.Join(ids, composite)}
}
