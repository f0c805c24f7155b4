// Package table reads and writes corpora that are a table of mentions, one a row: beside a folder of texts as SPACCC, DisTEMIST,
// SympTEMIST and MedProcNER are (filename, label, start_span, end_span, span, code), or with the text in a column of its
// own. Tables are TSV, CSV or JSONL; columns are found by their names. It is one of the corpus readers.
package table

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

const maxFile = 4 << 30

// Codes of one answer are joined by "+" (SPACCC), answers of which any one counts by "|".
const (
	composite   = "+"
	alternative = "|"
)

// noColumn, mapped to, says that a column of that heading is something else.
const noColumn = "-"

// Columns returns the headings that mean the same; the key is our name of the column.
func Columns() map[string][]string {
	return map[string][]string{
		"document":   {"filename", "document", "document_id", "doc_id", "note_id", "doc", "file", "pmid"},
		"id":         {"mention_id", "ann_id", "mark", "id"},
		"type":       {"label", "type", "semantic_group", "entity_type"},
		"start":      {"start_span", "start", "off0", "begin"},
		"end":        {"end_span", "end", "off1"},
		"spans":      {"spans"},
		"mention":    {"span", "mention", "surface", "text"},
		"code":       {"code", "codes", "cui", "concept", "concept_id"},
		"context":    {"context", "sentence", "document_text", "note_text", "passage"},
		"language":   {"language", "lang"},
		"split":      {"split"},
		"attributes": {"attributes"},
	}
}

// Read reads a table. Offsets are code points. A table needs a column of codes or types, and either offsets or the mention's text,
// which is then looked for and must occur once. A row whose mention does not stand at its offsets is reported with its line and
// left out.
func Read(r io.Reader, file string, opt corpus.ReadOptions) ([]corpus.Document, []text.Warning, error) {
	opt.Codes = opt.Codes.Or(composite, alternative)
	s, err := corpus.ReadAll(r, maxFile)
	if err != nil {
		return nil, nil, &text.SyntaxError{File: file, Msg: err.Error()}
	}
	s = strings.TrimPrefix(s, "\ufeff")
	p := &parser{problems: text.Problems{File: file}, opt: opt, at: map[string]int{}}
	switch lower := strings.ToLower(file); {
	case strings.HasPrefix(strings.TrimSpace(s), "{"):
		err = p.jsonl(s)
	case strings.HasSuffix(lower, ".csv"):
		err = p.csv(s)
	default:
		err = p.tsv(s)
	}
	if err == nil && p.col == nil {
		err = p.errorf("empty file: a heading line is expected")
	}
	if err != nil {
		return nil, nil, err
	}
	for i := range p.docs {
		corpus.SortMentions(p.docs[i].Mentions)
	}
	return p.docs, p.problems.List, nil
}

type parser struct {
	line     int
	opt      corpus.ReadOptions
	col      map[string]int
	docs     []corpus.Document
	offsets  []*text.Offsets
	at       map[string]int
	problems text.Problems
}

func (p *parser) warn(kind, format string, args ...any) {
	p.problems.Add(p.line, kind, format, args...)
}

func (p *parser) errorf(format string, args ...any) error {
	return &text.SyntaxError{File: p.problems.File, Line: p.line, Msg: fmt.Sprintf(format, args...)}
}

// tsv splits at tabs; quotes mean nothing there, as the sets above have them inside mentions. A whole table in quotes, as
// some programs write it, is seen when the text is compared.
func (p *parser) tsv(s string) error {
	for line := range strings.Lines(s) {
		p.line++
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" {
			continue
		}
		if err := p.cells(strings.Split(line, "\t")); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) csv(s string) error {
	rd := csv.NewReader(strings.NewReader(s))
	rd.LazyQuotes, rd.FieldsPerRecord = true, -1
	for {
		cells, err := rd.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			p.line++
			return p.errorf("%v", err)
		}
		p.line, _ = rd.FieldPos(0)
		if err := p.cells(cells); err != nil {
			return err
		}
	}
}

// jsonl takes an object a line; its keys are the columns.
func (p *parser) jsonl(s string) error {
	for line := range strings.Lines(s) {
		p.line++
		if strings.TrimSpace(line) == "" {
			continue
		}
		var m map[string]any
		dec := json.NewDecoder(strings.NewReader(line))
		dec.UseNumber()
		if err := dec.Decode(&m); err != nil {
			return p.errorf("%v", err)
		}
		keys := make([]string, 0, len(m))
		for k := range m {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		cells := make([]string, len(keys))
		for i, k := range keys {
			cells[i] = p.value(m[k])
		}
		if err := p.heading(keys); err != nil {
			return err
		}
		if err := p.row(cells); err != nil {
			return err
		}
	}
	return nil
}

// value renders a JSON value as a cell; a list of codes is joined as parts of one answer.
func (p *parser) value(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = fmt.Sprint(x)
		}
		return strings.Join(parts, p.opt.Codes.Composite[:1])
	}
	return fmt.Sprint(v)
}

func (p *parser) cells(cells []string) error {
	if p.col == nil {
		return p.heading(cells)
	}
	return p.row(cells)
}

// heading finds the columns by their names.
func (p *parser) heading(cells []string) error {
	p.col = map[string]int{}
	for ours, list := range Columns() {
		switch name := p.opt.Columns[ours]; name {
		case "":
		case noColumn:
			continue
		default:
			list = []string{name}
		}
		for _, name := range list {
			if i := slices.IndexFunc(cells, func(c string) bool { return strings.EqualFold(strings.Trim(strings.TrimSpace(c), `"`), name) }); i >= 0 {
				p.col[ours] = i
				break
			}
		}
		if _, ok := p.col[ours]; !ok && p.opt.Columns[ours] != "" {
			return p.errorf("no column %q: the heading has %s", p.opt.Columns[ours], strings.Join(cells, ", "))
		}
	}
	for ours := range p.opt.Columns {
		if Columns()[ours] == nil {
			return p.errorf("unknown column %q is mapped: have document, id, type, start, end, spans, mention, code, context, language, split, attributes", ours)
		}
	}
	return p.complete()
}

// complete reports what a table cannot do without.
func (p *parser) complete() error {
	for _, need := range [][]string{{"document", "context"}, {"start", "spans", "mention"}, {"code", "type"}} {
		if slices.ContainsFunc(need, func(n string) bool { _, ok := p.col[n]; return ok }) {
			continue
		}
		var names []string
		for _, n := range need {
			names = append(names, Columns()[n]...)
		}
		return p.errorf("no column for %s in the heading: one of %s is expected, or name it", strings.Join(need, " or "), strings.Join(names, ", "))
	}
	return nil
}

func (p *parser) row(cells []string) error {
	get := func(name string) string {
		i, ok := p.col[name]
		switch {
		case !ok || i >= len(cells):
			return ""
		case name == "context": // offsets count from its first character, white space or not
			return cells[i]
		}
		return strings.TrimSpace(cells[i])
	}
	i, err := p.document(get)
	if err != nil {
		return err
	}
	d := &p.docs[i]
	if get("mention") == "" && get("start") == "" && get("spans") == "" { // a document without mentions
		return nil
	}
	spans, err := p.locate(d, p.offsets[i], get)
	if err != nil {
		p.warn("offset", "document %q: %v: left out", d.ID, err)
		return nil
	}
	m := corpus.Mention{ID: get("id"), Type: get("type"), Spans: spans, Text: corpus.SurfaceOf(d.Text, spans)}
	if m.ID == "" {
		m.ID = d.ID + "." + strconv.Itoa(len(d.Mentions)+1)
	}
	if _, ok := p.col["code"]; ok {
		var missing int
		if m.Gold, missing = p.opt.Codes.Parse(get("code")); missing > 0 {
			p.warn("partial-code", "document %q: a part of %q has no code: %q", d.ID, m.Text, get("code"))
		}
	}
	if a := get("attributes"); a != "" {
		if err := json.Unmarshal([]byte(a), &m.Attributes); err != nil {
			p.warn("attributes", "document %q: attributes %.40q are no JSON object of strings", d.ID, a)
		}
	}
	d.Mentions = append(d.Mentions, m)
	return nil
}

// locate finds a mention by its parts ("3-9;12-15"), its start and end, or its text.
func (p *parser) locate(d *corpus.Document, off *text.Offsets, get func(string) string) ([]text.Span, error) {
	want := get("mention")
	var parts []corpus.Range
	switch {
	case get("spans") != "":
		for part := range strings.SplitSeq(get("spans"), ";") {
			from, to, _ := strings.Cut(part, "-")
			a, errA := strconv.Atoi(strings.TrimSpace(from))
			b, errB := strconv.Atoi(strings.TrimSpace(to))
			if errA != nil || errB != nil {
				return nil, fmt.Errorf("mention %q has parts %q, start-end;start-end is expected", want, get("spans"))
			}
			parts = append(parts, corpus.Range{Start: a, End: b})
		}
	case get("start") != "":
		a, errA := strconv.Atoi(get("start"))
		b, errB := strconv.Atoi(get("end"))
		if errA != nil || errB != nil {
			return nil, fmt.Errorf("offsets %q and %q of mention %q are no numbers", get("start"), get("end"), want)
		}
		parts = append(parts, corpus.Range{Start: a, End: b})
	default:
		if n := strings.Count(d.Text, want); n != 1 {
			return nil, fmt.Errorf("mention %q without offsets occurs %d times", want, n)
		}
		at := strings.Index(d.Text, want)
		return []text.Span{{Start: at, End: at + len(want)}}, nil
	}
	spans, err := corpus.Locate(d.Text, off, parts, want)
	if q := len(want); err != nil && q > 2 && want[0] == '"' && want[q-1] == '"' {
		return corpus.Locate(d.Text, off, parts, strings.ReplaceAll(want[1:q-1], `""`, `"`))
	}
	return spans, err
}

// document opens the text of a file name, or takes that of the row, the first time it occurs.
func (p *parser) document(get func(string) string) (int, error) {
	id, context := strings.TrimSuffix(get("document"), ".txt"), strings.ToValidUTF8(get("context"), "\ufffd")
	key := id + "\x00" + context
	if i, ok := p.at[key]; ok {
		return i, nil
	}
	if context == "" {
		b, err := p.text(id)
		if err != nil {
			return 0, err
		}
		context = b
	} else if id == "" {
		id = strconv.Itoa(len(p.docs) + 1)
	}
	language, split := p.opt.Language, p.opt.Split
	if l := get("language"); l != "" {
		language = l
	}
	if s := get("split"); s != "" {
		split = s
	}
	i := len(p.docs)
	p.at[key] = i
	p.docs = append(p.docs, corpus.Document{ID: id, Language: language, Split: split, Text: context})
	p.offsets = append(p.offsets, text.NewOffsets(context))
	return i, nil
}

func (p *parser) text(id string) (string, error) {
	if p.opt.Texts == nil {
		return "", p.errorf("no folder of texts is given, and the row has none")
	}
	if !fs.ValidPath(id + ".txt") {
		return "", p.errorf("%q is no file name", id)
	}
	b, err := p.opt.Texts.ReadFile(id + ".txt")
	if err == nil && !utf8.Valid(b) {
		err = errors.New("no UTF-8")
	}
	if err != nil {
		return "", p.errorf("text of document %q: %v", id, err)
	}
	return string(b), nil
}
