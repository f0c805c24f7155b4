package serve

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"syncabel/internal/corpus"
	"syncabel/internal/markup"
	"syncabel/internal/text"
)

// Document is a text to link.
type Document struct {
	ID       string    `json:"id,omitempty" maxLength:"400" doc:"Name of the document, returned as it came."`
	Text     string    `json:"text" doc:"The text. Mentions may be marked in it: [mention]{Group}." example:"He had a [heart attack]{Disorders} last year."`
	Language string    `json:"language,omitempty" maxLength:"8" doc:"Language of the text: en, fr, es." example:"en"`
	Group    string    `json:"group,omitempty" maxLength:"200" doc:"Semantic group of mentions that do not say."`
	Marked   *bool     `json:"marked,omitempty" doc:"Are the mentions marked in the text? Default: when no mentions are given and the text has a mark. Without marks mentions are detected."`
	Mentions []Mention `json:"mentions,omitempty" nullable:"false" doc:"The mentions; none: they are marked in the text, or detected."`
	Offsets  string    `json:"offsets,omitempty" enum:"byte,codepoint,utf16" doc:"What start and end count, in question and answer; default byte. JavaScript and Java count utf16, Python codepoint."`
}

// Mention is one span of a text.
type Mention struct {
	ID    string `json:"id,omitempty" maxLength:"400"`
	Start int    `json:"start" minimum:"0"`
	End   int    `json:"end" minimum:"1"`
	Group string `json:"group,omitempty" maxLength:"200" doc:"Semantic group or a type that maps to one; empty: guessed from the nearest name."`
}

// Units of offsets.
const (
	unitByte      = "byte"
	unitCodePoint = "codepoint"
	unitUTF16     = "utf16"
)

// units maps the offsets of a client to bytes and back.
type units struct {
	n  int   // bytes of the text
	at []int // byte of every unit and of the end; nil: a unit is a byte
}

func newUnits(s, unit string) *units {
	u := &units{n: len(s)}
	if unit == unitByte || unit == "" || len(s) == utf8.RuneCountInString(s) {
		return u
	}
	for i, r := range s {
		u.at = append(u.at, i)
		if unit == unitUTF16 && r > 0xffff {
			u.at = append(u.at, i) // the second half of a pair is no place to cut
		}
	}
	u.at = append(u.at, len(s))
	return u
}

// bytes returns the byte of an offset; false when it lies outside the text or inside a character.
func (u *units) bytes(s string, at int) (int, bool) {
	if u.at == nil {
		return at, at >= 0 && at <= u.n && (at == u.n || utf8.RuneStart(s[at]))
	}
	if at < 0 || at >= len(u.at) || at > 0 && u.at[at] == u.at[at-1] {
		return 0, false
	}
	return u.at[at], true
}

// from returns the offset of a byte that starts a character or is the end.
func (u *units) from(b int) int {
	if u.at == nil {
		return b
	}
	return sort.SearchInts(u.at, b)
}

// parse makes a corpus document of what a client sent.
func (s *Server) parse(d *Document) (*corpus.Document, error) {
	out := &corpus.Document{ID: d.ID, Language: cmp.Or(d.Language, s.opt.Language), Text: d.Text}
	var err error
	switch {
	case strings.TrimSpace(d.Text) == "":
		return nil, huma.Error422UnprocessableEntity("the text is empty")
	case len(d.Mentions) > 0:
		err = mentions(out, d)
	case marked(d):
		err = s.unmark(out, d)
	case s.opt.Detector == nil:
		return nil, huma.Error422UnprocessableEntity("no mention is given or marked, and this server does not detect mentions")
	default:
		out.Mentions = s.opt.Detector.Detect(out)
	}
	if err != nil {
		return nil, err
	}
	if len(out.Mentions) > s.opt.MaxMentions {
		return nil, huma.Error413RequestEntityTooLarge(fmt.Sprintf("the document has %d mentions, at most %d are linked at a time", len(out.Mentions), s.opt.MaxMentions))
	}
	return out, s.groups(out, d.Group)
}

// marked reports whether the text's brackets are marks.
func marked(d *Document) bool {
	if d.Marked != nil {
		return *d.Marked
	}
	i := strings.IndexByte(d.Text, '[')
	return i >= 0 && strings.Contains(d.Text[i:], "]{")
}

func (s *Server) unmark(out *corpus.Document, d *Document) error {
	m, err := markup.ParseMarked(d.Text)
	if err != nil {
		return huma.Error422UnprocessableEntity("the marks of the text: " + err.Error())
	}
	out.Text, out.Mentions = m.Text, m.Mentions
	return nil
}

func mentions(out *corpus.Document, d *Document) error {
	u := newUnits(d.Text, d.Offsets)
	for i, m := range d.Mentions {
		a, ok := u.bytes(d.Text, m.Start)
		b, ok2 := u.bytes(d.Text, m.End)
		if !ok || !ok2 || a >= b {
			return huma.Error422UnprocessableEntity(fmt.Sprintf("mention %d: %d to %d is no stretch of the text in units of %s", i, m.Start, m.End, cmp.Or(d.Offsets, unitByte)))
		}
		out.Mentions = append(out.Mentions, corpus.Mention{ID: cmp.Or(m.ID, fmt.Sprint(i+1)), Spans: []text.Span{{Start: a, End: b}}, Text: d.Text[a:b], Type: m.Group})
	}
	return nil
}

// groups completes the semantic groups of mentions: as given, else the request's, else that of the nearest name.
func (s *Server) groups(d *corpus.Document, group string) error {
	known := s.opt.KB.Groups()
	for i := range d.Mentions {
		m := &d.Mentions[i]
		m.Type = cmp.Or(m.Type, group)
		if m.Type == "" {
			m.Type = s.guess(m.Text)
		}
		if s.opt.GroupOf(m.Type) == "" {
			return huma.Error422UnprocessableEntity(fmt.Sprintf("mention %d: its group is none of the knowledge base: have %s", i, strings.Join(known, ", ")))
		}
	}
	return nil
}

// guess is the semantic group of the name that resembles a mention most.
func (s *Server) guess(mention string) string {
	groups := s.opt.KB.Groups()
	if len(groups) == 1 {
		return groups[0]
	}
	for _, q := range []string{mention, longestWord(mention)} {
		if hits := s.search(q, "", 1); len(hits) > 0 {
			return s.opt.KB.Concept(hits[0].Concept).Groups()[0]
		}
	}
	return groups[0]
}

func longestWord(s string) string {
	return slices.MaxFunc(append(strings.Fields(s), ""), func(a, b string) int { return cmp.Compare(len(a), len(b)) })
}
