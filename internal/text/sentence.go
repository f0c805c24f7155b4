package text

import (
	"cmp"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sentences splits s into sentences, trimmed of white space and in order. No span of keep is cut. A sentence ends at a line
// break, or at . ! ? followed by white space and something that can start a sentence, unless the full stop belongs to an
// abbreviation, an initial, a number or a list label of the language ("en", "fr", "es"; others use all three lists).
func Sentences(s, language string, keep []Span) []Span {
	keep = joined(keep)
	var out []Span
	start := 0
	emit := func(end int) {
		if a, b := trim(s, start, end); a < b {
			out = append(out, Span{a, b})
		}
		start = end
	}
	for i := 0; i < len(s); i++ {
		end := i + 1
		switch s[i] {
		case '\n':
		case '.', '!', '?':
			for end < len(s) && strings.ContainsRune(`.!?)"]'`, rune(s[end])) {
				end++
			}
			if !startsSentence(s[end:]) || s[i] == '.' && notFinal(s[start:i], language) {
				continue
			}
		default:
			continue
		}
		if !inside(keep, end) {
			emit(end)
			i = end - 1
		}
	}
	emit(len(s))
	return out
}

// SentenceOf returns the sentence that covers sp: from the sentence of its start to the sentence of its end. Sentences are in order, as
// Sentences returns them.
func SentenceOf(sentences []Span, sp Span) (Span, bool) {
	i := sort.Search(len(sentences), func(i int) bool { return sentences[i].End > sp.Start })
	if i == len(sentences) || !sentences[i].Overlaps(sp) {
		return Span{}, false
	}
	out := sentences[i]
	for ; i < len(sentences) && sentences[i].Overlaps(sp); i++ {
		out.End = sentences[i].End
	}
	return out, true
}

// joined sorts spans and joins those that overlap.
func joined(spans []Span) []Span {
	list := slices.Clone(spans)
	slices.SortFunc(list, func(a, b Span) int { return cmp.Compare(a.Start, b.Start) })
	var out []Span
	for _, s := range list {
		if n := len(out); n > 0 && s.Start < out[n-1].End {
			out[n-1].End = max(out[n-1].End, s.End)
			continue
		}
		out = append(out, s)
	}
	return out
}

// inside reports whether a cut would go through one of keep, which joined made.
func inside(keep []Span, at int) bool {
	i := sort.Search(len(keep), func(i int) bool { return keep[i].End > at })
	return i < len(keep) && keep[i].Start < at
}

func trim(s string, a, b int) (int, int) {
	t := strings.TrimLeftFunc(s[a:b], unicode.IsSpace)
	a = b - len(t)
	return a, a + len(strings.TrimRightFunc(t, unicode.IsSpace))
}

// startsSentence reports whether rest, what follows a full stop, begins with white space and a capital, digit, opening
// mark or nothing.
func startsSentence(rest string) bool {
	if rest == "" {
		return true
	}
	r, _ := utf8.DecodeRuneInString(rest)
	if !unicode.IsSpace(r) {
		return false
	}
	rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
	if rest == "" {
		return true
	}
	r, _ = utf8.DecodeRuneInString(rest)
	return unicode.IsUpper(r) || unicode.IsDigit(r) || strings.ContainsRune(`¿¡"'([«“-`, r)
}

// notFinal reports whether a full stop after before cannot end a sentence.
func notFinal(before, language string) bool {
	i := strings.LastIndexFunc(before, func(r rune) bool { return unicode.IsSpace(r) || r == '(' || r == '[' })
	word := strings.ToLower(before[i+1:])
	if utf8.RuneCountInString(word) == 1 && unicode.IsLetter([]rune(word)[0]) {
		return i >= 0 // an initial, unless it is all there is
	}
	for _, list := range abbreviationLists(language) {
		if strings.Contains(list, " "+word+" ") && word != "" {
			return true
		}
	}
	return false
}

func abbreviationLists(language string) []string {
	const (
		en = " dr mr mrs ms prof st vs etc e.g i.e cf al fig figs no nos vol pp approx dept inc ltd jr sr ca resp spp sp var ref refs eq "
		fr = " dr m mm mme mlle pr st ste cf etc env ex fig n° p pp vol av apr j.-c al c.-à-d "
		es = " dr dra sr sra srta d dña prof etc p.ej ej aprox fig núm pág págs vol cf al ud uds máx mín "
	)
	switch language {
	case "en":
		return []string{en}
	case "fr":
		return []string{fr}
	case "es":
		return []string{es}
	}
	return []string{en, fr, es}
}

// Marked returns the sentence around a span with the span in brackets, for people who read errors; "" when no sentence holds it.
func Marked(s string, sp Span, sentences []Span) string {
	w, ok := SentenceOf(sentences, sp)
	if !ok || !w.Contains(sp) {
		return ""
	}
	return s[w.Start:sp.Start] + "[" + s[sp.Start:sp.End] + "]" + s[sp.End:w.End]
}
