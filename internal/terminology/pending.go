package terminology

import (
	"slices"
	"strings"
)

// pending is a concept whose fragments are being united.
type pending struct {
	c          Concept
	flags      int
	file, line int // of the first fragment
	parents    []origin
	to         []Replacement
	seen       map[nameKey]int // names by key, once there are many
}

// An origin is a parent and the place that names it.
type origin struct {
	id         string
	file, line int
}

// nameKey is what makes two names the same.
type nameKey struct{ text, language, group string }

func keyOf(n Name) nameKey { return nameKey{n.Text, n.Language, n.Group} }

func (p *pending) reset() {
	*p = pending{parents: p.parents[:0], to: p.to[:0], c: Concept{Names: p.c.Names[:0], Types: p.c.Types[:0]}}
}

// add unites the concept with one more fragment.
func (p *pending) add(t *tables, fragment []byte) {
	s := scanner{b: fragment}
	c := t.scan(&s)
	flags, file, line := s.num(), s.num(), s.num()
	if p.c.ID == "" {
		p.c.ID, p.file, p.line = c.ID, file, line
	}
	if flags&stated != 0 && p.flags&stated == 0 { // an ID that was retired elsewhere: what it was called then does not count
		p.c.Names, p.c.Types, p.seen = p.c.Names[:0], p.c.Types[:0], nil
	}
	p.flags |= flags
	for range s.list() {
		p.parents = append(p.parents, origin{s.str(), file, line})
	}
	for range s.list() {
		if r := (Replacement{s.str(), s.str()}); !slices.Contains(p.to, r) {
			p.to = append(p.to, r)
		}
	}
	if flags == retired && p.flags&stated != 0 {
		return
	}
	for _, n := range c.Names {
		if flags != 0 || !p.called(n.Text) { // flags 0: from AddNames
			p.name(n)
		}
	}
	for _, x := range c.Types {
		if !slices.Contains(p.c.Types, x) {
			p.c.Types = append(p.c.Types, x)
		}
	}
	for _, d := range c.Definitions {
		if !slices.Contains(p.c.Definitions, d) {
			p.c.Definitions = append(p.c.Definitions, d)
		}
	}
	for _, x := range c.Xrefs {
		if !slices.Contains(p.c.Xrefs, x) {
			p.c.Xrefs = append(p.c.Xrefs, x)
		}
	}
}

// called reports whether the concept has a name already, in whatever case.
func (p *pending) called(name string) bool {
	return slices.ContainsFunc(p.c.Names, func(n Name) bool { return strings.EqualFold(n.Text, name) })
}

// manyNames is where a map beats looking through the list.
const manyNames = 24

// name adds n unless the concept has it in that language and group already. A repeated name may still become preferred, and comes
// from the source with the freest licence of those that have it.
func (p *pending) name(n Name) {
	i := p.find(keyOf(n))
	if i < 0 {
		n.Preferred = n.Preferred && !p.c.hasPreferred(n.Language)
		p.c.Names = append(p.c.Names, n)
		if p.seen != nil {
			p.seen[keyOf(n)] = len(p.c.Names) - 1
		}
		return
	}
	m := &p.c.Names[i]
	if freedom(n.Licence) > freedom(m.Licence) {
		m.Source, m.Kind, m.Licence = n.Source, n.Kind, n.Licence
	}
	m.Preferred = m.Preferred || n.Preferred && !p.c.hasPreferred(n.Language)
}

func (p *pending) find(k nameKey) int {
	if len(p.c.Names) < manyNames {
		return slices.IndexFunc(p.c.Names, func(m Name) bool { return keyOf(m) == k })
	}
	if p.seen == nil {
		p.seen = map[nameKey]int{}
		for i, m := range p.c.Names {
			p.seen[keyOf(m)] = i
		}
	}
	if i, ok := p.seen[k]; ok {
		return i
	}
	return -1
}

// freedom orders licence classes; an unknown one counts as the strictest.
func freedom(licence string) int {
	switch licence {
	case "open":
		return 2
	case "attribution":
		return 1
	}
	return 0
}

// joinGroups drops the group of names that hold in every group of the concept, which is all of them for most concepts.
func (c *Concept) joinGroups() {
	if !slices.ContainsFunc(c.Names, func(n Name) bool { return n.Group != "" }) {
		return
	}
	groups := c.Groups()
	in := map[nameKey]int{}
	for _, n := range c.Names {
		if n.Group != "" {
			in[nameKey{n.Text, n.Language, ""}]++
		}
	}
	names, at := c.Names[:0:0], map[nameKey]int{}
	for _, n := range c.Names {
		if n.Group != "" && in[nameKey{n.Text, n.Language, ""}] == len(groups) {
			n.Group = ""
		}
		i, ok := at[keyOf(n)]
		if !ok {
			at[keyOf(n)] = len(names)
			names = append(names, n)
		} else if n.Preferred && !slices.ContainsFunc(names, func(m Name) bool { return m.Preferred && m.Language == n.Language }) {
			names[i].Preferred = true
		}
	}
	c.Names = names
}

// preferredFirst moves the first preferred name to the front.
func (c *Concept) preferredFirst() {
	i := slices.IndexFunc(c.Names, func(n Name) bool { return n.Preferred })
	if i <= 0 {
		return
	}
	n := c.Names[i]
	copy(c.Names[1:i+1], c.Names[:i])
	c.Names[0] = n
}

func (c *Concept) hasPreferred(language string) bool {
	return slices.ContainsFunc(c.Names, func(n Name) bool { return n.Preferred && n.Language == language })
}
