package detect

import (
	"math/bits"
	"slices"
	"strings"
	"unicode"

	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

// match is what the dictionary says about a word: part of a name, where in it, and of which group.
type match struct {
	at    uint8 // none, matchBegin, matchInside, matchEnd, matchSingle
	group uint8
	n     uint8 // words of the name
}

const (
	matchNone = iota
	matchBegin
	matchInside
	matchEnd
	matchSingle
)

// wordInfo is what the knowledge base says about a word, for words that its names hold.
type wordInfo struct {
	Longest uint8 // words of the longest name that begins with it; 0: none does
	Any     uint8 // log2 of how many names hold it, plus one
	Last    uint8 // of them as their last word
	Group   uint8 // group of most names that end with it
}

// vocabulary counts the words of all names.
func vocabulary(kb *terminology.KB) map[string]wordInfo {
	type count struct {
		any, last int
		longest   int
		groups    [maxGroups]uint16
	}
	counts := map[string]*count{}
	get := func(w string) *count {
		if counts[w] == nil {
			counts[strings.Clone(w)] = &count{}
			return counts[w]
		}
		return counts[w]
	}
	groups := kb.Groups()
	var spans []text.Span
	for i := range kb.Len() {
		c := kb.Concept(i)
		g := groupIndex(groups, c)
		for _, n := range c.Names {
			name := strings.ToLower(n.Text)
			spans = appendWords(spans[:0], name, text.Span{End: len(name)})
			for k, sp := range spans {
				x := get(name[sp.Start:sp.End])
				x.any++
				if k == 0 {
					x.longest = max(x.longest, min(len(spans), maxNameWords))
				}
				if k == len(spans)-1 {
					x.last++
					x.groups[g] = min(x.groups[g]+1, 1<<15)
				}
			}
		}
	}
	out := make(map[string]wordInfo, len(counts))
	for w, x := range counts {
		g := 0
		for k := range x.groups {
			if x.groups[k] > x.groups[g] {
				g = k
			}
		}
		out[w] = wordInfo{uint8(x.longest), uint8(bits.Len(uint(x.any))), uint8(bits.Len(uint(x.last))), uint8(g)}
	}
	return out
}

// maxNameWords bounds how far a longest match looks.
const maxNameWords = 12

// groupIndex returns the first of a concept's groups.
func groupIndex(groups []string, c *terminology.Concept) int {
	for _, g := range c.Groups() {
		if i := slices.Index(groups, g); i >= 0 {
			return min(i, maxGroups-1)
		}
	}
	return 0
}

// look finds the longest names of the knowledge base in a sentence, from left to right.
func (v *view) look(s words) {
	for i := s.lo; i < s.hi; {
		n, g := v.longest(i, s.hi)
		for k := range n {
			at := uint8(matchInside)
			switch {
			case n == 1:
				at = matchSingle
			case k == 0:
				at = matchBegin
			case k == n-1:
				at = matchEnd
			}
			v.matches[i+k] = match{at, uint8(g), uint8(n)}
		}
		i += max(n, 1)
	}
}

// longest returns how many words from i on are a name, and its group.
func (v *view) longest(i, hi int) (n, group int) {
	t := v.doc.Text
	w := v.lower(i)
	info, known := v.m.Words[w]
	if !known {
		info = v.m.Words[strings.TrimSuffix(w, "s")] // a plural of one word
	}
	for n = min(int(info.Longest), hi-i); n > 0; n-- {
		s := t[v.words[i].Start:v.words[i+n-1].End]
		if len(s) < 2 || everyday(s) {
			continue
		}
		if g, ok := v.groupOf(s); ok {
			return n, g
		}
	}
	return 0, 0
}

// groupOf looks a string up, with and without a plural's s.
func (v *view) groupOf(s string) (int, bool) {
	list := v.kb.Normalized(s)
	if len(list) == 0 && len(s) > 5 && s[len(s)-1] == 's' {
		list = v.kb.Normalized(s[:len(s)-1])
	}
	if len(list) == 0 {
		return 0, false
	}
	if len(v.m.Groups) == 1 {
		return 0, true
	}
	return groupIndex(v.m.Groups, v.kb.Concept(list[0])), true
}

// everyday: short lower-case words, which as names of a knowledge base are nearly always abbreviations ("he", "all", "was").
func everyday(s string) bool {
	return len(s) <= 3 && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsLower(r) }) < 0
}

func (v *view) lower(i int) string {
	w := v.words[i]
	return strings.ToLower(v.doc.Text[w.Start:w.End])
}

// dictionaryTags are the decision where there is no tagger: names, and the short forms of names.
func (v *view) dictionaryTags(s words) []uint8 {
	out := make([]uint8, s.hi-s.lo)
	for i := s.lo; i < s.hi; i++ {
		w := v.words[i]
		switch m := v.matches[i]; {
		case m.at == matchBegin || m.at == matchSingle:
			out[i-s.lo] = begin(int(m.group))
		case m.at != matchNone:
			out[i-s.lo] = inside(int(m.group))
		case v.short[v.doc.Text[w.Start:w.End]] > 1:
			out[i-s.lo] = begin(int(v.short[v.doc.Text[w.Start:w.End]]) - 2)
		}
	}
	return out
}
