package bigbio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

// ReadParquet reads a Parquet file of size bytes, as the Hugging Face hub converts BigBio sets. Columns are found by their names;
// writers differ in what they call the level inside a list ("element", "item"), which does not matter here. The line of
// a warning is the number of the row. A damaged file, on which the library panics, is an error.
func ReadParquet(r io.ReaderAt, size int64, file string, opt corpus.ReadOptions) (docs []corpus.Document, warnings []text.Warning, err error) {
	opt.Codes = opt.Codes.Or(composite, "")
	p := &parser{problems: text.Problems{File: file}, opt: opt}
	defer func() {
		if x := recover(); x != nil {
			docs, err = nil, &text.SyntaxError{File: file, Msg: fmt.Sprintf("damaged Parquet file: %v", x)}
		}
	}()
	f, err := open(r, size)
	if err != nil {
		return nil, nil, &text.SyntaxError{File: file, Msg: "no Parquet file: " + err.Error()}
	}
	rd, err := newRows(f.Schema())
	if err != nil {
		return nil, nil, &text.SyntaxError{File: file, Msg: err.Error()}
	}
	for _, g := range f.RowGroups() {
		if err := rd.group(g, p); err != nil {
			return nil, nil, &text.SyntaxError{File: file, Line: p.n, Msg: err.Error()}
		}
	}
	return p.docs, p.problems.List, nil
}

// open checks the length of the footer first, for which the library would allocate what the file says.
func open(r io.ReaderAt, size int64) (*parquet.File, error) {
	var tail [8]byte
	if _, err := r.ReadAt(tail[:], size-8); err != nil {
		return nil, errors.New("too short")
	}
	if n := int64(binary.LittleEndian.Uint32(tail[:4])); n > size-8 {
		return nil, fmt.Errorf("footer of %d bytes in a file of %d", n, size)
	}
	return parquet.OpenFile(r, size)
}

// rows maps the columns of a file to those of our schema.
type rows struct {
	schema *parquet.Schema
	column []column // by column of the file
}

// A column says where the values of a column of the file go.
type column struct {
	ours  int   // column of our schema; -1: one that we do not know
	level []int // definition level of the file -> ours: writers differ in what may be null
	zero  parquet.Value
	full  int // our definition level of a value that is there
}

// batch bounds the rows held at a time.
const batch = 64

func newRows(file *parquet.Schema) (*rows, error) {
	r := &rows{schema: parquet.SchemaOf(document{})}
	ours := map[string]int{}
	for i, path := range r.schema.Columns() {
		ours[key(path)] = i
	}
	for _, path := range file.Columns() {
		i, ok := ours[key(path)]
		if !ok {
			r.column = append(r.column, column{ours: -1})
			continue
		}
		delete(ours, key(path))
		c, err := newColumn(file, path, r.schema, r.schema.Columns()[i])
		if err != nil {
			return nil, err
		}
		c.ours = i
		r.column = append(r.column, c)
	}
	for k := range ours {
		return nil, fmt.Errorf("no column %s: this is no BigBio knowledge-base schema", k)
	}
	return r, nil
}

// newColumn compares the steps of a path in two schemas: lists must be at the same places, nulls need not.
func newColumn(file *parquet.Schema, path []string, schema *parquet.Schema, our []string) (column, error) {
	c := column{level: []int{0}}
	var theirs, mine parquet.Node = file, schema
	if len(path) != len(our) {
		return c, fmt.Errorf("column %s has %d levels, %d are expected", key(path), len(path), len(our))
	}
	for i := range path {
		theirs, mine = step(theirs, path[i]), step(mine, our[i])
		if theirs == nil || mine == nil || theirs.Repeated() != mine.Repeated() {
			return c, fmt.Errorf("column %s has lists at other levels than BigBio", key(path))
		}
		if !mine.Required() {
			c.full++
		}
		if !theirs.Required() {
			c.level = append(c.level, c.full)
		}
		c.level[len(c.level)-1] = c.full
	}
	if theirs.Type().Kind() != mine.Type().Kind() {
		return c, fmt.Errorf("column %s holds %v, %v is expected", key(path), theirs.Type(), mine.Type())
	}
	c.zero = parquet.ZeroValue(mine.Type().Kind())
	return c, nil
}

func step(n parquet.Node, name string) parquet.Node {
	for _, f := range n.Fields() {
		if f.Name() == name {
			return f
		}
	}
	return nil
}

// key is a path without the names of list levels.
func key(path []string) string {
	var out []string
	for i, p := range path {
		if i > 0 && (p == "list" || path[i-1] == "list") {
			continue
		}
		out = append(out, p)
	}
	return strings.Join(out, ".")
}

func (r *rows) group(g parquet.RowGroup, p *parser) error {
	in := g.Rows()
	defer in.Close()
	buf := make([]parquet.Row, batch)
	for {
		n, err := in.ReadRows(buf)
		for _, row := range buf[:n] {
			p.n++
			var d document
			if err := r.schema.Reconstruct(&d, r.ours(row)); err != nil {
				return err
			}
			p.document(&d)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// ours returns the values of a row in the order of our columns.
func (r *rows) ours(row parquet.Row) parquet.Row {
	out := make(parquet.Row, 0, len(row))
	for _, v := range row {
		c := r.column[v.Column()]
		if c.ours < 0 {
			continue
		}
		level := c.level[v.DefinitionLevel()]
		rep := v.RepetitionLevel()
		if v.IsNull() && level == c.full {
			v = c.zero
		}
		out = append(out, v.Level(rep, level, c.ours))
	}
	slices.SortStableFunc(out, func(a, b parquet.Value) int { return a.Column() - b.Column() })
	return out
}

// WriteParquet writes one Parquet file with the columns of the hub, compressed by Snappy as there.
func WriteParquet(w io.Writer, docs []corpus.Document, _ corpus.WriteOptions) ([]text.Warning, error) {
	out := parquet.NewGenericWriter[document](w, parquet.Compression(&parquet.Snappy))
	lost := corpus.Losses{}
	for i := range docs {
		if _, err := out.Write([]document{*render(i, &docs[i], lost)}); err != nil {
			return nil, err
		}
	}
	return lost.Warnings("BigBio"), out.Close()
}
