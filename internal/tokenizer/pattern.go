package tokenizer

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// A pattern is one of the pre-tokenizer expressions in use. Go's regexp has no lookahead, and the generic engines that do
// are slow, so each known expression has a scanner of its own and any other is refused.
type pattern int

const (
	patternGPT2   pattern = iota // ByteLevel's own
	patternLlama3                // cl100k as in Llama 3: digits in threes
	patternQwen2                 // the same with single digits
)

const (
	regexGPT2   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	regexLlama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	regexQwen2  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

func patternOf(regex string) (pattern, error) {
	switch regex {
	case regexGPT2:
		return patternGPT2, nil
	case regexLlama3:
		return patternLlama3, nil
	case regexQwen2:
		return patternQwen2, nil
	}
	return 0, fmt.Errorf("pre-tokenizer pattern %q is not supported", regex)
}

func (p pattern) regex() string {
	return [...]string{regexGPT2, regexLlama3, regexQwen2}[p]
}

// split calls f for every match, in order; the matches cover s.
func (p pattern) split(s string, f func(string)) {
	for s != "" {
		n := 0
		if p == patternGPT2 {
			n = nextGPT2(s)
		} else {
			n = nextLlama3(s, p == patternLlama3)
		}
		f(s[:n])
		s = s[n:]
	}
}

func letter(r rune) bool { return unicode.IsLetter(r) }
func number(r rune) bool { return unicode.Is(unicode.N, r) }
func space(r rune) bool  { return unicode.IsSpace(r) }
func other(r rune) bool  { return !letter(r) && !number(r) && !space(r) }

// run returns the end of the longest run of runes of a class from at, at most limit runes (0: no limit).
func run(s string, at int, class func(rune) bool, limit int) int {
	for n := 0; at < len(s) && (limit == 0 || n < limit); n++ {
		r, size := utf8.DecodeRuneInString(s[at:])
		if !class(r) {
			break
		}
		at += size
	}
	return at
}

func nextGPT2(s string) int {
	if n := contraction(s, false); n > 0 {
		return n
	}
	at := 0
	if s[0] == ' ' {
		at = 1
	}
	for _, class := range []func(rune) bool{letter, number, other} {
		if end := run(s, at, class, 0); end > at {
			return end
		}
	}
	return spaces(s)
}

// spaces matches \s+(?!\S)|\s+ : a run of spaces gives its last one to the word that follows.
func spaces(s string) int {
	end := run(s, 0, space, 0)
	if end == len(s) {
		return end
	}
	_, last := utf8.DecodeLastRuneInString(s[:end])
	if end > last {
		return end - last
	}
	return end
}

func nextLlama3(s string, threes bool) int {
	if n := contraction(s, true); n > 0 {
		return n
	}
	r, size := utf8.DecodeRuneInString(s)
	if letter(r) {
		return run(s, 0, letter, 0)
	}
	if r != '\r' && r != '\n' && !number(r) {
		if end := run(s, size, letter, 0); end > size {
			return end
		}
	}
	if number(r) {
		limit := 1
		if threes {
			limit = 3
		}
		return run(s, 0, number, limit)
	}
	at := 0
	if r == ' ' {
		at = 1
	}
	if end := run(s, at, other, 0); end > at {
		return run(s, end, func(r rune) bool { return r == '\r' || r == '\n' }, 0)
	}
	return spacesLines(s)
}

// spacesLines matches \s*[\r\n]+|\s+(?!\S)|\s+ : spaces up to the last line break of the run come first.
func spacesLines(s string) int {
	end := run(s, 0, space, 0)
	for i := end - 1; i >= 0; i-- {
		if s[i] == '\n' || s[i] == '\r' {
			return i + 1
		}
	}
	return spaces(s)
}

// contraction matches 's 't 're 've 'm 'll 'd; folded also their capitals and the long s.
func contraction(s string, folded bool) int {
	if s[0] != '\'' || len(s) < 2 {
		return 0
	}
	r, size := utf8.DecodeRuneInString(s[1:])
	low := r
	if folded {
		low = fold(r)
	}
	switch low {
	case 's', 't', 'm', 'd':
		return 1 + size
	case 'r', 'v', 'l':
		next, n := utf8.DecodeRuneInString(s[1+size:])
		if folded {
			next = fold(next)
		}
		if low == 'l' && next == 'l' || low != 'l' && next == 'e' {
			return 1 + size + n
		}
	}
	return 0
}

func fold(r rune) rune {
	if r == '\u017F' {
		return 's'
	}
	return unicode.ToLower(r)
}

// splitDigits isolates every numeric rune, as the Digits pre-tokenizer with individual_digits does.
func splitDigits(s string, f func(string)) {
	start := 0
	for i, r := range s {
		if !number(r) {
			continue
		}
		if i > start {
			f(s[start:i])
		}
		start = i + utf8.RuneLen(r)
		f(s[i:start])
	}
	if start < len(s) {
		f(s[start:])
	}
}
