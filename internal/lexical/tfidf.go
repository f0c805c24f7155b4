// Package lexical compares strings without a model: character 3-gram TF-IDF, exact names, and the memory of training
// annotations. It chooses training targets for dataset, is the baseline that every model is set beside, and proposes
// candidates to link.
package lexical

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// A Vectorizer is scikit-learn's TfidfVectorizer(analyzer="char_wb", ngram_range=(3,3), lowercase=True): counts of
// character 3-grams inside space-padded words, weighted by ln((1+n)/(1+df))+1 and scaled to length 1. Lower-casing and
// white space are Python's. It is immutable and safe for concurrent use.
type Vectorizer struct {
	ids gramTable
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

// gramTable numbers 3-grams from 0 in the order they are first seen. Those of ASCII, nearly all, are looked up without hashing.
type gramTable struct {
	ascii []int32 // 2^21 entries: id+1, 0 for none
	wide  map[gram]int32
	n     int32
}

func newGramTable() gramTable {
	return gramTable{ascii: make([]int32, 1<<21), wide: map[gram]int32{}}
}

// asciiGram packs an ASCII 3-gram into 21 bits; false for others.
func asciiGram(g gram) (int, bool) {
	const high = gram(0x1fff80)<<42 | gram(0x1fff80)<<21 | gram(0x1fff80)
	return int(g>>42)<<14 | int(g>>21&0x7f)<<7 | int(g&0x7f), g&high == 0
}

func (t *gramTable) get(g gram) (int32, bool) {
	if k, ok := asciiGram(g); ok {
		return t.ascii[k] - 1, t.ascii[k] > 0
	}
	id, ok := t.wide[g]
	return id, ok
}

// add returns the number of g, a new one when it has none.
func (t *gramTable) add(g gram) int32 {
	if id, ok := t.get(g); ok {
		return id
	}
	if k, ok := asciiGram(g); ok {
		t.ascii[k] = t.n + 1
	} else {
		t.wide[g] = t.n
	}
	t.n++
	return t.n - 1
}

// fitChunk is how many texts one worker counts at a time. Chunks are merged in their order, so that numbers of 3-grams do not
// depend on how many workers there are.
const fitChunk = 1 << 15

// Fit learns the vocabulary and document frequencies of texts.
func Fit(texts []string) *Vectorizer {
	chunks := (len(texts) + fitChunk - 1) / fitChunk
	counted := make([]chan chunkCount, chunks)
	for i := range counted {
		counted[i] = make(chan chunkCount, 1)
	}
	next := make(chan int, chunks)
	for i := range chunks {
		next <- i
	}
	close(next)
	for range min(runtime.GOMAXPROCS(0), chunks) {
		go func() {
			for i := range next {
				counted[i] <- countChunk(texts[i*fitChunk : min((i+1)*fitChunk, len(texts))])
			}
		}()
	}
	v := &Vectorizer{ids: newGramTable(), n: len(texts)}
	var df []int
	for i := range counted {
		c := <-counted[i]
		for k, g := range c.grams {
			id := v.ids.add(g)
			if int(id) == len(df) {
				df = append(df, 0)
			}
			df[id] += c.df[k]
		}
	}
	v.idf = make([]float32, len(df))
	for i, d := range df {
		v.idf[i] = float32(math.Log(float64(1+v.n)/float64(1+d)) + 1)
	}
	return v
}

// chunkCount holds the 3-grams of some texts in the order they were first seen, and in how many texts each occurs.
type chunkCount struct {
	grams []gram
	df    []int
}

func countChunk(texts []string) chunkCount {
	t := newGramTable()
	var c chunkCount
	var last []int // text that a 3-gram was last seen in, to count it once a text
	var buf []gram
	for i, s := range texts {
		buf = grams(buf[:0], s)
		for _, g := range buf {
			id := t.add(g)
			if int(id) == len(c.grams) {
				c.grams, c.df, last = append(c.grams, g), append(c.df, 0), append(last, -1)
			}
			if last[id] != i {
				last[id] = i
				c.df[id]++
			}
		}
	}
	return c
}

// grams appends the 3-grams of s.
func grams(dst []gram, s string) []gram {
	a, b := gram(' '), gram(0) // the two characters before; b 0 at the start of a word
	flush := func() {
		if b != 0 {
			dst = append(dst, a<<42|b<<21|' ')
		}
		a, b = ' ', 0
	}
	for _, r := range lower(s) {
		switch {
		case isSpace(r):
			flush()
		case b == 0:
			b = gram(r)
		default:
			dst = append(dst, a<<42|b<<21|gram(r))
			a, b = b, gram(r)
		}
	}
	flush()
	return dst
}

// lower is Python's str.lower, which differs from strings.ToLower for two letters: a capital sigma that ends a word, and a
// capital I with a dot, which keeps the dot as a character of its own.
func lower(s string) string {
	if !strings.ContainsAny(s, "\u03a3\u0130") {
		return strings.ToLower(s)
	}
	r := []rune(s)
	var b strings.Builder
	for i, c := range r {
		switch {
		case c == 0x130:
			b.WriteString("i\u0307")
		case c == 0x3a3 && cased(r[:i], -1) && !cased(r[i+1:], 1):
			b.WriteRune(0x3c2)
		default:
			b.WriteRune(unicode.ToLower(c))
		}
	}
	return b.String()
}

// cased reports whether the nearest character of r that is not passed over (marks, apostrophes ...) is a letter with case,
// seen from its end (-1) or its start.
func cased(r []rune, direction int) bool {
	for i := range r {
		c := r[i]
		if direction < 0 {
			c = r[len(r)-1-i]
		}
		if unicode.In(c, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) || strings.ContainsRune("'.:\u00b7\u2018\u2019\u2024\u2027", c) {
			continue
		}
		return unicode.IsUpper(c) || unicode.IsLower(c) || unicode.IsTitle(c)
	}
	return false
}

// isSpace is Python's str.isspace.
func isSpace(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f }

// Vector returns the vector of s; 3-grams that Fit did not see are left out.
func (v *Vectorizer) Vector(s string) Vector {
	sc := scratches.Get().(*scratch)
	defer scratches.Put(sc)
	return slices.Clone(v.vector(sc, s))
}

// scratch is the memory of one vector.
type scratch struct {
	grams []gram
	out   Vector
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// vector is Vector in borrowed memory.
func (v *Vectorizer) vector(sc *scratch, s string) Vector {
	sc.grams = grams(sc.grams[:0], s)
	out := sc.out[:0]
	for _, g := range sc.grams {
		if id, ok := v.ids.get(g); ok {
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
	sc.out = out
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

// tie is how much more similar a later name must be to be preferred: cosines that differ by less are equal up to rounding.
const tie = 1e-6

// Nearest returns the name most similar to mention; between equals the earlier in names, so the caller's order, preferred
// name first, is the tie rule.
func (v *Vectorizer) Nearest(mention string, names []string) int {
	if len(names) < 2 {
		return 0
	}
	at, _ := v.NearestScore(mention, names)
	return at
}

// NearestScore is Nearest with the cosine.
func (v *Vectorizer) NearestScore(mention string, names []string) (int, float32) {
	q := v.Vector(mention)
	sc := scratches.Get().(*scratch)
	defer scratches.Put(sc)
	best, at := float32(-1), 0
	for i, n := range names {
		if c := Cosine(q, v.vector(sc, n)); c > best+tie {
			best, at = c, i
		}
	}
	return at, best
}
