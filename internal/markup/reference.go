package markup

import (
	"cmp"
	"strings"
)

// FormReference is the form of prompts that the checkpoints released with arXiv 2601.19667 were tuned on and are asked in: to a reader the
// same as ours with a sentence as context, to a tokenizer another one. The differences, all of them read in the published code:
//
//   - brackets and braces of the text and of names become parentheses and no-break spaces spaces, instead of being escaped;
//   - the sentence is cut into tokens as one string, marks included, so that `[TCA` may be one piece, and so is the question;
//   - the question holds the first part of a discontinuous mention only (training had shown all parts, joined);
//   - `<SEP>` is the one special token, a token of its own behind Llama-3's, not one of its reserved ones.
//
// It is for linking with models that were trained elsewhere; nothing is trained on it here.
const FormReference = "reference"

// Clean replaces what the published code replaces in texts, mentions and names.
func Clean(s string) string { return cleaner.Replace(s) }

var cleaner = strings.NewReplacer("\u00a0", " ", "[", "(", "{", "(", "]", ")", "}", ")")

// reference renders a question in FormReference.
func reference(q Question, opt Options) []Segment {
	d, m := q.Doc, q.Mention
	opt.Context = cmp.Or(opt.Context, ContextSentence)
	shown := window(q, opt)
	surface := q.Surface
	if surface == "" || surface == m.Text {
		part := m.Spans[0]
		for _, sp := range m.Spans {
			if shown.Contains(sp) {
				part = sp
				break
			}
		}
		surface = d.Text[part.Start:part.End]
	}
	sentence := Text(marked(d.Text, shown, m.Spans, q.Group, Clean))
	return []Segment{{sentence, false}, {Sep, true}, {"[" + strings.TrimSpace(Clean(surface)) + "] " + Verb(d.Language), false}}
}

// Name renders a name as a model that is asked in opt's form writes it, with the space before it.
func (o Options) Name(name string) string {
	if o.Form == FormReference {
		name = Clean(name)
	}
	return " " + name
}
