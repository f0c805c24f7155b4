// Package dataset makes training examples: it chooses the name a model should write for each annotated mention, mixes
// human annotations, synthetic sentences and names of the knowledge base itself, and hands them to train as an endless,
// seeded stream. It stands after markup and lexical and before train.
package dataset

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"

	"syncabel/internal/corpus"
	"syncabel/internal/lexical"
	"syncabel/internal/markup"
	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

// Origins of an example.
const (
	Human     = "human"
	Synthetic = "synthetic"
	NoisyName = "kb-noisy"   // a name, mostly perturbed, with itself as target
	Synonym   = "kb-synonym" // a name with another name of its concept as target
)

// Options of New.
type Options struct {
	Mode     string         // default FullUpsampled when there are synthetic documents, else HumanOnly
	Ratio    float64        // of mode Ratio: human examples to every synthetic one
	First    int            // of mode HumanFT: passes through the synthetic examples before the human ones; default 5, the paper's
	Choice   string         // of the target name; default ChoiceTFIDF
	Embedder Embedder       // of ChoiceEmbedding
	Noisy    float64        // share of knowledge-base names per human example; 0 leaves them out
	Synonym  float64        // share of synonym pairs per human example
	Noise    float64        // chance that a human or synthetic mention is perturbed
	Markup   markup.Options // how prompts look
	Expand   bool           // replace mentions that are abbreviations by the long form their document gives
	Both     bool           // with Expand: keep the short form in every other pass
	Seed     uint64
	GroupMap map[string]string // type of the corpus -> semantic group
	// Remembered says which concept a linker that has not seen the document would give a human mention; its name is what stands in the
	// memory of later mentions. Nil, and where it gives none: the gold.
	Remembered func(doc, mention string) string
}

// An Item is one example before rendering.
type Item struct {
	Origin   string
	Doc      *corpus.Document
	Mention  *corpus.Mention
	Surface  string // mention text, or the long form
	Short    string // the text as it stands, where Surface is a long form
	Group    string
	Language string
	Names    []string // target names, several for a composite
	sentence []text.Span
	memory   []markup.Link // earlier mentions of the document with their targets
}

// A Set is the pool of examples by origin.
type Set struct {
	opt     Options
	kb      *terminology.KB
	vec     *lexical.Vectorizer
	items   map[string][]Item
	vectors map[string][]float32 // of ChoiceEmbedding, by text
	shares  map[string]float64
	Skipped map[string]int // why mentions gave no example, counted
}

// New builds examples from the training documents, the synthetic ones and the knowledge base.
func New(ctx context.Context, kb *terminology.KB, vec *lexical.Vectorizer, human, synthetic []corpus.Document, opt Options) (*Set, error) {
	s := &Set{opt: opt, kb: kb, vec: vec, items: map[string][]Item{}, Skipped: map[string]int{}}
	s.opt.Mode = cmp.Or(opt.Mode, map[bool]string{true: FullUpsampled, false: HumanOnly}[len(synthetic) > 0])
	s.opt.First = cmp.Or(opt.First, Passes(SynthOnly))
	if err := checkMode(s.opt.Mode); err != nil {
		return nil, err
	}
	if s.opt.Mode == SynthOnly {
		human = nil
	}
	if s.opt.Mode == HumanOnly {
		synthetic = nil
	}
	choose, err := s.chooser()
	if err != nil {
		return nil, err
	}
	if s.opt.Choice == ChoiceEmbedding {
		if err := s.embed(ctx, human, synthetic); err != nil {
			return nil, err
		}
	}
	s.documents(human, Human, choose)
	s.documents(synthetic, Synthetic, choose)
	if opt.Noisy > 0 {
		s.names()
	}
	if opt.Synonym > 0 {
		s.synonyms()
	}
	return s, s.mix()
}

// mix sets the share of each origin.
func (s *Set) mix() error {
	h, y := float64(len(s.items[Human])), float64(len(s.items[Synthetic]))
	s.shares = map[string]float64{}
	switch s.opt.Mode {
	case HumanOnly:
		s.shares[Human] = 1
	case SynthOnly:
		s.shares[Synthetic] = 1
	case Full:
		s.shares[Human], s.shares[Synthetic] = h/max(h+y, 1), y/max(h+y, 1)
	case FullUpsampled, HumanFT:
		s.shares[Human], s.shares[Synthetic] = 1, 1
	case Ratio:
		s.shares[Human], s.shares[Synthetic] = s.opt.Ratio, 1
	}
	s.shares[NoisyName], s.shares[Synonym] = s.opt.Noisy, s.opt.Synonym
	total := 0.0
	for o := range s.shares {
		if len(s.items[o]) == 0 {
			delete(s.shares, o)
		}
		total += s.shares[o]
	}
	if total == 0 {
		return fmt.Errorf("no training example for mode %q: check that the training documents' codes are in the knowledge base", s.opt.Mode)
	}
	return nil
}

// Counts returns the number of items by origin.
func (s *Set) Counts() map[string]int {
	out := map[string]int{}
	for o, list := range s.items {
		out[o] = len(list)
	}
	return out
}

// Expansions returns the long forms that a text gives for its short forms.
func Expansions(s string) map[string]string {
	out := map[string]string{}
	for _, a := range text.Abbreviations(s) {
		if _, ok := out[a.Short]; !ok {
			out[a.Short] = a.Long
		}
	}
	return out
}

// Expand replaces a mention, or its words, by the long form the document gives.
func Expand(mention string, long map[string]string) string {
	if l, ok := long[mention]; ok {
		return l
	}
	if len(long) == 0 {
		return mention
	}
	words, changed := splitWords(mention), false
	for i, w := range words {
		if l, ok := long[w]; ok && len(words) > 1 {
			words[i], changed = l, true
		}
	}
	if !changed {
		return mention
	}
	return joinWords(words)
}

// GroupOf maps an annotated type to a semantic group of the knowledge base: by the table, by equal name, or, when there is
// only one group, that one. It returns "" when none fits.
func GroupOf(kb *terminology.KB, typ string, table map[string]string) string {
	if g, ok := table[typ]; ok {
		return g
	}
	groups := kb.Groups()
	if slices.Contains(groups, typ) {
		return typ
	}
	if len(groups) == 1 {
		return groups[0]
	}
	return ""
}

// namesIn returns the names a model may be taught to write for a concept, preferred first.
func namesIn(c *terminology.Concept, language, group string) []string {
	out := c.NamesIn(group, language)
	sort.SliceStable(out, func(a, b int) bool { return out[a].Preferred && !out[b].Preferred })
	names := make([]string, len(out))
	for i, n := range out {
		names[i] = n.Text
	}
	return names
}

// names adds every name of every group as its own target.
func (s *Set) names() {
	for _, g := range s.kb.Groups() {
		for _, f := range s.kb.Forms(g) {
			if f.Qualified || len(f.Concepts) > 1 {
				continue // an ambiguous name does not say which concept it means
			}
			s.items[NoisyName] = append(s.items[NoisyName], Item{Origin: NoisyName, Surface: f.Text, Group: g, Names: []string{f.Text},
				Language: s.languageOf(f)})
		}
	}
}

func (s *Set) languageOf(f terminology.Form) string {
	c := s.kb.Concept(f.Concepts[0])
	for _, n := range c.Names {
		if n.Text == f.Text {
			return n.Language
		}
	}
	return c.Names[0].Language
}

// synonyms adds, for every name of a concept with several, its nearest other name as target.
func (s *Set) synonyms() {
	for i := range s.kb.Len() {
		c := s.kb.Concept(i)
		if len(c.Names) < 2 {
			continue
		}
		for k, n := range c.Names {
			g := cmp.Or(n.Group, c.Groups()[0])
			var others []string
			for j, o := range c.Names {
				if j != k && terminology.Normalize(o.Text) != terminology.Normalize(n.Text) && o.Language == n.Language && o.In(g) {
					others = append(others, o.Text)
				}
			}
			if len(others) == 0 {
				continue
			}
			name := s.kb.TargetForm(i, others[s.vec.Nearest(n.Text, others)], g)
			s.items[Synonym] = append(s.items[Synonym], Item{Origin: Synonym, Surface: n.Text, Group: g, Language: n.Language, Names: []string{name}})
		}
	}
}

// A Stream draws examples without end. The i-th example depends on the seed and i only.
type Stream struct {
	s       *Set
	origins []string
	credit  []float64
	next    map[string]int // examples drawn by origin
	order   map[string][]int
	drawn   int
}

// Stream starts at the first example.
func (s *Set) Stream() *Stream {
	st := &Stream{s: s, next: map[string]int{}, order: map[string][]int{}}
	for o := range s.shares {
		st.origins = append(st.origins, o)
	}
	slices.Sort(st.origins)
	st.credit = make([]float64, len(st.origins))
	return st
}

// Skip passes over n examples, as resuming does.
func (st *Stream) Skip(n int) {
	for range n {
		st.draw()
	}
}

// draw picks the origin that is furthest behind its share, then its next item in this pass's random order.
func (st *Stream) draw() (string, int, int) {
	best, total := -1, 0.0
	for i, o := range st.origins {
		if !st.has(o) {
			continue
		}
		st.credit[i] += st.s.shares[o]
		total += st.s.shares[o]
		if best < 0 || st.credit[i] > st.credit[best] {
			best = i
		}
	}
	st.credit[best] -= total
	o := st.origins[best]
	n := len(st.s.items[o])
	k := st.next[o]
	st.next[o]++
	st.drawn++
	if k%n == 0 {
		seed := st.s.opt.Seed*1000003 + uint64(k/n)
		st.order[o] = rand.New(rand.NewPCG(seed, uint64(len(o)))).Perm(n)
	}
	return o, st.order[o][k%n], k / n
}

// has reports whether an origin takes part now: under HumanFT the synthetic examples come first, in so many passes, then the human
// ones.
func (st *Stream) has(origin string) bool {
	if st.s.opt.Mode != HumanFT || len(st.s.items[Human]) == 0 || len(st.s.items[Synthetic]) == 0 {
		return true
	}
	first := st.next[Synthetic] < st.s.opt.First*len(st.s.items[Synthetic])
	return origin != Human && origin != Synthetic || (origin == Synthetic) == first
}

// Next returns the next example: prompt and target.
func (st *Stream) Next() (prompt, target []markup.Segment, origin string) {
	i := st.drawn
	o, k, pass := st.draw()
	it := &st.s.items[o][k]
	rng := rand.New(rand.NewPCG(st.s.opt.Seed, uint64(i)))
	surface := st.s.surface(it, pass, rng)
	if it.Doc == nil {
		return markup.Bare(surface, it.Group, it.Language), markup.Target(it.Names), o
	}
	q := markup.Question{Doc: it.Doc, Mention: it.Mention, Group: it.Group, Surface: surface, Sentences: it.sentence, Memory: it.memory}
	return markup.Prompt(q, st.s.opt.Markup), markup.Target(it.Names), o
}

// surface perturbs the mention as its origin asks.
func (s *Set) surface(it *Item, pass int, rng *rand.Rand) string {
	out := it.Surface
	if s.opt.Both && it.Short != "" && pass%2 == 1 {
		out = it.Short
	}
	chance := s.opt.Noise
	switch it.Origin {
	case NoisyName:
		chance = 0.75
	case Synonym:
		chance = 0.4
	}
	if rng.Float64() < chance {
		out = Perturb(out, rng)
	}
	return out
}

// An Example is one rendered example, as other trainers get it: not perturbed.
type Example struct {
	ID     string // document and mention
	Prompt []markup.Segment
	Target []markup.Segment
}

// Example renders an example of a sequence. The numbers of an origin follow the order of documents and mentions.
func (s *Set) Example(ref Ref) Example {
	it := &s.items[ref.Origin][ref.Index]
	q := markup.Question{Doc: it.Doc, Mention: it.Mention, Group: it.Group, Surface: it.Surface, Sentences: it.sentence, Memory: it.memory}
	return Example{ID: it.Doc.ID + "/" + it.Mention.ID, Prompt: markup.Prompt(q, s.opt.Markup), Target: markup.Target(it.Names)}
}
