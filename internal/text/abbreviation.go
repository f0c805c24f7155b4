package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// An Abbreviation is a short form that a document introduces beside its long form.
type Abbreviation struct {
	Short string
	Long  string
	At    Span // where the short form is introduced
}

// Abbreviations finds the pairs "long form (SF)" and "SF (long form)" of s by the algorithm of Schwartz and Hearst (PSB
// 2003): the characters of the short form must be found in the long form from right to left, the first at the start of a
// word. Two things are stricter than theirs: a long form that holds the short form as a word is refused, and where several
// words may start the long form, one whose words' initials spell the short form is preferred over the shortest.
func Abbreviations(s string) []Abbreviation {
	var out []Abbreviation
	for open := strings.IndexByte(s, '('); open >= 0; {
		rest := s[open+1:]
		next := strings.IndexByte(rest, '(')
		end := strings.IndexByte(rest, ')')
		if end > 0 && (next < 0 || next > end) && end < 200 {
			if a, ok := pairAt(s, open, open+1+end); ok {
				out = append(out, a)
			}
		}
		if next < 0 {
			break
		}
		open += 1 + next
	}
	return out
}

// pairAt looks at one pair of parentheses.
func pairAt(s string, open, end int) (Abbreviation, bool) {
	in := s[open+1 : end]
	short := strings.TrimSpace(in)
	if i := strings.IndexAny(short, ",;"); i > 0 {
		short = strings.TrimSpace(short[:i])
	}
	before := clause(s[:open])
	if validShort(short) {
		if long, ok := longForm(short, before); ok {
			at := open + 1 + strings.Index(in, short)
			return Abbreviation{short, long, Span{at, at + len(short)}}, true
		}
	}
	words := strings.Fields(before)
	if len(words) == 0 {
		return Abbreviation{}, false
	}
	outer := words[len(words)-1]
	if !validShort(outer) || len(strings.Fields(in)) < 2 {
		return Abbreviation{}, false
	}
	if long, ok := longForm(outer, strings.TrimSpace(in)); ok && long == strings.TrimSpace(in) {
		at := strings.LastIndex(s[:open], outer)
		return Abbreviation{outer, long, Span{at, at + len(outer)}}, true
	}
	return Abbreviation{}, false
}

// clause returns the end of s back to a sentence boundary.
func clause(s string) string {
	if len(s) > 300 {
		s = s[len(s)-300:]
		s = strings.TrimLeftFunc(s, func(r rune) bool { return r == utf8.RuneError })
	}
	for _, stop := range []string{". ", "; ", ": ", "\n", "("} {
		if i := strings.LastIndex(s, stop); i >= 0 {
			s = s[i+len(stop):]
		}
	}
	return strings.TrimSpace(s)
}

// validShort: two to ten characters, at most two words, a letter, and starting with a letter or digit.
func validShort(s string) bool {
	n := utf8.RuneCountInString(s)
	first, _ := utf8.DecodeRuneInString(s)
	return n >= 2 && n <= 10 && len(strings.Fields(s)) <= 2 && (unicode.IsLetter(first) || unicode.IsDigit(first)) &&
		strings.IndexFunc(s, unicode.IsLetter) >= 0 && strings.IndexFunc(s, unicode.IsUpper) >= 0
}

// longForm finds the long form of short at the end of before.
func longForm(short, before string) (string, bool) {
	words := strings.Fields(before)
	limit := min(utf8.RuneCountInString(short)+5, 2*utf8.RuneCountInString(short), len(words))
	letters := []rune(strings.ToLower(strings.Map(keepAlnum, short)))
	if n := len(letters); n > 2 && letters[n-1] == 's' && strings.HasSuffix(short, "s") {
		if long, ok := match(letters[:n-1], words, limit); ok { // plural short form
			return long, ok
		}
	}
	return match(letters, words, limit)
}

func keepAlnum(r rune) rune {
	if unicode.IsLetter(r) || unicode.IsDigit(r) {
		return r
	}
	return -1
}

// match tries the last 1..limit words, first for initials, then for Schwartz and Hearst's looser rule.
func match(letters []rune, words []string, limit int) (string, bool) {
	if len(letters) < 2 {
		return "", false
	}
	for _, rule := range []func([]rune, []string) bool{initials, scattered} {
		for n := 1; n <= limit; n++ {
			tail := words[len(words)-n:]
			long := strings.Join(tail, " ")
			if len([]rune(long)) > len(letters) && rule(letters, tail) && !holdsWord(tail, letters) {
				return strings.TrimLeft(long, `"'[`), true
			}
		}
	}
	return "", false
}

// initials: every word (hyphenated parts apart) gives its first letter, small words may be passed over.
func initials(letters []rune, words []string) bool {
	i := 0
	for k, w := range parts(words) {
		r, _ := utf8.DecodeRuneInString(w)
		if i < len(letters) && unicode.ToLower(r) == letters[i] {
			i++
		} else if k == 0 || !smallWord(w) {
			return false
		}
	}
	return i == len(letters)
}

func parts(words []string) []string {
	return strings.FieldsFunc(strings.Join(words, " "), func(r rune) bool { return r == ' ' || r == '-' || r == '/' })
}

func smallWord(w string) bool {
	return strings.Contains(" of the and in de la du des et del y en el les los a for with to ", " "+strings.ToLower(w)+" ")
}

// scattered: the letters occur from right to left in the words, the first at the start of the first word.
func scattered(letters []rune, words []string) bool {
	long := []rune(strings.ToLower(strings.Join(words, " ")))
	i := len(letters) - 1
	j := len(long) - 1
	for ; i > 0; i-- {
		for j > 0 && long[j] != letters[i] {
			j--
		}
		if j <= 0 {
			return false
		}
		j--
	}
	// The first letter stands at the start of the words given: shorter tails were tried before.
	return long[0] == letters[0] && j >= 0
}

// holdsWord reports whether the short form itself is one of the words.
func holdsWord(words []string, letters []rune) bool {
	for _, w := range words {
		if strings.ToLower(strings.Map(keepAlnum, w)) == string(letters) {
			return true
		}
	}
	return false
}
