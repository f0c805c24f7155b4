// Package annotator reads and writes the JSON of annotation programs: Label Studio tasks, doccano, Prodigy and spaCy lines, and
// exports of MedCATtrainer. It is one of the corpus readers.
//
// Most of these formats have a place for a label and none for a concept. Codes go where each program lets unknown keys
// be: kb_id of a span (spaCy, Prodigy), a text of the same region (Label Studio), a key "codes" of the line (doccano).
package annotator

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

const maxFile = 4 << 30

// Codes of one answer are joined by "+", answers of which any one counts by "|".
const (
	composite   = "+"
	alternative = "|"
)

// object is a JSON object whose unknown keys are kept.
type object = map[string]json.RawMessage

// reader collects documents.
type reader struct {
	line     int
	opt      corpus.ReadOptions
	docs     []corpus.Document
	problems text.Problems
}

func newReader(file string, opt corpus.ReadOptions) *reader {
	opt.Codes = opt.Codes.Or(composite, alternative)
	return &reader{opt: opt, problems: text.Problems{File: file}}
}

func (r *reader) warn(kind, format string, args ...any) {
	r.problems.Add(r.line, kind, format, args...)
}

func (r *reader) errorf(format string, args ...any) error {
	return &text.SyntaxError{File: r.problems.File, Line: r.line, Msg: fmt.Sprintf(format, args...)}
}

func (r *reader) done(err error) ([]corpus.Document, []text.Warning, error) {
	if err != nil {
		return nil, nil, err
	}
	for i := range r.docs {
		corpus.SortMentions(r.docs[i].Mentions)
	}
	return r.docs, r.problems.List, nil
}

// lines calls f with the object of every line; a file may also be one array.
func (r *reader) lines(in io.Reader, f func(object) error) error {
	s, err := corpus.ReadAll(in, maxFile)
	if err != nil {
		return r.errorf("%v", err)
	}
	if strings.HasPrefix(strings.TrimSpace(s), "[") {
		var all []object
		if err := json.Unmarshal([]byte(s), &all); err != nil {
			return r.errorf("%v", err)
		}
		for _, o := range all {
			r.line++
			if err := f(o); err != nil {
				return err
			}
		}
		return nil
	}
	for line := range strings.Lines(s) {
		r.line++
		if strings.TrimSpace(line) == "" {
			continue
		}
		var o object
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			return r.errorf("%v", err)
		}
		if err := f(o); err != nil {
			return err
		}
	}
	return nil
}

// take decodes a key into v and removes it; false when the object has no such key or it is of another kind.
func take(o object, key string, v any) bool {
	raw, ok := o[key]
	if !ok || json.Unmarshal(raw, v) != nil {
		return false
	}
	delete(o, key)
	return true
}

// name takes the first of the keys that holds a string or a number.
func name(o object, keys ...string) string {
	for _, k := range keys {
		var s string
		if take(o, k, &s) && s != "" {
			return s
		}
		var n json.Number
		if take(o, k, &n) && n != "" {
			return n.String()
		}
	}
	return ""
}

// start begins a document from what a line says of itself; what is left of the line stays with it.
func (r *reader) start(o object, key string) (*corpus.Document, error) {
	var s string
	if !take(o, key, &s) {
		return nil, r.errorf("no text under the key %q", key)
	}
	d := corpus.Document{ID: name(o, "document_id", "id"), Language: name(o, "language"), Split: name(o, "split"), Text: strings.ToValidUTF8(s, "\ufffd")}
	if d.ID == "" {
		d.ID = strconv.Itoa(r.line)
	}
	if d.Language == "" {
		d.Language = r.opt.Language
	}
	if d.Split == "" {
		d.Split = r.opt.Split
	}
	r.docs = append(r.docs, d)
	return &r.docs[len(r.docs)-1], nil
}

// rest keeps the keys that nobody took.
func rest(d *corpus.Document, o object) {
	if len(o) > 0 {
		d.Meta = o
	}
}

// add puts a mention at a range of d, or reports why not. Codes nil means that the concept was not annotated.
func (r *reader) add(d *corpus.Document, off *text.Offsets, id, typ, want string, parts []corpus.Range, codes *string) *corpus.Mention {
	spans, err := corpus.Locate(d.Text, off, parts, want)
	if err != nil {
		r.warn("offset", "document %q: %v: left out", d.ID, err)
		return nil
	}
	m := corpus.Mention{ID: id, Type: typ, Spans: spans, Text: corpus.SurfaceOf(d.Text, spans)}
	if id == "" {
		m.ID = strconv.Itoa(len(d.Mentions) + 1)
	}
	if codes != nil {
		var missing int
		if m.Gold, missing = r.opt.Codes.Parse(*codes); missing > 0 {
			r.warn("partial-code", "document %q: a part of %q has no code: %q", d.ID, m.Text, *codes)
		}
	}
	d.Mentions = append(d.Mentions, m)
	return &d.Mentions[len(d.Mentions)-1]
}

// writer writes one object a line.
type writer struct {
	enc   *json.Encoder
	codes corpus.Codes
	lost  corpus.Losses
}

func newWriter(w io.Writer, opt corpus.WriteOptions) *writer {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	codes := opt.Codes.Or(composite, alternative)
	if codes.NIL == "" {
		codes.NIL = "NIL"
	}
	return &writer{enc: enc, codes: codes, lost: corpus.Losses{}}
}

// line starts an object with the kept keys of a document and its text.
func line(d *corpus.Document) map[string]any {
	out := map[string]any{"text": d.Text, "document_id": d.ID}
	if d.Language != "" {
		out["language"] = d.Language
	}
	if d.Split != "" {
		out["split"] = d.Split
	}
	for k, v := range d.Meta {
		if _, ours := out[k]; !ours {
			out[k] = v
		}
	}
	return out
}

// code returns the codes of a mention for a field that may be absent.
func (w *writer) code(m *corpus.Mention) (string, bool) {
	s, _ := w.codes.Format(m.Gold)
	return s, m.Gold != nil
}
