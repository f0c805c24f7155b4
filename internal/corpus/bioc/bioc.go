// Package bioc reads BioC collections (Comeau et al. 2013), XML or JSON: documents of passages whose annotations carry type and
// identifier as infons. It is one of the corpus readers.
package bioc

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
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
	Language    string
	Split       string
	Identifiers []string // infons that hold the code, the first that is there; default identifier, Identifier, code, MESH, CUI
	Composite   string   // joins the codes of one answer; default "|" and ","
	Prefix      string   // put before codes without a colon
}

// maxFile bounds a collection.
const maxFile = 4 << 30

type collection struct {
	Documents []document `xml:"document" json:"documents"`
}

type document struct {
	ID       string    `xml:"id" json:"id"`
	Passages []passage `xml:"passage" json:"passages"`
}

type passage struct {
	Infons      infons       `xml:"infon" json:"infons"`
	Offset      int          `xml:"offset" json:"offset"`
	Text        string       `xml:"text" json:"text"`
	Annotations []annotation `xml:"annotation" json:"annotations"`
	Sentences   []passage    `xml:"sentence" json:"sentences"`
}

type annotation struct {
	ID        string `xml:"id,attr" json:"id"`
	Infons    infons `xml:"infon" json:"infons"`
	Locations []struct {
		Offset int `xml:"offset,attr" json:"offset"`
		Length int `xml:"length,attr" json:"length"`
	} `xml:"location" json:"locations"`
	Text string `xml:"text" json:"text"`
}

// infons are elements in XML and an object in JSON.
type infons []infon

type infon struct {
	Key   string `xml:"key,attr"`
	Value string `xml:",chardata"`
}

// UnmarshalJSON reads an object whose values may be of any type.
func (in *infons) UnmarshalJSON(b []byte) error {
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	for k, v := range m {
		if v != nil {
			*in = append(*in, infon{k, fmt.Sprint(v)})
		}
	}
	return nil
}

func (in infons) get(key string) string {
	for _, i := range in {
		if i.Key == key {
			return strings.TrimSpace(i.Value)
		}
	}
	return ""
}

// Read reads a collection, recognised as XML or JSON by its first character. A JSON file may also be an array of documents.
func Read(r io.Reader, file string, opt Options) ([]corpus.Document, []text.Warning, error) {
	in := bufio.NewReader(io.LimitReader(r, maxFile))
	var c collection
	var err error
	switch first(in) {
	case '{':
		err = json.NewDecoder(in).Decode(&c)
	case '[':
		err = json.NewDecoder(in).Decode(&c.Documents)
	default:
		err = xml.NewDecoder(in).Decode(&c)
	}
	if err != nil {
		return nil, nil, &text.SyntaxError{File: file, Msg: "no BioC collection: " + err.Error()}
	}
	p := &parser{file: file, opt: opt}
	var out []corpus.Document
	for i := range c.Documents {
		out = append(out, p.document(&c.Documents[i]))
	}
	return out, p.warnings, nil
}

// first returns the first character that is no white space.
func first(in *bufio.Reader) byte {
	for {
		b, err := in.Peek(1)
		if err != nil {
			return 0
		}
		if !strings.ContainsRune(" \t\r\n\ufeff", rune(b[0])) && b[0] != 0xEF && b[0] != 0xBB && b[0] != 0xBF {
			return b[0]
		}
		if _, err := in.Discard(1); err != nil {
			return 0
		}
	}
}

type parser struct {
	file     string
	opt      Options
	warnings []text.Warning
}

func (p *parser) warn(kind, format string, args ...any) {
	p.warnings = append(p.warnings, text.Warning{File: p.file, Kind: kind, Msg: fmt.Sprintf(format, args...)})
}

// maxGap bounds the blanks between two passages.
const maxGap = 1 << 20

// document puts the passages where their offsets say, with line breaks in between, so that offsets stay valid.
func (p *parser) document(d *document) corpus.Document {
	out := corpus.Document{ID: d.ID, Language: p.opt.Language, Split: p.opt.Split}
	var b strings.Builder
	at := 0 // in code points
	var pending []annotation
	var add func(x *passage, top bool)
	add = func(x *passage, top bool) {
		if x.Text != "" {
			gap := x.Offset - at
			if gap < 0 || gap > maxGap {
				p.warn("passage", "passage at %d of document %q overlaps the one before or lies far behind: its annotations may be lost", x.Offset, d.ID)
				gap = 1
			}
			b.WriteString(strings.Repeat("\n", gap))
			start := b.Len()
			b.WriteString(strings.ToValidUTF8(x.Text, "\ufffd"))
			at += gap + utf8.RuneCountInString(b.String()[start:])
			if top {
				out.Passages = append(out.Passages, corpus.Passage{Type: x.Infons.get("type"), Span: text.Span{Start: start, End: b.Len()}})
			}
		}
		pending = append(pending, x.Annotations...)
		for i := range x.Sentences {
			add(&x.Sentences[i], x.Text == "")
		}
	}
	for i := range d.Passages {
		add(&d.Passages[i], true)
	}
	out.Text = b.String()
	off := text.NewOffsets(out.Text)
	for i := range pending {
		if m, ok := p.mention(&pending[i], out.Text, off, d.ID); ok {
			out.Mentions = append(out.Mentions, m)
		}
	}
	corpus.SortMentions(out.Mentions)
	return out
}

func (p *parser) mention(a *annotation, s string, off *text.Offsets, doc string) (corpus.Mention, bool) {
	m := corpus.Mention{ID: a.ID, Type: a.Infons.get("type"), Gold: []corpus.Answer{}}
	for _, l := range a.Locations {
		from, okA := off.Byte(l.Offset)
		to, okB := off.Byte(l.Offset + l.Length)
		if !okA || !okB || from >= to {
			p.warn("offset", "annotation %q (%q) of document %q lies outside the text: left out", a.ID, a.Text, doc)
			return m, false
		}
		m.Spans = append(m.Spans, text.Span{Start: from, End: to})
	}
	slices.SortFunc(m.Spans, func(a, b text.Span) int { return a.Start - b.Start })
	if len(m.Spans) == 0 {
		p.warn("offset", "annotation %q (%q) of document %q has no location: left out", a.ID, a.Text, doc)
		return m, false
	}
	m.Text = corpus.SurfaceOf(s, m.Spans)
	if a.Text != "" && strings.Join(strings.Fields(m.Text), " ") != strings.Join(strings.Fields(a.Text), " ") {
		p.warn("offset", "annotation %q of document %q: %q expected, but %q stands there: left out", a.ID, doc, a.Text, m.Text)
		return m, false
	}
	if codes := p.codes(a); len(codes) > 0 {
		m.Gold = append(m.Gold, codes)
	}
	return m, true
}

func (p *parser) codes(a *annotation) corpus.Answer {
	keys := p.opt.Identifiers
	if len(keys) == 0 {
		keys = []string{"identifier", "Identifier", "code", "MESH", "CUI"}
	}
	for _, k := range keys {
		var out corpus.Answer
		for _, c := range strings.FieldsFunc(a.Infons.get(k), func(r rune) bool { return strings.ContainsRune(p.opt.Composite+"|,", r) }) {
			if c = strings.TrimSpace(c); c == "" || c == "-" || c == "-1" {
				continue
			}
			if p.opt.Prefix != "" && !strings.Contains(c, ":") {
				c = p.opt.Prefix + c
			}
			out = append(out, c)
		}
		if slices.Sort(out); len(out) > 0 {
			return slices.Compact(out)
		}
	}
	return nil
}
