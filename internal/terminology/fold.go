package terminology

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Normalize lower-cases s and folds runs of white space to one space: the equality of the dictionary.
func Normalize(s string) string { return strings.Join(strings.Fields(strings.ToLower(s)), " ") }

// appendNormalized appends Normalize(s) to b, for names in ASCII without allocating.
func appendNormalized(b []byte, s string) []byte {
	start := len(b)
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			return append(b[:start], Normalize(s)...)
		case c == ' ' || c >= '\t' && c <= '\r':
			if n := len(b); n > start && b[n-1] != ' ' {
				b = append(b, ' ')
			}
		case c >= 'A' && c <= 'Z':
			b = append(b, c+'a'-'A')
		default:
			b = append(b, c)
		}
	}
	if n := len(b); n > start && b[n-1] == ' ' {
		b = b[:n-1]
	}
	return b
}

// A folder cuts names into the words of the search: lower case, without diacritics, letters and digits only.
type folder struct {
	latin [latinEnd - utf8.RuneSelf]string
}

// latinEnd ends the letters that a table folds; the rest goes through Unicode's decomposition.
const latinEnd = 0x250

func newFolder() *folder {
	f := &folder{}
	for r := rune(utf8.RuneSelf); r < latinEnd; r++ {
		f.latin[r-utf8.RuneSelf] = foldRune(r)
	}
	return f
}

// foldRune returns the letters and digits of r in lower case without marks; empty for what separates words.
func foldRune(r rune) string {
	switch r = unicode.ToLower(r); r { // letters that Unicode does not decompose
	case 'ø':
		return "o"
	case 'ł':
		return "l"
	case 'đ':
		return "d"
	case 'ß':
		return "ss"
	case 'æ':
		return "ae"
	case 'œ':
		return "oe"
	}
	var b strings.Builder
	for _, d := range norm.NFD.String(string(r)) {
		if unicode.IsLetter(d) || unicode.IsDigit(d) {
			b.WriteRune(unicode.ToLower(d))
		}
	}
	return b.String()
}

// maxWord bounds a word of the search, in bytes; longer ones are found by their beginning.
const maxWord = 48

// words appends the words of s, each closed by a zero byte.
func (f *folder) words(b []byte, s string) []byte {
	start := len(b)
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			switch {
			case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
				b = f.letter(b, start, c)
			case c >= 'A' && c <= 'Z':
				b = f.letter(b, start, c+'a'-'A')
			default:
				b, start = endWord(b, start)
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		folded := ""
		switch {
		case r < latinEnd:
			folded = f.latin[r-utf8.RuneSelf]
		case unicode.Is(unicode.Mn, r):
			continue // a mark of the letter before it
		default:
			folded = foldRune(r)
		}
		if folded == "" {
			b, start = endWord(b, start)
		} else if len(b)-start+len(folded) <= maxWord {
			b = append(b, folded...)
		}
	}
	b, _ = endWord(b, start)
	return b
}

func (f *folder) letter(b []byte, start int, c byte) []byte {
	if len(b)-start < maxWord {
		b = append(b, c)
	}
	return b
}

func endWord(b []byte, start int) ([]byte, int) {
	if len(b) > start {
		b = append(b, 0)
	}
	return b, len(b)
}

// query returns the words of a search and whether it ends inside a word.
func (f *folder) query(s string) []string {
	return strings.FieldsFunc(string(f.words(nil, s)), func(r rune) bool { return r == 0 })
}
