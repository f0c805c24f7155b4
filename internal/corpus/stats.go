package corpus

import (
	"cmp"
	"slices"

	"syncabel/internal/terminology"
)

// Stats are the counts of one split.
type Stats struct {
	Split         string         `json:"split"`
	Documents     int            `json:"documents"`
	Characters    int            `json:"characters"` // bytes of text
	Mentions      int            `json:"mentions"`
	Surfaces      int            `json:"distinct_mentions"` // up to case and white space
	Concepts      int            `json:"distinct_concepts"` // answers, composites as one
	NIL           int            `json:"nil"`
	Unannotated   int            `json:"without_annotation"` // no concept was annotated, not even NIL
	Composite     int            `json:"composite"`
	Alternatives  int            `json:"alternatives"`
	Discontinuous int            `json:"discontinuous"`
	Overlapping   int            `json:"overlapping"` // share text with an earlier mention of the document
	Ambiguous     int            `json:"ambiguous"`   // mentions whose string means several concepts in the corpus, within its type
	Repeated      int            `json:"repeated"`    // mentions whose answer another mention of the document has
	Types         map[string]int `json:"types"`

	// Against the split train; zero there.
	SeenConcept int `json:"seen_concept"`
	SeenMention int `json:"seen_mention"`
	SeenPair    int `json:"seen_pair"`

	// Against a knowledge base; zero without one.
	Linkable   int `json:"linkable"`     // some answer is in the knowledge base with all its parts
	NameOfGold int `json:"name_of_gold"` // the mention is a name of its concept, up to case and white space
}

// surface is the equality of mentions.
func surface(m *Mention) string { return terminology.Normalize(m.Text) }

// key writes the answers of a mention as one string.
func key(m *Mention) string {
	s, _ := Codes{Composite: "+", Alternative: "|"}.Format(m.Gold)
	return s
}

// trained is what a training split knows.
type trained struct{ concepts, surfaces, pairs map[string]bool }

func trainedOn(docs []Document) trained {
	t := trained{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for i := range docs {
		if docs[i].Split != "train" {
			continue
		}
		for j := range docs[i].Mentions {
			m := &docs[i].Mentions[j]
			t.surfaces[surface(m)] = true
			if !m.NIL() {
				t.concepts[key(m)] = true
				t.pairs[surface(m)+"\x00"+key(m)] = true
			}
		}
	}
	return t
}

// Count returns the counts of every split in the order train, dev, test, after those of other names; kb may be nil.
func Count(docs []Document, kb *terminology.KB) []Stats {
	meanings := map[string]map[string]bool{} // type and surface -> answers
	for i := range docs {
		for j := range docs[i].Mentions {
			if m := &docs[i].Mentions[j]; !m.NIL() {
				k := m.Type + "\x00" + surface(m)
				if meanings[k] == nil {
					meanings[k] = map[string]bool{}
				}
				meanings[k][key(m)] = true
			}
		}
	}
	train := trainedOn(docs)
	bySplit := map[string]*counter{}
	var out []*counter
	for i := range docs {
		c := bySplit[docs[i].Split]
		if c == nil {
			c = &counter{Stats: Stats{Split: docs[i].Split, Types: map[string]int{}}, kb: kb, meanings: meanings, train: train, surfaces: map[string]bool{}, concepts: map[string]bool{}}
			bySplit[docs[i].Split] = c
			out = append(out, c)
		}
		c.document(&docs[i])
	}
	order := func(c *counter) int { return slices.Index([]string{"train", "dev", "test"}, c.Split) }
	slices.SortStableFunc(out, func(a, b *counter) int { return cmp.Compare(order(a), order(b)) })
	stats := make([]Stats, len(out))
	for i, c := range out {
		c.Surfaces, c.Concepts = len(c.surfaces), len(c.concepts)
		stats[i] = c.Stats
	}
	return stats
}

type counter struct {
	Stats
	kb                 *terminology.KB
	meanings           map[string]map[string]bool
	train              trained
	surfaces, concepts map[string]bool
}

func (c *counter) document(d *Document) {
	c.Documents++
	c.Characters += len(d.Text)
	times := map[string]int{}
	for i := range d.Mentions {
		if m := &d.Mentions[i]; !m.NIL() {
			times[key(m)]++
		}
	}
	end := 0
	for i := range d.Mentions {
		m := &d.Mentions[i]
		if sp := m.Span(); sp.Start < end {
			c.Overlapping++
		}
		end = max(end, m.Span().End)
		if times[key(m)] > 1 && !m.NIL() {
			c.Repeated++
		}
		c.mention(m)
	}
}

func (c *counter) mention(m *Mention) {
	s, k := surface(m), key(m)
	c.Mentions++
	c.Types[m.Type]++
	c.surfaces[s] = true
	if len(m.Spans) > 1 {
		c.Discontinuous++
	}
	if c.Split != "train" && c.train.surfaces[s] {
		c.SeenMention++
	}
	switch {
	case m.Gold == nil:
		c.Unannotated++
		return
	case m.NIL():
		c.NIL++
		return
	}
	c.concepts[k] = true
	if len(m.Gold) > 1 {
		c.Alternatives++
	}
	if slices.ContainsFunc(m.Gold, func(a Answer) bool { return len(a) > 1 }) {
		c.Composite++
	}
	if len(c.meanings[m.Type+"\x00"+s]) > 1 {
		c.Ambiguous++
	}
	if c.Split != "train" && c.train.concepts[k] {
		c.SeenConcept++
	}
	if c.Split != "train" && c.train.pairs[s+"\x00"+k] {
		c.SeenPair++
	}
	if c.kb != nil {
		c.coverage(m)
	}
}

func (c *counter) coverage(m *Mention) {
	if slices.ContainsFunc(m.Gold, func(a Answer) bool { return !slices.ContainsFunc(a, func(code string) bool { return !c.kb.Has(code) }) }) {
		c.Linkable++
	}
	for _, i := range c.kb.Normalized(m.Text) {
		if slices.ContainsFunc(m.Gold, func(a Answer) bool { return len(a) == 1 && a[0] == c.kb.Concept(i).ID }) {
			c.NameOfGold++
			return
		}
	}
}
