package terminology

import (
	"encoding/binary"
	"unsafe"
)

// A record is one concept as bytes: varints and length-prefixed strings, with small repeated things (types, and all of a name
// but its text) as numbers of the tables in the header. Parents are not in it: they are numbers in a section of their own.
//
//	id, types: n, number...; names: n, (number, text)...; definitions: n, (number, text)...; xrefs: n, text...

// writer appends the primitives of a record.
type writer struct{ b []byte }

func (w *writer) num(n int) { w.b = binary.AppendUvarint(w.b, uint64(n)) }

func (w *writer) str(s string) {
	w.num(len(s))
	w.b = append(w.b, s...)
}

// scanner reads them back. After a fault bad is set and everything reads as empty: a damaged file never panics.
type scanner struct {
	b   []byte
	bad bool
}

func (s *scanner) num() int {
	n, k := binary.Uvarint(s.b)
	if k <= 0 || n > 1<<40 {
		s.bad, s.b = true, nil
		return 0
	}
	s.b = s.b[k:]
	return int(n)
}

// str returns a string that shares the memory of the record.
func (s *scanner) str() string {
	n := s.num()
	if n > len(s.b) {
		s.bad, s.b = true, nil
		return ""
	}
	out := view(s.b[:n])
	s.b = s.b[n:]
	return out
}

// list returns a count of things of at least one byte each.
func (s *scanner) list() int {
	n := s.num()
	if n > len(s.b) {
		s.bad, s.b = true, nil
		return 0
	}
	return n
}

// view is the string of b without a copy: b must not change while it lives.
func view(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(&b[0], len(b))
}

// tables numbers what repeats from name to name.
type tables struct {
	Types       []SemanticType `json:"types"`
	Names       []Name         `json:"names"`       // without text
	Definitions []Definition   `json:"definitions"` // without text
}

// numbering gives numbers in the order of first use, so that they depend on the input alone.
type numbering struct {
	tables
	types map[SemanticType]int
	names map[Name]int
	defs  map[Definition]int
}

func newNumbering() *numbering {
	return &numbering{types: map[SemanticType]int{}, names: map[Name]int{}, defs: map[Definition]int{}}
}

func number[T comparable](seen map[T]int, list *[]T, v T, own func(T) T) int {
	if i, ok := seen[v]; ok {
		return i
	}
	v = own(v)
	i := len(*list)
	seen[v] = i
	*list = append(*list, v)
	return i
}

func (t *numbering) typ(v SemanticType) int {
	return number(t.types, &t.Types, v, func(v SemanticType) SemanticType { return SemanticType{clone(v.Name), clone(v.Group)} })
}

func (t *numbering) name(v Name) int {
	v.Text = ""
	return number(t.names, &t.Names, v, func(v Name) Name {
		return Name{Language: clone(v.Language), Preferred: v.Preferred, Source: clone(v.Source), Kind: clone(v.Kind), Licence: clone(v.Licence), Group: clone(v.Group)}
	})
}

func (t *numbering) def(v Definition) int {
	v.Text = ""
	return number(t.defs, &t.Definitions, v, func(v Definition) Definition { return Definition{Language: clone(v.Language), Source: clone(v.Source)} })
}

// clone frees a string from the row that it was cut from.
func clone(s string) string { return string([]byte(s)) }

// encode appends the record of c.
func (t *numbering) encode(b []byte, c *Concept) []byte {
	w := writer{b}
	w.str(c.ID)
	w.num(len(c.Types))
	for _, x := range c.Types {
		w.num(t.typ(x))
	}
	w.num(len(c.Names))
	for _, n := range c.Names {
		w.num(t.name(n))
		w.str(n.Text)
	}
	w.num(len(c.Definitions))
	for _, d := range c.Definitions {
		w.num(t.def(d))
		w.str(d.Text)
	}
	w.num(len(c.Xrefs))
	for _, x := range c.Xrefs {
		w.str(x)
	}
	return w.b
}

// decode reads a record; strings share its memory. A damaged record gives what could be read.
func (t *tables) decode(b []byte) Concept { return t.scan(&scanner{b: b}) }

func (t *tables) scan(s *scanner) Concept {
	c := Concept{ID: s.str()}
	c.Types = make([]SemanticType, 0, s.list())
	for range cap(c.Types) {
		c.Types = append(c.Types, at(t.Types, s.num()))
	}
	c.Names = make([]Name, 0, s.list())
	for range cap(c.Names) {
		n := at(t.Names, s.num())
		n.Text = s.str()
		c.Names = append(c.Names, n)
	}
	if n := s.list(); n > 0 {
		c.Definitions = make([]Definition, 0, n)
		for range n {
			d := at(t.Definitions, s.num())
			d.Text = s.str()
			c.Definitions = append(c.Definitions, d)
		}
	}
	if n := s.list(); n > 0 {
		c.Xrefs = make([]string, 0, n)
		for range n {
			c.Xrefs = append(c.Xrefs, s.str())
		}
	}
	return c
}

// at returns element i, or the zero value where a damaged file points outside.
func at[T any](list []T, i int) T {
	if i < len(list) {
		return list[i]
	}
	var zero T
	return zero
}
