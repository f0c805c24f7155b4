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

// Forms returns the forms of a semantic group, sorted by text; see EachForm.
func (kb *KB) Forms(group string) []Form {
	var out []Form
	kb.EachForm(group, func(f Form) bool {
		out = append(out, f)
		return true
	})
	slices.SortFunc(out, func(a, b Form) int {
		return cmp.Or(cmp.Compare(Normalize(a.Text), Normalize(b.Text)), slices.Compare(a.Concepts, b.Concepts))
	})
	return out
}

// EachForm calls f with the forms of a semantic group, in the order of the first concept that bears them, until it returns false.
// Every concept of the group that has a name in it is reached by at least one form that is its own, or, if even its code cannot tell it
// apart, shared. Names that differ only in case or white space are one form. It needs no memory beyond one concept's.
func (kb *KB) EachForm(group string, f func(Form) bool) {
	for i := range kb.Len() {
		if !kb.in(i, group) {
			continue
		}
		seen := map[string]bool{}
		for _, n := range kb.Concept(i).Names {
			key := Normalize(n.Text)
			if !n.In(group) || seen[key] {
				continue
			}
			seen[key] = true
			if kb.firstOwner(n.Text, group) != i { // another concept's turn
				continue
			}
			owners := kb.Owners(n.Text, group)
			if !f(Form{Text: n.Text, Concepts: owners}) {
				return
			}
			for _, q := range kb.qualified(n.Text, owners, group) {
				if !f(q) {
					return
				}
			}
		}
	}
}

// Owners returns the concepts that a name, up to case and white space, means in a semantic group, ascending.
func (kb *KB) Owners(name, group string) []int {
	return slices.DeleteFunc(kb.Normalized(name), func(i int) bool { return !kb.Concept(i).named(name, group) })
}

// firstOwner returns the first of owners without a look at the others, of which a short name may have thousands.
func (kb *KB) firstOwner(name, group string) int {
	first := -1
	kb.eachNormalized(name, func(i int) bool {
		if kb.Concept(i).named(name, group) {
			first = i
		}
		return first < 0
	})
	return first
}

// qualified returns `name (qualifier)` for each owner of an ambiguous name.
func (kb *KB) qualified(name string, owners []int, group string) []Form {
	if len(owners) < 2 {
		return nil
	}
	out := make([]Form, len(owners))
	for k, q := range kb.qualify(name, owners, group) {
		out[k] = Form{Text: name + " (" + q + ")", Concepts: []int{owners[k]}, Qualified: true}
	}
	return out
}

// qualify chooses for each owner of a name the shortest of semantic type, preferred name, parent's name and code that no other
// owner has too and that does not make the name of another concept; between equal lengths the earlier in that list.
func (kb *KB) qualify(name string, owners []int, group string) []string {
	lists := make([][]string, len(owners))
	bearers := map[string]int{}
	for k, i := range owners {
		lists[k] = kb.qualifiers(i, group)
		own := map[string]bool{Normalize(name): true}
		for _, q := range lists[k] {
			if key := Normalize(q); !own[key] {
				own[key] = true
				bearers[key]++
			}
		}
	}
	out := make([]string, len(owners))
	for k, i := range owners {
		best := ""
		for _, q := range lists[k] {
			if key := Normalize(q); bearers[key] == 1 && (best == "" || len(q) < len(best)) && key != Normalize(name) && !kb.taken(name+" ("+q+")", i, group) {
				best = q
			}
		}
		if best == "" {
			best = kb.codeQualifier(name, i, group)
		}
		out[k] = best
	}
	return out
}

// codeQualifier is the code, after as many "code" as it takes to differ from the names of other concepts.
func (kb *KB) codeQualifier(name string, i int, group string) string {
	q := kb.ID(i)
	for kb.taken(name+" ("+q+")", i, group) {
		q = "code " + q
	}
	return q
}

// taken reports whether a form is the name of another concept.
func (kb *KB) taken(form string, i int, group string) bool {
	return slices.ContainsFunc(kb.Owners(form, group), func(j int) bool { return j != i })
}

func (kb *KB) qualifiers(i int, group string) []string {
	c := kb.Concept(i)
	var out []string
	for _, t := range c.Types {
		if t.Group == group && t.Name != "" {
			out = append(out, strings.ToLower(t.Name))
		}
	}
	out = append(out, c.PreferredName(c.Names[0].Language))
	for _, p := range kb.ParentsOf(i) {
		out = append(out, kb.Concept(p).PreferredName(c.Names[0].Language))
	}
	return out
}

// TargetForm returns what a model must write for name to mean concept i in group: the qualified form when the plain name
// is shared.
func (kb *KB) TargetForm(i int, name, group string) string {
	owners := kb.Owners(name, group)
	k := slices.Index(owners, i)
	if len(owners) < 2 || k < 0 {
		return name
	}
	return name + " (" + kb.qualify(name, owners, group)[k] + ")"
}

// named reports whether c bears a name in a semantic group, up to case and white space.
func (c *Concept) named(name, group string) bool {
	key := Normalize(name)
	return slices.Contains(c.Groups(), group) && slices.ContainsFunc(c.Names, func(n Name) bool { return n.In(group) && Normalize(n.Text) == key })
}
