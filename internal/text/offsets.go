package text

import (
	"sort"
	"unicode/utf8"
)

// Offsets maps offsets of a text, in code points (PubTator, BRAT, BigBio, Python) or UTF-16 units (Java, browsers), to bytes and
// back. It keeps one mark every 64 code points, so the maps are cheap in memory and a look-up walks at most 64 code points.
// Texts of one-byte characters need no mark.
type Offsets struct {
	s     string
	plain bool // one unit a byte
	wide  bool // UTF-16: characters beyond U+FFFF count two units
	marks []mark
	units int
}

// mark is where the character number 64*i starts.
type mark struct{ at, unit int }

const markEvery = 64

// NewOffsets prepares the maps between code points and bytes of s, which must be valid UTF-8.
func NewOffsets(s string) *Offsets { return newOffsets(s, false) }

// NewUTF16 prepares the maps between UTF-16 units and bytes of s, which must be valid UTF-8.
func NewUTF16(s string) *Offsets { return newOffsets(s, true) }

func newOffsets(s string, wide bool) *Offsets {
	o := &Offsets{s: s, wide: wide, units: len(s)}
	if o.plain = ascii(s); o.plain {
		return o
	}
	n, unit := 0, 0
	for i, r := range s {
		if n%markEvery == 0 {
			o.marks = append(o.marks, mark{i, unit})
		}
		n++
		unit += o.width(r)
	}
	o.units = unit
	return o
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func (o *Offsets) width(r rune) int {
	if o.wide && r > 0xFFFF {
		return 2
	}
	return 1
}

// Len returns the length of the text in units.
func (o *Offsets) Len() int { return o.units }

// Byte returns the byte offset of unit u, which may be the end; false when the text is shorter or u lies inside a character.
func (o *Offsets) Byte(u int) (int, bool) {
	if u < 0 || u > o.units {
		return 0, false
	}
	if o.plain {
		return u, true
	}
	if u == o.units {
		return len(o.s), true
	}
	m := o.marks[sort.Search(len(o.marks), func(i int) bool { return o.marks[i].unit > u })-1]
	for m.unit < u {
		r, size := utf8.DecodeRuneInString(o.s[m.at:])
		m.at += size
		m.unit += o.width(r)
	}
	return m.at, m.unit == u
}

// Unit returns the offset in units of byte b, which must start a character or be the end.
func (o *Offsets) Unit(b int) int {
	if o.plain || b >= len(o.s) {
		return min(b, o.units)
	}
	m := o.marks[sort.Search(len(o.marks), func(i int) bool { return o.marks[i].at > b })-1]
	for m.at < b {
		r, size := utf8.DecodeRuneInString(o.s[m.at:])
		m.at += size
		m.unit += o.width(r)
	}
	return m.unit
}
