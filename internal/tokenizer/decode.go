package tokenizer

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A decoder changes the list of tokens on its way back to text.
type decoder struct {
	kind        string
	prefix      string // WordPiece
	cleanup     bool   // WordPiece
	from, to    string // Replace; from is also Metaspace's mark
	first       bool   // Metaspace: the first token loses its marks
	start, stop int    // Strip: at most so many at either end
}

// Decode returns the text of ids. Bytes that are no UTF-8 become U+FFFD; ids outside the vocabulary are left out.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	var list []string
	for _, id := range ids {
		tok := t.Token(id)
		if tok == "" || skipSpecial && t.special[id] {
			continue
		}
		list = append(list, tok)
	}
	if len(t.decoders) == 0 {
		return strings.Join(list, " ")
	}
	for i := range t.decoders {
		list = t.decoders[i].apply(list)
	}
	return strings.Join(list, "")
}

func (d *decoder) apply(list []string) []string {
	switch d.kind {
	case "ByteLevel":
		var b []byte
		for _, tok := range list {
			b = appendBytes(b, tok)
		}
		return []string{lossy(string(b))}
	case "Fuse":
		return []string{strings.Join(list, "")}
	case "ByteFallback":
		return bytesFallBack(list)
	case "WordPiece":
		return d.wordPiece(list)
	}
	for i, tok := range list {
		switch d.kind {
		case "Replace":
			list[i] = strings.ReplaceAll(tok, d.from, d.to)
		case "Metaspace":
			by := " "
			if i == 0 && d.first {
				by = ""
			}
			list[i] = strings.ReplaceAll(tok, d.from, by)
		case "Strip":
			list[i] = d.strip(tok)
		}
	}
	return list
}

// strip removes up to start marks in front and stop behind.
func (d *decoder) strip(tok string) string {
	for n := 0; n < d.start && strings.HasPrefix(tok, d.from); n++ {
		tok = tok[len(d.from):]
	}
	for n := 0; n < d.stop && strings.HasSuffix(tok, d.from); n++ {
		tok = tok[:len(tok)-len(d.from)]
	}
	return tok
}

// bytesFallBack turns runs of <0x..> into text; a run that is no UTF-8 becomes one U+FFFD a byte.
func bytesFallBack(list []string) []string {
	var out []string
	var run []byte
	flush := func() {
		if utf8.Valid(run) {
			if len(run) > 0 {
				out = append(out, string(run))
			}
		} else {
			for range run {
				out = append(out, "\uFFFD")
			}
		}
		run = run[:0]
	}
	for _, tok := range list {
		if len(tok) == 6 && strings.HasPrefix(tok, "<0x") && tok[5] == '>' {
			if b, err := strconv.ParseUint(tok[3:5], 16, 8); err == nil {
				run = append(run, byte(b))
				continue
			}
		}
		flush()
		out = append(out, tok)
	}
	flush()
	return out
}

// wordPiece puts spaces between words and, with cleanup, takes those away that English does not have.
func (d *decoder) wordPiece(list []string) []string {
	for i, tok := range list {
		if i > 0 {
			if rest, ok := strings.CutPrefix(tok, d.prefix); ok {
				tok = rest
			} else {
				tok = " " + tok
			}
		}
		if d.cleanup {
			for _, r := range cleanups {
				tok = strings.ReplaceAll(tok, r[0], r[1])
			}
		}
		list[i] = tok
	}
	return list
}

// cleanups are the library's, in its order.
var cleanups = [...][2]string{{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
	{" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}}

// decodersOf turns a decoder of tokenizer.json into steps.
func (c *component) decodersOf() ([]decoder, error) {
	if c == nil {
		return nil, nil
	}
	d := decoder{kind: c.Type}
	switch c.Type {
	case "Sequence":
		var out []decoder
		for i := range c.Decoders {
			more, err := c.Decoders[i].decodersOf()
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		}
		return out, nil
	case "ByteLevel", "Fuse", "ByteFallback":
	case "WordPiece":
		d.prefix, d.cleanup = c.prefixText(), c.Cleanup == nil || *c.Cleanup
	case "Metaspace":
		steps, err := c.metaspace()
		if err != nil {
			return nil, err
		}
		d.from, d.first = c.Replacement, steps[0].prefix != prefixNever
	case "Strip":
		if c.Content == nil || utf8.RuneCountInString(*c.Content) != 1 {
			return nil, fmt.Errorf("decoder Strip needs one character")
		}
		d.from, d.start, d.stop = *c.Content, c.Start, c.Stop
	case "Replace":
		if c.Pattern == nil || c.Pattern.String == "" || c.Content == nil {
			return nil, fmt.Errorf("decoder Replace without a plain string is not supported")
		}
		d.from, d.to = c.Pattern.String, *c.Content
	default:
		return nil, fmt.Errorf("decoder %q is not supported", c.Type)
	}
	return []decoder{d}, nil
}
