// Package table reads corpora that are a table of mentions beside a folder of texts: SPACCC, DisTEMIST, SympTEMIST and
// MedProcNER (filename, label, start_span, end_span, span, code), or any TSV or CSV with such columns. It is one of the corpus
// readers.
package table

import (
	"encoding/csv"
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

// Options of Read.
type Options struct {
	Language  string
	Split     string
	Texts     fs.FS  // holds NAME.txt of every file name of the table
	Composite string // joins the codes of one answer; default "+"
	Prefix    string // put before codes without a colon
}

const maxFile = 4 << 30

// columns are the headings that mean the same; the first is ours.
func columns() map[string][]string {
	return map[string][]string{
		"document": {"filename", "document", "doc", "file", "pmid"},
		"id":       {"mention_id", "ann_id", "mark", "id"},
		"type":     {"label", "type", "semantic_group"},
		"start":    {"start_span", "start", "off0", "begin"},
		"end":      {"end_span", "end", "off1"},
		"text":     {"span", "mention", "text"},
		"code":     {"code", "codes", "cui", "concept"},
	}
}

// Read reads a table. Offsets are code points. A row whose mention does not stand at its offsets is reported with its line
// and left out.
func Read(r io.Reader, file string, opt Options) ([]corpus.Document, []text.Warning, error) {
	rd := csv.NewReader(io.LimitReader(r, maxFile))
	rd.Comma, rd.LazyQuotes, rd.FieldsPerRecord = '\t', true, -1
	if strings.HasSuffix(strings.ToLower(file), ".csv") {
		rd.Comma = ','
	}
	p := &parser{file: file, opt: opt, at: map[string]int{}}
	for {
		cells, err := rd.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, nil, &text.SyntaxError{File: file, Line: p.line + 1, Msg: err.Error()}
		}
		p.line, _ = rd.FieldPos(0)
		if p.col == nil {
			if err := p.heading(cells); err != nil {
				return nil, nil, err
			}
			continue
		}
		if err := p.row(cells); err != nil {
			return nil, nil, err
		}
	}
	if p.col == nil {
		return nil, nil, &text.SyntaxError{File: file, Msg: "empty file: a heading line is expected"}
	}
	for i := range p.docs {
		corpus.SortMentions(p.docs[i].Mentions)
	}
	return p.docs, p.warnings, nil
}

type parser struct {
	file     string
	line     int
	opt      Options
	col      map[string]int
	docs     []corpus.Document
	offsets  []*text.Offsets
	at       map[string]int
	warnings []text.Warning
}

func (p *parser) heading(cells []string) error {
	p.col = map[string]int{}
	for ours, list := range columns() {
		p.col[ours] = -1
		for _, name := range list {
			if i := slices.IndexFunc(cells, func(c string) bool {
				return strings.EqualFold(strings.TrimSpace(strings.TrimPrefix(c, "\ufeff")), name)
			}); i >= 0 && p.col[ours] < 0 {
				p.col[ours] = i
			}
		}
	}
	for _, need := range []string{"document", "start", "end", "code"} {
		if p.col[need] < 0 {
			return &text.SyntaxError{File: p.file, Line: 1, Msg: fmt.Sprintf("no column for %s (one of %s) in the heading", need, strings.Join(columns()[need], ", "))}
		}
	}
	return nil
}

func (p *parser) row(cells []string) error {
	get := func(name string) string {
		if i := p.col[name]; i >= 0 && i < len(cells) {
			return strings.TrimSpace(cells[i])
		}
		return ""
	}
	i, err := p.document(get("document"))
	if err != nil {
		return err
	}
	d := &p.docs[i]
	start, errA := strconv.Atoi(get("start"))
	end, errB := strconv.Atoi(get("end"))
	from, okA := p.offsets[i].Byte(start)
	to, okB := p.offsets[i].Byte(end)
	if errA != nil || errB != nil || !okA || !okB || from >= to {
		p.warn("offset", "mention %q at %s-%s of %q lies outside the text: left out", get("text"), get("start"), get("end"), d.ID)
		return nil
	}
	m := corpus.Mention{ID: get("id"), Type: get("type"), Spans: []text.Span{{Start: from, End: to}}, Text: d.Text[from:to], Gold: []corpus.Answer{}}
	if m.ID == "" {
		m.ID = fmt.Sprintf("%s.%d", d.ID, len(d.Mentions)+1)
	}
	if want := get("text"); want != "" && strings.Join(strings.Fields(want), " ") != strings.Join(strings.Fields(m.Text), " ") {
		p.warn("offset", "mention %q expected at %d-%d of %q, but %q stands there: left out", want, start, end, d.ID, m.Text)
		return nil
	}
	if codes := p.codes(get("code")); len(codes) > 0 {
		m.Gold = append(m.Gold, codes)
	}
	d.Mentions = append(d.Mentions, m)
	return nil
}

func (p *parser) warn(kind, format string, args ...any) {
	p.warnings = append(p.warnings, text.Warning{File: p.file, Line: p.line, Kind: kind, Msg: fmt.Sprintf(format, args...)})
}

// document opens the text of a file name the first time it occurs.
func (p *parser) document(name string) (int, error) {
	id := strings.TrimSuffix(name, ".txt")
	if i, ok := p.at[id]; ok {
		return i, nil
	}
	if !fs.ValidPath(id + ".txt") {
		return 0, &text.SyntaxError{File: p.file, Line: p.line, Msg: fmt.Sprintf("%q is no file name", name)}
	}
	b, err := fs.ReadFile(p.opt.Texts, id+".txt")
	if err == nil && !utf8.Valid(b) {
		err = errors.New("no UTF-8")
	}
	if err != nil {
		return 0, &text.SyntaxError{File: p.file, Line: p.line, Msg: fmt.Sprintf("text of document %q: %v", id, err)}
	}
	i := len(p.docs)
	p.at[id] = i
	p.docs = append(p.docs, corpus.Document{ID: id, Language: p.opt.Language, Split: p.opt.Split, Text: string(b)})
	p.offsets = append(p.offsets, text.NewOffsets(string(b)))
	return i, nil
}

// codes parses a code column; NO_CODE, NIL, "-" and an empty column mean NIL.
func (p *parser) codes(s string) corpus.Answer {
	joint := p.opt.Composite
	if joint == "" {
		joint = "+"
	}
	var out corpus.Answer
	for _, c := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(joint, r) }) {
		c = strings.TrimSpace(c)
		if c == "" || c == "-" || c == "-1" || strings.EqualFold(c, "NO_CODE") || strings.EqualFold(c, "NIL") {
			continue
		}
		if p.opt.Prefix != "" && !strings.Contains(c, ":") {
			c = p.opt.Prefix + c
		}
		out = append(out, c)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
