package release

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
	"unsafe"

	"syncabel/internal/text"
)

// A Table says what the rows of a file look like.
type Table struct {
	File      string // name in warnings
	Separator byte
	Columns   int  // how many cells a row must have; 0: as many as the first
	Closed    bool // rows end with a separator, as in RRF
	Warn      func(text.Warning)
	chunk     int // bytes to read at a time; tests make it small
}

// maxLine bounds one row.
const maxLine = 16 << 20

// chunkSize is how much is read at a time, beside the work on the rows before.
const chunkSize = 1 << 20

// Rows calls f with the cells of each row and its line, from 1. Cells are only valid during the call. A row with another number of
// cells or with invalid UTF-8 is reported and left out, as is an empty line, silently; CRLF is a line end like LF. A byte order mark is
// skipped.
func (t *Table) Rows(in io.Reader, f func(line int, cells []string) error) error {
	chunks := make(chan chunk, 4)
	stop := make(chan struct{})
	defer close(stop)
	go readChunks(in, cmp.Or(t.chunk, chunkSize), chunks, stop)
	line, cells := 0, make([]string, 0, 32)
	for c := range chunks {
		if c.err != nil {
			return &text.SyntaxError{File: t.File, Line: line + 1, Msg: readFault(c.err)}
		}
		b := c.b
		if line == 0 {
			b = bytes.TrimPrefix(b, []byte("\ufeff"))
		}
		for len(b) > 0 {
			row := b
			if i := bytes.IndexByte(b, '\n'); i >= 0 {
				row, b = b[:i], b[i+1:]
			} else {
				b = nil
			}
			line++
			cells = t.cut(cells[:0], row)
			if !t.whole(line, row, cells) {
				continue
			}
			if err := f(line, cells); err != nil {
				return err
			}
		}
	}
	return nil
}

// cut splits a row without copying it.
func (t *Table) cut(cells []string, row []byte) []string {
	if n := len(row); n > 0 && row[n-1] == '\r' {
		row = row[:n-1]
	}
	if n := len(row); t.Closed && n > 0 && row[n-1] == t.Separator {
		row = row[:n-1]
	}
	if len(row) == 0 {
		return cells
	}
	s := unsafe.String(&row[0], len(row))
	for {
		i := strings.IndexByte(s, t.Separator)
		if i < 0 {
			return append(cells, s)
		}
		cells, s = append(cells, s[:i]), s[i+1:]
	}
}

// whole reports faults of a row; an empty one is none.
func (t *Table) whole(line int, row []byte, cells []string) bool {
	if len(cells) == 0 {
		return false
	}
	if t.Columns == 0 {
		t.Columns = len(cells)
	}
	switch {
	case len(cells) != t.Columns:
		t.warn(line, "columns", "%d columns, %d are expected: row left out", len(cells), t.Columns)
	case !utf8.Valid(row):
		t.warn(line, "utf8", "invalid UTF-8 in the row of %.40q: row left out", cells[0])
	default:
		return true
	}
	return false
}

func (t *Table) warn(line int, kind, format string, args ...any) {
	t.Warn(text.Warning{File: t.File, Line: line, Kind: kind, Msg: fmt.Sprintf(format, args...)})
}

// readFault says what to do about a file that cannot be read to its end.
func readFault(err error) string {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the file is cut off: download it again (" + err.Error() + ")"
	case errors.Is(err, errLine):
		return err.Error()
	}
	return "cannot be read: " + err.Error()
}

var errLine = fmt.Errorf("a row of more than %d MB: not a table of this kind", maxLine>>20)

// A chunk is a piece of a file that ends at a line's end, or at the file's.
type chunk struct {
	b   []byte
	err error
}

// readChunks reads and unpacks beside the parsing.
func readChunks(in io.Reader, size int, out chan<- chunk, stop <-chan struct{}) {
	defer close(out)
	send := func(c chunk) bool {
		select {
		case out <- c:
			return true
		case <-stop:
			return false
		}
	}
	var rest []byte
	for {
		b := make([]byte, len(rest)+size)
		copy(b, rest)
		n, err := fill(in, b[len(rest):])
		b = b[:len(rest)+n]
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			send(chunk{err: err})
			return
		}
		end := len(b)
		if !last {
			end = bytes.LastIndexByte(b, '\n') + 1
		}
		if rest = b[end:]; len(rest) > maxLine {
			send(chunk{err: errLine})
			return
		}
		if end > 0 && !send(chunk{b: b[:end]}) || last {
			return
		}
	}
}

// fill reads until b is full; unlike io.ReadFull it does not disguise how the input ends.
func fill(in io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var k int
		k, err = in.Read(b[n:])
		n += k
	}
	return n, err
}
