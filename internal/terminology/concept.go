// Package terminology is the knowledge base: concepts with their names, semantic types and groups, definitions and
// hierarchy; its file, its lookups and its search. It is the first stage of the chain; the readers below it
// (terminology/obo, umls, snomed, mesh, gazetteer) fill it, and trie, lexical, synth and link read it.
package terminology

import "slices"

// A Concept is one entry of a knowledge base.
type Concept struct {
	ID          string         `json:"id"`    // CUI, SCTID, "MESH:D003920", "HP:0000118"; unique
	Names       []Name         `json:"names"` // the preferred name first; at least one
	Types       []SemanticType `json:"types"` // at least one; a concept may lie in several groups
	Definitions []Definition   `json:"definitions,omitempty"`
	Parents     []string       `json:"parents,omitempty"`     // concept IDs, sorted
	Retired     bool           `json:"retired,omitempty"`     // obsolete in its source; never a candidate
	ReplacedBy  []string       `json:"replaced_by,omitempty"` // concept IDs that took its place
	Xrefs       []string       `json:"xrefs,omitempty"`
}

// A Name is one string that a concept is called by.
type Name struct {
	Text      string `json:"text"`
	Language  string `json:"language,omitempty"`  // ISO 639-1
	Preferred bool   `json:"preferred,omitempty"` // preferred in its language
	Source    string `json:"source,omitempty"`    // vocabulary, e.g. "MSH", "SNOMEDCT_US", "HPO"
	Kind      string `json:"kind,omitempty"`      // term type or synonym scope: "PT", "EXACT", "RELATED", "FSN" ...
	Licence   string `json:"licence,omitempty"`   // licence class: "open", "attribution", "restricted"
	Group     string `json:"group,omitempty"`     // the one semantic group it names the concept in; empty: all of the concept's
}

// In reports whether n names its concept in a semantic group.
func (n Name) In(group string) bool { return n.Group == "" || n.Group == group }

// A SemanticType is a type with the semantic group that it belongs to. Group is the root of the trie.
type SemanticType struct {
	Name  string `json:"name"`
	Group string `json:"group"`
}

// A Definition is one definition of a concept.
type Definition struct {
	Text     string `json:"text"`
	Language string `json:"language,omitempty"`
	Source   string `json:"source,omitempty"`
}

// PreferredName returns the preferred name in language, else the first name.
func (c *Concept) PreferredName(language string) string {
	for _, n := range c.Names {
		if n.Preferred && n.Language == language {
			return n.Text
		}
	}
	if len(c.Names) == 0 {
		return ""
	}
	return c.Names[0].Text
}

// NamesIn returns the names of c in a semantic group and a language, in their order; in any language when it has none there,
// and all names when it has none in the group. The caller may change the slice.
func (c *Concept) NamesIn(group, language string) []Name {
	var inGroup, out []Name
	for _, n := range c.Names {
		if !n.In(group) {
			continue
		}
		inGroup = append(inGroup, n)
		if language == "" || n.Language == "" || n.Language == language {
			out = append(out, n)
		}
	}
	switch {
	case len(out) > 0:
		return out
	case len(inGroup) > 0:
		return inGroup
	}
	return append([]Name(nil), c.Names...)
}

// Groups returns the distinct semantic groups of c in the order of its types.
func (c *Concept) Groups() []string {
	var out []string
	for _, t := range c.Types {
		if !slices.Contains(out, t.Group) {
			out = append(out, t.Group)
		}
	}
	return out
}

// A Vocabulary is a source of names, as far as the release says what it is.
type Vocabulary struct {
	Code    string `json:"code"` // as in Name.Source
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
	Licence string `json:"licence,omitempty"` // licence class
}
