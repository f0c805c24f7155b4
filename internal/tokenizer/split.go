package tokenizer

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A step is one pre-tokenizer: it cuts a piece of text into smaller ones, and may change them.
type step struct {
	kind     stepKind
	pattern  pattern // stepPattern, stepByteLevel
	literal  string  // stepLiteral, and the replacement of stepMetaspace
	behavior string  // what becomes of matches: isolated, removed ...
	prefix   prefix  // stepByteLevel, stepMetaspace
	whole    bool    // stepMetaspace: not cut
}

type stepKind int

const (
	stepPattern   stepKind = iota // a known expression whose matches cover the text
	stepLiteral                   // an exact string
	stepByteLevel                 // the last: the model reads bytes
	stepDigits                    // numeric code points, each or in runs
	stepSpaces                    // white space is removed
	stepBert                      // white space is removed, punctuation isolated
	stepPunct                     // punctuation is isolated
	stepWords                     // \w+|[^\w\s]+
	stepMetaspace                 // spaces become a mark, words start with it
	stepMarks                     // words are cut before SentencePiece's mark, see splitsAtMark
)

// A prefix says where a space or mark is put in front.
type prefix int

const (
	prefixNever prefix = iota
	prefixFirst        // of the input's first piece only
	prefixAlways
)

// Behaviours of matches, as tokenizer.json names them.
const (
	isolated   = "Isolated"
	removed    = "Removed"
	contiguous = "Contiguous"
	withPrev   = "MergedWithPrevious"
	withNext   = "MergedWithNext"
)

// cut runs s through steps and calls f for every piece.
func (t *Tokenizer) cut(steps []step, s string, at place, f func(string)) {
	if len(steps) == 0 {
		f(s)
		return
	}
	st, rest := &steps[0], steps[1:]
	s = st.prefixed(s, at)
	if st.glues() {
		for _, p := range st.pieces(t.tables, s) {
			if p.lo > 0 {
				at = at.after()
			}
			t.cut(rest, s[p.lo:p.hi], at, f)
		}
		return
	}
	for s != "" {
		skip, n := st.next(t.tables, s)
		if skip > 0 {
			at = at.after()
		}
		switch {
		case n == 0:
		case len(rest) == 0:
			f(s[skip : skip+n])
		default:
			t.cut(rest, s[skip:skip+n], at, f)
		}
		s, at = s[skip+n:], at.after()
	}
}

// prefixed makes marks of spaces and puts the space or mark in front where the step asks for it.
func (st *step) prefixed(s string, at place) string {
	mark := " "
	if st.kind == stepMetaspace {
		mark = st.literal
		s = strings.ReplaceAll(s, " ", mark)
	}
	if st.prefix == prefixNever || st.prefix == prefixFirst && at > atStart || at == inside || strings.HasPrefix(s, mark) {
		return s
	}
	return mark + s
}

// next returns how much of s, which is not empty, is dropped and how long the piece after it is; 0 where nothing is left.
func (st *step) next(t *tables, s string) (skip, n int) {
	switch st.kind {
	case stepPattern, stepByteLevel:
		return 0, st.pattern.next(t, s)
	case stepDigits:
		return 0, t.single(s, numeric)
	case stepPunct:
		return 0, t.single(s, punct)
	case stepSpaces:
		skip = t.run(s, 0, space)
		return skip, t.until(s, skip, space) - skip
	case stepBert:
		skip = t.run(s, 0, space)
		if skip < len(s) {
			if c, n := t.at(s, skip); c&punct != 0 {
				return skip, n
			}
		}
		return skip, t.until(s, skip, space|punct) - skip
	case stepWords:
		skip = t.run(s, 0, space)
		if end := t.run(s, skip, word); end > skip {
			return skip, end - skip
		}
		return skip, t.until(s, skip, word|space) - skip
	case stepMetaspace:
		if st.whole {
			return 0, len(s)
		}
		return 0, toMark(s, len(st.literal), st.literal)
	case stepMarks:
		return 0, toMark(s, len(s)-len(strings.TrimLeft(s, metaMark)), metaMark)
	}
	panic("tokenizer: a step without next")
}

// toMark returns where the next mark at or after from starts.
func toMark(s string, from int, mark string) int {
	if from = min(from, len(s)); !strings.HasPrefix(s, mark) {
		from = 0
	}
	if i := strings.Index(s[from:], mark); i >= 0 {
		return from + i
	}
	return len(s)
}

// single returns the length of the first code point where it has a class, else of the stretch before one that has.
func (t *tables) single(s string, has class) int {
	if c, n := t.at(s, 0); c&has != 0 {
		return n
	}
	return t.until(s, 0, has)
}

// until returns where the first code point at or after i that has one of the classes starts.
func (t *tables) until(s string, i int, has class) int {
	for i < len(s) {
		c, n := t.at(s, i)
		if c&has != 0 {
			break
		}
		i += n
	}
	return i
}

// glues reports steps whose pieces may be joined to neighbours.
func (st *step) glues() bool {
	return st.kind == stepLiteral || (st.kind == stepDigits || st.kind == stepPunct) && st.behavior != isolated
}

// A piece is a stretch of text that matches, or lies between matches.
type piece struct {
	lo, hi int
	match  bool
}

// pieces cuts s at matches and treats them as the step's behaviour says.
func (st *step) pieces(t *tables, s string) []piece {
	var list []piece
	for at := 0; at < len(s); {
		lo, hi := st.find(t, s, at)
		if lo > at {
			list = append(list, piece{at, lo, false})
		}
		if hi > lo {
			list = append(list, piece{lo, hi, true})
		}
		at = hi
	}
	switch st.behavior {
	case removed:
		return slices.DeleteFunc(list, func(p piece) bool { return p.match })
	case contiguous:
		return join(list, func(prev, p piece) bool { return prev.match == p.match })
	case withPrev:
		return join(list, func(prev, p piece) bool { return p.match && !prev.match })
	case withNext: // a match and what follows it, but no second match
		return join(list, func(prev, p piece) bool { return prev.match && !p.match })
	}
	return list
}

// find returns the first match at or after at.
func (st *step) find(t *tables, s string, at int) (lo, hi int) {
	if st.kind == stepLiteral {
		if i := strings.Index(s[at:], st.literal); i >= 0 {
			return at + i, at + i + len(st.literal)
		}
		return len(s), len(s)
	}
	has := numeric
	if st.kind == stepPunct {
		has = punct
	}
	if lo = t.until(s, at, has); lo == len(s) {
		return lo, lo
	}
	_, n := t.at(s, lo)
	return lo, lo + n
}

// join joins a piece to the one before it where keep says so.
func join(list []piece, keep func(prev, p piece) bool) []piece {
	out := list[:0]
	for _, p := range list {
		if n := len(out); n > 0 && keep(out[n-1], p) {
			out[n-1].hi, out[n-1].match = p.hi, p.match
			continue
		}
		out = append(out, p)
	}
	return out
}

// steps turns a pre-tokenizer of tokenizer.json into steps.
func (c *component) steps() ([]step, error) {
	if c == nil {
		return nil, nil
	}
	off := func(b *bool) bool { return b != nil && !*b }
	on := func(b *bool) bool { return b != nil && *b }
	switch c.Type {
	case "Sequence":
		var out []step
		for i := range c.PreTokenizers {
			more, err := c.PreTokenizers[i].steps()
			if err != nil {
				return nil, err
			}
			if len(out) > 0 && out[len(out)-1].kind == stepByteLevel {
				return nil, fmt.Errorf("pre-tokenizer ByteLevel before another is not supported")
			}
			out = append(out, more...)
		}
		return out, nil
	case "ByteLevel":
		st := step{kind: stepByteLevel, pattern: patternGPT2}
		if off(c.UseRegex) {
			st.pattern = patternNone
		}
		if !off(c.AddPrefixSpace) { // the library's default is true
			st.prefix = prefixAlways
		}
		return []step{st}, nil
	case "Digits":
		if on(c.IndividualDigits) {
			return []step{{kind: stepDigits, behavior: isolated}}, nil
		}
		return []step{{kind: stepDigits, behavior: contiguous}}, nil
	case "Whitespace":
		return []step{{kind: stepWords}}, nil
	case "WhitespaceSplit":
		return []step{{kind: stepSpaces}}, nil
	case "BertPreTokenizer":
		return []step{{kind: stepBert}}, nil
	case "Punctuation":
		b := c.Behavior
		if b == "" {
			b = isolated
		}
		return []step{{kind: stepPunct, behavior: b}}, checkBehavior(b)
	case "CharDelimiterSplit":
		if c.Delimiter == "" {
			return nil, fmt.Errorf("pre-tokenizer CharDelimiterSplit has no delimiter")
		}
		return []step{{kind: stepLiteral, literal: c.Delimiter, behavior: removed}}, nil
	case "Metaspace":
		return c.metaspace()
	case "Split":
		return c.split()
	}
	return nil, fmt.Errorf("pre-tokenizer %q is not supported", c.Type)
}

func checkBehavior(b string) error {
	switch b {
	case isolated, removed, contiguous, withPrev, withNext:
		return nil
	}
	return fmt.Errorf("pre-tokenizer behavior %q is not supported", b)
}

func (c *component) split() ([]step, error) {
	if c.Pattern == nil {
		return nil, fmt.Errorf("pre-tokenizer Split has no pattern")
	}
	if err := checkBehavior(c.Behavior); err != nil {
		return nil, err
	}
	inverted := c.Invert != nil && *c.Invert
	if c.Pattern.String != "" {
		if inverted {
			return nil, fmt.Errorf("pre-tokenizer Split inverted on a string is not supported")
		}
		return []step{{kind: stepLiteral, literal: c.Pattern.String, behavior: c.Behavior}}, nil
	}
	p, err := patternOf(c.Pattern.Regex)
	if err != nil {
		return nil, err
	}
	// The matches of the known patterns cover the text: kept as they are by these two, and lost or glued by the others.
	if c.Behavior == isolated || c.Behavior == removed && inverted {
		return []step{{kind: stepPattern, pattern: p}}, nil
	}
	return nil, fmt.Errorf("pre-tokenizer Split of pattern %q with behavior %s is not supported", c.Pattern.Regex, c.Behavior)
}

func (c *component) metaspace() ([]step, error) {
	st := step{kind: stepMetaspace, literal: c.Replacement, whole: c.Split != nil && !*c.Split}
	if utf8.RuneCountInString(st.literal) != 1 {
		return nil, fmt.Errorf("pre-tokenizer Metaspace with replacement %q is not supported", c.Replacement)
	}
	switch c.PrependScheme {
	case "always":
		st.prefix = prefixAlways
	case "first":
		st.prefix = prefixFirst
	case "never":
	case "": // older files
		if c.AddPrefixSpace == nil || *c.AddPrefixSpace {
			st.prefix = prefixAlways
		}
	default:
		return nil, fmt.Errorf("pre-tokenizer Metaspace prepend_scheme %q is not supported", c.PrependScheme)
	}
	return []step{st}, nil
}
