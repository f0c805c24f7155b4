package link

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"syncabel/internal/lexical"
	"syncabel/internal/markup"
	"syncabel/internal/prediction"
	"syncabel/internal/trie"
)

// scored is a candidate concept with everything known about it.
type scored struct {
	concept int
	logp    float64 // log-probability of its names together, -Inf when no model was asked
	raw     float64 // the same over the whole vocabulary, of Hybrid only
	best    float64 // of its best name
	name    string  // best name
	lex     lexical.Candidate
	beam    bool    // the model's search ended on it
	how     string  // of a certified search: how it was proved
	listed  bool    // stage 0 gave it
	ranker  float64 // log-odds that the ranker gives it
	order   int     // among stage 0's candidates
	value   float64 // of a free or Hugging Face style answer
}

// score fills the candidates of a batch.
func (l *Linker) score(ctx context.Context, batch []*task) error {
	switch l.opt.Mode {
	case Lexical:
		for _, t := range batch {
			l.listed(t, l.opt.Keep)
		}
		return nil
	case Free, BeamHF:
		return l.sequences(ctx, batch, l.opt.Mode == BeamHF)
	case CertifiedTop1:
		return l.certified(ctx, batch)
	}
	if l.opt.Mode == BeamTrie {
		return l.beamSearches(ctx, batch)
	}
	if err := l.gather(ctx, batch); err != nil {
		return err
	}
	if l.ranker != nil {
		for _, t := range batch {
			l.ranked(t)
		}
	}
	return nil
}

// beamSearches runs beamTrie for a batch and files what it found.
func (l *Linker) beamSearches(ctx context.Context, batch []*task) error {
	if err := l.hear(ctx, batch); err != nil {
		return err
	}
	for _, t := range batch {
		for _, f := range t.heard.done {
			l.reached(t, f.leaf, f.logp)
		}
	}
	return nil
}

// reached adds a finished name's probability to its concepts; a name that several share is split evenly among them.
func (l *Linker) reached(t *task, leaf int, logp float64) {
	concepts := l.trie.Concepts(leaf)
	share := logp - math.Log(float64(len(concepts)))
	for _, c := range concepts {
		s := t.candidate(int(c))
		s.beam = true
		s.add(share, l.trie.Text(leaf))
	}
}

func (s *scored) add(logp float64, name string) {
	if logp > s.best {
		s.best, s.name = logp, name
	}
	s.logp = logSumExp([]float64{s.logp, logp})
}

func (t *task) candidate(concept int) *scored {
	for i := range t.cands {
		if t.cands[i].concept == concept {
			return &t.cands[i]
		}
	}
	t.cands = append(t.cands, scored{concept: concept, logp: math.Inf(-1), raw: math.Inf(-1), best: math.Inf(-1), order: unordered})
	return &t.cands[len(t.cands)-1]
}

// listed adds the candidates of stage 0 and tells the others how they look to it.
func (l *Linker) listed(t *task, k int) {
	n := len(t.cands)
	list := func(c lexical.Candidate, listed bool) {
		if l.opt.Exact && !c.Equal {
			return
		}
		s := t.candidate(c.Concept)
		if s.lex.Score > c.Score { // of another group
			return
		}
		s.lex, s.listed = c, listed
		s.name = cmp.Or(s.name, c.Name, l.kb.Concept(c.Concept).PreferredName(t.doc.Language))
	}
	groups := []string{t.group}
	if t.anywhere {
		groups = l.kb.Groups()
	}
	for _, g := range groups {
		found := l.stage0.Search(&l.scr, g, t.surface)
		for i := range t.cands[:n] {
			if c, ok := found.Of(t.cands[i].concept); ok {
				list(c, false)
			}
		}
		for _, c := range found.Best(k) {
			list(c, true)
		}
	}
}

// nameLeaves returns the leaves of a concept's names nearest to the mention: those the model was taught to write.
func (l *Linker) nameLeaves(t *task, concept int) []leafPath {
	names := l.nearest(t, concept)
	var out []leafPath
	for _, n := range names {
		tokens := append(l.tok.EncodeOrdinary(nil, l.opt.Markup.Name(l.kb.TargetForm(concept, n, t.group))), l.trie.EOS())
		node, ok := l.trie.Find(t.root, tokens)
		if !ok {
			continue
		}
		leaf := l.trie.Leaf(node)
		if !slices.ContainsFunc(out, func(p leafPath) bool { return p.leaf == leaf }) {
			out = append(out, leafPath{leaf, tokens})
		}
	}
	return out
}

func (l *Linker) nearest(t *task, concept int) []string {
	vec := l.stage0.Vectorizer()
	q := vec.Vector(t.surface)
	type near struct {
		text   string
		cosine float32
	}
	var list []near
	for _, n := range l.kb.Concept(concept).NamesIn(t.group, t.doc.Language) {
		list = append(list, near{n.Text, lexical.Cosine(q, vec.Vector(n.Text))})
	}
	slices.SortStableFunc(list, func(a, b near) int { return cmp.Compare(b.cosine, a.cosine) })
	var out []string
	for _, n := range list[:min(l.opt.NamesEach, len(list))] {
		out = append(out, n.text)
	}
	return out
}

// sequences runs the searches of the modes free and, guided, beam-hf.
func (l *Linker) sequences(ctx context.Context, batch []*task, guided bool) error {
	sep, limit := int32(0), l.opt.Limit
	if guided {
		sep, limit = l.separator(), trie.MaxTokens+1
	}
	list := make([]*sequenceSearch, len(batch))
	for i, t := range batch {
		list[i] = &sequenceSearch{prompt: t.prompt, root: t.root, guided: guided, sep: sep, live: []hypothesis{{node: t.root}}}
	}
	if err := runSequences(ctx, l.trie, l.oracle, list, l.opt.Beams, limit); err != nil {
		return err
	}
	for i, t := range batch {
		for rank, q := range list[i].done {
			if guided {
				l.guided(t, q)
				continue
			}
			name := l.tok.Decode(q.tokens, true)
			concepts := l.freeConcepts(t, name)
			if rank == 0 {
				t.several = l.written(t, name)
			}
			if rank == 0 && len(concepts) == 0 {
				t.invalid = cmp.Or(strings.TrimSpace(name), "(nothing)")
			}
			l.answered(t, strings.TrimSpace(name), concepts, q)
		}
	}
	return nil
}

// guided files what a guided search wrote: a name, or several.
func (l *Linker) guided(t *task, q sequence) {
	if codes := l.codes(q.leaves); len(codes) > 1 {
		l.together(t, q, codes)
		return
	}
	leaf := q.leaves[0]
	l.answered(t, l.trie.Text(leaf), conceptsOf(l.trie.Concepts(leaf)), q)
}

func (l *Linker) answered(t *task, name string, concepts []int, q sequence) {
	for _, c := range concepts {
		s := t.candidate(c)
		if s.beam {
			continue
		}
		s.beam, s.name, s.value = true, name, q.score
		s.logp, s.best = q.logp, q.logp
	}
}

func conceptsOf(list []uint32) []int {
	out := make([]int, len(list))
	for i, c := range list {
		out[i] = int(c)
	}
	return out
}

// freeConcepts looks a free answer up: as a name of the group, or as a form with a qualifier, which the trie knows.
func (l *Linker) freeConcepts(t *task, answer string) []int {
	parts := markup.ParseAnswer(answer)
	if len(parts) == 0 {
		return nil
	}
	tokens := append(l.tok.EncodeOrdinary(nil, l.opt.Markup.Name(parts[0])), l.trie.EOS())
	if n, ok := l.trie.Find(t.root, tokens); ok {
		return conceptsOf(l.trie.Concepts(l.trie.Leaf(n)))
	}
	var out []int
	for _, c := range l.kb.Normalized(parts[0]) {
		if slices.Contains(l.kb.Concept(c).Groups(), t.group) {
			out = append(out, c)
		}
	}
	return out
}

// rank orders a task's candidates and gives them probabilities.
func (l *Linker) rank(t *task) []prediction.Candidate {
	scores := make([]float64, len(t.cands))
	for i := range t.cands {
		scores[i] = l.value(t, &t.cands[i])
	}
	all := slices.Clone(scores)
	for _, c := range t.composites {
		all = append(all, c.Score)
	}
	z := l.denominator(all)
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(scores[b], scores[a]), cmp.Compare(t.cands[a].concept, t.cands[b].concept))
	})
	out := make([]prediction.Candidate, 0, len(order))
	for _, i := range order {
		s := &t.cands[i]
		c := prediction.Candidate{Code: l.kb.Concept(s.concept).ID, Name: s.name, Score: scores[i], Probability: math.Exp(scores[i] - z), Source: s.sources()}
		if !math.IsInf(s.best, -1) {
			c.LogProb = s.best
		}
		out = append(out, c)
	}
	return withWritten(out, t.composites, z)
}

// denominator is the log of what probabilities are divided by: one where scores are log-probabilities among all names of the
// group, of which a certified search sees the best only.
func (l *Linker) denominator(scores []float64) float64 {
	if l.opt.Mode == CertifiedTop1 && !l.opt.CertifyMean {
		return 0
	}
	return logSumExp(scores)
}

// value is the score a candidate is ranked by. Its differences are log-odds in the modes beam-trie and hybrid.
func (l *Linker) value(t *task, s *scored) float64 {
	switch l.opt.Mode {
	case Lexical:
		return lexicalSharpness * float64(s.lex.Score)
	case Free, BeamHF, CertifiedTop1:
		return s.value
	case BeamTrie:
		if l.opt.Apart {
			return s.best
		}
		return s.logp
	}
	return l.Weights().value(t.features(s))
}

// lexicalSharpness turns differences of cosines into log-odds for display; it changes no rank.
const lexicalSharpness = 24

func (s *scored) sources() []string {
	var out []string
	if s.beam {
		out = append(out, cmp.Or(s.how, byBeam))
	}
	if s.listed {
		out = append(out, s.lex.Source)
	}
	return out
}
