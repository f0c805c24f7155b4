package text

import (
	"sort"
	"unicode/utf8"
)

// Offsets maps code-point offsets of a text to bytes and back. It keeps one mark every 64 code points, so the maps are
// cheap in memory and a look-up walks at most 64 code points. Texts of one-byte characters need no mark.
type Offsets struct {
	s     string
	ascii bool
	marks []int // byte offset of code point 64*i
	runes int
}

const markEvery = 64

// NewOffsets prepares the maps of s, which must be valid UTF-8.
func NewOffsets(s string) *Offsets {
	o := &Offsets{s: s, runes: utf8.RuneCountInString(s)}
	if o.ascii = o.runes == len(s); o.ascii {
		return o
	}
	n := 0
	for i := range s {
		if n%markEvery == 0 {
			o.marks = append(o.marks, i)
		}
		n++
	}
	return o
}

// Runes returns the number of code points.
func (o *Offsets) Runes() int { return o.runes }

// Byte returns the byte offset of code point r, which may be the end; false when the text is shorter.
func (o *Offsets) Byte(r int) (int, bool) {
	if r < 0 || r > o.runes {
		return 0, false
	}
	if o.ascii {
		return r, true
	}
	if r == o.runes {
		return len(o.s), true
	}
	at := o.marks[r/markEvery]
	for range r % markEvery {
		_, size := utf8.DecodeRuneInString(o.s[at:])
		at += size
	}
	return at, true
}

// Rune returns the code-point offset of byte b, which must start a character or be the end.
func (o *Offsets) Rune(b int) int {
	if o.ascii || b >= len(o.s) {
		return min(b, o.runes)
	}
	k := sort.Search(len(o.marks), func(i int) bool { return o.marks[i] > b }) - 1
	return k*markEvery + utf8.RuneCountInString(o.s[o.marks[k]:b])
}
