package tokenizer

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// classes.txt says what the tokenizers library counts as a letter, a number ... (scripts/tokenizer_classes.py). Its parts are built
// on different versions of Unicode, none of them Go's, so the program carries the measured classes.
//
//go:embed classes.txt
var classText string

// A class is a set of kinds that a code point belongs to.
type class uint16

const (
	letter     class = 1 << iota // \p{L} of patterns
	number                       // \p{N} of patterns
	numeric                      // what Digits splits
	punct                        // Punctuation and BERT
	word                         // \w of Whitespace and of single_word
	control                      // removed by BERT's clean_text
	ideograph                    // padded by BERT's handle_chinese_chars
	mark                         // removed by StripAccents
	nonspacing                   // removed by BERT's strip_accents
	space                        // \s, White_Space
)

var classNames = map[string]class{"letter": letter, "number": number, "numeric": numeric, "punct": punct, "word": word,
	"control": control, "ideograph": ideograph, "mark": mark, "nonspacing": nonspacing}

// tables are the classes of all code points in two stages, and the mappings that go with them.
type tables struct {
	page   [unicode.MaxRune>>8 + 1]uint16
	blocks [][256]class
	lower  map[rune]string
	forms  map[string]map[rune]bool // NFD, NFKD: code points that are decomposed
}

// unicodeTables reads classes.txt once.
var unicodeTables = sync.OnceValue(func() *tables {
	t := &tables{blocks: make([][256]class, 1), lower: map[rune]string{}, forms: map[string]map[rune]bool{}}
	for line := range strings.Lines(classText) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		for _, f := range strings.Fields(rest) {
			switch {
			case classNames[name] != 0:
				eachRune(f, func(r rune) { t.add(r, classNames[name]) })
			case name == "lower":
				from, to, _ := strings.Cut(f, "=")
				var out strings.Builder
				for _, p := range strings.Split(to, "+") {
					out.WriteRune(hexRune(p))
				}
				t.lower[hexRune(from)] = out.String()
			case name == "NFD", name == "NFKD":
				if t.forms[name] == nil {
					t.forms[name] = map[rune]bool{}
				}
				eachRune(f, func(r rune) { t.forms[name][r] = true })
			}
		}
	}
	for r := range rune(0x3001) { // White_Space is stable: all of it lies below
		if unicode.IsSpace(r) {
			t.add(r, space)
		}
	}
	return t
})

func eachRune(field string, f func(rune)) {
	first, last, ok := strings.Cut(field, "-")
	lo, hi := hexRune(first), hexRune(first)
	if ok {
		hi = hexRune(last)
	}
	for r := lo; r <= hi; r++ {
		f(r)
	}
}

func hexRune(s string) rune {
	n, err := strconv.ParseInt(s, 16, 32)
	if err != nil {
		panic("tokenizer: classes.txt is damaged: " + err.Error())
	}
	return rune(n)
}

func (t *tables) add(r rune, c class) {
	p := &t.page[r>>8]
	if *p == 0 {
		t.blocks = append(t.blocks, [256]class{})
		*p = uint16(len(t.blocks) - 1)
	}
	t.blocks[*p][r&255] |= c
}

// of returns the classes of a code point.
func (t *tables) of(r rune) class { return t.blocks[t.page[r>>8]][r&255] }

// at returns the classes and the length of the code point at s[i]; bytes that are no UTF-8 are U+FFFD.
func (t *tables) at(s string, i int) (class, int) {
	if b := s[i]; b < utf8.RuneSelf {
		return t.blocks[t.page[0]][b], 1
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	return t.of(r), n
}

// lossy replaces every maximal part of s that is no UTF-8 by U+FFFD, as Rust's from_utf8_lossy and Python's errors="replace" do.
func lossy(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			n = broken(s)
		}
		b.WriteRune(r)
		s = s[n:]
	}
	return b.String()
}

// broken returns the length of the maximal prefix of a code point that s, which does not start with a whole one, starts with.
func broken(s string) int {
	lo, hi, need := byte(0x80), byte(0xBF), 0
	switch b := s[0]; {
	case b >= 0xC2 && b <= 0xDF:
		need = 1
	case b == 0xE0:
		lo, need = 0xA0, 2
	case b >= 0xE1 && b <= 0xEF:
		need = 2
		if b == 0xED {
			hi = 0x9F
		}
	case b == 0xF0:
		lo, need = 0x90, 3
	case b >= 0xF1 && b <= 0xF4:
		need = 3
		if b == 0xF4 {
			hi = 0x8F
		}
	}
	n := 1
	for ; n <= need && n < len(s) && s[n] >= lo && s[n] <= hi; n++ {
		lo, hi = 0x80, 0xBF
	}
	return n
}
