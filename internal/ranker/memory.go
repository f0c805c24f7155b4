package ranker

import (
	"math"

	"syncabel/internal/lexical"
	"syncabel/internal/terminology"
)

// memory is what the training annotations say: what each string meant, in which document, and how often each concept occurs.
type memory struct {
	byKey    map[place]*meanings // by normalised string
	byBag    map[place]*meanings // by its canonical words in any order
	concepts map[int]*known
}

// place is a string in a semantic group.
type place struct{ group, text string }

// meanings counts the concepts that a string meant.
type meanings struct {
	total map[int]int
	inDoc map[string]map[int]int
}

// known is a concept's training annotations.
type known struct {
	count   int
	inDoc   map[string]int
	strings []trained
	at      map[string]int // index in strings by key
}

// trained is one string that meant a concept.
type trained struct {
	words []string
	count int
	inDoc map[string]int
}

func newMemory(obs []lexical.Observation) *memory {
	m := &memory{map[place]*meanings{}, map[place]*meanings{}, map[int]*known{}}
	for _, o := range obs {
		w := words(o.Surface)
		key := terminology.Normalize(o.Surface)
		note(m.byKey, place{o.Group, key}, o)
		note(m.byBag, place{o.Group, bag(w)}, o)
		k := m.concepts[o.Concept]
		if k == nil {
			k = &known{inDoc: map[string]int{}, at: map[string]int{}}
			m.concepts[o.Concept] = k
		}
		k.add(key, w, o.Document)
	}
	return m
}

func note(m map[place]*meanings, at place, o lexical.Observation) {
	e := m[at]
	if e == nil {
		e = &meanings{map[int]int{}, map[string]map[int]int{}}
		m[at] = e
	}
	e.total[o.Concept]++
	if e.inDoc[o.Document] == nil {
		e.inDoc[o.Document] = map[int]int{}
	}
	e.inDoc[o.Document][o.Concept]++
}

func (k *known) add(key string, words []string, document string) {
	k.count++
	k.inDoc[document]++
	i, ok := k.at[key]
	if !ok {
		i = len(k.strings)
		k.at[key] = i
		k.strings = append(k.strings, trained{words: words, inDoc: map[string]int{}})
	}
	k.strings[i].count++
	k.strings[i].inDoc[document]++
}

// times returns how often a string meant concept c, and any concept, outside what the search is blind to.
func (e *meanings) times(c int, b lexical.Blind) (n, all int) {
	if e == nil {
		return 0, 0
	}
	own := e.inDoc[b.Document]
	for k, v := range e.total {
		if b.Concept == k+1 {
			continue
		}
		v -= own[k]
		all += v
		if k == c {
			n = v
		}
	}
	return n, all
}

// usual returns the concept that a string meant in at least seven of ten annotations, or -1, and whether it has any.
func (e *meanings) usual(b lexical.Blind) (concept int, any bool) {
	if e == nil {
		return -1, false
	}
	best, at, all := 0, -1, 0
	for c := range e.total {
		n, a := e.times(c, b)
		all = a
		if n > best || n == best && n > 0 && c < at {
			best, at = n, c
		}
	}
	if all > 0 && 10*best < 7*all {
		at = -1
	}
	return at, all > 0
}

// count is how often training names a concept.
func (m *memory) count(c int, b lexical.Blind) int {
	k := m.concepts[c]
	if k == nil || b.Concept == c+1 {
		return 0
	}
	return k.count - k.inDoc[b.Document]
}

func logCount(n int) float32 { return float32(math.Log1p(float64(n))) }
