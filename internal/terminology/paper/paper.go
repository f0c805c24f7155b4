// Package paper gives each name to one concept of a semantic group as the SynCABEL paper (arXiv 2601.19667) did, for comparison with
// knowledge bases whose names keep all their concepts: its rule for UMLS, which drops names and leaves concepts without any, and
// its rule for SNOMED CT. It stands beside the readers at the start of the chain; protocol = "paper" asks for it.
//
// Where the published programs leave a choice to chance (they keep any one row of several), the lowest code is chosen here.
package paper

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"syncabel/internal/terminology"
)

// A Row is one name of one concept in one semantic group.
type Row struct {
	Code  string
	Title string // of the concept
	Name  string
	Group string
	Main  bool // a title, or a name that the Metathesaurus itself made (MTH)
	Level int  // of a result: 0 unambiguous, 1 unambiguous once concepts with a level-0 name gave theirs up, 2 given to one of several
}

// place is where a name must be unambiguous.
type place struct{ name, group string }

func (r Row) place() place { return place{r.Name, r.Group} }

// Clean is what the paper does to names and titles: no-break spaces, "not otherwise specified" in English and French, capital first letter.
func Clean(s string) string {
	s = strings.ReplaceAll(s, "\u00a0", " ")
	for _, suffix := range []string{" (NOS)", ", NOS", " NOS", " (SAI)", ", SAI", " SAI"} {
		s = strings.TrimSuffix(s, suffix)
	}
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 || r == utf8.RuneError {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

// Rows lists the names of a knowledge base in English, French and Spanish, and of no language, cleaned, each once for a concept and group.
func Rows(kb *terminology.KB) []Row {
	var out []Row
	seen := map[Row]bool{}
	for i := range kb.Len() {
		c := kb.Concept(i)
		title := Clean(Title(c))
		for _, g := range c.Groups() {
			for _, n := range c.Names {
				if !n.In(g) || !slices.Contains([]string{"", "en", "fr", "es"}, n.Language) {
					continue
				}
				r := Row{Code: c.ID, Title: title, Name: Clean(n.Text), Group: g}
				if !seen[r] && r.Name != "" {
					seen[r] = true
					r.Main = n.Source == "MTH" || n.Kind == "PN"
					out = append(out, r)
				}
			}
		}
	}
	return out
}

// Title chooses the title of a concept: a name of the type PN, else the shortest that the Metathesaurus made, else the shortest preferred
// English one, else the preferred French one, else the Spanish one, where there is only one of these; else the preferred name.
func Title(c *terminology.Concept) string {
	var main, en, fr, es []string
	for _, n := range c.Names {
		switch {
		case n.Kind == "PN":
			return n.Text
		case n.Source == "MTH":
			main = append(main, n.Text)
		case n.Preferred && n.Language == "en":
			en = append(en, n.Text)
		case n.Preferred && n.Language == "fr":
			fr = append(fr, n.Text)
		case n.Preferred && n.Language == "es":
			es = append(es, n.Text)
		}
	}
	switch {
	case len(main) > 0:
		return shortest(main)
	case len(en) > 0:
		return shortest(en)
	case len(fr) == 1:
		return fr[0]
	case len(es) == 1:
		return es[0]
	}
	return c.PreferredName("")
}

// shortest counts characters, less half a one for a capital first letter with small ones after it.
func shortest(list []string) string {
	length := func(s string) float64 {
		n := float64(utf8.RuneCountInString(s))
		if r, k := utf8.DecodeRuneInString(s); unicode.IsUpper(r) && strings.ToLower(s[k:]) == s[k:] {
			n -= 0.5
		}
		return n
	}
	return slices.MinFunc(list, func(a, b string) int { return cmp.Or(cmp.Compare(length(a), length(b)), cmp.Compare(a, b)) })
}

// codes counts the concepts of each place.
func codes(rows []Row) map[place]int {
	seen := map[Row]bool{}
	out := map[place]int{}
	for _, r := range rows {
		key := Row{Code: r.Code, Name: r.Name, Group: r.Group}
		if !seen[key] {
			seen[key] = true
			out[r.place()]++
		}
	}
	return out
}

// UMLS applies the rule for UMLS. Concepts that lose all their names are simply not in the result.
func UMLS(rows []Row) []Row {
	kept, rest := unambiguous(rows, 0)
	rest = without(rest, kept) // a name that other concepts share vanishes from every concept that has another one
	second, rest := unambiguous(rest, 1)
	rest = without(rest, second)
	slices.SortStableFunc(rest, func(a, b Row) int { return cmp.Compare(a.Code, b.Code) })
	given := map[place]bool{}
	kept = append(kept, second...)
	for _, r := range rest {
		if !given[r.place()] {
			given[r.place()] = true
			r.Level = 2
			kept = append(kept, r)
		}
	}
	return dropCapitals(addTitles(kept, rows))
}

// unambiguous parts the rows whose place has one concept from the others.
func unambiguous(rows []Row, level int) (yes, no []Row) {
	n := codes(rows)
	for _, r := range rows {
		if n[r.place()] == 1 {
			r.Level = level
			yes = append(yes, r)
		} else {
			no = append(no, r)
		}
	}
	return yes, no
}

// without leaves out the rows of concepts that have a row in named, in whatever group.
func without(rows, named []Row) []Row {
	has := map[string]bool{}
	for _, r := range named {
		has[r.Code] = true
	}
	return slices.DeleteFunc(rows, func(r Row) bool { return has[r.Code] })
}

// addTitles adds the titles that are nobody's name, without a look at who else has them.
func addTitles(kept, all []Row) []Row {
	names, seen := map[string]bool{}, map[Row]bool{}
	for _, r := range kept {
		names[r.Name] = true
	}
	for _, r := range all {
		title := Row{Code: r.Code, Title: r.Title, Name: r.Title, Group: r.Group, Main: true}
		if r.Title != "" && !names[r.Title] && !seen[title] {
			seen[title] = true
			kept = append(kept, title)
		}
	}
	return kept
}

// dropCapitals drops a name in capitals where the concept has the same name in other letters.
func dropCapitals(rows []Row) []Row {
	type key struct{ code, name string }
	mixed := map[key]bool{}
	for _, r := range rows {
		if !capitals(r.Name) {
			mixed[key{r.Code, strings.ToLower(r.Name)}] = true
		}
	}
	return slices.DeleteFunc(rows, func(r Row) bool { return capitals(r.Name) && mixed[key{r.Code, strings.ToLower(r.Name)}] })
}

func capitals(s string) bool { return s == strings.ToUpper(s) && s != strings.ToLower(s) }
