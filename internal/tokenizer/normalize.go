package tokenizer

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"golang.org/x/text/unicode/norm"
)

// A normalizer changes text before it is cut.
type normalizer struct {
	kind        string // as tokenizer.json names it
	left, right bool   // Strip
	from, to    string // Replace; Prepend has to only
	runs        bool   // Replace: from is a run of two or more spaces
	bert        bertOptions
	charsmap    *charsmap
}

type bertOptions struct{ clean, ideographs, accents, lower bool }

// normalize applies the normalizers in turn; inside a text nothing is put in front.
func (t *Tokenizer) normalize(s string, at place) string {
	for i := range t.normalizers {
		if at == inside && t.normalizers[i].kind == "Prepend" {
			continue
		}
		s = t.normalizers[i].apply(t.tables, s)
	}
	return s
}

func (n *normalizer) apply(t *tables, s string) string {
	switch n.kind {
	case "Lowercase":
		return t.lowered(s)
	case "NFC":
		return norm.NFC.String(s)
	case "NFD", "NFKD", "NFKC":
		return t.decompose(s, n.kind)
	case "Strip":
		lo, hi := 0, len(s)
		if n.left {
			lo = t.run(s, 0, space)
		}
		for n.right && hi > lo {
			r, size := utf8.DecodeLastRuneInString(s[lo:hi])
			if t.of(r)&space == 0 {
				break
			}
			hi -= size
		}
		return s[lo:hi]
	case "StripAccents":
		return t.without(s, mark)
	case "Replace":
		if n.runs {
			return squeeze(s, n.to)
		}
		return strings.ReplaceAll(s, n.from, n.to)
	case "Prepend":
		if s == "" {
			return s
		}
		return n.to + s
	case "BertNormalizer":
		return n.bert.apply(t, s)
	case "Nmt":
		return strings.Map(nmt, s)
	case "Precompiled":
		return n.charsmap.apply(s)
	}
	return s
}

// ascii reports whether s holds no code point above U+007F.
func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// lowered maps each code point on its own.
func (t *tables) lowered(s string) string {
	plain := true // nothing to do
	for i := range len(s) {
		if b := s[i]; b >= utf8.RuneSelf || b >= 'A' && b <= 'Z' {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s {
		if r < utf8.RuneSelf {
			if r >= 'A' && r <= 'Z' {
				r |= 0x20
			}
			b.WriteByte(byte(r))
		} else if l, ok := t.lower[r]; ok {
			b.WriteString(l)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// without removes the code points of a class.
func (t *tables) without(s string, c class) string {
	if ascii(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if t.of(r)&c != 0 {
			return -1
		}
		return r
	}, s)
}

// decompose applies a Unicode form. Code points that Go's tables decompose and the library's older ones do not stay as they
// are.
func (t *tables) decompose(s, kind string) string {
	if ascii(s) {
		return s
	}
	form, known := norm.NFD, t.forms["NFD"]
	switch kind {
	case "NFKD":
		form, known = norm.NFKD, t.forms["NFKD"]
	case "NFKC":
		form, known = norm.NFKC, t.forms["NFKD"]
	}
	var b strings.Builder
	start := 0
	for i, r := range s {
		if r < 0x3000 || known[r] || r >= 0xAC00 && r < 0xD7A4 || form.PropertiesString(s[i:]).Decomposition() == nil {
			continue
		}
		b.WriteString(form.String(s[start:i]))
		start = i + utf8.RuneLen(r)
		b.WriteString(s[i:start])
	}
	if start == 0 {
		return form.String(s)
	}
	b.WriteString(form.String(s[start:]))
	return b.String()
}

// squeeze replaces every run of two or more spaces.
func squeeze(s, by string) string {
	if !strings.Contains(s, "  ") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && s[j] == ' ' {
			j++
		}
		switch {
		case j-i >= 2:
			b.WriteString(by)
			i = j
		default:
			b.WriteByte(s[i])
			i++
		}
	}
	return b.String()
}

// apply is BERT's normalizer, in the library's order: clean, pad ideographs, strip accents, lower.
func (o bertOptions) apply(t *tables, s string) string {
	if ascii(s) {
		return o.plain(t, s)
	}
	if o.clean {
		s = strings.Map(func(r rune) rune {
			switch c := t.of(r); {
			case c&control != 0:
				return -1
			case c&space != 0:
				return ' '
			}
			return r
		}, s)
	}
	if o.ideographs {
		var b strings.Builder
		for _, r := range s {
			if t.of(r)&ideograph != 0 {
				b.WriteString(" " + string(r) + " ")
			} else {
				b.WriteRune(r)
			}
		}
		s = b.String()
	}
	if o.accents {
		s = t.without(t.decompose(s, "NFD"), nonspacing)
	}
	if o.lower {
		s = t.lowered(s)
	}
	return s
}

// plain is apply for ASCII, in one pass.
func (o bertOptions) plain(t *tables, s string) string {
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		c := s[i]
		switch kind := t.of(rune(c)); {
		case o.clean && kind&control != 0:
			continue
		case o.clean && kind&space != 0:
			c = ' '
		case o.lower && c >= 'A' && c <= 'Z':
			c |= 0x20
		}
		b = append(b, c)
	}
	return string(b)
}

// nmt removes control characters and makes spaces of separators.
func nmt(r rune) rune {
	switch {
	case r >= 1 && r <= 8, r == 0xB, r >= 0xE && r <= 0x1F, r == 0x7F, r == 0x8F, r == 0x9F:
		return -1
	case r == 9, r == 0xA, r == 0xC, r == 0xD, r == 0x1680, r >= 0x200B && r <= 0x200F, r == 0x2028, r == 0x2029, r == 0x2581, r == 0xFEFF, r == 0xFFFD:
		return ' '
	}
	return r
}

// A charsmap is SentencePiece's compiled table of replacements: a double-array trie of UTF-8 strings whose values are offsets
// into NUL-terminated replacements.
type charsmap struct {
	units    []uint32
	replaced string
}

// parseCharsmap reads a precompiled_charsmap: base64 of the trie's size in bytes, the trie, the replacements.
func parseCharsmap(text string) (*charsmap, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) < 4 {
		return nil, fmt.Errorf("precompiled_charsmap is damaged")
	}
	n := binary.LittleEndian.Uint32(b)
	if n%4 != 0 || uint64(n) > uint64(len(b)-4) {
		return nil, fmt.Errorf("precompiled_charsmap: trie of %d bytes in %d", n, len(b))
	}
	c := &charsmap{units: make([]uint32, n/4), replaced: string(b[4+n:])}
	for i := range c.units {
		c.units[i] = binary.LittleEndian.Uint32(b[4+4*i:])
	}
	if !utf8.ValidString(c.replaced) {
		return nil, fmt.Errorf("precompiled_charsmap: replacements are no UTF-8")
	}
	return c, nil
}

// lookup returns the replacement of the shortest prefix of key that is in the trie, which is what the library asks for.
func (c *charsmap) lookup(key string) (string, bool) {
	at := func(i uint32) uint32 {
		if int(i) >= len(c.units) {
			return 0
		}
		return c.units[i]
	}
	offset := func(u uint32) uint32 { return u >> 10 << (u & (1 << 9) >> 6) }
	node := offset(at(0))
	for i := range len(key) {
		b := uint32(key[i])
		if b == 0 {
			break
		}
		node ^= b
		u := at(node)
		if u&(1<<31|0xff) != b {
			return "", false
		}
		node ^= offset(u)
		if u>>8&1 == 1 { // has a value
			v := at(node) & (1<<31 - 1)
			if int(v) > len(c.replaced) {
				return "", false
			}
			out, _, _ := strings.Cut(c.replaced[v:], "\x00")
			return out, true
		}
	}
	return "", false
}

// apply replaces grapheme by grapheme, those of fewer than 6 bytes as a whole where the table has them, else code point by code
// point.
func (c *charsmap) apply(s string) string {
	var b strings.Builder
	for s != "" {
		n := grapheme(s)
		g := s[:n]
		s = s[n:]
		if len(g) < 6 {
			if out, ok := c.lookup(g); ok {
				b.WriteString(out)
				continue
			}
		}
		for _, r := range g {
			if out, ok := c.lookup(string(r)); ok {
				b.WriteString(out)
			} else {
				b.WriteRune(r)
			}
		}
	}
	return b.String()
}

// grapheme returns the length of the first user-perceived character.
func grapheme(s string) int {
	if s[0] < utf8.RuneSelf && s[0] != '\r' && (len(s) == 1 || s[1] < utf8.RuneSelf) {
		return 1
	}
	g, _, _, _ := uniseg.FirstGraphemeClusterInString(s, -1)
	return len(g)
}

// normalizersOf turns a normalizer of tokenizer.json into steps.
func (c *component) normalizersOf() ([]normalizer, error) {
	if c == nil {
		return nil, nil
	}
	yes := func(b *bool, otherwise bool) bool {
		if b == nil {
			return otherwise
		}
		return *b
	}
	n := normalizer{kind: c.Type}
	switch c.Type {
	case "Sequence":
		var out []normalizer
		for i := range c.Normalizers {
			more, err := c.Normalizers[i].normalizersOf()
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		}
		return out, nil
	case "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "StripAccents", "Nmt":
	case "Strip":
		n.left, n.right = yes(c.StripLeft, true), yes(c.StripRight, true)
	case "Prepend":
		n.to = c.Prepend
	case "Replace":
		if c.Pattern == nil || c.Content == nil {
			return nil, fmt.Errorf("normalizer Replace has no pattern or content")
		}
		n.from, n.to, n.runs = c.Pattern.String, *c.Content, c.Pattern.Regex == " {2,}"
		if n.from == "" && !n.runs {
			return nil, fmt.Errorf("normalizer Replace with pattern %q is not supported", c.Pattern.Regex)
		}
	case "BertNormalizer":
		lower := yes(c.Lowercase, true)
		n.bert = bertOptions{yes(c.CleanText, true), yes(c.ChineseChars, true), lower, lower}
		if c.StripAccents != nil {
			n.bert.accents = *c.StripAccents
		}
	case "Precompiled":
		var err error
		if n.charsmap, err = parseCharsmap(c.Charsmap); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("normalizer %q is not supported", c.Type)
	}
	return []normalizer{n}, nil
}
