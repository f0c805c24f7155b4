// Package lexical compares strings without a model: character 3-gram TF-IDF, exact names, and the memory of training
// annotations. It chooses training targets for dataset, is the baseline that every model is set beside, and proposes
// candidates to link.
package lexical

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"
)

// A Vectorizer is scikit-learn's TfidfVectorizer(analyzer="char_wb", ngram_range=(3,3), lowercase=True): counts of
// character 3-grams inside space-padded words, weighted by ln((1+n)/(1+df))+1 and scaled to length 1.
type Vectorizer struct {
	ids map[gram]int32
	idf []float32
	n   int
}

// gram is three code points of 21 bits.
type gram uint64

// A Vector is sparse, sorted by id, of length 1 (or empty).
type Vector []Weight

// A Weight is one coordinate.
type Weight struct {
	ID int32
	W  float32
}

// Fit learns the vocabulary and document frequencies of texts.
func Fit(texts []string) *Vectorizer {
	v := &Vectorizer{ids: map[gram]int32{}, n: len(texts)}
	var df []int
	var buf []gram
	for _, s := range texts {
		buf = grams(buf[:0], s)
		slices.Sort(buf)
		for _, g := range slices.Compact(buf) {
			id, ok := v.ids[g]
			if !ok {
				id = int32(len(df))
				v.ids[g] = id
				df = append(df, 0)
			}
			df[id]++
		}
	}
	v.idf = make([]float32, len(df))
	for i, d := range df {
		v.idf[i] = float32(math.Log(float64(1+v.n)/float64(1+d)) + 1)
	}
	return v
}

// grams appends the 3-grams of s.
func grams(dst []gram, s string) []gram {
	var word []rune
	flush := func() {
		if len(word) < 2 {
			return
		}
		word = append(word, ' ')
		for i := 0; i+3 <= len(word); i++ {
			dst = append(dst, gram(word[i])<<42|gram(word[i+1])<<21|gram(word[i+2]))
		}
		word = word[:1]
	}
	word = append(word, ' ')
	for _, r := range strings.ToLower(s) {
		if unicode.IsSpace(r) {
			flush()
			continue
		}
		word = append(word, r)
	}
	flush()
	return dst
}

// Vector returns the vector of s; 3-grams that Fit did not see are left out.
func (v *Vectorizer) Vector(s string) Vector {
	var out Vector
	for _, g := range grams(nil, s) {
		if id, ok := v.ids[g]; ok {
			out = append(out, Weight{id, 1})
		}
	}
	slices.SortFunc(out, func(a, b Weight) int { return cmp.Compare(a.ID, b.ID) })
	w := 0
	for i := range out {
		if w > 0 && out[w-1].ID == out[i].ID {
			out[w-1].W++
			continue
		}
		out[w] = out[i]
		w++
	}
	out = out[:w]
	var sum float64
	for i := range out {
		out[i].W *= v.idf[out[i].ID]
		sum += float64(out[i].W) * float64(out[i].W)
	}
	inv := float32(1 / math.Sqrt(max(sum, 1e-30)))
	for i := range out {
		out[i].W *= inv
	}
	return out
}

// Cosine returns the cosine of two vectors.
func Cosine(a, b Vector) float32 {
	var s float32
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].ID < b[0].ID:
			a = a[1:]
		case a[0].ID > b[0].ID:
			b = b[1:]
		default:
			s += a[0].W * b[0].W
			a, b = a[1:], b[1:]
		}
	}
	return s
}

// Nearest returns the name most similar to mention; between equals the earlier in names, so the caller's order, preferred
// name first, is the tie rule.
func (v *Vectorizer) Nearest(mention string, names []string) int {
	q := v.Vector(mention)
	best, at := float32(-1), 0
	for i, n := range names {
		if c := Cosine(q, v.Vector(n)); c > best+1e-6 {
			best, at = c, i
		}
	}
	return at
}
