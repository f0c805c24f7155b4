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
// break, or at . ! ? … with the closing marks behind them, followed by white space and something that can start a sentence, unless
// the full stop belongs to an abbreviation, an initial, a number or a list label of the language ("en", "fr", "es"; others use all
// three lists).
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
	words := wordsOf(language)
	for i := 0; i < len(s); i++ {
		end := i + 1
		switch s[i] {
		case '\n':
		case '.', '!', '?':
			end = closed(s, end)
			if !startsSentence(s[end:]) || s[i] == '.' && notFinal(s[start:i], s[end:], &words) {
				continue
			}
		case ellipsis[0]:
			if !strings.HasPrefix(s[i:], ellipsis) {
				continue
			}
			if end = closed(s, i+len(ellipsis)); !startsSentence(s[end:]) {
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

const ellipsis = "…"

// closed passes over further stops and the marks that close a quotation or bracket; French puts a space before its own.
func closed(s string, end int) int {
	for end < len(s) {
		rest := s[end:]
		r, n := utf8.DecodeRuneInString(rest)
		switch {
		case strings.ContainsRune(`.!?)"'”’»]`, r):
			end += n
		case strings.HasPrefix(rest, " »"), strings.HasPrefix(rest, "\u00a0»"), strings.HasPrefix(rest, "\u202f»"):
			end += strings.Index(rest, "»") + len("»")
		default:
			return end
		}
	}
	return end
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
// mark, a symbol such as p53 or mRNA, or nothing.
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
	if unicode.IsUpper(r) || unicode.IsDigit(r) || strings.ContainsRune(`¿¡"'([«“‘-–—•`, r) {
		return true
	}
	return unicode.IsLetter(r) && strings.ContainsFunc(firstWord(rest), func(r rune) bool { return unicode.IsUpper(r) || unicode.IsDigit(r) })
}

func firstWord(s string) string {
	s = strings.TrimLeftFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if i := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' }); i >= 0 {
		return s[:i]
	}
	return s
}

// notFinal reports whether a full stop between before, the sentence so far, and rest cannot end the sentence.
func notFinal(before, rest string, w *words) bool {
	i := strings.LastIndexFunc(before, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("([«“/", r) })
	_, size := utf8.DecodeRuneInString(before[max(i, 0):])
	last := before
	if i >= 0 {
		last = before[i+size:]
	}
	word := strings.ToLower(last)
	if word == "" {
		return false
	}
	next := firstWord(rest)
	switch {
	case w.never.has(word): // Dr. Smith, Fig. 2
		return true
	case label(before): // 1. Introduction
		return true
	case w.numbered.has(word): // no. 5, but: He said no.
		return next != "" && (unicode.IsDigit(rune(next[0])) || len(next) == 1)
	}
	// What may end a sentence does so before a word that usually begins one.
	starts := w.starters.has(strings.ToLower(next)) && !strings.HasPrefix(strings.TrimSpace(rest), "(")
	switch {
	case w.maybe.has(word):
		return !starts
	case utf8.RuneCountInString(word) == 1 && unicode.IsLetter([]rune(word)[0]): // an initial: J. Smith; vitamin C. The
		return i >= 0 && !starts
	case dotted(word): // i.v. Cefotaxime
		return !starts
	}
	return false
}

// label reports whether the sentence so far is nothing but a number of a list.
func label(before string) bool {
	s := strings.TrimSpace(before)
	return s != "" && len(s) <= 3 && strings.Trim(s, "0123456789") == ""
}

// dotted reports whether a word is letters with full stops between: "i.v", "u.s".
func dotted(w string) bool {
	letters := 0
	for _, r := range w {
		switch {
		case r == '.':
			letters = 0
		case unicode.IsLetter(r) && letters == 0:
			letters++
		default:
			return false
		}
	}
	return strings.Contains(w, ".")
}

// list is words between spaces.
type list string

func (l list) has(w string) bool {
	return w != "" && strings.Contains(string(l), " "+w+" ")
}

// words are what a language's full stops are decided by.
type words struct {
	never    list // abbreviations that never end a sentence
	numbered list // abbreviations before a number only
	maybe    list // abbreviations that may end one
	starters list // words that usually begin one
}

func wordsOf(language string) words {
	en := words{
		never:    " dr mr mrs ms prof st vs e.g i.e cf fig figs eq eqs ref refs ca approx resp var subsp drs rev gen hosp mt viz dept univ ",
		numbered: " no nos vol pp p ch sec tab suppl art pt ",
		maybe:    " etc al inc ltd corp co jr sr spp sp bid tid qid prn wt hrs hr min max avg med temp ",
		starters: " the this these those a an we it its he she they his her their in on at of for from to by with our i there however although because since when while if as after before during no all both each patients results conclusions conclusion methods background objective objectives moreover furthermore thus therefore here and but ",
	}
	fr := words{
		never:    " dr drs m mm mme mlle mmes pr ste cf fig ex p.ex j.-c c.-à-d env vs av apr réf art chap bd éd boul ",
		numbered: " n no nos p pp vol t ",
		maybe:    " etc al max min hab cp gél sol inj ",
		starters: " le la les l un une des ce cette ces c il elle ils elles on nous vous en dans au aux à pour par sur avec si lorsque lors après avant pendant chez de du d son sa ses leur leurs qu que quel quelle quels aucun aucune patient patients une et mais ",
	}
	es := words{
		never:    " dr dra drs dras sr sra srta sres d dña prof p.ej ej aprox fig figs cf vs dpto avda c/ ",
		numbered: " n núm nº pág págs p pp vol t ",
		maybe:    " etc al ud uds máx mín tto dx izq dcha dcho comp amp ",
		starters: " el la los las lo un una unos unas se al en a de del por para con sin tras durante ante no su sus este esta estos estas ese esa ello ella él ellos que cuando como si paciente pacientes presenta refiere ingresa acude exploración antecedentes diagnóstico tratamiento y pero ",
	}
	switch language {
	case "en":
		return en
	case "fr":
		return fr
	case "es":
		return es
	}
	return words{en.never + fr.never + es.never, en.numbered + fr.numbered + es.numbered, en.maybe + fr.maybe + es.maybe, en.starters + fr.starters + es.starters}
}

// maxMarked is how much of a sentence Marked shows to either side, in bytes: a text without full stops is one sentence.
const maxMarked = 1000

// Marked returns the sentence around a span with the span in brackets, for people who read errors, or what is near it of a very long one;
// "" when no sentence holds it.
func Marked(s string, sp Span, sentences []Span) string {
	w, ok := SentenceOf(sentences, sp)
	if !ok || !w.Contains(sp) {
		return ""
	}
	if sp.Start-w.Start > maxMarked {
		w.Start = sp.Start - maxMarked
		for w.Start += strings.IndexFunc(s[w.Start:sp.Start], unicode.IsSpace) + 1; !utf8.RuneStart(s[w.Start]); w.Start++ {
		}
	}
	if w.End-sp.End > maxMarked {
		w.End = sp.End + 1 + strings.LastIndexFunc(s[sp.End+1:sp.End+maxMarked], unicode.IsSpace)
	}
	return s[w.Start:sp.Start] + "[" + s[sp.Start:sp.End] + "]" + s[sp.End:w.End]
}
