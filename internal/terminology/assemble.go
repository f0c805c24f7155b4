package terminology

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"sort"

	"syncabel/internal/text"
)

// maxConcepts is what 24 bits of the name index hold.
const maxConcepts = 1 << 24

// assembly turns the spooled fragments into the store.
type assembly struct {
	b         *Builder
	out       *sectionWriter
	records   []uint64
	offset    uint64
	ids       []byte // of the concepts, one after the other
	idsAt     []uint32
	links     writer // child, file, line, parent: parents that wait for their numbers
	history   []byte
	historyAt []uint64
	stats     Stats
	groups    map[string]bool
	index     *indexer
	scratch   []byte
}

// write assembles the knowledge base and empties b.
func (b *Builder) write(w io.Writer) ([]text.Warning, error) {
	defer b.spool.close()
	if b.err != nil {
		return nil, b.err
	}
	buffered := bufio.NewWriterSize(w, 1<<20)
	a := &assembly{b: b, out: &sectionWriter{w: buffered}, groups: map[string]bool{}, index: newIndexer(),
		stats: Stats{Groups: map[string]int{}, Languages: map[string]int{}, Sources: map[string]int{}, Licences: map[string]int{}, PerConcept: map[string]int{}}}
	defer a.index.stop()
	if _, err := a.out.Write([]byte(magic)); err != nil {
		return nil, err
	}
	if err := a.concepts(); err != nil {
		return nil, err
	}
	if err := a.finish(); err != nil {
		return nil, err
	}
	return b.warnings.all(), buffered.Flush()
}

// concepts writes the records.
func (a *assembly) concepts() error {
	if err := a.out.begin("records"); err != nil {
		return err
	}
	var p pending
	err := a.b.spool.each(func(fragments [][]byte) error {
		p.reset()
		for _, f := range fragments {
			p.add(&a.b.num.tables, f)
		}
		if n := len(a.records); a.b.progress != nil && n%(1<<14) == 1<<14-1 {
			if err := a.b.progress("concepts", int64(n)); err != nil {
				return err
			}
		}
		return a.concept(&p)
	})
	a.records = append(a.records, a.offset)
	a.idsAt = append(a.idsAt, uint32(len(a.ids)))
	return err
}

func (a *assembly) warn(file, line int, kind, format string, args ...any) {
	w := text.Warning{Line: line, Kind: kind, Msg: fmt.Sprintf(format, args...)}
	if file > 0 {
		w.File = a.b.files[file-1]
	}
	a.b.Warn(w)
}

// concept writes one concept, or what is known of an ID that is none.
func (a *assembly) concept(p *pending) error {
	c := &p.c
	switch {
	case p.flags&stated == 0 && p.flags&retired != 0:
		a.retire(p)
		return nil
	case p.flags&stated == 0 && len(p.parents) == 0:
		a.warn(p.file, p.line, "no-concept", "%q, called %q, is no concept: its further names are left out", c.ID, c.Names[0].Text)
		return nil
	case p.flags&stated == 0:
		a.warn(p.file, p.line, "no-child", "%q has the parent %q but is no concept", c.ID, p.parents[0].id)
		return nil
	case len(c.Names) == 0:
		a.warn(p.file, p.line, "no-name", "concept %q has no name: it cannot be linked to and is left out", c.ID)
		return nil
	case len(a.records) == maxConcepts:
		return fmt.Errorf("more than %d concepts: filter the sources", maxConcepts)
	case len(c.Types) == 0:
		c.Types = []SemanticType{{Name: "Entity", Group: "Entity"}}
	}
	c.joinGroups()
	c.preferredFirst()
	i := len(a.records)
	for _, l := range p.parents {
		a.links.num(i)
		a.links.num(l.file)
		a.links.num(l.line)
		a.links.str(l.id)
	}
	a.count(c)
	a.scratch = a.b.num.encode(a.scratch[:0], c)
	a.records = append(a.records, a.offset)
	a.offset += uint64(len(a.scratch))
	a.idsAt = append(a.idsAt, uint32(len(a.ids)))
	a.ids = append(a.ids, c.ID...)
	a.index.add(a.scratch)
	_, err := a.out.Write(a.scratch)
	return err
}

func (a *assembly) retire(p *pending) {
	w := writer{a.history}
	a.historyAt = append(a.historyAt, uint64(len(w.b)))
	w.str(p.c.ID)
	name := ""
	if len(p.c.Names) > 0 {
		name = p.c.Names[0].Text
	}
	w.str(name)
	w.num(len(p.to))
	for _, r := range p.to {
		w.str(r.ID)
		w.str(r.Relation)
	}
	a.history = w.b
	a.stats.Retired++
}

func (a *assembly) id(i int) string { return view(a.ids[a.idsAt[i]:a.idsAt[i+1]]) }

// find returns the number of a concept.
func (a *assembly) find(id string) (int, bool) {
	n := len(a.idsAt) - 1
	i := sort.Search(n, func(i int) bool { return a.id(i) >= id })
	return i, i < n && a.id(i) == id
}

// hierarchy numbers the parents, and reports those that are no concept.
func (a *assembly) hierarchy() (parents, children csr) {
	var pairs [][2]uint32
	for in := (scanner{b: a.links.b}); len(in.b) > 0; {
		child, file, line, parent := in.num(), in.num(), in.num(), in.str()
		j, ok := a.find(parent)
		switch {
		case !ok:
			a.warn(file, line, "no-parent", "parent %q of %q is not a concept", parent, a.id(child))
		case j == child:
			a.warn(file, line, "no-parent", "%q is its own parent", parent)
		default:
			pairs = append(pairs, [2]uint32{uint32(child), uint32(j)})
		}
	}
	a.links.b = nil
	slices.SortFunc(pairs, comparePairs)
	pairs = slices.Compact(pairs)
	a.stats.Relations = len(pairs)
	parents = newCSR(pairs, len(a.records)-1)
	for i, p := range pairs {
		pairs[i] = [2]uint32{p[1], p[0]}
	}
	slices.SortFunc(pairs, comparePairs)
	return parents, newCSR(pairs, len(a.records)-1)
}

func comparePairs(a, b [2]uint32) int {
	return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
}

// csr holds sorted pairs as rows: those of first number i are to[at[i]:at[i+1]].
type csr struct{ to, at []uint32 }

func newCSR(pairs [][2]uint32, rows int) csr {
	c := csr{make([]uint32, len(pairs)), make([]uint32, rows+1)}
	for i, p := range pairs {
		c.to[i] = p[1]
		c.at[p[0]+1]++
	}
	for i := range rows {
		c.at[i+1] += c.at[i]
	}
	return c
}

func (a *assembly) rows(name string, c csr) error {
	if err := a.out.u32(name, c.to); err != nil {
		return err
	}
	return a.out.u32(name+"At", c.at)
}

// finish writes everything after the records.
func (a *assembly) finish() error {
	parents, children := a.hierarchy()
	a.cycles(parents, children)
	a.ids, a.idsAt = nil, nil
	if err := a.out.u64("recordsAt", a.records); err != nil {
		return err
	}
	if err := a.rows("parents", parents); err != nil {
		return err
	}
	if err := a.rows("children", children); err != nil {
		return err
	}
	parents, children = csr{}, csr{}
	if err := a.index.finish(a.out, &a.stats); err != nil {
		return err
	}
	if err := a.out.section("history", a.history); err != nil {
		return err
	}
	if err := a.out.u64("historyAt", append(a.historyAt, uint64(len(a.history)))); err != nil {
		return err
	}
	h := header{Stats: a.stats, Vocabularies: a.b.vocab, Tables: a.b.num.tables}
	for g := range a.groups {
		h.Groups = append(h.Groups, g)
	}
	slices.Sort(h.Groups)
	slices.SortFunc(h.Vocabularies, func(v, w Vocabulary) int { return cmp.Compare(v.Code, w.Code) })
	return a.out.end(h)
}

// cycles reports concepts that lie above themselves. The hierarchy keeps them: every walk over it ends anyway.
func (a *assembly) cycles(parents, children csr) {
	n := len(a.records) - 1
	waiting := make([]uint32, n) // parents that are not done yet
	var ready []uint32
	for i := range n {
		if waiting[i] = parents.at[i+1] - parents.at[i]; waiting[i] == 0 {
			ready = append(ready, uint32(i))
		}
	}
	done := 0
	for ; len(ready) > 0; done++ {
		i := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		for _, c := range children.to[children.at[i]:children.at[i+1]] {
			if waiting[c]--; waiting[c] == 0 {
				ready = append(ready, c)
			}
		}
	}
	if done < n {
		first := slices.IndexFunc(waiting, func(w uint32) bool { return w > 0 })
		a.warn(0, 0, "cycle", "%d concepts lie on or below a cycle of the hierarchy, the first is %q", n-done, a.id(first))
	}
}

// count adds c to the statistics.
func (a *assembly) count(c *Concept) {
	s := &a.stats
	s.Concepts++
	s.Definitions += len(c.Definitions)
	if len(c.Definitions) == 0 {
		s.WithoutDefinition++
	}
	groups := c.Groups()
	for _, g := range groups {
		s.Groups[g]++
		a.groups[g] = true
	}
	for _, n := range c.Names {
		times := 1
		if n.Group == "" {
			times = len(groups)
		}
		s.Names += times
		s.Languages[n.Language] += times
		s.Sources[n.Source] += times
		s.Licences[n.Licence] += times
	}
	s.PerConcept[bucket(len(c.Names))]++
}

// bucket names the range that a number of names lies in.
func bucket(n int) string {
	switch {
	case n <= 3:
		return fmt.Sprint(n)
	case n <= 10:
		return "4-10"
	case n <= 30:
		return "11-30"
	}
	return "more than 30"
}
