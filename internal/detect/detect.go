// Package detect finds the mentions of a plain text and their semantic groups, so that a note without marks can be linked:
// names of the knowledge base by longest match, short forms that the document explains (Schwartz and Hearst), and a tagger
// that is trained from the annotations of the corpus and sees the other two as features. It stands after terminology and
// corpus and before link, which it does not need.
//
// The tagger is a linear-chain structured perceptron with averaged weights (Collins, EMNLP 2002) over begin, inside and outside
// of each group: it trains in seconds on a laptop and reads a hundred thousand words a second and more. Without annotations
// the dictionary alone decides.
package detect

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"syncabel/internal/corpus"
	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

// A Detector finds mentions. It is safe for concurrent use.
type Detector struct {
	kb *terminology.KB
	m  *Model
}

// New joins a model with the knowledge base it was made for.
func New(kb *terminology.KB, m *Model) *Detector { return &Detector{kb, m} }

// Detect returns the mentions of a document in reading order, each with one span, the semantic group as its type, and the IDs
// D1, D2, ... They do not overlap. The document's own mentions are not looked at.
func (d *Detector) Detect(doc *corpus.Document) []corpus.Mention {
	v := d.view(doc)
	var found []found
	for _, s := range v.sentences {
		found = append(found, d.tag(v, s)...)
	}
	found = v.complete(found)
	out := make([]corpus.Mention, len(found))
	for i, f := range found {
		out[i] = corpus.Mention{ID: "D" + strconv.Itoa(i+1), Spans: []text.Span{f.span}, Text: doc.Text[f.span.Start:f.span.End], Type: d.m.Groups[f.group]}
	}
	return out
}

// found is a mention before it has an ID.
type found struct {
	span  text.Span
	group int // index into Model.Groups
}

// tag finds the mentions of a sentence of v, given as a range of its words.
func (d *Detector) tag(v *view, s words) []found {
	var tags []uint8
	if d.m.trained() {
		tags = d.m.decode(v.features(s, nil))
	} else {
		tags = v.dictionaryTags(s)
	}
	return v.spans(s, tags)
}

// spans reads mentions off tags.
func (v *view) spans(s words, tags []uint8) []found {
	var out []found
	for i := 0; i < len(tags); {
		j := i + 1
		if tags[i] == outside {
			i = j
			continue
		}
		for j < len(tags) && tags[j] == inside(groupOf(tags[i])) {
			j++
		}
		sp := text.Span{Start: v.words[s.lo+i].Start, End: v.words[s.lo+j-1].End}
		out = append(out, found{sp, groupOf(tags[i])})
		i = j
	}
	return out
}

// Tags: outside, then begin and inside of each group.
const outside uint8 = 0

func begin(group int) uint8  { return uint8(1 + 2*group) }
func inside(group int) uint8 { return uint8(2 + 2*group) }
func groupOf(tag uint8) int  { return int(tag-1) / 2 }

// complete carries decisions through the document: a short form means what its long form means, and a string that was found in
// at least half of its places, and is no everyday word, is found in all.
func (v *view) complete(list []found) []found {
	list = v.explained(list)
	known := v.known(list)
	taken := func(sp text.Span) bool { return taken(list, sp) }
	missed := map[string][]text.Span{}
	for i := range v.words {
		for n := 1; n <= maxRepeatWords && i+n <= len(v.words); n++ {
			sp := text.Span{Start: v.words[i].Start, End: v.words[i+n-1].End}
			if s := v.doc.Text[sp.Start:sp.End]; known[s].times > 0 && !taken(sp) {
				missed[s] = append(missed[s], sp)
			}
		}
	}
	for s, spans := range missed {
		if len(spans) > known[s].times {
			continue
		}
		for _, sp := range spans {
			list = append(list, found{sp, known[s].group})
		}
	}
	sortFound(list)
	end := 0
	return slices.DeleteFunc(list, func(f found) bool {
		overlaps := f.span.Start < end
		end = max(end, f.span.End)
		return overlaps
	})
}

// taken reports whether a span overlaps one of a sorted list.
func taken(list []found, sp text.Span) bool {
	i, _ := slices.BinarySearchFunc(list, sp, func(f found, s text.Span) int { return cmp.Compare(f.span.End, s.Start+1) })
	return i < len(list) && list[i].span.Overlaps(sp)
}

func sortFound(list []found) {
	slices.SortFunc(list, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.span.Start, b.span.Start), cmp.Compare(b.span.End, a.span.End))
	})
}

// explained adds the names that the document abbreviates, whatever the tagger thought: who writes a name out and abbreviates it
// means it.
func (v *view) explained(list []found) []found {
	var more []found
	for _, a := range v.abbreviations {
		from := max(0, a.At.Start-2*len(a.Long)-maxGap) // where a long form stands before its short form; the whole text would be searched for one behind it
		at := strings.LastIndex(v.doc.Text[from:a.At.Start], a.Long)
		if g := v.short[a.Short]; g > 1 && at >= 0 {
			at += from
			if sp := (text.Span{Start: at, End: at + len(a.Long)}); !taken(list, sp) {
				more = append(more, found{sp, int(g) - 2})
			}
		}
	}
	list = append(list, more...)
	sortFound(list)
	return list
}

// seen is what was found of a string: its group and how often.
type seen struct{ group, times int }

// known lists the strings that complete may carry on.
func (v *view) known(list []found) map[string]seen {
	out, groups := map[string]seen{}, map[string]int{}
	for _, f := range list {
		s := v.doc.Text[f.span.Start:f.span.End]
		if groups[s] = f.group; distinctive(s) {
			out[s] = seen{f.group, out[s].times + 1}
		}
	}
	for _, a := range v.abbreviations {
		if g, ok := groups[a.Long]; ok {
			out[a.Short] = seen{g, len(v.doc.Text)}
		}
	}
	return out
}

// maxRepeatWords bounds the strings that complete looks for, in words.
const maxRepeatWords = 6

// distinctive: a capital after the first letter, a digit, or more than one word.
func distinctive(s string) bool {
	for i, r := range s {
		if i > 0 && unicode.IsUpper(r) || unicode.IsDigit(r) || r == ' ' {
			return true
		}
	}
	return false
}

// view is a document as the detector sees it.
type view struct {
	kb            *terminology.KB
	m             *Model
	doc           *corpus.Document
	words         []text.Span // letters, digits or one other sign each, in order
	sentences     []words
	abbreviations []text.Abbreviation
	short         map[string]uint8 // short forms of the document: 1 + group of the long form where the dictionary knows it
	long          map[int]bool     // words inside a long form beside its short form
	matches       []match          // by word: the dictionary's
}

// words is a half-open range of a view's words.
type words struct{ lo, hi int }

func (d *Detector) view(doc *corpus.Document) *view {
	v := &view{kb: d.kb, m: d.m, doc: doc, short: map[string]uint8{}, long: map[int]bool{}}
	for _, s := range text.Sentences(doc.Text, doc.Language, nil) {
		lo := len(v.words)
		v.words = appendWords(v.words, doc.Text, s)
		v.sentences = append(v.sentences, words{lo, len(v.words)})
	}
	v.matches = make([]match, len(v.words))
	for _, s := range v.sentences {
		v.look(s)
	}
	v.abbreviations = text.Abbreviations(doc.Text)
	for _, a := range v.abbreviations {
		v.short[a.Short] = 1
		if g, ok := v.groupOf(a.Long); ok {
			v.short[a.Short] = uint8(2 + g)
		}
		v.mark(a)
	}
	return v
}

// mark notes the words of a long form that stands before its short form.
func (v *view) mark(a text.Abbreviation) {
	at, _ := slices.BinarySearchFunc(v.words, a.At.Start, func(w text.Span, start int) int { return cmp.Compare(w.Start, start) })
	start := a.At.Start - len(a.Long) - maxGap
	for i := at - 1; i >= 0 && v.words[i].Start >= start; i-- {
		if w := v.words[i]; w.End <= a.At.Start && strings.Contains(a.Long, v.doc.Text[w.Start:w.End]) {
			v.long[i] = true
		}
	}
}

// maxGap is how many bytes may lie between a long and its short form.
const maxGap = 4

// appendWords splits a stretch of text.
func appendWords(dst []text.Span, s string, in text.Span) []text.Span {
	for i := in.Start; i < in.End; {
		r, n := utf8.DecodeRuneInString(s[i:in.End])
		k := kindOf(r)
		j := i + n
		for k != sign && j < in.End {
			next, n := utf8.DecodeRuneInString(s[j:in.End])
			if kindOf(next) != k {
				break
			}
			j += n
		}
		if k != space {
			dst = append(dst, text.Span{Start: i, End: j})
		}
		i = j
	}
	return dst
}

const (
	sign = iota
	letter
	digit
	space
)

func kindOf(r rune) int {
	switch {
	case unicode.IsLetter(r) || unicode.Is(unicode.Mn, r):
		return letter
	case unicode.IsDigit(r):
		return digit
	case unicode.IsSpace(r):
		return space
	}
	return sign
}
