package ranker

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"syncabel/internal/lexicon"
	"syncabel/internal/terminology"
)

// A Vocabulary is what the names of a knowledge base say about words: how rare each is, and which stand for each other.
type Vocabulary struct {
	Names    int                  `json:"names"`    // that it was learnt from
	Words    map[string]int       `json:"words"`    // names by word in canonical form; words of one name only are left out
	Synonyms map[string][]Synonym `json:"synonyms"` // best first
	Spelling map[string]string    `json:"spelling"` // how names write the words that are synonyms of others

	Renderings map[string][]Rendering `json:"renderings,omitempty"` // of a lexicon, by term in canonical form; best first
}

// A Synonym is a word that names use in another's place.
type Synonym struct {
	Word     string  `json:"word"`
	Strength float32 `json:"strength"` // in [0,1]
}

// Bounds of what Learn looks at and keeps.
const (
	namesEach    = 20 // names of a concept that are compared pairwise
	restWords    = 2  // words that may be left of a name when the common ones are taken away
	minTogether  = 2  // concepts that must show a pair
	keepSynonyms = 6
)

// Learn reads the names of kb twice: for how many names each word stands in, and for the words in which two names of one concept
// differ ("renal failure", "kidney failure"): those stand for each other the more often that happens. Of a lexicon it keeps
// what leads to words of names.
func Learn(kb *terminology.KB, lex []lexicon.Pair) *Vocabulary {
	v := &Vocabulary{Words: map[string]int{}, Synonyms: map[string][]Synonym{}, Spelling: map[string]string{}}
	together := map[[2]string]int{}
	spelt := map[[2]string]int{}
	for i := range kb.Len() {
		var split [][]string
		for _, n := range kb.Concept(i).Names {
			v.Names++
			w := words(n.Text)
			split = append(split, w)
			distinct := slices.Clone(w)
			slices.Sort(distinct)
			for _, x := range slices.Compact(distinct) {
				v.Words[x]++
			}
			for _, x := range strings.Fields(fold(n.Text)) {
				spelt[[2]string{canonical(x), x}]++
			}
		}
		pairs(split[:min(len(split), namesEach)], together)
	}
	v.synonyms(together)
	v.spell(spelt)
	v.render(lex)
	for w, n := range v.Words {
		if n < 2 {
			delete(v.Words, w)
		}
	}
	return v
}

// pairs counts, once a concept, the words in which two of its names differ.
func pairs(names [][]string, together map[[2]string]int) {
	seen := map[[2]string]bool{}
	for a := range names {
		for b := range names {
			l, r := difference(names[a], names[b]), difference(names[b], names[a])
			if len(l) == 0 || len(r) == 0 || len(l) > restWords || len(r) > restWords {
				continue
			}
			for _, u := range l {
				for _, w := range r {
					seen[[2]string{u, w}] = true
				}
			}
		}
	}
	for p := range seen {
		together[p]++
	}
}

func difference(a, b []string) []string {
	var out []string
	for _, w := range a {
		if !slices.Contains(b, w) {
			out = append(out, w)
		}
	}
	return out
}

// synonyms turns counts into strengths: c/(c+5) grows with the evidence, 3c/(1+df) falls when the words mostly mean something else.
func (v *Vocabulary) synonyms(together map[[2]string]int) {
	for p, c := range together {
		if c < minTogether {
			continue
		}
		rarer := min(v.Words[p[0]], v.Words[p[1]])
		s := float64(c) / float64(c+5) * math.Min(1, 3*float64(c)/float64(1+rarer))
		v.Synonyms[p[0]] = append(v.Synonyms[p[0]], Synonym{p[1], float32(s)})
	}
	for w, list := range v.Synonyms {
		slices.SortFunc(list, func(a, b Synonym) int {
			return cmp.Or(cmp.Compare(b.Strength, a.Strength), cmp.Compare(a.Word, b.Word))
		})
		v.Synonyms[w] = slices.Clip(list[:min(len(list), keepSynonyms)])
	}
}

// spell keeps the commonest spelling of every word that is somebody's synonym.
func (v *Vocabulary) spell(spelt map[[2]string]int) {
	needed := map[string]bool{}
	for _, list := range v.Synonyms {
		for _, s := range list {
			needed[s.Word] = true
		}
	}
	best := map[string]int{}
	for p, n := range spelt {
		old, ok := v.Spelling[p[0]]
		if needed[p[0]] && (!ok || n > best[p[0]] || n == best[p[0]] && p[1] < old) {
			v.Spelling[p[0]], best[p[0]] = p[1], n
		}
	}
}

// weight is the rareness of a word, the logarithm of the inverse of the part of names that have it.
func (v *Vocabulary) weight(w string) float32 {
	return float32(math.Log(float64(1+v.Names) / (0.5 + float64(max(1, v.Words[w])))))
}

// same is how far two words mean the same: 1 when equal, less as synonyms, as renderings or when spelt alike. Numbers are equal or not.
func (v *Vocabulary) same(a, b string) float32 {
	if a == b {
		return 1
	}
	if number(a) || number(b) {
		return 0
	}
	s := alike(a, b)
	if s < 0.6 {
		s = 0
	}
	s = max(s, v.rendered(a, b))
	for _, y := range v.Synonyms[a] {
		if y.Word == b {
			return max(s, y.Strength)
		}
	}
	return s
}

// compared is what the words of a query and a name have in common, weighted by how rare they are.
type compared struct {
	hardQ, hardN float32 // part of the query's, of the name's words that the other has
	softQ, softN float32 // the same, counting words that are alike
	numbers      bool    // they name different numbers
	head         float32 // likeness of their last words
}

// compare needs at least one word on each side.
func (v *Vocabulary) compare(q, n []string) compared {
	var c compared
	c.hardQ, c.softQ, c.numbers = v.covered(q, n)
	var other bool
	c.hardN, c.softN, other = v.covered(n, q)
	c.numbers = c.numbers || other
	c.head = v.same(q[len(q)-1], n[len(n)-1])
	return c
}

// covered is the part of a that b has, exactly and alike, and whether a number of a is missing from b.
func (v *Vocabulary) covered(a, b []string) (hard, soft float32, number_ bool) {
	var total float32
	for _, x := range a {
		w := v.weight(x)
		total += w
		var best float32
		for _, y := range b {
			best = max(best, v.same(x, y))
		}
		if best == 1 {
			hard += w
		}
		soft += best * w
		number_ = number_ || number(x) && !slices.Contains(b, x)
	}
	return hard / max(total, 1e-6), soft / max(total, 1e-6), number_
}

// harmonic is the harmonic mean of two parts.
func harmonic(a, b float32) float32 {
	if a+b == 0 {
		return 0
	}
	return 2 * a * b / (a + b)
}
