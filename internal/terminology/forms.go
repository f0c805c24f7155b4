package terminology

import (
	"cmp"
	"slices"
	"strings"
)

// A Form is one way of writing concepts that guided decoding may produce: a plain name with all the concepts that bear it,
// or, where those are several, the name with a qualifier for each of them.
type Form struct {
	Text      string
	Concepts  []int // ascending
	Qualified bool
}

// Forms returns the forms of a semantic group, sorted by text. Every concept of the group is reached by at least one form
// that is its own, or, if even its code cannot tell it apart, shared. Names that differ only in case or white space are
// one form.
func (kb *KB) Forms(group string) []Form {
	byKey := map[string]*Form{}
	for i := range kb.concepts {
		c := &kb.concepts[i]
		if !slices.Contains(c.Groups(), group) {
			continue
		}
		for _, n := range c.Names {
			if !n.In(group) {
				continue
			}
			key := Normalize(n.Text)
			f := byKey[key]
			if f == nil {
				f = &Form{Text: n.Text}
				byKey[key] = f
			}
			if !slices.Contains(f.Concepts, i) {
				f.Concepts = append(f.Concepts, i)
			}
		}
	}
	var out []Form
	for _, f := range byKey {
		out = append(out, *f)
		if len(f.Concepts) > 1 {
			out = append(out, kb.qualified(f, group)...)
		}
	}
	slices.SortFunc(out, func(a, b Form) int {
		return cmp.Or(cmp.Compare(Normalize(a.Text), Normalize(b.Text)), slices.Compare(a.Concepts, b.Concepts))
	})
	return out
}

// qualified returns `name (qualifier)` for each concept of an ambiguous form.
func (kb *KB) qualified(f *Form, group string) []Form {
	out := make([]Form, len(f.Concepts))
	for k, i := range f.Concepts {
		out[k] = Form{Text: f.Text + " (" + kb.qualifier(f, i, group) + ")", Concepts: []int{i}, Qualified: true}
	}
	return out
}

// qualifier chooses, for concept i among those of f, the shortest of semantic type, preferred name, parent's name and code
// that no other concept of f has too; between equal lengths the earlier in that list.
func (kb *KB) qualifier(f *Form, i int, group string) string {
	best := kb.concepts[i].ID
	for _, q := range kb.qualifiers(i, group) {
		if q == "" || len(q) >= len(best) && best != kb.concepts[i].ID || Normalize(q) == Normalize(f.Text) {
			continue
		}
		unique := !slices.ContainsFunc(f.Concepts, func(j int) bool {
			return j != i && slices.ContainsFunc(kb.qualifiers(j, group), func(r string) bool { return Normalize(r) == Normalize(q) })
		})
		if unique {
			best = q
		}
	}
	return best
}

func (kb *KB) qualifiers(i int, group string) []string {
	c := &kb.concepts[i]
	var out []string
	for _, t := range c.Types {
		if t.Group == group {
			out = append(out, strings.ToLower(t.Name))
		}
	}
	out = append(out, c.PreferredName(c.Names[0].Language))
	for _, p := range c.Parents {
		out = append(out, kb.concepts[kb.byID[p]].PreferredName(c.Names[0].Language))
	}
	return out
}

// TargetForm returns what a model must write for name to mean concept i in group: the qualified form when the plain name
// is shared.
func (kb *KB) TargetForm(i int, name, group string) string {
	f := Form{Text: name}
	for _, j := range kb.Normalized(name) {
		if kb.concepts[j].named(name, group) {
			f.Concepts = append(f.Concepts, j)
		}
	}
	if len(f.Concepts) < 2 {
		return name
	}
	return name + " (" + kb.qualifier(&f, i, group) + ")"
}

// named reports whether c bears a name in a semantic group, up to case and white space.
func (c *Concept) named(name, group string) bool {
	key := Normalize(name)
	return slices.Contains(c.Groups(), group) && slices.ContainsFunc(c.Names, func(n Name) bool { return n.In(group) && Normalize(n.Text) == key })
}
