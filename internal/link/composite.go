package link

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"syncabel/internal/corpus"
	"syncabel/internal/dataset"
	"syncabel/internal/lexical"
	"syncabel/internal/markup"
	"syncabel/internal/prediction"
	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

// Composites are what the training annotations say about mentions that mean several concepts at once ("breast and ovarian cancer"): which
// strings did, and how many of the coordinated phrases do. How many concepts a new mention means is read off its coordination, never off its
// annotation.
type Composites struct {
	rate float64              // of coordinated training phrases with known members, the part that means all members
	seen map[string]*meanings // by group and normalised string
}

// meanings counts what one training string meant.
type meanings struct {
	total   int
	answers map[string]int // composites only, their parts joined
}

// minMember is the least cosine of a coordination's member to a known string, chosen on the development split of ncbi-disease.
const minMember = 0.7

// LearnComposites reads training documents. stage0 must know their annotations; a document's own are not used to judge its phrases.
func LearnComposites(kb *terminology.KB, stage0 *lexical.Retriever, docs []corpus.Document, opt Options) *Composites {
	c := &Composites{seen: map[string]*meanings{}}
	l := &Linker{kb: kb, stage0: stage0, opt: opt}
	coordinated, all := 2.0, 1.0
	for i := range docs {
		d := &docs[i]
		long := dataset.Expansions(d.Text)
		l.scr.Blind = lexical.Blind{Document: d.ID}
		for j := range d.Mentions {
			m := &d.Mentions[j]
			group := dataset.GroupOf(kb, m.Type, opt.GroupMap)
			if m.NIL() || group == "" {
				continue
			}
			surface := m.Text
			if opt.Expand {
				surface = dataset.Expand(m.Text, long)
			}
			c.note(group, surface, m.Gold[0])
			if len(l.members(group, surface, d.Language)) > 0 {
				coordinated++
				if len(m.Gold[0]) > 1 {
					all++
				}
			}
		}
	}
	c.rate = all / coordinated
	return c
}

func (c *Composites) note(group, surface string, a corpus.Answer) {
	k := stringKey(group, surface)
	if c.seen[k] == nil {
		c.seen[k] = &meanings{answers: map[string]int{}}
	}
	c.seen[k].total++
	if len(a) > 1 {
		c.seen[k].answers[strings.Join(a, codeJoin)]++
	}
}

func stringKey(group, surface string) string { return group + "\x00" + terminology.Normalize(surface) }

// Codes and names of a composite in predictions.
const (
	codeJoin = "+"
	nameJoin = " + "
)

// recalled returns the composite that a training string most often meant, and the part of its annotations that did; known tells whether
// training has the string at all.
func (c *Composites) recalled(group, surface string) (codes []string, share float64, known bool) {
	m := c.seen[stringKey(group, surface)]
	if m == nil {
		return nil, 0, false
	}
	best := ""
	for a, n := range m.answers {
		if best == "" || n > m.answers[best] || n == m.answers[best] && a < best {
			best = a
		}
	}
	if best == "" {
		return nil, 0, true
	}
	return strings.Split(best, codeJoin), float64(m.answers[best]) / float64(m.total), true
}

// members returns the members of a coordinated phrase, each as the phrase it stands for that resembles a known string most. There are none
// where the whole is a known string, or a member resembles nothing.
func (l *Linker) members(group, surface, language string) []string {
	list := text.Conjuncts(surface, language)
	if len(list) == 0 || l.nearestScore(group, surface) >= 1 {
		return nil
	}
	var out []string
	for _, variants := range list {
		best, at := float32(0), ""
		for _, v := range variants {
			if s := l.nearestScore(group, v); s > best {
				best, at = s, v
			}
		}
		if best < minMember {
			return nil
		}
		if !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	if len(out) < 2 {
		return nil
	}
	return out
}

// split gives a task what its composite answer is made of: the answer that training gave to the string, or one task a member.
func (l *Linker) split(t *task, surface string) {
	codes, share, known := l.opt.Composites.recalled(t.group, surface)
	if known {
		if codes != nil {
			t.several = l.composite(t, codes, share)
		}
		return
	}
	for _, m := range l.members(t.group, surface, t.doc.Language) {
		part := *t
		part.surface = m
		t.members = append(t.members, &part)
	}
}

// composite is a candidate of several concepts, named by their names nearest to the mention.
func (l *Linker) composite(t *task, codes []string, probability float64) *prediction.Candidate {
	parts, names := slices.Sorted(slices.Values(codes)), []string(nil)
	for _, id := range parts {
		i, ok := l.kb.Index(id)
		if !ok {
			return nil
		}
		names = append(names, l.kb.Concept(i).PreferredName(t.doc.Language))
	}
	c := several(parts, names, lexical.SourceMemory)
	c.Probability = probability
	return &c
}

// several is a candidate of several concepts, its parts sorted by code.
func several(parts, names []string, source string) prediction.Candidate {
	return prediction.Candidate{Code: strings.Join(parts, codeJoin), Parts: parts, Name: strings.Join(names, nameJoin), Source: []string{source}}
}

// sourceParts marks answers that were put together from a coordination's members.
const sourceParts = "coordination"

// joined puts the first candidates of a task's members together, a concept that two members name once. Its probability is that of all being right, given that
// all members are meant.
func (l *Linker) joined(t *task) *prediction.Candidate {
	type part struct{ code, name string }
	var parts []part
	p := 1.0
	for _, m := range t.members {
		ranked, none := l.judged(m)
		if len(ranked) == 0 {
			return nil
		}
		p *= ranked[0].Probability * (1 - none)
		if !slices.ContainsFunc(parts, func(x part) bool { return x.code == ranked[0].Code }) {
			parts = append(parts, part{ranked[0].Code, ranked[0].Name})
		}
	}
	if len(parts) < 2 {
		return nil
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.code, b.code) })
	var codes, names []string
	for _, x := range parts {
		codes, names = append(codes, x.code), append(names, x.name)
	}
	c := several(codes, names, sourceParts)
	c.Probability = l.opt.Composites.rate * p
	return &c
}

// withSeveral puts a task's composite among its candidates, where its probability belongs. The others share what it leaves.
func (l *Linker) withSeveral(t *task, ranked []prediction.Candidate) []prediction.Candidate {
	c, left := t.several, 0.0
	switch {
	case c != nil:
		left = 1 - c.Probability
	case len(t.members) > 0:
		c, left = l.joined(t), 1-l.opt.Composites.rate
	}
	if c == nil {
		return ranked
	}
	sum := c.Probability + left
	i := len(ranked)
	for k := range ranked {
		ranked[k].Probability *= left / sum
		if i == len(ranked) && ranked[k].Probability < c.Probability/sum {
			i = k
		}
	}
	c.Probability /= sum
	if len(ranked) > 0 {
		c.Score = ranked[min(i, len(ranked)-1)].Score
	}
	return slices.Insert(ranked, i, *c)
}

// separator is the token between the names of an answer; 0 where one name is asked for.
func (l *Linker) separator() int32 {
	if !l.opt.Several {
		return 0
	}
	sep, _ := l.tok.ID(markup.Sep)
	return sep
}

// codes are the concepts of names, one a name, each once.
func (l *Linker) codes(leaves []int) (out []string) {
	for _, leaf := range leaves {
		if id := l.kb.ID(int(l.trie.Concepts(leaf)[0])); !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// together files a sequence of names of several concepts, unless a better one of the same has been written.
func (l *Linker) together(t *task, q sequence, codes []string) {
	var names []string
	for _, leaf := range q.leaves {
		names = append(names, l.trie.Text(leaf))
	}
	c := several(slices.Sorted(slices.Values(codes)), names, byBeam)
	c.Score, c.LogProb = q.score, q.logp
	if !slices.ContainsFunc(t.composites, func(x prediction.Candidate) bool { return x.Code == c.Code }) {
		t.composites = append(t.composites, c)
	}
}

// withWritten puts composites that were written among ranked candidates; z is the logarithm of what all of them sum to.
func withWritten(ranked, composites []prediction.Candidate, z float64) []prediction.Candidate {
	for _, c := range composites {
		c.Probability = math.Exp(c.Score - z)
		i, _ := slices.BinarySearchFunc(ranked, c.Score, func(x prediction.Candidate, score float64) int { return cmp.Compare(score, x.Score) })
		ranked = slices.Insert(ranked, i, c)
	}
	return ranked
}

// written turns a free answer of several names into a candidate; nil where it has one, or names what is no concept.
func (l *Linker) written(t *task, answer string) *prediction.Candidate {
	names := markup.ParseAnswer(answer)
	if l.opt.Composites == nil && !l.opt.Several || len(names) < 2 {
		return nil
	}
	var codes []string
	for _, n := range names {
		concepts := l.freeConcepts(t, n)
		if len(concepts) == 0 {
			return nil
		}
		if id := l.kb.ID(concepts[0]); !slices.Contains(codes, id) {
			codes = append(codes, id)
		}
	}
	if len(codes) < 2 {
		return nil
	}
	c := l.composite(t, codes, 1)
	c.Source = []string{Free}
	return c
}
