package bioc

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

// Read reads a collection, recognised as XML or JSON by its first character. XML is read document by document; a JSON file may
// also be an array of documents. An annotation whose text is not what stands at its locations is reported and left out.
func Read(r io.Reader, file string, opt corpus.ReadOptions) ([]corpus.Document, []text.Warning, error) {
	opt.Codes = opt.Codes.Or(composite, alternative)
	if len(opt.Identifiers) == 0 {
		opt.Identifiers = defaultIdentifiers()
	}
	in := bufio.NewReaderSize(io.LimitReader(r, maxFile), 1<<16)
	p := &parser{problems: text.Problems{File: file}, opt: opt}
	var err error
	switch corpus.FirstByte(in) {
	case '{':
		var c collection
		err = json.NewDecoder(in).Decode(&c)
		p.all(c.Documents)
	case '[':
		var docs []document
		err = json.NewDecoder(in).Decode(&docs)
		p.all(docs)
	default:
		err = p.xml(in)
	}
	if err != nil {
		return nil, nil, &text.SyntaxError{File: file, Line: p.line, Msg: "no BioC collection: " + err.Error()}
	}
	return p.docs, p.problems.List, nil
}

type parser struct {
	line     int // of XML; 0 in JSON
	opt      corpus.ReadOptions
	docs     []corpus.Document
	problems text.Problems
}

func (p *parser) warn(kind, format string, args ...any) {
	p.problems.Add(p.line, kind, format, args...)
}

func (p *parser) all(docs []document) {
	for i := range docs {
		p.document(&docs[i])
	}
}

// xml reads one document element after the other.
func (p *parser) xml(in io.Reader) error {
	x := text.NewXML(in)
	opened := false
	for {
		t, err := x.Token()
		p.line = x.Line()
		if errors.Is(err, io.EOF) {
			if !opened {
				return errors.New("no element <collection>")
			}
			return nil
		}
		if err != nil {
			return err
		}
		start, ok := t.(xml.StartElement)
		switch {
		case !ok:
		case start.Name.Local == "collection":
			opened = true
		case start.Name.Local == "document":
			var d document
			if err := x.DecodeElement(&d, &start); err != nil {
				return err
			}
			p.document(&d)
		case !opened:
			return fmt.Errorf("element <%s> where <collection> is expected", start.Name.Local)
		}
	}
}

// document puts the passages where their offsets say, with line breaks in between, so that offsets stay valid.
func (p *parser) document(d *document) {
	out := corpus.Document{ID: d.ID, Language: p.opt.Language, Split: p.opt.Split}
	var l corpus.Layout
	var pending []annotation
	relations := len(d.Relations)
	var add func(x *passage, top bool)
	add = func(x *passage, top bool) {
		relations += len(x.Relations)
		if x.Text != "" {
			sp, ok := l.Add(x.Offset, x.Text, '\n')
			if !ok {
				p.warn("passage", "passage at %d of document %q overlaps the one before or lies far behind: its annotations may be lost", x.Offset, d.ID)
			}
			if top {
				out.Passages = append(out.Passages, corpus.Passage{Type: x.Infons.typ(), Span: sp})
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
	if relations > 0 {
		p.warn("relation", "%d relations of document %q are not read", relations, d.ID)
	}
	out.Text = l.Text()
	off := text.NewOffsets(out.Text)
	for i := range pending {
		if m, ok := p.mention(&pending[i], out.Text, off, d.ID); ok {
			out.Mentions = append(out.Mentions, m)
		}
	}
	corpus.SortMentions(out.Mentions)
	p.docs = append(p.docs, out)
}

func (p *parser) mention(a *annotation, s string, off *text.Offsets, doc string) (corpus.Mention, bool) {
	var parts []corpus.Range
	for _, l := range a.Locations {
		parts = append(parts, corpus.Range{Start: l.Offset, End: l.Offset + l.Length})
	}
	spans, err := corpus.Locate(s, off, parts, a.Text)
	if err != nil {
		p.warn("offset", "annotation %q of document %q: %v: left out", a.ID, doc, err)
		return corpus.Mention{}, false
	}
	m := corpus.Mention{ID: a.ID, Spans: spans, Text: corpus.SurfaceOf(s, spans), Type: a.Infons.typ()}
	key, value, ok := a.Infons.get(p.opt.Identifiers...)
	if ok {
		var missing int
		if m.Gold, missing = p.opt.Codes.Parse(value); missing > 0 {
			p.warn("partial-code", "annotation %q of document %q: a part has no code: %q", a.ID, doc, strings.TrimSpace(value))
		}
	}
	m.Attributes = a.Infons.attributes(key)
	return m, true
}
