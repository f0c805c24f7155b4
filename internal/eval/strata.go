package eval

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"syncabel/internal/prediction"
	"syncabel/internal/terminology"
)

// Strata that need to know the training data or the knowledge base are put on predictions by Tagger when they are made, so
// that a prediction file can be scored alone.
const (
	SeenConcept   = "seen concept"   // all gold concepts occur in training
	UnseenConcept = "unseen concept" // none does
	SeenMention   = "seen mention"   // the surface form occurs in training
	UnseenMention = "unseen mention"
	Linkable      = "linkable"  // a gold concept is in the knowledge base
	NotLinkable   = "not in KB" // none is
	Identical     = "identical" // the mention equals a name of the gold concept
	Composite     = "composite" // the answer has several parts
	Abbreviation  = "abbreviation"
)

// A Tagger knows what training saw.
type Tagger struct {
	Concepts map[string]bool               // gold IDs of training
	Mentions map[string]bool               // normalised surface forms of training
	InKB     func(id string) bool          // whether a concept exists
	Named    func(id, mention string) bool // whether the mention equals a name of the concept
}

// Tag sets the strata of predictions.
func (t *Tagger) Tag(preds []prediction.Prediction) {
	for i := range preds {
		p := &preds[i]
		if len(p.Gold) == 0 {
			continue
		}
		p.Tags = append(p.Tags, pick(t.Mentions[terminology.Normalize(p.Text)], SeenMention, UnseenMention))
		p.Tags = append(p.Tags, pick(anyID(p.Gold, func(id string) bool { return t.Concepts[id] }), SeenConcept, UnseenConcept))
		p.Tags = append(p.Tags, pick(anyID(p.Gold, t.InKB), Linkable, NotLinkable))
		if anyID(p.Gold, func(id string) bool { return t.Named(id, p.Text) }) {
			p.Tags = append(p.Tags, Identical)
		}
	}
}

func anyID(gold [][]string, f func(string) bool) bool {
	return slices.ContainsFunc(gold, func(a []string) bool { return slices.ContainsFunc(a, f) })
}

func pick(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

// Tags returns every stratum of a prediction: its own and those that its text and gold show.
func Tags(p *prediction.Prediction) []string {
	out := slices.Clone(p.Tags)
	if slices.ContainsFunc(p.Gold, func(g []string) bool { return len(g) > 1 }) {
		out = append(out, Composite)
	}
	if isAbbreviation(p.Text) {
		out = append(out, Abbreviation)
	}
	switch n := len(strings.Fields(p.Text)); {
	case n <= 2:
		out = append(out, fmt.Sprintf("%d word%s", n, pick(n == 1, "", "s")))
	default:
		out = append(out, "3+ words")
	}
	if p.Group != "" {
		out = append(out, "group "+p.Group)
	}
	if p.Language != "" {
		out = append(out, "language "+p.Language)
		for _, t := range []string{SeenConcept, UnseenConcept} {
			if slices.Contains(p.Tags, t) {
				out = append(out, t+" "+p.Language)
			}
		}
	}
	return out
}

// isAbbreviation: one word of 2 to 6 characters, at least half of them capitals.
func isAbbreviation(s string) bool {
	n, capitals := utf8.RuneCountInString(s), 0
	for _, r := range s {
		if unicode.IsSpace(r) {
			return false
		}
		if unicode.IsUpper(r) {
			capitals++
		}
	}
	return n >= 2 && n <= 6 && 2*capitals >= n
}
