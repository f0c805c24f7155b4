package synth

import (
	"slices"
	"strings"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

// Style holds sentences of training documents by language and semantic group, one mention of each in brackets, from which every
// prompt draws a few. Only training documents may be given: a development or test sentence in a prompt would come back in the
// synthetic data.
type Style struct {
	sentences map[styleKey][]styled
	Documents int // that sentences came from
}

type styleKey struct{ language, group string }

// styled is a sentence with the answers of its marked mention.
type styled struct {
	text string
	gold []corpus.Answer
}

// Bounds of the sentences that are shown.
const (
	minStyleWords = 6
	maxStyleWords = 50
	maxStyle      = 5000 // a group; more add nothing to a draw of five
)

// NewStyle collects sentences from the training documents of docs; the others are passed over. Sentences that hold brackets or
// braces of their own stay out: a model would copy them.
func NewStyle(docs []corpus.Document) *Style {
	s := &Style{sentences: map[styleKey][]styled{}}
	seen := map[string]bool{}
	for i := range docs {
		if docs[i].Split == "train" {
			s.Documents++
			s.document(&docs[i], seen)
		}
	}
	return s
}

func (s *Style) document(d *corpus.Document, seen map[string]bool) {
	sentences := text.Sentences(d.Text, d.Language, d.Spans())
	for _, m := range d.Mentions {
		if len(m.Spans) != 1 || m.Type == "" {
			continue
		}
		sp, ok := text.SentenceOf(sentences, m.Span())
		if !ok {
			continue
		}
		plain := d.Text[sp.Start:sp.End]
		n := len(strings.Fields(plain))
		key := styleKey{d.Language, m.Type}
		if n < minStyleWords || n > maxStyleWords || strings.ContainsAny(plain, "[]{}\n") || seen[plain] || len(s.sentences[key]) == maxStyle {
			continue
		}
		seen[plain] = true
		marked := d.Text[sp.Start:m.Spans[0].Start] + "[" + m.Text + "]" + d.Text[m.Spans[0].End:sp.End]
		s.sentences[key] = append(s.sentences[key], styled{tidy(marked), m.Gold})
	}
}

// Draw returns n sentences of a language for a concept of some groups, the same for the same seed; none marks the concept itself. A
// group without sentences borrows from the language's others; without any there are none.
func (s *Style) Draw(language, concept string, groups []string, n int, seed uint64) []string {
	if s == nil || n == 0 {
		return nil
	}
	var pool []styled
	for _, g := range groups {
		if pool = s.sentences[styleKey{language, g}]; len(pool) > 0 {
			break
		}
	}
	if len(pool) == 0 {
		pool = s.largest(language)
	}
	var out []string
	for i := 0; i < n && len(pool) > 0 && len(out) < len(pool); i++ {
		x := pool[mix(seed+uint64(i))%uint64(len(pool))]
		own := slices.ContainsFunc(x.gold, func(a corpus.Answer) bool { return slices.Contains(a, concept) })
		if !own && !slices.Contains(out, x.text) {
			out = append(out, x.text)
		}
	}
	return out
}

// largest returns the sentences of the language's largest group.
func (s *Style) largest(language string) []styled {
	var best styleKey
	for k, list := range s.sentences {
		if k.language == language && (len(list) > len(s.sentences[best]) || len(list) == len(s.sentences[best]) && k.group < best.group) {
			best = k
		}
	}
	return s.sentences[best]
}

// mix is the finisher of splitmix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
