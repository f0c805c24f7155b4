package lexical

import (
	"cmp"
	"slices"

	"syncabel/internal/terminology"
)

// Sources of a candidate, as predictions name them.
const (
	SourceDictionary = "dictionary" // equal to a name of the concept
	SourceMemory     = "memory"     // equal to a training annotation
	SourceTFIDF      = "tfidf"      // similar to a name
	SourceTraining   = "training"   // similar to a training annotation
)

// An Observation is one training annotation: a surface form that meant a concept.
type Observation struct {
	Surface string
	Concept int // index into the knowledge base
	Group   string
	// Document is where it stands. A search that leaves a document out does not see what only that document says.
	Document string
}

// A Candidate is a concept with its lexical score.
type Candidate struct {
	Concept int
	Score   float32 // largest cosine to a name or training string, in [0,1], plus at most 1e-3 that decides ties
	Name    string  // the knowledge-base name nearest to the query
	Source  string

	Equal      bool    // the mention equals a name or training string
	NameScore  float32 // largest cosine to a name; 0 when none shares a 3-gram
	TrainScore float32 // largest cosine to a training string
	TrainShare float32 // of the nearest training string's annotations, the part that meant this concept
}

// A Retriever finds concepts whose names, or training strings, resemble a mention. It is immutable after construction and
// safe for concurrent use with one Scratch each.
type Retriever struct {
	vec      *Vectorizer
	groups   map[string]*index
	concepts int // of the knowledge base
}

// index is one semantic group's inverted index.
type index struct {
	entries  []entry
	postings [][]posting        // by 3-gram
	exact    map[string][]int32 // by normalised text
}

type entry struct {
	text    string
	key     string // normalised
	concept int32
	bonus   float32 // tie rule: training strings before names, frequent meanings before rare
	share   float32 // of a training string: the part of its annotations that meant this concept
	train   bool
	docs    map[string]int // of a training string: annotations by document
	n       int            // their sum
}

type posting struct {
	entry int32
	w     float32
}

// Options of NewRetriever.
type Options struct {
	Names    bool // use names of the knowledge base
	Training []Observation
}

// Ties: a training string wins over a name of equal cosine, and among equal training strings the more frequent meaning.
const (
	trainBonus = 5e-4
	countBonus = 4e-4
)

// NewRetriever indexes the names of a knowledge base and the training strings. The vectorizer is fitted on the names.
func NewRetriever(kb *terminology.KB, opt Options) *Retriever {
	var names []string
	for i := range kb.Len() {
		for _, n := range kb.Concept(i).Names {
			names = append(names, n.Text)
		}
	}
	r := &Retriever{vec: Fit(names), groups: map[string]*index{}, concepts: kb.Len()}
	for _, g := range kb.Groups() {
		r.groups[g] = &index{}
	}
	if opt.Names {
		for i := range kb.Len() {
			c := kb.Concept(i)
			for _, g := range c.Groups() {
				for _, n := range c.Names {
					if !n.In(g) {
						continue
					}
					r.groups[g].add(entry{text: n.Text, key: terminology.Normalize(n.Text), concept: int32(i)})
				}
			}
		}
	}
	r.training(opt.Training)
	for _, x := range r.groups {
		x.build(r.vec)
	}
	return r
}

// training adds every distinct (string, concept) of a group once, with its share of the string's meanings as bonus.
func (r *Retriever) training(obs []Observation) {
	type meaning struct {
		group, key string
		concept    int
	}
	counts := map[meaning]int{}
	totals := map[meaning]int{}
	var order []meaning
	surface := map[meaning]string{}
	docs := map[meaning]map[string]int{}
	for _, o := range obs {
		m := meaning{o.Group, terminology.Normalize(o.Surface), o.Concept}
		if counts[m] == 0 {
			order = append(order, m)
			surface[m] = o.Surface
			docs[m] = map[string]int{}
		}
		docs[m][o.Document]++
		counts[m]++
		totals[meaning{m.group, m.key, -1}]++
	}
	for _, m := range order {
		x := r.groups[m.group]
		if x == nil {
			continue
		}
		share := float32(counts[m]) / float32(totals[meaning{m.group, m.key, -1}])
		x.add(entry{text: surface[m], key: m.key, concept: int32(m.concept), bonus: trainBonus + countBonus*share, share: share, train: true, docs: docs[m], n: counts[m]})
	}
}

func (x *index) add(e entry) { x.entries = append(x.entries, e) }

func (x *index) build(v *Vectorizer) {
	x.postings = make([][]posting, len(v.idf))
	x.exact = map[string][]int32{}
	for i, e := range x.entries {
		x.exact[e.key] = append(x.exact[e.key], int32(i))
		for _, w := range v.Vector(e.text) {
			x.postings[w.ID] = append(x.postings[w.ID], posting{int32(i), w.W})
		}
	}
}

// Vectorizer returns the vectorizer fitted on the names.
func (r *Retriever) Vectorizer() *Vectorizer { return r.vec }

// Blind takes training annotations away from a search, so that a training mention can be looked at as if it were new.
type Blind struct {
	Document string // its annotations; "": none
	Concept  int    // index + 1: all annotations that mean it; 0: none
}

func (b Blind) hides(e *entry) bool {
	return b.Concept == int(e.concept)+1 || b.Document != "" && e.docs[b.Document] == e.n
}

// A Scratch is the memory of one search.
type Scratch struct {
	// Blind is what the search must not know.
	Blind   Blind
	scores  []float32
	touched []int32
	place   []int32 // by concept: 1 + its place in hits
	hits    []hit
}

type hit struct {
	concept int32
	entry   int32
	score   float32
	nameS   float32
	name    int32 // nearest name entry, -1 when only training strings matched
	train   entryScore
}

type entryScore struct{ cosine, share float32 }

// Found is what a search found, until the next search with its Scratch.
type Found struct {
	x    *index
	hits []hit
	of   []int32
	keys []string // of the queries, normalised
}

// Search compares queries (a mention and its long form, say) with what a group's concepts are called: a concept's score is its largest
// over queries. An unknown group gives nothing.
func (r *Retriever) Search(s *Scratch, group string, queries ...string) Found {
	x := r.groups[group]
	if x == nil {
		return Found{}
	}
	for _, h := range s.hits {
		s.place[h.concept] = 0
	}
	s.hits = s.hits[:0]
	if n := r.concepts; len(s.place) < n {
		s.place = make([]int32, n)
	}
	f := Found{x: x}
	for _, q := range queries {
		key := terminology.Normalize(q)
		f.keys = append(f.keys, key)
		x.search(s, r.vec.Vector(q), key)
	}
	f.hits, f.of = s.hits, s.place
	return f
}

// Retrieve is Search and Best.
func (r *Retriever) Retrieve(s *Scratch, group string, k int, queries ...string) []Candidate {
	return r.Search(s, group, queries...).Best(k)
}

// Best returns the k best concepts, best first; equals by their number.
func (f Found) Best(k int) []Candidate { return f.top(k, func(h *hit) float32 { return h.score }) }

// BestByName returns the k concepts with the largest cosine of a name.
func (f Found) BestByName(k int) []Candidate {
	return f.top(k, func(h *hit) float32 { return h.nameS })
}

// Of returns what was found of one concept.
func (f Found) Of(concept int) (Candidate, bool) {
	if f.x == nil || f.of[concept] == 0 {
		return Candidate{}, false
	}
	return f.candidate(&f.hits[f.of[concept]-1]), true
}

// top keeps the k largest by insertion: nearly all hits are turned away by one comparison.
func (f Found) top(k int, by func(*hit) float32) []Candidate {
	order := func(a, b *hit) int { return cmp.Or(cmp.Compare(by(b), by(a)), cmp.Compare(a.concept, b.concept)) }
	k = min(k, len(f.hits))
	if k <= 0 {
		return nil
	}
	best := make([]*hit, 0, k+1)
	for i := range f.hits {
		h := &f.hits[i]
		switch {
		case k == len(f.hits):
			best = append(best, h)
		case len(best) < k || order(h, best[k-1]) < 0:
			at, _ := slices.BinarySearchFunc(best, h, order)
			best = slices.Insert(best, at, h)[:min(len(best)+1, k)]
		}
	}
	if k == len(f.hits) {
		slices.SortFunc(best, order)
	}
	out := make([]Candidate, k)
	for i, h := range best {
		out[i] = f.candidate(h)
	}
	return out
}

func (f Found) candidate(h *hit) Candidate {
	e := f.x.entries[h.entry]
	out := Candidate{Concept: int(h.concept), Score: h.score, Source: SourceTFIDF, NameScore: h.nameS,
		TrainScore: h.train.cosine, TrainShare: h.train.share, Equal: slices.Contains(f.keys, e.key)}
	switch {
	case e.train && out.Equal:
		out.Source = SourceMemory
	case e.train:
		out.Source = SourceTraining
	case out.Equal:
		out.Source = SourceDictionary
	}
	if h.name >= 0 {
		out.Name = f.x.entries[h.name].text
	}
	return out
}

// search adds to s.hits the concepts of entries that share a 3-gram with the query. Cosines far below the best cannot matter; those
// under a tenth are passed over.
func (x *index) search(s *Scratch, q Vector, key string) {
	if len(s.scores) < len(x.entries) {
		s.scores = make([]float32, len(x.entries))
	}
	s.touched = s.touched[:0]
	for _, w := range q {
		for _, p := range x.postings[w.ID] {
			if s.scores[p.entry] == 0 {
				s.touched = append(s.touched, p.entry)
			}
			s.scores[p.entry] += w.W * p.w
		}
	}
	for _, i := range s.touched {
		score := s.scores[i]
		s.scores[i] = 0
		if score < 0.1 {
			continue
		}
		if e := &x.entries[i]; e.key != key {
			s.merge(e, i, score)
		}
	}
	for _, i := range x.exact[key] { // equal up to case and space: rounding, or 3-grams no name has, must not decide
		s.merge(&x.entries[i], i, 1)
	}
}

func (s *Scratch) merge(e *entry, i int32, score float32) {
	if e.train && s.Blind.hides(e) {
		return
	}
	if s.place[e.concept] == 0 {
		s.hits = append(s.hits, hit{concept: e.concept, score: -1, name: -1})
		s.place[e.concept] = int32(len(s.hits))
	}
	h := &s.hits[s.place[e.concept]-1]
	if !e.train && (score > h.nameS || score == h.nameS && (h.name < 0 || i < h.name)) {
		h.name, h.nameS = i, score
	}
	if e.train && (score > h.train.cosine || score == h.train.cosine && e.share > h.train.share) {
		h.train = entryScore{score, e.share}
	}
	if total := score + e.bonus; total > h.score || total == h.score && i < h.entry {
		h.score, h.entry = total, i
	}
}
