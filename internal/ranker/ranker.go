// Package ranker orders the concepts that a mention may mean by everything but a language model: how its words compare with names
// and training strings, what training says about them, what else the document names, and the hierarchy. The order is learnt by
// boosted trees from the training annotations, each seen as if its own document had not been annotated, and again as if its
// concept had never been. It stands after lexical, which gives the candidates, and before link, which adds the model's word.
package ranker

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"syncabel/internal/artifact"
	"syncabel/internal/lexical"
	"syncabel/internal/lexicon"
	"syncabel/internal/terminology"
)

// FileName is the trained ranker's file in its stage's folder.
const FileName = "ranker.json"

// formatVersion 1: trees, vocabulary, count of features.
const formatVersion = 1

// Options of a Ranker.
type Options struct {
	Candidates int     // by cosine, and half as many by the cosine of names alone; default 16
	Variants   int     // queries with a word replaced by a synonym; default 8
	Rendered   int     // the same where a lexicon renders words; default 24
	EachAdds   int     // candidates that each of them adds; default 2
	Elsewhere  int     // by cosine, of every group that is not the mention's, where annotators group otherwise than the knowledge base; default 3
	Hide       float64 // part of the training mentions that are seen again with their concept's annotations hidden; default 0.5
	Boost      BoostOptions
}

// WithDefaults fills in what is not set.
func (o Options) WithDefaults() Options {
	set := func(x *int, v int) {
		if *x == 0 {
			*x = v
		}
	}
	set(&o.Candidates, 16)
	set(&o.Variants, 8)
	set(&o.Rendered, 24)
	set(&o.EachAdds, 2)
	set(&o.Elsewhere, 3)
	if o.Hide == 0 {
		o.Hide = 0.5
	}
	o.Boost = o.Boost.withDefaults()
	return o
}

// A Ranker is safe for concurrent use with one lexical.Scratch each.
type Ranker struct {
	Vocabulary *Vocabulary
	Trees      Trees
	Informed   bool // the trees know what a language model says of candidates

	opt    Options
	kb     *terminology.KB
	stage0 *lexical.Retriever
	memory *memory
	others bool     // other groups are searched
	cache  sync.Map // concept -> *entry
	cached atomic.Int64
	found  sync.Map // place -> []lexical.Candidate, what further found
	places atomic.Int64
}

// New prepares a ranker without trees. stage0 must hold the same observations; pairs of a lexicon may be none.
func New(kb *terminology.KB, stage0 *lexical.Retriever, obs []lexical.Observation, pairs []lexicon.Pair, opt Options) *Ranker {
	return &Ranker{Vocabulary: Learn(kb, pairs), opt: opt.WithDefaults(), kb: kb, stage0: stage0, memory: newMemory(obs), others: regrouped(kb, obs)}
}

// regroupedShare is the part of the training annotations from which on other groups are searched: the search costs as much again for each,
// and where fewer cross, nothing is learnt about them.
const regroupedShare = 0.005

// regrouped reports whether annotations cross groups: mean concepts that the knowledge base has in other groups than theirs.
func regrouped(kb *terminology.KB, obs []lexical.Observation) bool {
	n := 0
	for _, o := range obs {
		if !slices.Contains(kb.Concept(o.Concept).Groups(), o.Group) {
			n++
		}
	}
	return float64(n) > regroupedShare*float64(len(obs))
}

// Grow grows trees on lists of Features. Where they hear a model, hiding a concept from stage 0 does not hide it from the model, so that
// trees learn to trust it too far on new concepts; without hidden concepts they learn nothing of new ones. What lists of either kind and lists
// without the model teach is therefore learnt three times, and the mean decides.
func (r *Ranker) Grow(lists []List) Trees {
	whole := Boost(lists, features, r.opt.Boost)
	if !r.Informed {
		return whole
	}
	var seen, deaf []List
	for _, l := range lists {
		if !l.Hidden {
			seen = append(seen, l)
		}
		deaf = append(deaf, l.deaf())
	}
	return mean(whole, Boost(seen, features, r.opt.Boost), Boost(deaf, features, r.opt.Boost))
}

// deaf returns the list without what a model says.
func (l List) deaf() List {
	x := make([][]float32, len(l.X))
	for i, f := range l.X {
		x[i] = slices.Clone(f)
		clear(x[i][fLogP:])
	}
	l.X = x
	return l
}

// Hide is the part of the training mentions to be seen again with their concept hidden.
func (r *Ranker) Hide() float64 { return r.opt.Hide }

// Candidates returns the concepts that stage 0 proposes for a mention of d as it is, then those of other groups, then those that it proposes
// when a word is replaced by a synonym, and for what the text says beside the mention; these are the first n. Then come the concepts of
// also that are not among them, with what stage 0 says of them.
func (r *Ranker) Candidates(s *lexical.Scratch, d *Document, m Mention, also ...int) (out []lexical.Candidate, n int) {
	further := append(slices.Clip(r.further(s, m)), r.apposed(s, d, m)...) // before the search proper, which ends with the next
	found := r.stage0.Search(s, m.Group, m.Surface)
	out = found.Best(r.opt.Candidates)
	add := func(c lexical.Candidate) {
		if slices.ContainsFunc(out, func(o lexical.Candidate) bool { return o.Concept == c.Concept }) {
			return
		}
		if known, ok := found.Of(c.Concept); ok {
			c = known
		}
		out = append(out, c)
	}
	for _, c := range found.BestByName(r.opt.Candidates / 2) {
		add(c)
	}
	for _, c := range further {
		add(c)
	}
	n = len(out)
	for _, c := range also {
		add(lexical.Candidate{Concept: c})
	}
	return out, n
}

// maxPlaces strings with some candidates each are some tens of megabytes.
const maxPlaces = 20_000

// further are the candidates that the searches beside the one for the mention itself lead to. They depend on its group and string alone where
// nothing is hidden, and texts repeat themselves: ten searches are saved each time.
func (r *Ranker) further(s *lexical.Scratch, m Mention) []lexical.Candidate {
	key, hidden := place{m.Group, m.Surface}, s.Blind != (lexical.Blind{})
	if list, ok := r.found.Load(key); ok && !hidden {
		return list.([]lexical.Candidate)
	}
	list := append(r.elsewhere(s, m), r.varied(s, m)...)
	if hidden {
		return list
	}
	if r.places.Add(1) > maxPlaces {
		r.found.Clear()
		r.places.Store(1)
	}
	key.text = strings.Clone(key.text) // not the document that it is a part of
	r.found.Store(key, list)
	return list
}

// elsewhere are the nearest concepts of the groups that are not the mention's, where annotations cross groups.
func (r *Ranker) elsewhere(s *lexical.Scratch, m Mention) (out []lexical.Candidate) {
	if !r.others {
		return nil
	}
	for _, g := range r.kb.Groups() {
		if g != m.Group {
			out = append(out, r.stage0.Retrieve(s, g, r.opt.Elsewhere, m.Surface)...)
		}
	}
	return out
}

// varied are the concepts near to what else could be written for the mention. Their cosine to the mention itself is another, or nothing.
func (r *Ranker) varied(s *lexical.Scratch, m Mention) (out []lexical.Candidate) {
	for _, v := range r.Vocabulary.variants(m.Surface, r.variants()) {
		for _, c := range r.stage0.Retrieve(s, m.Group, r.opt.EachAdds, v.text) {
			out = append(out, lexical.Candidate{Concept: c.Concept, Name: c.Name, Source: SourceSynonym})
		}
	}
	return out
}

// apposed are the concepts near to what the text says beside the mention, in brackets.
func (r *Ranker) apposed(s *lexical.Scratch, d *Document, m Mention) (out []lexical.Candidate) {
	list := d.apposed[terminology.Normalize(m.Surface)]
	for _, o := range list[:min(maxApposed, len(list))] {
		for _, c := range r.stage0.Retrieve(s, o.group, apposedAdds, o.surface) {
			out = append(out, lexical.Candidate{Concept: c.Concept, Name: c.Name, Source: SourceApposed})
		}
		if o.concept >= 0 {
			out = append(out, lexical.Candidate{Concept: o.concept, Source: SourceApposed})
		}
	}
	return out
}

// Sources of candidates that string comparison with the mention itself did not lead to.
const (
	SourceSynonym = "synonym" // a word of the mention was replaced by a synonym, or by what a lexicon renders it with
	SourceApposed = "apposed" // the text says the mention a second time, beside it in brackets
)

// Scores returns the log-odds of each candidate, up to a constant of the mention.
// said is what a model says of each, for a ranker that was trained with that; nil for others.
func (r *Ranker) Scores(d *Document, m Mention, cands []lexical.Candidate, said []Said) []float64 {
	out := make([]float64, len(cands))
	for i, f := range r.Features(d, m, cands, said) {
		out[i] = r.Trees.Score(f)
	}
	return out
}

// file is a trained ranker on disk.
type file struct {
	Version    int         `json:"version"`
	Features   int         `json:"features"`
	Informed   bool        `json:"informed,omitempty"`
	Options    Options     `json:"options"`
	Vocabulary *Vocabulary `json:"vocabulary"`
	Trees      Trees       `json:"trees"`
}

// WriteFile writes vocabulary and trees. The training annotations stay in the corpus stage.
func (r *Ranker) WriteFile(path string) error {
	b, err := json.Marshal(file{formatVersion, features, r.Informed, r.opt, r.Vocabulary, r.Trees})
	if err != nil {
		return fmt.Errorf("encoding ranker: %w", err)
	}
	return artifact.WriteFile(path, b)
}

// Open reads what WriteFile wrote.
func Open(path string, kb *terminology.KB, stage0 *lexical.Retriever, obs []lexical.Observation) (*Ranker, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading ranker: %w", err)
	}
	var f file
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("reading ranker %s: %w", path, err)
	}
	if f.Version != formatVersion || f.Features != features || f.Vocabulary == nil {
		return nil, fmt.Errorf("reading ranker %s: version %d with %d features, this program has version %d with %d: run the stage ranker again",
			path, f.Version, f.Features, formatVersion, features)
	}
	for i := range f.Trees {
		if err := f.Trees[i].check(); err != nil {
			return nil, fmt.Errorf("reading ranker %s: tree %d: %w", path, i, err)
		}
	}
	return &Ranker{Vocabulary: f.Vocabulary, Trees: f.Trees, Informed: f.Informed, opt: f.Options.WithDefaults(), kb: kb, stage0: stage0, memory: newMemory(obs), others: regrouped(kb, obs)}, nil
}

// check refuses a tree that would not end or would look outside its arrays.
func (t *Tree) check() error {
	n := len(t.Feature)
	if n == 0 || len(t.Cut) != n || len(t.Left) != n || len(t.Right) != n || len(t.Value) != n {
		return fmt.Errorf("its arrays differ in length")
	}
	for i, f := range t.Feature {
		if f >= features || f >= 0 && (int(t.Left[i]) <= i || int(t.Right[i]) <= i || int(t.Left[i]) >= n || int(t.Right[i]) >= n) {
			return fmt.Errorf("node %d points outside the tree", i)
		}
	}
	return nil
}
