// Package brat reads and writes BRAT standoff: a .txt and an .ann file a document. Concept IDs come from normalisations (N
// lines) and, as in the QUAERO corpus, from annotator notes (# lines). It is one of the corpus readers.
package brat

import (
	"bufio"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

// Options of Read.
type Options struct {
	Language string
	Split    string
	// Composite joins the codes of one answer inside a note; default "+". Several N lines of a mention are parts of one answer too.
	Composite string
	Prefix    string // put before codes without a colon
}

const (
	maxText = 64 << 20
	maxLine = 4 << 20
)

// Read reads every .ann of a folder, at any depth, with the .txt beside it, in the order of their names.
func Read(fsys fs.FS, opt Options) ([]corpus.Document, []text.Warning, error) {
	var docs []corpus.Document
	var warnings []text.Warning
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(p) != ".ann" {
			return err
		}
		doc, w, err := document(fsys, p, opt)
		docs, warnings = append(docs, doc), append(warnings, w...)
		return err
	})
	if err == nil && len(docs) == 0 {
		err = fmt.Errorf("no .ann file: a folder of BRAT documents is expected: %w", fs.ErrNotExist)
	}
	return docs, warnings, err
}

func document(fsys fs.FS, ann string, opt Options) (corpus.Document, []text.Warning, error) {
	id := strings.TrimSuffix(ann, ".ann")
	b, err := fs.ReadFile(fsys, id+".txt")
	if err != nil {
		return corpus.Document{}, nil, fmt.Errorf("text of %s: %w", ann, err)
	}
	if len(b) > maxText || !utf8.Valid(b) {
		return corpus.Document{}, nil, &text.SyntaxError{File: id + ".txt", Msg: "larger than 64 MB or no UTF-8"}
	}
	f, err := fsys.Open(ann)
	if err != nil {
		return corpus.Document{}, nil, err
	}
	defer f.Close()
	p := &parser{file: ann, opt: opt, at: map[string]int{}, doc: corpus.Document{ID: path.Base(id), Language: opt.Language, Split: opt.Split, Text: string(b)}}
	p.offsets = text.NewOffsets(p.doc.Text)
	sc := bufio.NewScanner(f)
	sc.Buffer(make([]byte, 1<<16), maxLine)
	for p.line = 1; sc.Scan(); p.line++ {
		p.parse(strings.TrimSuffix(sc.Text(), "\r"))
	}
	if err := sc.Err(); err != nil {
		return corpus.Document{}, nil, &text.SyntaxError{File: ann, Line: p.line, Msg: err.Error()}
	}
	p.finish()
	return p.doc, p.warnings, nil
}

type parser struct {
	file     string
	line     int
	opt      Options
	doc      corpus.Document
	offsets  *text.Offsets
	at       map[string]int // T id -> mention
	warnings []text.Warning
}

func (p *parser) warn(kind, format string, args ...any) {
	p.warnings = append(p.warnings, text.Warning{File: p.file, Line: p.line, Kind: kind, Msg: fmt.Sprintf(format, args...)})
}

func (p *parser) parse(line string) {
	cells := strings.Split(line, "\t")
	switch {
	case strings.TrimSpace(line) == "":
	case len(cells) < 2:
		p.warn("line", "%.60q is no annotation: left out", line)
	case line[0] == 'T':
		p.mention(cells)
	case line[0] == 'N': // N1<tab>Reference T1 UMLS:C0000001<tab>name
		if f := strings.Fields(cells[1]); len(f) == 3 {
			_, code, _ := strings.Cut(f[2], ":")
			p.code(f[1], code, f[2])
		} else {
			p.warn("line", "%.60q is no normalisation: left out", line)
		}
	case line[0] == '#': // #1<tab>AnnotatorNotes T1<tab>C0000001
		if f := strings.Fields(cells[1]); len(f) == 2 && f[0] == "AnnotatorNotes" && len(cells) > 2 {
			for _, code := range strings.FieldsFunc(cells[2], func(r rune) bool { return r == ' ' || r == ',' || strings.ContainsRune(p.opt.Composite+"+", r) }) {
				p.code(f[1], code, "")
			}
		}
	case strings.ContainsRune("REAM*", rune(line[0])):
		p.warn("not-read", "relations, events and attributes are not read")
	default:
		p.warn("line", "%.60q is no annotation: left out", line)
	}
}

// mention: T1<tab>Type 0 5;7 9<tab>text
func (p *parser) mention(cells []string) {
	typ, spans, ok := strings.Cut(cells[1], " ")
	if !ok || len(cells) < 3 {
		p.warn("line", "mention %s has no offsets or no text: left out", cells[0])
		return
	}
	m := corpus.Mention{ID: cells[0], Type: typ, Gold: []corpus.Answer{}}
	for _, part := range strings.Split(spans, ";") {
		f := strings.Fields(part)
		if len(f) != 2 {
			p.warn("offset", "mention %s has offsets %q: left out", cells[0], spans)
			return
		}
		a, errA := strconv.Atoi(f[0])
		b, errB := strconv.Atoi(f[1])
		from, okA := p.offsets.Byte(a)
		to, okB := p.offsets.Byte(b)
		if errA != nil || errB != nil || !okA || !okB || from >= to {
			p.warn("offset", "mention %s at %s lies outside the text: left out", cells[0], spans)
			return
		}
		m.Spans = append(m.Spans, text.Span{Start: from, End: to})
	}
	if m.Text = corpus.SurfaceOf(p.doc.Text, m.Spans); fold(m.Text) != fold(cells[2]) {
		p.warn("offset", "mention %q expected at %s, but %q stands there: left out", cells[2], spans, m.Text)
		return
	}
	p.at[m.ID] = len(p.doc.Mentions)
	p.doc.Mentions = append(p.doc.Mentions, m)
}

func fold(s string) string { return strings.Join(strings.Fields(s), " ") }

func (p *parser) code(mention, code, whole string) {
	i, ok := p.at[mention]
	if !ok {
		p.warn("reference", "code %q belongs to no mention %s", code, mention)
		return
	}
	if code = strings.TrimSpace(code); code == "" {
		code = whole
	}
	if p.opt.Prefix != "" && !strings.Contains(code, ":") {
		code = p.opt.Prefix + code
	}
	m := &p.doc.Mentions[i]
	if len(m.Gold) == 0 {
		m.Gold = []corpus.Answer{{}}
	}
	if !slices.Contains(m.Gold[0], code) {
		m.Gold[0] = append(m.Gold[0], code)
		slices.Sort(m.Gold[0])
	}
}

func (p *parser) finish() {
	corpus.SortMentions(p.doc.Mentions)
}

// Ann renders a document's annotations as the content of its .ann file; the text goes to the .txt as it is.
func Ann(d *corpus.Document) string {
	var b strings.Builder
	off := text.NewOffsets(d.Text)
	notes := 0
	for i, m := range d.Mentions {
		var spans []string
		for _, s := range m.Spans {
			spans = append(spans, fmt.Sprintf("%d %d", off.Rune(s.Start), off.Rune(s.End)))
		}
		fmt.Fprintf(&b, "T%d\t%s %s\t%s\n", i+1, strings.ReplaceAll(m.Type, " ", "_"), strings.Join(spans, ";"), strings.ReplaceAll(m.Text, "\n", " "))
		if len(m.Gold) > 0 {
			for _, code := range m.Gold[0] {
				notes++
				fmt.Fprintf(&b, "#%d\tAnnotatorNotes T%d\t%s\n", notes, i+1, code)
			}
		}
	}
	return b.String()
}
