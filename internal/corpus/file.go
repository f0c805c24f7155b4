package corpus

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"

	"syncabel/internal/artifact"
	"syncabel/internal/text"
)

// FileName is the corpus inside its run folder: one document a line.
const FileName = "documents.jsonl"

// maxLine bounds one document of a file: a book of 64 MB.
const maxLine = 64 << 20

// WriteFile writes documents to path atomically, one a line.
func WriteFile(path string, docs []Document) error {
	return artifact.WriteWith(path, func(w io.Writer) error { return Write(w, docs) })
}

// Write writes documents, one JSON object a line.
func Write(w io.Writer, docs []Document) error {
	b := bufio.NewWriterSize(w, 1<<20)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	for i := range docs {
		if err := enc.Encode(&docs[i]); err != nil {
			return err
		}
	}
	return b.Flush()
}

// ReadFile reads what WriteFile wrote.
func ReadFile(path string) ([]Document, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading corpus: %w", err)
	}
	defer f.Close()
	return Read(f, path)
}

// Read reads documents, one JSON object a line, and checks that every mention's text stands at its spans.
func Read(r io.Reader, name string) ([]Document, error) {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 1<<16), maxLine)
	var docs []Document
	line := 1
	for ; sc.Scan(); line++ {
		if len(sc.Bytes()) == 0 {
			continue
		}
		var d Document
		err := json.Unmarshal(sc.Bytes(), &d)
		if err == nil {
			err = d.Check()
		}
		if err != nil {
			return nil, &text.SyntaxError{File: name, Line: line, Msg: err.Error()}
		}
		docs = append(docs, d)
	}
	if err := sc.Err(); err != nil {
		return nil, &text.SyntaxError{File: name, Line: line, Msg: err.Error()}
	}
	return docs, nil
}

// Check reports a mention without spans, outside the text, or with another text than stands at its spans. Every reader gives
// documents that pass.
func (d *Document) Check() error {
	for _, m := range d.Mentions {
		if len(m.Spans) == 0 {
			return fmt.Errorf("mention %q of document %q has no span", m.ID, d.ID)
		}
		for _, s := range m.Spans {
			if s.Start < 0 || s.End > len(d.Text) || s.Start >= s.End {
				return fmt.Errorf("mention %q of document %q: span %d-%d lies outside the text of %d bytes", m.ID, d.ID, s.Start, s.End, len(d.Text))
			}
		}
		if got := SurfaceOf(d.Text, m.Spans); got != m.Text {
			return fmt.Errorf("mention %q of document %q: text %q expected, but %q stands there", m.ID, d.ID, m.Text, got)
		}
	}
	return nil
}

// SurfaceOf returns the text at spans, joined by one space.
func SurfaceOf(s string, spans []text.Span) string {
	if len(spans) == 1 {
		return s[spans[0].Start:spans[0].End]
	}
	out := ""
	for i, sp := range spans {
		if i > 0 {
			out += " "
		}
		out += s[sp.Start:sp.End]
	}
	return out
}

// SortMentions puts mentions into reading order: by start, the longer first.
func SortMentions(ms []Mention) {
	slices.SortStableFunc(ms, func(a, b Mention) int {
		x, y := a.Span(), b.Span()
		return cmp.Or(cmp.Compare(x.Start, y.Start), cmp.Compare(y.End, x.End))
	})
}

// Mentions counts the mentions of docs.
func Mentions(docs []Document) int {
	n := 0
	for i := range docs {
		n += len(docs[i].Mentions)
	}
	return n
}

// Subset returns a random fraction of the documents, in their order; the documents of a smaller fraction are among those
// of a larger one of the same seed.
func Subset(docs []Document, fraction float64, seed uint64) []Document {
	order := rand.New(rand.NewPCG(seed, 0xd0c)).Perm(len(docs))
	n := int(fraction*float64(len(docs)) + 0.5)
	keep := order[:min(max(n, 0), len(docs))]
	slices.Sort(keep)
	out := make([]Document, len(keep))
	for i, k := range keep {
		out[i] = docs[k]
	}
	return out
}

// Split returns the documents of a split.
func Split(docs []Document, split string) []Document {
	var out []Document
	for _, d := range docs {
		if d.Split == split {
			out = append(out, d)
		}
	}
	return out
}
