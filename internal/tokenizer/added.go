package tokenizer

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// An Added token stands outside the model: <s>, </s>, <SEP>. It is found in text before anything else happens.
type Added struct {
	ID         int32
	Content    string
	Special    bool // left out when decoding for people
	SingleWord bool // only where no word character stands beside it
	LStrip     bool // takes the white space before it
	RStrip     bool // takes the white space after it
	Normalized bool // found in normalized text
}

// A matcher finds added tokens: the leftmost, and of those that start there the longest.
type matcher struct {
	starts [256][]int32 // by first byte, longest content first
	only   int          // the only first byte, -1 where there are several, -2 where there is none
	list   []Added
}

func newMatcher(list []Added) *matcher {
	m := &matcher{list: list, only: -2}
	for i, a := range list {
		b := a.Content[0]
		switch {
		case m.only == -2:
			m.only = int(b)
		case m.only != int(b):
			m.only = -1
		}
		m.starts[b] = append(m.starts[b], int32(i))
	}
	for _, s := range m.starts {
		slices.SortStableFunc(s, func(a, b int32) int { return len(list[b].Content) - len(list[a].Content) })
	}
	return m
}

// find returns the first match at or after from, or nil.
func (m *matcher) find(s string, from int) (*Added, int) {
	if m.only == -2 {
		return nil, 0
	}
	for i := from; i < len(s); i++ {
		if m.only >= 0 {
			n := strings.IndexByte(s[i:], byte(m.only))
			if n < 0 {
				return nil, 0
			}
			i += n
		}
		for _, k := range m.starts[s[i]] {
			if a := &m.list[k]; strings.HasPrefix(s[i:], a.Content) {
				return a, i
			}
		}
	}
	return nil, 0
}

// split calls text for the stretches between matches, with their places, and token for the matches, in order.
func (m *matcher) split(t *tables, s string, where place, text func(s string, where place), token func(id int32)) {
	at := 0
	for from := 0; ; {
		a, lo := m.find(s, from)
		if a == nil {
			break
		}
		hi := lo + len(a.Content)
		from = hi
		if a.SingleWord && (t.wordBefore(s, lo) || t.wordAfter(s, hi)) {
			continue
		}
		if a.LStrip {
			for lo > at {
				r, n := utf8.DecodeLastRuneInString(s[:lo])
				if t.of(r)&space == 0 {
					break
				}
				lo -= n
			}
		}
		if a.RStrip {
			hi = t.run(s, hi, space)
		}
		if lo > at {
			text(s[at:lo], where)
		}
		token(a.ID)
		at, where = hi, later
	}
	if at < len(s) {
		text(s[at:], where)
	}
}

func (t *tables) wordBefore(s string, i int) bool {
	r, n := utf8.DecodeLastRuneInString(s[:i])
	return n > 0 && t.of(r)&word != 0
}

func (t *tables) wordAfter(s string, i int) bool {
	if i >= len(s) {
		return false
	}
	c, _ := t.at(s, i)
	return c&word != 0
}
