package terminology

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"syncabel/internal/text"
)

// A KB is a knowledge base in memory: concepts sorted by ID, with lookups. It is immutable and safe for concurrent use.
type KB struct {
	concepts []Concept
	byID     map[string]int
	exact    map[string][]int // normalised name -> concepts, ascending
	groups   []string
}

// A Builder collects concepts from one or several sources.
type Builder struct {
	byID     map[string]int
	concepts []Concept
	warnings []text.Warning
}

// NewBuilder returns an empty builder.
func NewBuilder() *Builder { return &Builder{byID: map[string]int{}} }

// Add adds a concept, merging it with one of the same ID from an earlier source: names, types, definitions and parents are
// united, the first preferred name of a language stays the preferred one.
func (b *Builder) Add(c Concept) {
	i, ok := b.byID[c.ID]
	if !ok {
		b.byID[c.ID] = len(b.concepts)
		b.concepts = append(b.concepts, c)
		return
	}
	have := &b.concepts[i]
	for _, n := range c.Names {
		have.addName(n)
	}
	for _, t := range c.Types {
		if !slices.Contains(have.Types, t) {
			have.Types = append(have.Types, t)
		}
	}
	for _, d := range c.Definitions {
		if !slices.Contains(have.Definitions, d) {
			have.Definitions = append(have.Definitions, d)
		}
	}
	for _, p := range c.Parents {
		if !slices.Contains(have.Parents, p) {
			have.Parents = append(have.Parents, p)
		}
	}
	have.Retired = have.Retired && c.Retired
}

// AddParent notes that parent is broader than child. A child that is not in the knowledge base is reported by Build.
func (b *Builder) AddParent(child, parent string) bool {
	i, ok := b.byID[child]
	if ok && !slices.Contains(b.concepts[i].Parents, parent) {
		b.concepts[i].Parents = append(b.concepts[i].Parents, parent)
	}
	return ok
}

// Warn notes a fault of the input.
func (b *Builder) Warn(w text.Warning) { b.warnings = append(b.warnings, w) }

// Build completes the knowledge base. Concepts without a name stay out and are reported, as are retired ones, which are
// never candidates; parents that are no concept stay out of the hierarchy and are reported.
func (b *Builder) Build() (*KB, []text.Warning) {
	kept := b.concepts[:0:0]
	warnings := b.warnings
	for _, c := range b.concepts {
		switch {
		case len(c.Names) == 0:
			warnings = append(warnings, text.Warning{Kind: "no-name", Msg: fmt.Sprintf("concept %q has no name: it cannot be linked to and is left out", c.ID)})
			continue
		case c.Retired:
			warnings = append(warnings, text.Warning{Kind: "retired", Msg: fmt.Sprintf("concept %q is retired and left out", c.ID)})
			continue
		case len(c.Types) == 0:
			c.Types = []SemanticType{{Name: "Entity", Group: "Entity"}}
		}
		c.joinGroups()
		kept = append(kept, c)
	}
	slices.SortStableFunc(kept, func(a, b Concept) int { return cmp.Compare(a.ID, b.ID) })
	kb := newKB(kept)
	for i := range kb.concepts {
		c := &kb.concepts[i]
		slices.Sort(c.Parents)
		c.Parents = slices.DeleteFunc(slices.Compact(c.Parents), func(p string) bool {
			_, ok := kb.byID[p]
			if !ok || p == c.ID {
				warnings = append(warnings, text.Warning{Kind: "no-parent", Msg: fmt.Sprintf("parent %q of %q is not a concept", p, c.ID)})
			}
			return !ok || p == c.ID
		})
	}
	return kb, warnings
}

func newKB(concepts []Concept) *KB {
	kb := &KB{concepts: concepts, byID: make(map[string]int, len(concepts)), exact: map[string][]int{}}
	seen := map[string]bool{}
	for i := range concepts {
		c := &concepts[i]
		kb.byID[c.ID] = i
		for _, n := range c.Names {
			key := Normalize(n.Text)
			if list := kb.exact[key]; len(list) == 0 || list[len(list)-1] != i {
				kb.exact[key] = append(list, i)
			}
		}
		for _, g := range c.Groups() {
			seen[g] = true
		}
	}
	for g := range seen {
		kb.groups = append(kb.groups, g)
	}
	slices.Sort(kb.groups)
	return kb
}

// joinGroups drops the group of names that hold in every group of the concept, which is all of them for most concepts.
func (c *Concept) joinGroups() {
	groups := c.Groups()
	type key struct{ text, language string }
	in := map[key]int{}
	for _, n := range c.Names {
		if n.Group != "" {
			in[key{n.Text, n.Language}]++
		}
	}
	names := c.Names[:0:0]
	for _, n := range c.Names {
		if n.Group != "" && in[key{n.Text, n.Language}] == len(groups) {
			n.Group = ""
		}
		i := slices.IndexFunc(names, func(m Name) bool { return m.Text == n.Text && m.Language == n.Language && m.Group == n.Group })
		if i < 0 {
			names = append(names, n)
		} else if n.Preferred && !slices.ContainsFunc(names, func(m Name) bool { return m.Preferred && m.Language == n.Language }) {
			names[i].Preferred = true
		}
	}
	c.Names = names
}

// addName adds n unless the concept has it in that language already; a repeated name may still become preferred.
func (c *Concept) addName(n Name) {
	for i, m := range c.Names {
		if m.Text == n.Text && m.Language == n.Language && m.Group == n.Group {
			c.Names[i].Preferred = m.Preferred || n.Preferred && !c.hasPreferred(n.Language)
			return
		}
	}
	n.Preferred = n.Preferred && !c.hasPreferred(n.Language)
	c.Names = append(c.Names, n)
}

func (c *Concept) hasPreferred(language string) bool {
	return slices.ContainsFunc(c.Names, func(n Name) bool { return n.Preferred && n.Language == language })
}

// Len returns the number of concepts.
func (kb *KB) Len() int { return len(kb.concepts) }

// Concept returns the i-th concept in the order of IDs. It must not be changed.
func (kb *KB) Concept(i int) *Concept { return &kb.concepts[i] }

// Index returns the number of a concept.
func (kb *KB) Index(id string) (int, bool) {
	i, ok := kb.byID[id]
	return i, ok
}

// Has reports whether id is a concept.
func (kb *KB) Has(id string) bool {
	_, ok := kb.byID[id]
	return ok
}

// Groups returns the semantic groups, sorted.
func (kb *KB) Groups() []string { return kb.groups }

// Normalized returns the concepts that have a name equal to name up to case and white space.
func (kb *KB) Normalized(name string) []int { return kb.exact[Normalize(name)] }

// Normalize lower-cases s and folds runs of white space to one space: the equality of the dictionary.
func Normalize(s string) string { return strings.Join(strings.Fields(strings.ToLower(s)), " ") }

// Ancestors returns the concepts above i, nearest first, each once; cycles in the hierarchy end the walk.
func (kb *KB) Ancestors(i int) []int {
	var out []int
	seen := map[int]bool{i: true}
	for queue := []int{i}; len(queue) > 0; queue = queue[1:] {
		for _, p := range kb.concepts[queue[0]].Parents {
			if j, ok := kb.byID[p]; ok && !seen[j] {
				seen[j] = true
				out, queue = append(out, j), append(queue, j)
			}
		}
	}
	return out
}

// Stats counts what a knowledge base holds.
type Stats struct {
	Concepts          int            `json:"concepts"`
	Names             int            `json:"names"` // a name counts once in every semantic group it names its concept in
	Definitions       int            `json:"definitions"`
	WithoutDefinition int            `json:"without_definition"`
	Relations         int            `json:"relations"`
	AmbiguousNames    int            `json:"ambiguous_names"` // normalised names of several concepts
	Groups            map[string]int `json:"groups"`
	Languages         map[string]int `json:"languages"` // names by language
}

// Stats returns the counts of kb.
func (kb *KB) Stats() Stats {
	s := Stats{Concepts: kb.Len(), Groups: map[string]int{}, Languages: map[string]int{}}
	for i := range kb.concepts {
		c := &kb.concepts[i]
		s.Definitions += len(c.Definitions)
		s.Relations += len(c.Parents)
		if len(c.Definitions) == 0 {
			s.WithoutDefinition++
		}
		for _, g := range c.Groups() {
			s.Groups[g]++
		}
		for _, n := range c.Names {
			times := 1
			if n.Group == "" {
				times = max(len(c.Groups()), 1)
			}
			s.Names += times
			s.Languages[n.Language] += times
		}
	}
	for _, list := range kb.exact {
		if len(list) > 1 {
			s.AmbiguousNames++
		}
	}
	return s
}
