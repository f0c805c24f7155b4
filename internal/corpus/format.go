package corpus

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"sort"
	"strings"

	"syncabel/internal/text"
)

// ReadOptions are what readers need to know beside the file. Every reader takes them and uses what its format lacks.
type ReadOptions struct {
	Language    string            // of the documents, ISO 639-1
	Split       string            // of the documents
	Codes       Codes             // how several codes of a mention are written; zero: as the format does
	Texts       Texts             // table: holds NAME.txt of every file name of the table
	Database    string            // bigbio: keep only codes of this db_name; empty: all
	Identifiers []string          // bioc: infons that hold the code, the first that is there; default identifier, code, MESH ...
	Columns     map[string]string // table: our name of a column -> the file's, e.g. "text": "surface"; "-": it has none
}

// Texts hold the files of documents' texts by name; os.DirFS is one.
type Texts interface {
	ReadFile(name string) ([]byte, error)
}

// WriteOptions are what writers need to know beside the documents.
type WriteOptions struct {
	Codes Codes // how several codes of a mention are written; zero: as the format does
}

// Losses counts what a target format cannot hold, by reason.
type Losses map[string]*loss

type loss struct {
	n     int
	first string
}

// Add notes that the format lost something of a document: reason says what, e.g. "parts of discontinuous mentions".
func (l Losses) Add(reason, document, what string) {
	x := l[reason]
	if x == nil {
		x = &loss{first: fmt.Sprintf("%q of document %q", what, document)}
		l[reason] = x
	}
	x.n++
}

// Mention notes what a format without attributes loses of a mention: codes that were not written whole, and parts unless the
// format holds them.
func (l Losses) Mention(d *Document, m *Mention, codes, parts bool) {
	if !codes {
		l.Add(lostAlternatives, d.ID, m.Text)
	}
	if !parts && len(m.Spans) > 1 {
		l.Add(lostParts, d.ID, m.Text)
	}
	if len(m.Attributes) > 0 {
		l.Add(lostAttributes, d.ID, m.Text)
	}
}

// Document notes what a format without free keys loses of a document.
func (l Losses) Document(d *Document) {
	for k := range d.Meta {
		l.Add(lostMeta, d.ID, k)
	}
}

// Warnings returns one warning of kind "lossy" a reason, with the count and the first case.
func (l Losses) Warnings(format string) []text.Warning {
	reasons := make([]string, 0, len(l))
	for r := range l {
		reasons = append(reasons, r)
	}
	sort.Strings(reasons)
	var out []text.Warning
	for _, r := range reasons {
		out = append(out, text.Warning{Kind: "lossy", Msg: fmt.Sprintf("%s cannot hold %s: %d, first %s", format, r, l[r].n, l[r].first)})
	}
	return out
}

// Reasons that several writers give.
const (
	lostParts        = "the parts of a discontinuous mention; its covering span is written"
	lostAlternatives = "all codes of a mention; the first answer is written"
	lostAttributes   = "attributes of mentions"
	lostMeta         = "unknown keys of documents"
)

// ReadAll reads r, at most limit bytes; more is an error.
func ReadAll(r io.Reader, limit int64) (string, error) {
	var b strings.Builder
	switch f := r.(type) {
	case interface{ Len() int }: // a reader of memory
		b.Grow(f.Len())
	case interface{ Stat() (fs.FileInfo, error) }:
		if st, err := f.Stat(); err == nil && st.Size() <= limit {
			b.Grow(int(st.Size()))
		}
	}
	n, err := io.Copy(&b, io.LimitReader(r, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("larger than %d bytes", limit)
	}
	return b.String(), err
}

// FirstByte returns the first byte of in that is neither white space nor a byte-order mark, without reading it; 0 at the end.
// Formats with several notations are told apart by it.
func FirstByte(in *bufio.Reader) byte {
	for {
		b, err := in.Peek(1)
		if err != nil {
			return 0
		}
		if strings.IndexByte(" \t\r\n\xEF\xBB\xBF", b[0]) < 0 {
			return b[0]
		}
		if _, err := in.Discard(1); err != nil {
			return 0
		}
	}
}
