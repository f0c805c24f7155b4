package ranker

import (
	"math"
	"slices"
	"strings"

	"syncabel/internal/lexical"
	"syncabel/internal/terminology"
)

// The features of a candidate. Gaps are the distance to the best candidate of the mention.
const (
	fCosine         = iota // largest TF-IDF cosine to a name or training string
	fNameCosine            // to a name
	fTrainCosine           // to a training string
	fCosineGap             //
	fNameGap               //
	fExact                 // 1: equal to a name
	fFolded                // 1: its canonical words are a name's
	fBag                   // 1: in any order
	fMemory                // part of the equal training strings that meant it
	fMemoryCount           // log of their number
	fMemoryOther           // log of those that meant something else
	fBagMemory             // as fMemory for the canonical words in any order
	fBagMemoryOther        //
	fHardQuery             // part of the query's words that the nearest name has, by rareness
	fHardName              // part of that name's words that the query has
	fSoftQuery             // both again, with words that are synonyms or spelt alike
	fSoftName              //
	fSoft                  // their harmonic mean
	fSoftGap               //
	fNumbers               // 1: they name different numbers
	fHead                  // likeness of the last words
	fEdit                  // 1 minus edit distance
	fInitials              // 1: the text is the initials of a name
	fPrior                 // log of the concept's training annotations
	fNames                 // log of the number of its names
	fDepth                 // steps to the root of the hierarchy
	fChildren              // log of the number of its children
	fAnchors               // mentions of the document with another string that mean it
	fAnchorChild           // that mean a child of it
	fAnchorParent          // that mean a parent of it
	fAnchorWords           // part of the query's words in such a mention
	fInText                // 1: another of its names stands in the text
	fQueryWords            //
	fQueryLetters          //
	fLonger                // letters that the nearest name has more
	fPreferred             // 1: the nearest name is a preferred one
	fTrainSoft             // as fSoft for the nearest training string
	fTrainSoftGap          //
	fMoreWords             // words that the query has more than the nearest name
	fTextExact             // 1: the unexpanded text is a name
	fTextMemory            // as fMemory for the unexpanded text
	fParentOf              // candidates that are its children
	fRank                  // by cosine
	fElsewhere             // 1: no name of the concept is of the mention's group
	fApposed               // 1: the text says the mention a second time, beside it in brackets
	fApposedIs             // 1: the string of the second alone tells this concept
	fApposedSoft           // as fSoft for the second
	fApposedCosine         // largest TF-IDF cosine of a name to the second
	fApposedGap            //
	fVariant               // largest strength of what else could be written for the mention, times the cosine of a name to it
	fVariantGap            //
	fVariantBag            // largest strength of such a variant whose words are a name's, in any order
	fLogP                  // from here on what a language model says: log-probability of the names, renormalised over the trie's children
	fLogPGap               //
	fRaw                   // over the whole vocabulary
	fRawGap                //
	fBeam                  // 1: its beam search ended on the concept
	features
)

// Said is what a language model says of a candidate.
type Said struct {
	LogP float32 // log-probability of its names together, renormalised over the trie's children
	Raw  float32 // the same over the whole vocabulary
	Beam bool    // the beam search ended on it
}

// shape is a name ready to be compared.
type shape struct {
	key   string // normalised
	words []string
	bag   string
	vec   lexical.Vector
}

func (r *Ranker) shape(s string) shape {
	w := words(s)
	return shape{terminology.Normalize(s), w, bag(w), r.stage0.Vectorizer().Vector(s)}
}

// entry is a concept ready to be compared.
type entry struct {
	names   []namedShape
	groups  []string
	parents []int
	depth   int
	broader int // number of children
}

type namedShape struct {
	shape
	group     string
	initials  string
	preferred bool
}

func (r *Ranker) named(text, group string, preferred bool) namedShape {
	return namedShape{r.shape(text), group, initials(text), preferred}
}

// maxDepth bounds the walk to the root: hierarchies may hold cycles.
const maxDepth = 30

// entry decodes a concept, or takes it from the cache. The cache stops growing at a bound; nothing depends on what it holds.
func (r *Ranker) entry(i int) *entry {
	if e, ok := r.cache.Load(i); ok {
		return e.(*entry)
	}
	c := r.kb.Concept(i)
	e := &entry{groups: c.Groups(), parents: r.kb.ParentsOf(i), broader: len(r.kb.Children(i))}
	for _, n := range c.Names {
		e.names = append(e.names, r.named(n.Text, n.Group, n.Preferred))
		if bare := unqualified(n.Text); bare != n.Text {
			e.names = append(e.names, r.named(bare, n.Group, false))
		}
	}
	for at := e.parents; len(at) > 0 && e.depth < maxDepth; at = r.kb.ParentsOf(at[0]) {
		e.depth++
	}
	if r.cached.Add(1) < maxCached {
		r.cache.Store(i, e)
	}
	return e
}

// unqualified is a name without what stands in brackets at its end: "Rat (organism)", "VIH (Virus de l'Immunodéficience Humaine)".
func unqualified(name string) string {
	if bare, _, ok := strings.Cut(name, " ("); ok && strings.HasSuffix(name, ")") && bare != "" {
		return bare
	}
	return name
}

// maxCached concepts of some names each are a few hundred megabytes.
const maxCached = 100_000

// Features describes the candidates of one mention of d, a row each. said is what a model says of each; nil without one.
func (r *Ranker) Features(d *Document, m Mention, cands []lexical.Candidate, said []Said) [][]float32 {
	q := r.shape(m.Surface)
	raw := terminology.Normalize(m.Text)
	variants := r.varieties(m.Surface)
	out := make([][]float32, len(cands))
	for i, c := range cands {
		f := make([]float32, features)
		out[i] = f
		e := r.entry(c.Concept)
		f[fCosine], f[fNameCosine], f[fTrainCosine], f[fRank] = c.Score, c.NameScore, c.TrainScore, float32(i)
		f[fQueryWords], f[fQueryLetters] = float32(len(q.words)), float32(len(q.key))
		f[fPrior] = logCount(r.memory.count(c.Concept, d.blind))
		f[fNames], f[fDepth], f[fChildren] = logCount(len(e.names)), float32(e.depth), logCount(e.broader)
		r.names(f, q, raw, m, e)
		r.remembered(f, q, raw, m.Group, c.Concept, d.blind)
		r.around(f, d, q, c.Concept, e)
		asVaried(f, variants, m.Group, e)
		r.secondTime(f, d.apposed[q.key], c.Concept, e)
	}
	for i, s := range said {
		out[i][fLogP], out[i][fRaw] = s.LogP, s.Raw
		is(out[i], fBeam, s.Beam)
	}
	for _, g := range [][2]int{{fCosine, fCosineGap}, {fNameCosine, fNameGap}, {fSoft, fSoftGap}, {fTrainSoft, fTrainSoftGap}, {fLogP, fLogPGap}, {fRaw, fRawGap}, {fApposedCosine, fApposedGap}, {fVariant, fVariantGap}} {
		gap(out, g[0], g[1])
	}
	for i := range out {
		for j := range out {
			if i != j && slices.Contains(r.entry(cands[j].Concept).parents, cands[i].Concept) {
				out[i][fParentOf]++
			}
		}
	}
	return out
}

func gap(rows [][]float32, of, into int) {
	best := float32(math.Inf(-1))
	for _, f := range rows {
		best = max(best, f[of])
	}
	for _, f := range rows {
		f[into] = best - f[of]
	}
}

// names compares the query with the names of a concept, those of the mention's group where it has any, and keeps what the nearest by words says.
func (r *Ranker) names(f []float32, q shape, raw string, m Mention, e *entry) {
	short := len(raw) >= 2 && len(raw) <= 6 && !strings.Contains(raw, " ")
	best := float32(-1)
	elsewhere := !slices.Contains(e.groups, m.Group)
	is(f, fElsewhere, elsewhere)
	for i := range e.names {
		n := &e.names[i]
		if !elsewhere && n.group != "" && n.group != m.Group {
			continue
		}
		is(f, fExact, n.key == q.key)
		is(f, fTextExact, n.key == raw)
		is(f, fFolded, slices.Equal(n.words, q.words))
		is(f, fBag, n.bag == q.bag)
		is(f, fInitials, short && n.initials == raw)
		if len(n.words) == 0 || len(q.words) == 0 {
			continue
		}
		c := r.Vocabulary.compare(q.words, n.words)
		soft := harmonic(c.softQ, c.softN)
		if s := soft + 0.3*lexical.Cosine(q.vec, n.vec); s > best {
			best = s
			f[fHardQuery], f[fHardName], f[fSoftQuery], f[fSoftName], f[fSoft], f[fHead] = c.hardQ, c.hardN, c.softQ, c.softN, soft, c.head
			f[fNumbers], f[fPreferred] = 0, 0
			is(f, fNumbers, c.numbers)
			is(f, fPreferred, n.preferred)
			f[fEdit] = edit(q.key, n.key)
			f[fLonger], f[fMoreWords] = float32(len(n.key)-len(q.key)), float32(len(q.words)-len(n.words))
		}
	}
}

// is notes that something holds.
func is(f []float32, feature int, holds bool) {
	if holds {
		f[feature] = 1
	}
}

// remembered is what training says about the query's string and about the concept's.
func (r *Ranker) remembered(f []float32, q shape, raw, group string, concept int, blind lexical.Blind) {
	part := func(n, all int) float32 { return float32(n) / float32(max(all, 1)) }
	n, all := r.memory.byKey[place{group, q.key}].times(concept, blind)
	f[fMemory], f[fMemoryCount], f[fMemoryOther] = part(n, all), logCount(n), logCount(all-n)
	n, all = r.memory.byBag[place{group, q.bag}].times(concept, blind)
	f[fBagMemory], f[fBagMemoryOther] = part(n, all), logCount(all-n)
	n, all = r.memory.byKey[place{group, raw}].times(concept, blind)
	f[fTextMemory] = part(n, all)
	k := r.memory.concepts[concept]
	if k == nil || blind.Concept == concept+1 || len(q.words) == 0 {
		return
	}
	for i := range k.strings {
		if t := &k.strings[i]; len(t.words) > 0 && t.inDoc[blind.Document] < t.count {
			c := r.Vocabulary.compare(q.words, t.words)
			f[fTrainSoft] = max(f[fTrainSoft], harmonic(c.softQ, c.softN))
		}
	}
}
