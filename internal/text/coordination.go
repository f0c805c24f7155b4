package text

import (
	"slices"
	"strings"
)

// FirstConjuncts returns what the first member of a coordination may stand for on its own: for "ear, renal and limb
// malformations" both "ear malformations" and "ear". It returns nothing for a phrase without coordination. English shares the words
// at the end of the last member, French and Spanish those at the beginning of the first, which the first member has anyway.
//
// An annotation of a coordinated phrase means its first member, or all members, more often than any other.
func FirstConjuncts(s, language string) []string {
	w := strings.Fields(s)
	last := -1
	for i, x := range w {
		if conjunction(x, language) && i > 0 && i < len(w)-1 {
			last = i
		}
	}
	if last < 0 {
		return nil
	}
	end := last
	for i, x := range w[:last] {
		if strings.HasSuffix(x, ",") || conjunction(x, language) && i > 0 {
			end = i
			if strings.HasSuffix(x, ",") {
				end = i + 1
			}
			break
		}
	}
	first := slices.Clone(w[:end])
	first[end-1] = strings.TrimSuffix(first[end-1], ",")
	alone := strings.Join(first, " ")
	if alone == "" {
		return nil
	}
	tail := w[last+2:]
	if len(tail) == 0 || language == "fr" || language == "es" {
		return []string{alone}
	}
	return []string{alone + " " + strings.Join(tail, " "), alone}
}

func conjunction(w, language string) bool {
	switch language {
	case "fr":
		return w == "et" || w == "ou"
	case "es":
		return w == "y" || w == "e" || w == "o" || w == "u"
	}
	return w == "and" || w == "or" || w == "and/or"
}
