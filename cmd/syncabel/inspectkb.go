package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"syncabel/internal/pipeline"
	"syncabel/internal/terminology"
)

// samples is how many concepts inspect shows of a knowledge base.
const samples = 3

// knowledge prints what a knowledge base holds, one concept, or what a search finds.
func (c *inspectCmd) knowledge(a *app) error {
	kb, err := pipeline.OpenKB(c.Path)
	if err != nil {
		return err
	}
	defer kb.Close()
	if c.Verify {
		if err := kb.Verify(); err != nil {
			return err
		}
	}
	switch {
	case c.Concept != "":
		return c.concept(a, kb)
	case c.Search != "":
		return c.search(a, kb)
	case c.JSON:
		return printCounts(a.out, "kb", pipeline.KBCounts(kb), true)
	}
	if err := printCounts(a.out, "kb", pipeline.KBCounts(kb), false); err != nil {
		return err
	}
	for _, v := range kb.Vocabularies() {
		fmt.Fprintf(a.out, "  vocabulary %-29s %s\n", v.Code, strings.Join(filled(v.Name, v.Version, v.Licence), ", "))
	}
	for i := range samples {
		fmt.Fprintln(a.out)
		describe(a.out, kb, i*kb.Len()/samples)
	}
	return nil
}

func filled(list ...string) []string {
	var out []string
	for _, s := range list {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

func (c *inspectCmd) concept(a *app, kb *terminology.KB) error {
	i, ok := kb.Index(c.Concept)
	switch r, retired := kb.Retired(c.Concept); {
	case !ok && retired && c.JSON:
		return json.NewEncoder(a.out).Encode(r)
	case !ok && retired:
		fmt.Fprintf(a.out, "%s  %s: retired, now %v\n", r.ID, r.Name, r.To)
		return nil
	case !ok:
		return fmt.Errorf("%q is no concept of %s: try --search", c.Concept, c.Path)
	case c.JSON:
		return json.NewEncoder(a.out).Encode(kb.Concept(i))
	}
	describe(a.out, kb, i)
	return nil
}

func (c *inspectCmd) search(a *app, kb *terminology.KB) error {
	hits := kb.Search(c.Search, terminology.SearchOptions{Limit: 20})
	if len(hits) == 0 {
		return errors.New("nothing is found")
	}
	for _, h := range hits {
		if c.JSON {
			err := json.NewEncoder(a.out).Encode(map[string]any{"id": h.ID, "name": h.Name, "match": h.Match.String()})
			if err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(a.out, "%-7s %-20s %s\n", h.Match, h.ID, h.Name.Text)
	}
	return nil
}

// describe prints one concept.
func describe(w io.Writer, kb *terminology.KB, i int) {
	c := kb.Concept(i)
	fmt.Fprintf(w, "%s  %s\n", c.ID, c.PreferredName(""))
	for _, t := range c.Types {
		fmt.Fprintf(w, "  type        %s (%s)\n", t.Name, t.Group)
	}
	for _, n := range c.Names {
		mark := ""
		if n.Preferred {
			mark = "preferred"
		}
		fmt.Fprintf(w, "  name        %s  [%s]\n", n.Text, strings.Join(filled(n.Language, n.Source, n.Kind, mark, n.Licence, n.Group), " "))
	}
	for _, d := range c.Definitions {
		fmt.Fprintf(w, "  definition  %s\n", d.Text)
	}
	for _, p := range kb.ParentsOf(i) {
		fmt.Fprintf(w, "  parent      %s  %s\n", kb.ID(p), kb.Concept(p).PreferredName(""))
	}
	if n := len(kb.Children(i)); n > 0 {
		fmt.Fprintf(w, "  children    %d\n", n)
	}
	if len(c.Xrefs) > 0 {
		fmt.Fprintf(w, "  xrefs       %s\n", cmp.Or(strings.Join(c.Xrefs, " "), "-"))
	}
}
