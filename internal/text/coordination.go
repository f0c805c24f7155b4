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

// maxConjuncts bounds the members of a coordination; longer enumerations are no phrase.
const maxConjuncts = 6

// Conjuncts returns, for every member of a coordination, the phrases that it may stand for on its own, those that share most words with its
// neighbours first: for "cleft lip and palate" first "cleft lip", then "cleft palate" or "palate". Which words are shared only a
// reader of names can say. It returns nothing for a phrase without coordination.
func Conjuncts(s, language string) [][]string {
	members := conjuncts(s, language)
	if len(members) < 2 || len(members) > maxConjuncts {
		return nil
	}
	first, last := members[0], members[len(members)-1]
	out := make([][]string, len(members))
	for i, own := range members {
		var variants []string
		for n := len(last) - 1; n > 0 && i < len(members)-1; n-- {
			variants = append(variants, strings.Join(slices.Concat(own, last[len(last)-n:]), " "))
		}
		for n := len(first) - 1; n > 0 && i > 0; n-- {
			variants = append(variants, strings.Join(slices.Concat(first[:n], own), " "))
		}
		out[i] = append(variants, strings.Join(own, " "))
	}
	return out
}

// conjuncts cuts a phrase into the words of its members: at conjunctions, at commas, and at a stroke between two words.
func conjuncts(s, language string) [][]string {
	var out [][]string
	var member []string
	end := func() {
		if len(member) > 0 {
			out, member = append(out, member), nil
		}
	}
	for _, w := range strings.Fields(s) {
		if conjunction(w, language) {
			end()
			continue
		}
		if w == "both" || w == "either" {
			continue
		}
		left, right, stroke := strings.Cut(w, "/")
		if stroke = stroke && len(left) > 2 && len(right) > 2; stroke {
			member = append(member, left)
			end()
			w = right
		}
		word := strings.TrimRight(w, ",")
		if word != "" {
			member = append(member, word)
		}
		if word != w {
			end()
		}
	}
	end()
	return out
}
