// Package pubtator reads and writes PubTator files: `id|t|title`, `id|a|abstract` and tab-separated annotations whose
// offsets are code points into title, one separator character, abstract. MedMentions is in this format, too.
package pubtator

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

// maxFile bounds a file: MedMentions has 60 MB.
const maxFile = 4 << 30

// Codes of one answer that needs all of them are joined by "|" (NCBI disease corpus), answers of which any one counts by ";".
const (
	composite   = "|"
	alternative = ";"
)

// Read reads documents. A mention whose text is not what stands at its offsets is reported with its line and left out;
// the warnings say what stands there instead. Lines that are no PubTator are an error.
func Read(r io.Reader, file string, opt corpus.ReadOptions) ([]corpus.Document, []text.Warning, error) {
	opt.Codes = opt.Codes.Or(composite, alternative)
	p := &parser{problems: text.Problems{File: file}, opt: opt, seen: map[string]bool{}}
	rest, err := corpus.ReadAll(r, maxFile)
	if err != nil {
		return nil, nil, &text.SyntaxError{File: file, Msg: err.Error()}
	}
	for p.line = 1; rest != ""; p.line++ {
		line := rest
		if i := strings.IndexByte(rest, '\n'); i >= 0 {
			line, rest = rest[:i], rest[i+1:]
		} else {
			rest = ""
		}
		if err := p.parse(strings.TrimSuffix(line, "\r")); err != nil {
			return nil, p.problems.List, err
		}
	}
	p.finish()
	return p.docs, p.problems.List, nil
}

type parser struct {
	line     int
	opt      corpus.ReadOptions
	docs     []corpus.Document
	problems text.Problems
	doc      *corpus.Document
	mentions []corpus.Mention // of doc, reused
	offsets  *text.Offsets
	seen     map[string]bool
}

func (p *parser) errorf(format string, args ...any) error {
	return &text.SyntaxError{File: p.problems.File, Line: p.line, Msg: fmt.Sprintf(format, args...)}
}

func (p *parser) parse(line string) error {
	if line == "" || strings.TrimSpace(line) == "" {
		p.finish()
		return nil
	}
	line = strings.TrimPrefix(line, "\ufeff")
	if id, kind, rest, ok := header(line); ok {
		return p.header(id, kind, strings.ToValidUTF8(rest, "\uFFFD"))
	}
	return p.annotation(line)
}

// header splits `id|t|text`.
func header(line string) (id string, kind byte, rest string, ok bool) {
	i := strings.IndexAny(line, "|\t")
	if i < 0 || i+2 >= len(line) || line[i] != '|' || line[i+2] != '|' || line[i+1] != 't' && line[i+1] != 'a' {
		return "", 0, "", false
	}
	return line[:i], line[i+1], line[i+3:], true
}

func (p *parser) header(id string, kind byte, rest string) error {
	if !validID(id) {
		return p.errorf("document ID %q is empty or no text", id)
	}
	if kind == 't' {
		p.finish()
		if p.seen[id] {
			p.problems.Add(p.line, "duplicate", "document %q occurs twice", id)
		}
		p.doc = &corpus.Document{ID: id, Language: p.opt.Language, Split: p.opt.Split, Text: rest}
		p.doc.Passages = []corpus.Passage{{Type: "title", Span: text.Span{End: len(rest)}}}
		return nil
	}
	if p.doc == nil || p.doc.ID != id {
		return p.errorf("abstract of %q has no title line before it", id)
	}
	if rest == "" {
		return nil
	}
	start := len(p.doc.Text) + 1
	p.doc.Text += "\n" + rest
	p.doc.Passages = append(p.doc.Passages, corpus.Passage{Type: "abstract", Span: text.Span{Start: start, End: len(p.doc.Text)}})
	return nil
}

// validID reports whether a document ID can stand at the front of a line.
func validID(id string) bool {
	return id != "" && !strings.ContainsAny(id, "|\t\n\r") && utf8.ValidString(id)
}

// columns splits a line at tabs: id, start, end, mention, type, codes. It returns how many there are, at most 6 kept.
func columns(line string) (f [6]string, n int) {
	for n < len(f) {
		i := strings.IndexByte(line, '\t')
		if i < 0 {
			f[n] = line
			return f, n + 1
		}
		f[n], line = line[:i], line[i+1:]
		n++
	}
	return f, n
}

func (p *parser) annotation(line string) error {
	f, n := columns(line)
	if p.doc == nil || f[0] != p.doc.ID {
		return p.errorf("line %.60q belongs to no document: a title line id|t|... is expected first", line)
	}
	start, err1 := strconv.Atoi(f[1])
	end, err2 := strconv.Atoi(f[2])
	switch {
	case n >= 4 && err1 != nil: // id, type of relation, two codes
		p.problems.Add(p.line, "relation", "relation lines are not read")
		return nil
	case n < 5:
		return p.errorf("%d columns, at least 5 are expected: id, start, end, mention, type, code", n)
	case err2 != nil:
		return p.errorf("offset %q is not a number", f[2])
	}
	if p.offsets == nil {
		p.offsets = text.NewOffsets(p.doc.Text)
	}
	parts := [1]corpus.Range{{Start: start, End: end}}
	spans, err := corpus.Locate(p.doc.Text, p.offsets, parts[:], f[3])
	if err != nil {
		p.problems.Add(p.line, "offset", "document %q: %v: left out", p.doc.ID, err)
		return nil
	}
	m := corpus.Mention{ID: p.doc.ID + "." + strconv.Itoa(len(p.mentions)+1), Spans: spans, Text: corpus.SurfaceOf(p.doc.Text, spans), Type: f[4]}
	if n > 5 {
		var missing int
		if m.Gold, missing = p.opt.Codes.Parse(f[5]); missing > 0 {
			p.problems.Add(p.line, "partial-code", "document %q: a part of %q has no code: %q", p.doc.ID, f[3], f[5])
		}
	}
	p.mentions = append(p.mentions, m)
	return nil
}

func (p *parser) finish() {
	if p.doc == nil {
		return
	}
	p.seen[p.doc.ID] = true
	corpus.SortMentions(p.mentions)
	p.doc.Mentions = slices.Clone(p.mentions)
	p.docs = append(p.docs, *p.doc)
	p.doc, p.offsets, p.mentions = nil, nil, p.mentions[:0]
}

// Write writes documents: title the first line, abstract the rest in one line. What PubTator cannot hold is reported.
func Write(w io.Writer, docs []corpus.Document, opt corpus.WriteOptions) ([]text.Warning, error) {
	codes := opt.Codes.Or(composite, alternative)
	if codes.NIL == "" {
		codes.NIL = "-1"
	}
	lost := corpus.Losses{}
	b := bufio.NewWriter(w)
	oneLine := strings.NewReplacer("\n", " ", "\t", " ", "\r", " ")
	for i := range docs {
		d := &docs[i]
		if !validID(d.ID) {
			return nil, fmt.Errorf("writing PubTator: document ID %q is empty or holds a bar, tab or line break", d.ID)
		}
		title, abstract, _ := strings.Cut(d.Text, "\n")
		fmt.Fprintf(b, "%s|t|%s\n%s|a|%s\n", d.ID, title, d.ID, strings.ReplaceAll(abstract, "\n", " "))
		off := text.NewOffsets(d.Text)
		for j := range d.Mentions {
			m := &d.Mentions[j]
			sp := m.Span()
			code, whole := codes.Format(m.Gold)
			lost.Mention(d, m, whole, false)
			fmt.Fprintf(b, "%s\t%d\t%d\t%s\t%s\t%s\n", d.ID, off.Unit(sp.Start), off.Unit(sp.End), oneLine.Replace(d.Text[sp.Start:sp.End]), oneLine.Replace(m.Type), code)
		}
		lost.Document(d)
		fmt.Fprintln(b)
	}
	return lost.Warnings("PubTator"), b.Flush()
}
