package ranker

import (
	"cmp"
	"slices"
	"strings"

	"syncabel/internal/lexical"
	"syncabel/internal/lexicon"
)

// A Rendering is what names may write for a term.
type Rendering struct {
	Text     string  `json:"text"`  // as a dictionary writes it, folded
	Words    string  `json:"words"` // canonical
	Strength float32 `json:"strength"`
}

// Bounds of what of a lexicon is kept and looked up: words of a term and of what renders it, renderings of a term.
const (
	termWords      = 4
	otherWords     = 6 // names say in many words what texts abbreviate
	keepRenderings = 8
)

// render keeps of a lexicon what leads to words that names have; v.Words must still hold the words of one name.
func (v *Vocabulary) render(pairs []lexicon.Pair) {
	if len(pairs) > 0 {
		v.Renderings = map[string][]Rendering{}
	}
	for _, p := range pairs {
		term, other := canonicalWords(p.Term), canonicalWords(p.Other)
		if len(term) == 0 || len(other) == 0 || len(term) > termWords || len(other) > otherWords || len(term) == 1 && stop[term[0]] ||
			slices.ContainsFunc(other, func(w string) bool { return v.Words[w] == 0 && !stop[w] }) {
			continue
		}
		key, words := strings.Join(term, " "), strings.Join(other, " ")
		if key == words {
			continue
		}
		list := v.Renderings[key]
		if i := slices.IndexFunc(list, func(r Rendering) bool { return r.Words == words }); i >= 0 {
			list[i].Strength = max(list[i].Strength, float32(p.Weight))
			continue
		}
		v.Renderings[key] = append(list, Rendering{strings.Join(strings.Fields(fold(p.Other)), " "), words, float32(p.Weight)})
	}
	for key, list := range v.Renderings {
		slices.SortFunc(list, func(a, b Rendering) int {
			return cmp.Or(cmp.Compare(b.Strength, a.Strength), cmp.Compare(a.Words, b.Words))
		})
		v.Renderings[key] = slices.Clip(list[:min(len(list), keepRenderings)])
	}
}

// canonicalWords are all words of a string, stop words too.
func canonicalWords(s string) []string {
	w := strings.Fields(fold(s))
	for i := range w {
		w[i] = canonical(w[i])
	}
	return w
}

// rendered is how far one word renders the other, in either direction: less than 1, as it is not the word itself.
func (v *Vocabulary) rendered(a, b string) float32 {
	const limit = 0.95
	var s float32
	for _, d := range [2][2]string{{a, b}, {b, a}} {
		for _, r := range v.Renderings[d[0]] {
			if r.Words == d[1] {
				s = max(s, r.Strength)
			}
		}
	}
	return min(limit, s)
}

// A variant is what else could be written for a mention.
type variant struct {
	text     string
	strength float32
}

// variants returns the query with a word replaced by a synonym, or words by what a lexicon renders them with, the strongest first.
func (v *Vocabulary) variants(surface string, limit int) []variant {
	w, c := strings.Fields(fold(surface)), canonicalWords(surface)
	list := append(v.synonymous(w, c), v.translated(w, c)...)
	slices.SortStableFunc(list, func(a, b variant) int { return cmp.Compare(b.strength, a.strength) })
	return list[:min(limit, len(list))]
}

// synonymous replaces one of the words w, c in canonical form, by what names use in its place.
func (v *Vocabulary) synonymous(w, c []string) (out []variant) {
	for i, a := range w {
		if stop[a] {
			continue
		}
		for _, s := range v.Synonyms[c[i]] {
			x := slices.Clone(w)
			x[i] = cmp.Or(v.Spelling[s.Word], s.Word)
			out = append(out, variant{strings.Join(x, " "), s.Strength})
		}
	}
	return out
}

// translated replaces the words that the lexicon renders, the longest phrases first: each alone by every rendering, and all together by the best of each.
func (v *Vocabulary) translated(w, c []string) (out []variant) {
	const alone = 0.9 // a replacement that leaves other words in their language
	if len(v.Renderings) == 0 {
		return nil
	}
	var whole []string
	weakest, replaced := float32(1), 0
	for i := 0; i < len(w); {
		n, list := v.longest(c[i:])
		for _, r := range list {
			out = append(out, variant{strings.Join(slices.Concat(w[:i], []string{r.Text}, w[i+n:]), " "), alone * r.Strength})
		}
		switch {
		case len(list) > 0:
			whole, weakest = append(whole, list[0].Text), min(weakest, list[0].Strength)
			replaced++
		case !stop[w[i]]:
			whole = append(whole, w[i])
		}
		i += max(n, 1)
	}
	if replaced > 1 {
		out = append(out, variant{strings.Join(whole, " "), weakest})
	}
	return out
}

// longest returns the longest beginning of canonical words that the lexicon renders, in words, and its renderings.
func (v *Vocabulary) longest(c []string) (int, []Rendering) {
	for n := min(termWords, len(c)); n > 0; n-- {
		if list := v.Renderings[strings.Join(c[:n], " ")]; len(list) > 0 {
			return n, list
		}
	}
	return 0, nil
}

// varied are the variants of a mention, ready to be compared.
type varied struct {
	shape
	strength float32
}

func (r *Ranker) varieties(surface string) []varied {
	var out []varied
	for _, v := range r.Vocabulary.variants(surface, r.variants()) {
		out = append(out, varied{r.shape(v.text), v.strength})
	}
	return out
}

// variants is how many variants of a mention are looked at.
func (r *Ranker) variants() int {
	if len(r.Vocabulary.Renderings) > 0 {
		return r.opt.Rendered
	}
	return r.opt.Variants
}

// asVaried compares a concept's names with the variants, which count by their strength.
func asVaried(f []float32, list []varied, group string, e *entry) {
	for i := range e.names {
		n := &e.names[i]
		if n.group != "" && n.group != group {
			continue
		}
		for k := range list {
			v := &list[k]
			if v.strength > f[fVariant] { // a cosine is at most 1
				f[fVariant] = max(f[fVariant], v.strength*lexical.Cosine(v.vec, n.vec))
			}
			if n.bag == v.bag {
				f[fVariantBag] = max(f[fVariantBag], v.strength)
			}
		}
	}
}
