package paper

import (
	"cmp"
	"slices"
)

// A Pair is a code with the semantic group that annotations give it.
type Pair struct{ Code, Group string }

// SNOMED applies the rule for SNOMED CT. The priority pairs are those that the paper takes from training and test annotations: ties go to
// them. It returns the rows and the codes that lost all their names in a priority group, each with the code that took one: the paper
// rewrites annotations by that table.
func SNOMED(rows []Row, priority []Pair) (named []Row, corrected map[string]string) {
	rows = complete(cover(rows, priority))
	first := map[Pair]bool{}
	for _, p := range priority {
		first[p] = true
	}
	named, rest := unambiguous(rows, 0)
	has := map[Pair]bool{}
	for _, r := range named {
		has[Pair{r.Code, r.Group}] = true
	}
	named = append(named, secondLevel(rest, has)...)
	named = append(named, greedy(rest, named, has, first)...)
	return named, corrections(rows, named, priority, has)
}

// cover copies one row of a code, its main one if it can, into a group that annotations give it and the terminology does not.
func cover(rows []Row, priority []Pair) []Row {
	has, of := map[Pair]bool{}, map[string][]Row{}
	for _, r := range rows {
		has[Pair{r.Code, r.Group}] = true
		of[r.Code] = append(of[r.Code], r)
	}
	out := slices.Clone(rows)
	for _, p := range priority {
		if has[p] || len(of[p.Code]) == 0 {
			continue
		}
		has[p] = true
		r := slices.MinFunc(of[p.Code], func(a, b Row) int { return cmp.Or(compareBool(b.Main, a.Main), cmp.Compare(a.Name, b.Name)) })
		r.Group = p.Group
		out = append(out, r)
	}
	return out
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// complete gives every code all its names in all its groups.
func complete(rows []Row) []Row {
	var order []string
	of, groups := map[string][]Row{}, map[string][]string{}
	for _, r := range rows {
		if of[r.Code] == nil {
			order = append(order, r.Code)
		}
		if !slices.ContainsFunc(of[r.Code], func(h Row) bool { return h.Name == r.Name }) {
			of[r.Code] = append(of[r.Code], r)
		}
		if !slices.Contains(groups[r.Code], r.Group) {
			groups[r.Code] = append(groups[r.Code], r.Group)
		}
	}
	var out []Row
	for _, code := range order {
		for _, g := range groups[code] {
			for _, r := range of[code] {
				r.Group = g
				out = append(out, r)
			}
		}
	}
	return out
}

// secondLevel takes the names that have one code left once the codes that are named in the group are gone.
func secondLevel(rest []Row, has map[Pair]bool) []Row {
	open := slices.DeleteFunc(slices.Clone(rest), func(r Row) bool { return has[Pair{r.Code, r.Group}] })
	out, _ := unambiguous(open, 1)
	for _, r := range out {
		has[Pair{r.Code, r.Group}] = true
	}
	return out
}

// greedy gives each ambiguous name to the first code that has none in the group yet, else, unless it is given already, to the first at all:
// codes of priority pairs come first, then by code.
func greedy(rest, named []Row, has, first map[Pair]bool) []Row {
	given := map[place]bool{}
	for _, r := range named {
		given[r.place()] = true
	}
	by := map[place][]Row{}
	for _, r := range rest {
		by[r.place()] = append(by[r.place()], r)
	}
	places := make([]place, 0, len(by))
	for p := range by {
		places = append(places, p)
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.group, b.group)) })
	var out []Row
	for _, p := range places {
		list := by[p]
		slices.SortFunc(list, func(a, b Row) int {
			return cmp.Or(compareBool(first[Pair{b.Code, b.Group}], first[Pair{a.Code, a.Group}]), cmp.Compare(a.Code, b.Code))
		})
		i := slices.IndexFunc(list, func(r Row) bool { return !has[Pair{r.Code, r.Group}] })
		if i < 0 && given[p] {
			continue
		}
		r := list[max(i, 0)]
		r.Level = 2
		has[Pair{r.Code, r.Group}] = true
		out = append(out, r)
	}
	return out
}

// corrections maps codes that have no name in a group to one that took a name of theirs, for the priority pairs that are without a name. As
// in the published program, all such codes are mapped where no priority pair is without a name.
func corrections(rows, named []Row, priority []Pair, has map[Pair]bool) map[string]string {
	chosen := map[place]string{}
	for _, r := range named {
		if _, ok := chosen[r.place()]; !ok {
			chosen[r.place()] = r.Code
		}
	}
	uncovered := map[Pair]bool{}
	for _, p := range priority {
		if !has[p] {
			uncovered[p] = true
		}
	}
	out, done := map[string]string{}, map[Pair]bool{}
	for _, r := range rows {
		p := Pair{r.Code, r.Group}
		to := chosen[r.place()]
		if to == "" || to == r.Code || done[p] || len(uncovered) > 0 && !uncovered[p] || out[r.Code] != "" {
			continue
		}
		done[p] = true
		out[r.Code] = to
	}
	return out
}
