// Package markup is the one place that renders a mention as the prompt a model continues, and its concept's name as the
// continuation, so that training and linking cannot drift apart. It stands between the corpus and dataset and link.
//
// With context the form is the published one (arXiv 2601.19667): the sentence with `[mention]{Group}`, then
// `<SEP>[mention] is` (est, es), continued by ` name`; a composite's names are joined by `<SEP>`. Every part of a
// discontinuous mention that the context shows is in brackets, the group after the last; the question holds all parts
// joined by a space. Memory puts earlier links of the same document in front, each as `[mention] is name<SEP>` (the idea of
// LongBEL, arXiv 2605.13451). Without context it is `{Group}[ mention] is`, for small models that are trained from scratch
// and learn more from names than from sentences.
//
// Prompts are built from spans; brackets, braces, backslashes and a literal <SEP> of the text itself are escaped, which
// Unescape undoes, and a literal <SEP> inside a name likewise, which ParseAnswer undoes.
package markup

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

// Sep separates sentence and question, earlier links, and the names of a composite. It is one token.
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
	ContextWindow   = "window"   // some words to either side, inside the sentence
	ContextDocument = "document" // the document around it
)

// Words to either side by default: ten are what a small model uses; three hundred hold a whole abstract and keep a prompt
// under a thousand tokens.
const (
	windowWords   = 10
	documentWords = 300
)

// maxSentence is the longest sentence that a prompt shows whole, in bytes: a text without full stops is one sentence.
const maxSentence = 1 << 14

// Options of Prompt.
type Options struct {
	Context string // default ContextNone
	Words   int    // to either side of the mention; default 10 of ContextWindow, 300 of ContextDocument; unused otherwise
	Memory  int    // at most so many earlier links of the document in front; default none
	Form    string // FormReference; default: ours
}

// Check reports an unknown context or form, and what a form cannot hold.
func (o Options) Check() error {
	switch {
	case o.Form != "" && o.Form != FormReference:
		return fmt.Errorf("unknown form %q of prompts: have %s, or none for this program's own", o.Form, FormReference)
	case o.Form == FormReference && (o.Memory > 0 || o.Context == ContextNone):
		return errors.New("prompts of the form reference always show a sentence and never earlier links: remove context and memory")
	}
	switch o.Context {
	case "", ContextNone, ContextSentence, ContextWindow, ContextDocument:
		return nil
	}
	return fmt.Errorf("unknown context %q of prompts: have %s, %s, %s, %s", o.Context, ContextNone, ContextSentence, ContextWindow, ContextDocument)
}

// A Question is one mention to ask about.
type Question struct {
	Doc       *corpus.Document
	Mention   *corpus.Mention
	Group     string      // semantic group; of a composite whose parts differ, several joined by Sep
	Surface   string      // replaces the mention's text in the question where not empty (an expanded abbreviation)
	Sentences []text.Span // of Doc; unused by ContextNone and ContextDocument
	Memory    []Link      // earlier links of the document, in its order
}

// A Link is an earlier mention of the document with the names it was linked to.
type Link struct {
	Surface string
	Names   []string // several of a composite
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

// Prompt renders a question.
func Prompt(q Question, opt Options) []Segment {
	d, m := q.Doc, q.Mention
	if opt.Form == FormReference {
		return reference(q, opt)
	}
	surface := cmp.Or(q.Surface, m.Text)
	out := remembered(q.Memory, opt.Memory, d.Language)
	if cmp.Or(opt.Context, ContextNone) == ContextNone {
		return append(out, Bare(surface, q.Group, d.Language)...)
	}
	out = append(out, marked(d.Text, window(q, opt), m.Spans, q.Group, Escape)...)
	out = append(out, Segment{Sep, true}, Segment{"[", true}, Segment{Escape(surface), false})
	return append(out, Segment{"] " + Verb(d.Language), true})
}

// window returns the stretch of text that the prompt shows.
func window(q Question, opt Options) text.Span {
	d := q.Doc
	all := text.Span{End: len(d.Text)}
	if opt.Context == ContextDocument {
		return narrow(d.Text, all, q.Mention.Span(), cmp.Or(opt.Words, documentWords))
	}
	sentence, ok := text.SentenceOf(q.Sentences, q.Mention.Span())
	if !ok || !sentence.Contains(q.Mention.Span()) {
		sentence = all
	}
	if sentence.Len() > maxSentence {
		sentence = narrow(d.Text, sentence, q.Mention.Span(), documentWords)
	}
	if opt.Context == ContextWindow {
		return narrow(d.Text, sentence, q.Mention.Span(), cmp.Or(opt.Words, windowWords))
	}
	return sentence
}

// remembered renders the last n links, each surface once with its latest names.
func remembered(links []Link, n int, language string) []Segment {
	var keep []Link
	seen := map[string]bool{}
	for i := len(links) - 1; i >= 0 && len(keep) < n; i-- {
		if l := links[i]; !seen[l.Surface] && len(l.Names) > 0 {
			seen[l.Surface] = true
			keep = append(keep, l)
		}
	}
	var out []Segment
	for i := len(keep) - 1; i >= 0; i-- {
		out = append(out, Segment{"[", true}, Segment{Escape(keep[i].Surface), false}, Segment{"] " + Verb(language), true})
		out = append(append(out, Target(keep[i].Names)...), Segment{Sep, true})
	}
	return out
}

// Bare renders a mention without context.
func Bare(surface, group, language string) []Segment {
	return []Segment{{"{" + group + "}", true}, {"[", true}, {" " + Escape(surface), false}, {"] " + Verb(language), true}}
}

// marked renders a stretch of text with every part of the mention in brackets and the group after the last; plain makes what is not a
// mark unlike one.
func marked(s string, window text.Span, spans []text.Span, group string, plain func(string) string) []Segment {
	var out []Segment
	at := window.Start
	for _, sp := range spans {
		if sp.Start < at || sp.End > window.End {
			continue
		}
		out = append(out, Segment{plain(s[at:sp.Start]), false}, Segment{"[", true}, Segment{plain(s[sp.Start:sp.End]), false}, Segment{"]", true})
		at = sp.End
	}
	return append(out, Segment{"{" + group + "}", true}, Segment{plain(s[at:window.End]), false})
}

// narrow cuts a window to some words either side of a span.
func narrow(s string, window, sp text.Span, words int) text.Span {
	left, right := s[window.Start:sp.Start], s[sp.End:window.End]
	for n := 0; n < words && left != ""; n++ {
		left = left[:max(strings.LastIndexAny(strings.TrimRight(left, " \n"), " \n"), 0)]
	}
	for n := 0; n < words && right != ""; n++ {
		trimmed := strings.TrimLeft(right, " \n")
		i := strings.IndexAny(trimmed, " \n")
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
		out = append(out, Segment{" " + escapeSep(n), false})
	}
	return out
}

// ParseAnswer returns the names of a decoded continuation. It undoes Target for names without white space at their ends.
func ParseAnswer(s string) []string {
	var out []string
	for _, part := range strings.Split(s, Sep) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, unescapeSep(part))
		}
	}
	return out
}

// escapeSep puts a backslash into every <SEP> of a name, and one more where backslashes are already in that place.
func escapeSep(s string) string {
	return rewriteSep(s, func(backslashes int) int { return backslashes + 1 })
}

func unescapeSep(s string) string {
	return rewriteSep(s, func(backslashes int) int { return max(backslashes-1, 0) })
}

// rewriteSep changes how many backslashes stand behind the < of every `<\\...SEP>`.
func rewriteSep(s string, count func(int) int) string {
	if !strings.Contains(s, "SEP>") { // nearly every name
		return s
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			return b.String() + s
		}
		rest := strings.TrimLeft(s[i+1:], `\`)
		n := len(s) - i - 1 - len(rest)
		b.WriteString(s[:i+1])
		if strings.HasPrefix(rest, "SEP>") {
			n = count(n)
		}
		b.WriteString(strings.Repeat(`\`, n))
		s = rest
	}
}

// Escape makes brackets, braces, backslashes and <SEP> of a text distinguishable from marks.
func Escape(s string) string {
	if !strings.ContainsAny(s, `[]{}\<`) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(`[]{}\`, s[i]) >= 0 || s[i] == 'S' && strings.HasSuffix(s[:i], "<") && strings.HasPrefix(s[i:], "SEP>") {
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
