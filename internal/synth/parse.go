package synth

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"syncabel/internal/text"
)

// Lines takes an answer apart into sentences, whatever form the model gave it: the schema's object, a list of strings, either in a
// code fence, or lines with numbers, bullets, bold type, quotes or a prefix such as "exemple :" before them. Framing ("Here are
// three sentences:") is left out. Sentences keep their brackets.
func Lines(answer string) []string {
	answer = strings.TrimSpace(answer)
	if m := fence.FindStringSubmatch(answer); m != nil {
		answer = strings.TrimSpace(m[1])
	}
	raw, ok := jsonLines(answer)
	if !ok {
		raw = strings.Split(answer, "\n")
	}
	var out []string
	for _, l := range raw {
		if l = clean(l); l != "" && !framing(l) {
			out = append(out, l)
		}
	}
	return out
}

var fence = regexp.MustCompile("(?s)^```[a-z]*\n(.*?)\n?```$")

// jsonLines reads the forms of JSON that models answer with.
func jsonLines(s string) ([]string, bool) {
	if s == "" || s[0] != '{' && s[0] != '[' {
		return nil, false
	}
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(s), &object) == nil {
		if list, ok := object["sentences"]; ok {
			s = string(list)
		}
	}
	var list []string
	if json.Unmarshal([]byte(s), &list) != nil {
		return nil, false
	}
	return list, true
}

var (
	bullet = regexp.MustCompile(`^(?:[-*•–—]|\(?\d{1,2}[.):])[\s\p{Z}]+`)
	prefix = regexp.MustCompile(`^(?i:example|exemple|ejemplo|sentence|phrase|frase|oración)[\s\p{Z}]*\d{0,2}[\s\p{Z}]*[:：][\s\p{Z}]*`)
	quotes = [][2]string{{`"`, `"`}, {"“", "”"}, {"«", "»"}, {"'", "'"}, {"‘", "’"}}
)

// clean takes from a line what stands around the sentence.
func clean(s string) string {
	s = tidy(strings.ReplaceAll(strings.ReplaceAll(s, "**", ""), "__", ""))
	for range 2 { // a bullet before a prefix, a prefix before a bullet
		s = bullet.ReplaceAllString(s, "")
		s = prefix.ReplaceAllString(s, "")
	}
	for _, q := range quotes {
		inner, ok := strings.CutPrefix(s, q[0])
		if inner, ok2 := strings.CutSuffix(inner, q[1]); ok && ok2 && !strings.Contains(inner, q[0]) && !strings.Contains(inner, q[1]) {
			s = strings.TrimSpace(inner)
		}
	}
	return s
}

// framing reports whether a line is talk around the sentences: it marks nothing and announces something.
func framing(s string) bool {
	return !strings.ContainsAny(s, "[]") && (strings.HasSuffix(s, ":") || strings.HasPrefix(s, "```"))
}

// Parse takes the brackets off a sentence and returns where its mention is. It fails unless there is exactly one marked mention.
// Brackets that belong to a word, as in benzo[a]pyrene or [Ca2+]i, are no marks; a mention may hold such a word.
func Parse(line string) (string, text.Span, bool) {
	groups, ok := bracketed(line)
	if !ok {
		return line, text.Span{}, false
	}
	marks := keep(groups, func(g text.Span) bool { return !(wordBefore(line, g.Start) && wordAfter(line, g.End)) })
	if len(marks) > 1 {
		marks = keep(marks, func(g text.Span) bool { return !wordBefore(line, g.Start) && !wordAfter(line, g.End) })
	}
	if len(marks) != 1 {
		return line, text.Span{}, false
	}
	g := marks[0]
	mention := line[g.Start+1 : g.End-1]
	if strings.TrimSpace(mention) != mention || mention == "" {
		return line, text.Span{}, false
	}
	return line[:g.Start] + mention + line[g.End:], text.Span{Start: g.Start, End: g.Start + len(mention)}, true
}

// bracketed returns the outermost groups in brackets; it fails where brackets do not match.
func bracketed(s string) ([]text.Span, bool) {
	var out []text.Span
	depth, start := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '[':
			if depth == 0 {
				start = i
			}
			depth++
		case ']':
			if depth--; depth < 0 {
				return nil, false
			}
			if depth == 0 {
				out = append(out, text.Span{Start: start, End: i + 1})
			}
		}
	}
	return out, depth == 0
}

func keep(list []text.Span, f func(text.Span) bool) []text.Span {
	var out []text.Span
	for _, g := range list {
		if f(g) {
			out = append(out, g)
		}
	}
	return out
}

func wordBefore(s string, i int) bool {
	r, _ := utf8.DecodeLastRuneInString(s[:i])
	return i > 0 && isWord(r)
}

func wordAfter(s string, i int) bool {
	r, _ := utf8.DecodeRuneInString(s[i:])
	return i < len(s) && isWord(r)
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
