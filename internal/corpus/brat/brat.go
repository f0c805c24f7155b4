// Package brat reads and writes BRAT standoff: a .txt and an .ann file a document. Concept IDs come from normalisations (N
// lines) and, as in the QUAERO corpus, from annotator notes (# lines); attributes (A and M lines) are kept. It is one of
// the corpus readers.
package brat

import (
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

// maxText bounds a file of a document.
const maxText = 64 << 20

// Inside a note, codes of one answer are joined by "+", a comma or a space, answers of which any one counts by "|". Several N
// lines of a mention are parts of one answer.
const (
	composite   = "+, "
	alternative = "|"
)

// labelsFile is where BRAT keeps what types are called on the screen; types themselves have no spaces.
const labelsFile = "visual.conf"

// Read reads every .ann of a folder, at any depth, with the .txt beside it, in the order of their names. A document is
// called by its file's name, or by its path where two files have one name.
func Read(fsys fs.FS, opt corpus.ReadOptions) ([]corpus.Document, []text.Warning, error) {
	opt.Codes = opt.Codes.Or(composite, alternative)
	var docs []corpus.Document
	var warnings []text.Warning
	var paths []string
	times := map[string]int{}
	labels := readLabels(fsys)
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(p) != ".ann" {
			return err
		}
		doc, w, err := document(fsys, p, labels, opt)
		docs, warnings = append(docs, doc), append(warnings, w...)
		paths = append(paths, strings.TrimSuffix(p, ".ann"))
		times[doc.ID]++
		return err
	})
	for i := range docs {
		if times[docs[i].ID] > 1 {
			docs[i].ID = paths[i]
		}
	}
	if err == nil && len(docs) == 0 {
		err = fmt.Errorf("no .ann file: a folder of BRAT documents is expected: %w", fs.ErrNotExist)
	}
	return docs, warnings, err
}

// readLabels returns the names of types on the screen, from the lines `Type | Label | ...` of section [labels].
func readLabels(fsys fs.FS) map[string]string {
	b, err := fs.ReadFile(fsys, labelsFile)
	if err != nil || len(b) > maxText {
		return nil
	}
	out := map[string]string{}
	in := false
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			in = line == "[labels]"
			continue
		}
		if f := strings.Split(line, "|"); in && len(f) > 1 {
			out[strings.TrimSpace(f[0])] = strings.TrimSpace(f[1])
		}
	}
	return out
}

// readText reads a file of the document, which must be UTF-8.
func readText(fsys fs.FS, name string) (string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	s, err := corpus.ReadAll(f, maxText)
	if err == nil && !utf8.ValidString(s) {
		err = fmt.Errorf("no UTF-8")
	}
	if err != nil {
		return "", &text.SyntaxError{File: name, Msg: err.Error()}
	}
	return s, nil
}

func document(fsys fs.FS, ann string, labels map[string]string, opt corpus.ReadOptions) (corpus.Document, []text.Warning, error) {
	id := strings.TrimSuffix(ann, ".ann")
	s, err := readText(fsys, id+".txt")
	if err != nil {
		return corpus.Document{}, nil, fmt.Errorf("text of %s: %w", ann, err)
	}
	lines, err := readText(fsys, ann)
	if err != nil {
		return corpus.Document{}, nil, err
	}
	p := &parser{labels: labels, problems: text.Problems{File: ann}, opt: opt, at: map[string]int{}, off: text.NewOffsets(s),
		doc: corpus.Document{ID: path.Base(id), Language: opt.Language, Split: opt.Split, Text: s}}
	for pass := range 2 { // mentions first: what refers to them may stand before them
		p.line = 0
		for line := range strings.Lines(lines) {
			p.line++
			line = strings.TrimRight(line, "\r\n")
			if strings.TrimSpace(line) != "" && strings.HasPrefix(line, "T") == (pass == 0) {
				p.parse(line)
			}
		}
	}
	corpus.SortMentions(p.doc.Mentions)
	return p.doc, p.problems.List, nil
}

type parser struct {
	line     int
	labels   map[string]string
	opt      corpus.ReadOptions
	doc      corpus.Document
	off      *text.Offsets
	at       map[string]int // T id -> mention
	problems text.Problems
}

func (p *parser) warn(kind, format string, args ...any) {
	p.problems.Add(p.line, kind, format, args...)
}

func (p *parser) parse(line string) {
	cells := strings.SplitN(line, "\t", 3)
	if len(cells) < 2 {
		p.warn("line", "%.60q is no annotation: left out", line)
		return
	}
	f := strings.Fields(cells[1])
	switch line[0] {
	case 'T':
		p.mention(cells)
	case 'N': // N1<tab>Reference T1 UMLS:C0000001<tab>name
		if len(f) != 3 {
			p.warn("line", "%.60q is no normalisation: left out", line)
			return
		}
		db, id, _ := strings.Cut(f[2], ":")
		p.part(f[1], corpus.CURIE(db, id))
	case '#': // #1<tab>AnnotatorNotes T1<tab>C0000001
		if len(f) == 2 && f[0] == "AnnotatorNotes" && len(cells) > 2 {
			p.note(f[1], cells[2])
		}
	case 'A', 'M': // A1<tab>Certainty T1 low
		p.attribute(f)
	case 'R', 'E', '*':
		p.warn("not-read", "relations and events are not read")
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
	var parts []corpus.Range
	for _, part := range strings.Split(spans, ";") {
		from, to, _ := strings.Cut(strings.TrimSpace(part), " ")
		a, errA := strconv.Atoi(from)
		b, errB := strconv.Atoi(to)
		if errA != nil || errB != nil {
			p.warn("offset", "mention %s has offsets %q: left out", cells[0], spans)
			return
		}
		parts = append(parts, corpus.Range{Start: a, End: b})
	}
	at, err := corpus.Locate(p.doc.Text, p.off, parts, cells[2])
	if err != nil {
		p.warn("offset", "%s: %v: left out", cells[0], err)
		return
	}
	if label, ok := p.labels[typ]; ok {
		typ = label
	}
	p.at[cells[0]] = len(p.doc.Mentions)
	p.doc.Mentions = append(p.doc.Mentions, corpus.Mention{ID: cells[0], Type: typ, Spans: at, Text: corpus.SurfaceOf(p.doc.Text, at), Gold: []corpus.Answer{}})
}

// of returns the mention that a line refers to.
func (p *parser) of(id, what string) *corpus.Mention {
	i, ok := p.at[id]
	if !ok {
		p.warn("reference", "%s belongs to no mention %s", what, id)
		return nil
	}
	return &p.doc.Mentions[i]
}

// part adds a code to the one answer of a mention.
func (p *parser) part(mention, code string) {
	answers, _ := corpus.Codes{Prefix: p.opt.Codes.Prefix}.Parse(code)
	m := p.of(mention, "code "+strconv.Quote(code))
	if m == nil || len(answers) == 0 {
		return
	}
	if len(m.Gold) == 0 {
		m.Gold = []corpus.Answer{{}}
	}
	m.Gold[0] = append(m.Gold[0], answers[0]...)
	slices.Sort(m.Gold[0])
	m.Gold[0] = slices.Compact(m.Gold[0])
}

// note adds the codes of an annotator's note; those of one answer join what is there.
func (p *parser) note(mention, codes string) {
	answers, missing := p.opt.Codes.Parse(codes)
	if missing > 0 {
		p.warn("partial-code", "a part of %s has no code: %q", mention, codes)
	}
	switch {
	case len(answers) == 1:
		for _, code := range answers[0] {
			p.part(mention, code)
		}
	case len(answers) > 1:
		if m := p.of(mention, "code "+strconv.Quote(codes)); m != nil {
			m.Gold = append(m.Gold, answers...)
		}
	}
}

func (p *parser) attribute(f []string) {
	if len(f) < 2 {
		p.warn("line", "%.60q is no attribute: left out", strings.Join(f, " "))
		return
	}
	m := p.of(f[1], "attribute "+f[0])
	if m == nil {
		return
	}
	if m.Attributes == nil {
		m.Attributes = map[string]string{}
	}
	m.Attributes[f[0]] = "true"
	if len(f) > 2 {
		m.Attributes[f[0]] = strings.Join(f[2:], " ")
	}
}
