package eval

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"syncabel/internal/corpus"
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
	SeenPair      = "seen pair" // the surface form occurs in training with this answer
	UnseenPair    = "unseen pair"
	Identical     = "identical" // the mention equals a name of the gold concept
	NotIdentical  = "not identical"
	Composite     = "composite" // the answer has several parts
	Simple        = "simple"
	Abbreviation  = "abbreviation"
	Discontinuous = "discontinuous"
	Repeated      = "repeated" // another mention of the document means the same
	NotRepeated   = "not repeated"
)

// A Tagger knows what training saw and what the knowledge base holds.
type Tagger struct {
	concepts map[string]int            // gold ID -> times in training
	meant    map[string]map[string]int // normalised surface form -> answer -> times in training
	kb       Names
}

// Names is what a Tagger asks of the knowledge base.
type Names interface {
	Index(id string) (int, bool)
	Normalized(name string) []int    // concepts that have a name equal to name up to case and white space
	Owners(name, group string) []int // those that have it in a semantic group
}

// NewTagger reads the human training annotations. Seen and unseen then mean the same for every system, whatever else it was
// trained on. Without a knowledge base (nil) no prediction is tagged linkable or identical.
func NewTagger(train []corpus.Document, kb Names) *Tagger {
	t := &Tagger{concepts: map[string]int{}, meant: map[string]map[string]int{}, kb: kb}
	for i := range train {
		for _, m := range train[i].Mentions {
			surface := terminology.Normalize(m.Text)
			if t.meant[surface] == nil {
				t.meant[surface] = map[string]int{}
			}
			for _, a := range m.Gold {
				t.meant[surface][answer(a)]++
				for _, id := range a {
					t.concepts[id]++
				}
			}
		}
	}
	return t
}

// answer writes an answer as one string that does not depend on the order of its parts.
func answer(parts []string) string {
	parts = slices.Clone(parts)
	slices.Sort(parts)
	return strings.Join(parts, "+")
}

// Tag sets the strata of predictions.
func (t *Tagger) Tag(preds []prediction.Prediction) {
	for i := range preds {
		p := &preds[i]
		if len(p.Gold) == 0 {
			continue
		}
		surface, most := terminology.Normalize(p.Text), 0
		anyID(p.Gold, func(id string) bool { most = max(most, t.concepts[id]); return false })
		pair := slices.ContainsFunc(p.Gold, func(g []string) bool { return t.meant[surface][answer(g)] > 0 })
		p.Tags = append(p.Tags, pick(t.meant[surface] != nil, SeenMention, UnseenMention), pick(most > 0, SeenConcept, UnseenConcept),
			pick(pair, SeenPair, UnseenPair), frequency(most))
		p.Meanings = t.meanings(p, surface)
		if t.kb == nil {
			continue
		}
		named := t.kb.Normalized(p.Text)
		linkable := anyID(p.Gold, func(id string) bool { _, ok := t.kb.Index(id); return ok })
		identical := anyID(p.Gold, func(id string) bool { i, ok := t.kb.Index(id); return ok && slices.Contains(named, i) })
		p.Tags = append(p.Tags, pick(linkable, Linkable, NotLinkable), pick(identical, Identical, NotIdentical))
	}
}

// frequency names how often training showed a concept.
func frequency(n int) string {
	for _, step := range []struct {
		most int
		name string
	}{{0, "0"}, {1, "1"}, {5, "2-5"}, {20, "6-20"}} {
		if n <= step.most {
			return "frequency " + step.name
		}
	}
	return "frequency 21+"
}

// repeats counts answers by document.
type repeats map[string]int

// repetitions counts each mention once, as pooled seeds bring it several times.
func repetitions(preds []prediction.Prediction) repeats {
	r, seen := repeats{}, map[string]bool{}
	for i := range preds {
		id := preds[i].Document + "\x00" + preds[i].Mention
		if seen[id] {
			continue
		}
		seen[id] = true
		for _, k := range repeatKeys(&preds[i]) {
			r[k]++
		}
	}
	return r
}

func repeatKeys(p *prediction.Prediction) []string {
	var out []string
	for _, g := range p.Gold {
		out = append(out, p.Document+"\x00"+answer(g))
	}
	return out
}

func (r repeats) tag(p *prediction.Prediction) []string {
	if len(p.Gold) == 0 {
		return nil
	}
	return []string{pick(slices.ContainsFunc(repeatKeys(p), func(k string) bool { return r[k] > 1 }), Repeated, NotRepeated)}
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
	out = append(out, pick(slices.ContainsFunc(p.Gold, func(g []string) bool { return len(g) > 1 }), Composite, Simple))
	if isAbbreviation(p.Text) {
		out = append(out, Abbreviation)
	}
	if len(p.Spans) > 1 {
		out = append(out, Discontinuous)
	}
	switch n := len(strings.Fields(p.Text)); {
	case n <= 3:
		out = append(out, fmt.Sprintf("%d word%s", n, pick(n == 1, "", "s")))
	default:
		out = append(out, "4+ words")
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
