package markup

import (
	"errors"
	"fmt"
	"strings"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

// ErrUnmarked says that a text has no mark.
var ErrUnmarked = errors.New("no mention is marked")

// ParseMarked reads a sentence whose mentions are marked `[mention]{Group}`, the group being optional, as people type it
// and as prompts show it. Brackets that belong to the text are written with a backslash before them.
func ParseMarked(s string) (corpus.Document, error) {
	var d corpus.Document
	var out strings.Builder
	for i := 0; i < len(s); {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			out.WriteByte(s[i+1])
			i += 2
		case s[i] == '[':
			end := closing(s, i+1, ']')
			if end < 0 {
				return d, fmt.Errorf("the bracket at byte %d is not closed: write \\[ for a bracket of the text", i)
			}
			m := corpus.Mention{Text: Unescape(s[i+1 : end])}
			if m.Text == "" {
				return d, fmt.Errorf("the brackets at byte %d are empty", i)
			}
			start := out.Len()
			out.WriteString(m.Text)
			m.Spans = []text.Span{{Start: start, End: out.Len()}}
			i = end + 1
			if i < len(s) && s[i] == '{' {
				if end = closing(s, i+1, '}'); end < 0 {
					return d, fmt.Errorf("the brace at byte %d is not closed", i)
				}
				m.Type = Unescape(s[i+1 : end])
				i = end + 1
			}
			m.ID = fmt.Sprint(len(d.Mentions) + 1)
			d.Mentions = append(d.Mentions, m)
		default:
			out.WriteByte(s[i])
			i++
		}
	}
	if d.Text = out.String(); len(d.Mentions) == 0 {
		return d, fmt.Errorf("%w: write [mention]{Group}", ErrUnmarked)
	}
	return d, nil
}

// closing finds the unescaped closing mark.
func closing(s string, from int, mark byte) int {
	for i := from; i < len(s); i++ {
		if s[i] == '\\' {
			i++
			continue
		}
		if s[i] == mark {
			return i
		}
	}
	return -1
}
