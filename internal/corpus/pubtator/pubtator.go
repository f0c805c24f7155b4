// Package pubtator reads and writes PubTator files: `id|t|title`, `id|a|abstract` and tab-separated annotations whose
// offsets are code points into title, one separator character, abstract.
package pubtator

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

// Options of Read.
type Options struct {
	Language string
	Split    string
	// Composite is what joins the parts of one answer that needs all of them; default "|" (NCBI disease corpus). Alternative
	// joins answers of which any one counts; default none.
	Composite   string
	Alternative string
	// Prefix is put before codes that have no colon, e.g. "MESH:".
	Prefix string
}

const maxLine = 16 << 20

// Read reads documents. A mention whose text is not what stands at its offsets is reported with its line and left out;
// the warnings say what stands there instead. Lines that are no PubTator are an error.
func Read(r io.Reader, file string, opt Options) ([]corpus.Document, []text.Warning, error) {
	if opt.Composite == "" {
		opt.Composite = "|"
	}
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 1<<16), maxLine)
	p := &parser{file: file, opt: opt}
	for p.line = 1; sc.Scan(); p.line++ {
		if err := p.parse(strings.TrimSuffix(sc.Text(), "\r")); err != nil {
			return nil, p.warnings, err
		}
	}
	if err := sc.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("line longer than %d bytes", maxLine)
		}
		return nil, p.warnings, &text.SyntaxError{File: file, Line: p.line, Msg: err.Error()}
	}
	p.finish()
	return p.docs, p.warnings, nil
}

type parser struct {
	file     string
	line     int
	opt      Options
	docs     []corpus.Document
	warnings []text.Warning
	doc      *corpus.Document
	offsets  *text.Offsets
	seen     map[string]bool
}

func (p *parser) errorf(format string, args ...any) error {
	return &text.SyntaxError{File: p.file, Line: p.line, Msg: fmt.Sprintf(format, args...)}
}

func (p *parser) warn(kind, format string, args ...any) {
	p.warnings = append(p.warnings, text.Warning{File: p.file, Line: p.line, Kind: kind, Msg: fmt.Sprintf(format, args...)})
}

func (p *parser) parse(line string) error {
	if strings.TrimSpace(line) == "" {
		p.finish()
		return nil
	}
	line = strings.TrimPrefix(line, "\ufeff")
	if id, kind, rest, ok := header(line); ok {
		return p.header(id, kind, strings.ToValidUTF8(rest, "\uFFFD"))
	}
	return p.annotation(strings.Split(line, "\t"))
}

// header splits `id|t|text`.
func header(line string) (id, kind, rest string, ok bool) {
	id, rest, ok = strings.Cut(line, "|")
	if !ok || strings.Contains(id, "\t") {
		return "", "", "", false
	}
	kind, rest, ok = strings.Cut(rest, "|")
	return id, kind, rest, ok && (kind == "t" || kind == "a")
}

func (p *parser) header(id, kind, rest string) error {
	if kind == "t" {
		p.finish()
		if p.seen[id] {
			p.warn("duplicate", "document %q occurs twice", id)
		}
		p.doc = &corpus.Document{ID: id, Language: p.opt.Language, Split: p.opt.Split, Text: rest}
		p.doc.Passages = []corpus.Passage{{Type: "title", Span: text.Span{End: len(rest)}}}
		return nil
	}
	if p.doc == nil || p.doc.ID != id {
		return p.errorf("abstract of %q has no title line before it", id)
	}
	start := len(p.doc.Text) + 1
	p.doc.Text += "\n" + rest
	p.doc.Passages = append(p.doc.Passages, corpus.Passage{Type: "abstract", Span: text.Span{Start: start, End: len(p.doc.Text)}})
	return nil
}

func (p *parser) annotation(f []string) error {
	if p.doc == nil || f[0] != p.doc.ID {
		return p.errorf("line %.60q belongs to no document: a title line id|t|... is expected first", strings.Join(f, "\t"))
	}
	if len(f) < 5 {
		if len(f) == 4 { // a relation line: id, type, two codes
			p.warn("relation", "relation lines are not read")
			return nil
		}
		return p.errorf("%d columns, at least 5 are expected: id, start, end, mention, type, code", len(f))
	}
	start, err1 := strconv.Atoi(f[1])
	end, err2 := strconv.Atoi(f[2])
	if err1 != nil || err2 != nil {
		if len(f) >= 4 && err1 != nil {
			p.warn("relation", "relation lines are not read")
			return nil
		}
		return p.errorf("offsets %q and %q are not numbers", f[1], f[2])
	}
	if p.offsets == nil {
		p.offsets = text.NewOffsets(p.doc.Text)
	}
	a, okA := p.offsets.Byte(start)
	b, okB := p.offsets.Byte(end)
	if !okA || !okB || a >= b {
		p.warn("offset", "mention %q at %d-%d lies outside document %q of %d code points: left out", f[3], start, end, p.doc.ID, p.offsets.Runes())
		return nil
	}
	if got := p.doc.Text[a:b]; !same(got, f[3]) {
		p.warn("offset", "mention %q expected at %d-%d of document %q, but %q stands there: left out", f[3], start, end, p.doc.ID, got)
		return nil
	}
	m := corpus.Mention{ID: fmt.Sprintf("%s.%d", p.doc.ID, len(p.doc.Mentions)+1), Spans: []text.Span{{Start: a, End: b}}, Text: p.doc.Text[a:b], Type: f[4]}
	if len(f) > 5 {
		m.Gold = p.gold(f[5])
	}
	p.doc.Mentions = append(p.doc.Mentions, m)
	return nil
}

// same allows the separator between title and abstract to be a space or a line break.
func same(got, want string) bool {
	return got == want || strings.ReplaceAll(got, "\n", " ") == want
}

// gold parses a code column. "-1", "-" and an empty column mean NIL.
func (p *parser) gold(s string) []corpus.Answer {
	out := []corpus.Answer{} // not nil: the column is there, so NIL is an annotation
	alternatives := []string{s}
	if p.opt.Alternative != "" {
		alternatives = strings.Split(s, p.opt.Alternative)
	}
	for _, alt := range alternatives {
		var parts corpus.Answer
		for _, c := range strings.FieldsFunc(alt, func(r rune) bool { return strings.ContainsRune(p.opt.Composite, r) }) {
			c = strings.TrimSpace(c)
			if c == "" || c == "-" || c == "-1" {
				continue
			}
			if p.opt.Prefix != "" && !strings.Contains(c, ":") {
				c = p.opt.Prefix + c
			}
			parts = append(parts, c)
		}
		slices.Sort(parts)
		if parts = slices.Compact(parts); len(parts) > 0 {
			out = append(out, parts)
		}
	}
	return out
}

func (p *parser) finish() {
	if p.doc == nil {
		return
	}
	if p.seen == nil {
		p.seen = map[string]bool{}
	}
	p.seen[p.doc.ID] = true
	corpus.SortMentions(p.doc.Mentions)
	p.docs = append(p.docs, *p.doc)
	p.doc, p.offsets = nil, nil
}

// Write writes documents. What PubTator cannot hold is reported: parts of discontinuous mentions become their covering
// span, alternatives beyond the first are left out.
func Write(w io.Writer, docs []corpus.Document) ([]text.Warning, error) {
	var warnings []text.Warning
	b := bufio.NewWriter(w)
	for _, d := range docs {
		title, abstract, _ := strings.Cut(d.Text, "\n")
		fmt.Fprintf(b, "%s|t|%s\n%s|a|%s\n", d.ID, title, d.ID, strings.ReplaceAll(abstract, "\n", " "))
		off := text.NewOffsets(d.Text)
		for _, m := range d.Mentions {
			sp := m.Span()
			code := "-1"
			if len(m.Gold) > 0 {
				code = strings.Join(m.Gold[0], "|")
			}
			if len(m.Gold) > 1 || len(m.Spans) > 1 {
				warnings = append(warnings, text.Warning{Kind: "lossy", Msg: fmt.Sprintf("mention %s of %s: PubTator holds one span and one answer", m.ID, d.ID)})
			}
			fmt.Fprintf(b, "%s\t%d\t%d\t%s\t%s\t%s\n", d.ID, off.Rune(sp.Start), off.Rune(sp.End), strings.ReplaceAll(d.Text[sp.Start:sp.End], "\n", " "), m.Type, code)
		}
		fmt.Fprintln(b)
	}
	return warnings, b.Flush()
}
