// Package markup is the one place that renders a mention as the prompt a model continues, and its concept's name as the
// continuation, so that training and linking cannot drift apart. It stands between the corpus and dataset and link.
//
// With context the form is the published one (arXiv 2601.19667): the sentence with `[mention]{Group}`, then
// `<SEP>[mention] is` (est, es), continued by ` name`; a composite's names are joined by `<SEP>`. Without context it is
// `{Group}[ mention] is`, for small models that are trained from scratch and learn more from names than from sentences.
// Prompts are built from spans; brackets, braces and backslashes of the text itself are escaped, which Unescape undoes.
package markup

import (
	"cmp"
	"strings"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

// Sep separates sentence and question, and the names of a composite. It is one token.
const Sep = "<SEP>"

// A Segment is a piece of a prompt. Special pieces are our own marks and may be special tokens; the others are the user's
// text, in which nothing is special.
type Segment struct {
	Text    string
	Special bool
}

// Contexts of a prompt.
const (
	ContextNone     = "none"     // the mention alone
	ContextSentence = "sentence" // the sentence around it
	ContextWindow   = "window"   // some words to either side
)

// Options of Prompt.
type Options struct {
	Context string // default ContextNone
	Words   int    // of ContextWindow, to either side; default 10
}

// Verb returns the word between mention and name.
func Verb(language string) string {
	switch language {
	case "fr":
		return "est"
	case "es":
		return "es"
	}
	return "is"
}

// Marks returns every mark that prompts of these groups and languages contain, so that a tokenizer trained from scratch can
// hold each as one token.
func Marks(groups, languages []string) []string {
	out := []string{Sep}
	for _, l := range []string{"en", "fr", "es"} {
		out = append(out, "] "+Verb(l))
	}
	for _, g := range groups {
		out = append(out, "{"+g+"}")
	}
	return out
}

// Prompt renders mention m of document d. Surface replaces the mention's text where it is not empty (an expanded
// abbreviation).
func Prompt(d *corpus.Document, m *corpus.Mention, group, surface string, sentences []text.Span, opt Options) []Segment {
	surface = cmp.Or(surface, m.Text)
	if cmp.Or(opt.Context, ContextNone) == ContextNone {
		return Bare(surface, group, d.Language)
	}
	window, ok := text.SentenceOf(sentences, m.Span())
	if !ok {
		window = text.Span{End: len(d.Text)}
	}
	if opt.Context == ContextWindow {
		window = narrow(d.Text, window, m.Span(), cmp.Or(opt.Words, 10))
	}
	out := marked(d.Text, window, m.Spans, group)
	out = append(out, Segment{Sep, true}, Segment{"[", true}, Segment{Escape(surface), false})
	return append(out, Segment{"] " + Verb(d.Language), true})
}

// Bare renders a mention without context.
func Bare(surface, group, language string) []Segment {
	return []Segment{{"{" + group + "}", true}, {"[", true}, {" " + Escape(surface), false}, {"] " + Verb(language), true}}
}

// marked renders a stretch of text with every part of the mention in brackets and the group after the last.
func marked(s string, window text.Span, spans []text.Span, group string) []Segment {
	var out []Segment
	at := window.Start
	for _, sp := range spans {
		if sp.Start < at || sp.End > window.End {
			continue
		}
		out = append(out, Segment{Escape(s[at:sp.Start]), false}, Segment{"[", true}, Segment{Escape(s[sp.Start:sp.End]), false}, Segment{"]", true})
		at = sp.End
	}
	return append(out, Segment{"{" + group + "}", true}, Segment{Escape(s[at:window.End]), false})
}

// narrow cuts a window to some words either side of a span.
func narrow(s string, window, sp text.Span, words int) text.Span {
	left, right := s[window.Start:sp.Start], s[sp.End:window.End]
	for n := 0; n < words && left != ""; n++ {
		left = left[:max(strings.LastIndexByte(strings.TrimRight(left, " \n"), ' '), 0)]
	}
	for n := 0; n < words && right != ""; n++ {
		trimmed := strings.TrimLeft(right, " \n")
		i := strings.IndexByte(trimmed, ' ')
		if i < 0 {
			right = ""
			break
		}
		right = trimmed[i:]
	}
	return text.Span{Start: window.Start + len(left), End: window.End - len(right)}
}

// Target renders the names of an answer: ` name`, or ` name<SEP> name` for a composite.
func Target(names []string) []Segment {
	var out []Segment
	for i, n := range names {
		if i > 0 {
			out = append(out, Segment{Sep, true})
		}
		out = append(out, Segment{" " + n, false})
	}
	return out
}

// ParseAnswer returns the names of a decoded continuation.
func ParseAnswer(s string) []string {
	var out []string
	for _, part := range strings.Split(s, Sep) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// Escape makes brackets, braces and backslashes of a text distinguishable from marks.
func Escape(s string) string {
	if !strings.ContainsAny(s, `[]{}\`) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(`[]{}\`, s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Unescape undoes Escape.
func Unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Text returns a prompt as one string, for people and for other trainers.
func Text(segments []Segment) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString(s.Text)
	}
	return b.String()
}
