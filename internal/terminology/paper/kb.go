package paper

import "syncabel/internal/terminology"

// Build makes a knowledge base whose names are those that a rule left: forms without qualifiers, as the paper's tries have them. It
// returns the IDs of the concepts that cannot be reached any more.
func Build(b *terminology.Builder, kb *terminology.KB, rows []Row) (lost []string) {
	names := map[string][]Row{}
	for _, r := range rows {
		names[r.Code] = append(names[r.Code], r)
	}
	for i := range kb.Len() {
		c := kb.Concept(i)
		list := names[c.ID]
		if len(list) == 0 {
			lost = append(lost, c.ID)
			continue
		}
		old := c.Names
		c.Names = nil
		for _, r := range list {
			n := like(old, r.Name)
			n.Text, n.Group = r.Name, r.Group
			n.Preferred = r.Name == r.Title
			c.Names = append(c.Names, n)
			if !has(c.Types, r.Group) { // the rule for SNOMED CT gives codes new groups
				c.Types = append(c.Types, terminology.SemanticType{Name: r.Group, Group: r.Group})
			}
		}
		b.Add(*c)
	}
	return lost
}

func has(types []terminology.SemanticType, group string) bool {
	for _, t := range types {
		if t.Group == group {
			return true
		}
	}
	return false
}

// like returns the name of a list that a cleaned one came from, for its language and source.
func like(list []terminology.Name, cleaned string) terminology.Name {
	for _, n := range list {
		if Clean(n.Text) == cleaned {
			return n
		}
	}
	return terminology.Name{}
}
