package tokenizer

import (
	"fmt"
	"unicode/utf8"
)

// A pattern is one of the pre-tokenizer expressions in use. Go's regexp has no lookahead, and the generic engines that do
// are slow, so each known expression has a scanner of its own and any other is refused.
type pattern int

const (
	patternNone   pattern = iota // one piece
	patternGPT2                  // ByteLevel's own
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

// next returns the length of the first match in s, which is not empty; matches cover s.
func (p pattern) next(t *tables, s string) int {
	switch p {
	case patternGPT2:
		return nextGPT2(t, s)
	case patternLlama3:
		return nextLlama3(t, s, 3)
	case patternQwen2:
		return nextLlama3(t, s, 1)
	}
	return len(s)
}

// run returns the end of the run from at of code points that have one of the classes.
func (t *tables) run(s string, at int, has class) int {
	for at < len(s) {
		c, n := t.at(s, at)
		if c&has == 0 {
			break
		}
		at += n
	}
	return at
}

// others returns the end of the run from at of code points that are no letter, number or space.
func (t *tables) others(s string, at int) int {
	for at < len(s) {
		c, n := t.at(s, at)
		if c&(letter|number|space) != 0 {
			break
		}
		at += n
	}
	return at
}

func nextGPT2(t *tables, s string) int {
	if n := contraction(s, false); n > 0 {
		return n
	}
	at := 0
	if s[0] == ' ' && len(s) > 1 {
		at = 1
	}
	c, _ := t.at(s, at)
	switch {
	case c&letter != 0:
		return t.run(s, at, letter)
	case c&number != 0:
		return t.run(s, at, number)
	case c&space == 0:
		return t.others(s, at)
	}
	return t.spaces(s)
}

// spaces matches \s+(?!\S)|\s+ : a run of spaces gives its last one to the word that follows.
func (t *tables) spaces(s string) int {
	end := t.run(s, 0, space)
	if end == len(s) {
		return end
	}
	_, last := utf8.DecodeLastRuneInString(s[:end])
	if end > last {
		return end - last
	}
	return end
}

// nextLlama3 takes up to digits numbers at a time.
func nextLlama3(t *tables, s string, digits int) int {
	if n := contraction(s, true); n > 0 {
		return n
	}
	c, size := t.at(s, 0)
	switch {
	case c&letter != 0:
		return t.run(s, size, letter)
	case c&number != 0:
		at := size
		for ; digits > 1 && at < len(s); digits-- {
			c, n := t.at(s, at)
			if c&number == 0 {
				break
			}
			at += n
		}
		return at
	}
	if s[0] != '\r' && s[0] != '\n' {
		if end := t.run(s, size, letter); end > size {
			return end
		}
	}
	at := 0
	if s[0] == ' ' {
		at = 1
	}
	if end := t.others(s, at); end > at {
		for end < len(s) && (s[end] == '\r' || s[end] == '\n') {
			end++
		}
		return end
	}
	return t.spacesLines(s)
}

// spacesLines matches \s*[\r\n]+|\s+(?!\S)|\s+ : spaces up to the last line break of the run come first.
func (t *tables) spacesLines(s string) int {
	end := t.run(s, 0, space)
	for i := end - 1; i >= 0; i-- {
		if s[i] == '\n' || s[i] == '\r' {
			return i + 1
		}
	}
	return t.spaces(s)
}

// contraction matches 's 't 're 've 'm 'll 'd; folded also their capitals and the long s.
func contraction(s string, folded bool) int {
	if s[0] != '\'' || len(s) < 2 {
		return 0
	}
	first, n := folding(s[1:], folded)
	switch first {
	case 's', 't', 'm', 'd':
		return 1 + n
	case 'r', 'v', 'l':
		if len(s) == 1+n {
			return 0
		}
		second, m := folding(s[1+n:], folded)
		if first == 'l' && second == 'l' || first != 'l' && second == 'e' {
			return 1 + n + m
		}
	}
	return 0
}

// folding returns the first letter of s as a lower-case ASCII letter, where it folds to one, and its length.
func folding(s string, folded bool) (byte, int) {
	b := s[0]
	if folded && b >= 'A' && b <= 'Z' {
		return b | 0x20, 1
	}
	if folded && len(s) > 1 && s[:2] == "\u017F" {
		return 's', 2
	}
	return b, 1
}
