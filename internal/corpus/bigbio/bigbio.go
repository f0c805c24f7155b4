// Package bigbio reads the knowledge-base schema of BigBio (Fries et al. 2022, arXiv 2206.15076) as JSON: one object a line or an
// array. It is one of the corpus readers.
package bigbio

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

// Options of Read.
type Options struct {
	Language string
	Split    string
	Database string // keep only codes of this db_name; empty: all
	Prefix   string // put before codes without a colon
}

// maxFile bounds a file.
const maxFile = 4 << 30

type document struct {
	ID         string `json:"id"`
	DocumentID string `json:"document_id"`
	Passages   []struct {
		Type    string   `json:"type"`
		Text    []string `json:"text"`
		Offsets [][]int  `json:"offsets"`
	} `json:"passages"`
	Entities []struct {
		ID         string   `json:"id"`
		Type       string   `json:"type"`
		Text       []string `json:"text"`
		Offsets    [][]int  `json:"offsets"`
		Normalized []struct {
			DB string `json:"db_name"`
			ID string `json:"db_id"`
		} `json:"normalized"`
	} `json:"entities"`
}

// Read reads documents. Several codes of an entity are alternatives, as BigBio does not say otherwise.
func Read(r io.Reader, file string, opt Options) ([]corpus.Document, []text.Warning, error) {
	in := bufio.NewReader(io.LimitReader(r, maxFile))
	dec := json.NewDecoder(in)
	p := &parser{file: file, opt: opt}
	array, err := isArray(in)
	if err != nil {
		return nil, nil, &text.SyntaxError{File: file, Msg: "empty file: BigBio documents are expected"}
	}
	if array {
		if _, err := dec.Token(); err != nil {
			return nil, nil, &text.SyntaxError{File: file, Msg: err.Error()}
		}
	}
	var out []corpus.Document
	for p.n = 1; dec.More(); p.n++ {
		var d document
		if err := dec.Decode(&d); err != nil {
			return nil, nil, &text.SyntaxError{File: file, Msg: fmt.Sprintf("document %d is no BigBio JSON: %v", p.n, err)}
		}
		if len(d.Passages) == 0 {
			return nil, nil, &text.SyntaxError{File: file, Msg: fmt.Sprintf("document %d has no passages: this is no BigBio knowledge-base schema", p.n)}
		}
		out = append(out, p.document(&d))
	}
	if !array {
		if _, err := dec.Token(); !errors.Is(err, io.EOF) {
			return nil, nil, &text.SyntaxError{File: file, Msg: fmt.Sprintf("what follows document %d is no JSON object", p.n-1)}
		}
	}
	return out, p.warnings, nil
}

func isArray(in *bufio.Reader) (bool, error) {
	for {
		b, err := in.Peek(1)
		if err != nil {
			return false, err
		}
		if !strings.ContainsRune(" \t\r\n", rune(b[0])) {
			return b[0] == '[', nil
		}
		if _, err := in.Discard(1); err != nil {
			return false, err
		}
	}
}

type parser struct {
	file     string
	opt      Options
	n        int
	warnings []text.Warning
}

func (p *parser) warn(kind, format string, args ...any) {
	p.warnings = append(p.warnings, text.Warning{File: p.file, Kind: kind, Msg: fmt.Sprintf(format, args...)})
}

// maxGap bounds the blanks between two passages.
const maxGap = 1 << 20

func (p *parser) document(d *document) corpus.Document {
	out := corpus.Document{ID: d.DocumentID, Language: p.opt.Language, Split: p.opt.Split}
	if out.ID == "" {
		out.ID = d.ID
	}
	var b strings.Builder
	at := 0
	for _, x := range d.Passages {
		for i, s := range x.Text {
			gap := 0
			if i < len(x.Offsets) && len(x.Offsets[i]) == 2 {
				gap = x.Offsets[i][0] - at
			}
			if gap < 0 || gap > maxGap {
				p.warn("passage", "a passage of document %q overlaps the one before or lies far behind", out.ID)
				gap = 1
			}
			b.WriteString(strings.Repeat(" ", gap))
			start := b.Len()
			b.WriteString(strings.ToValidUTF8(s, "\ufffd"))
			at += gap + utf8.RuneCountInString(b.String()[start:])
			out.Passages = append(out.Passages, corpus.Passage{Type: x.Type, Span: text.Span{Start: start, End: b.Len()}})
		}
	}
	out.Text = b.String()
	off := text.NewOffsets(out.Text)
	for i := range d.Entities {
		e := &d.Entities[i]
		m := corpus.Mention{ID: e.ID, Type: e.Type, Gold: []corpus.Answer{}}
		for _, o := range e.Offsets {
			if len(o) != 2 {
				continue
			}
			from, okA := off.Byte(o[0])
			to, okB := off.Byte(o[1])
			if okA && okB && from < to {
				m.Spans = append(m.Spans, text.Span{Start: from, End: to})
			}
		}
		want := strings.Join(strings.Fields(strings.Join(e.Text, " ")), " ")
		m.Text = corpus.SurfaceOf(out.Text, m.Spans)
		if len(m.Spans) == 0 || strings.Join(strings.Fields(m.Text), " ") != want {
			p.warn("offset", "entity %q of document %q: %q expected, but %q stands there: left out", e.ID, out.ID, want, m.Text)
			continue
		}
		for _, n := range e.Normalized {
			id := strings.TrimSpace(n.ID)
			if id == "" || p.opt.Database != "" && n.DB != p.opt.Database {
				continue
			}
			if p.opt.Prefix != "" && !strings.Contains(id, ":") {
				id = p.opt.Prefix + id
			}
			if !slices.ContainsFunc(m.Gold, func(a corpus.Answer) bool { return a[0] == id }) {
				m.Gold = append(m.Gold, corpus.Answer{id})
			}
		}
		out.Mentions = append(out.Mentions, m)
	}
	corpus.SortMentions(out.Mentions)
	return out
}
