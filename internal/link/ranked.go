package link

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"syncabel/internal/corpus"
	"syncabel/internal/lexical"
	"syncabel/internal/ranker"
)

// maxAround is how much of a text counts as around a mention, in bytes: a clinical note or two. The ranker compares each mention with all
// others and with the text, so that a document of megabytes must be looked at in pieces.
const maxAround = 32 << 10

// lookAround tells tasks, which are all of a document and in its order, what the ranker knows of it.
func (l *Linker) lookAround(d *corpus.Document, tasks []*task) {
	for len(tasks) > 0 {
		lo, hi, n := 0, len(d.Text), len(tasks)
		if hi > maxAround {
			lo = tasks[0].mention.Span().Start / maxAround * maxAround
			hi = min(lo+maxAround, hi)
			in := func(t *task) bool { at := t.mention.Span().Start; return at >= lo && at < hi }
			for n = 1; n < len(tasks) && in(tasks[n]); n++ {
			}
		}
		around := l.rankerDocument(d.Text, lo, hi, tasks[:n], l.scr.Blind)
		for _, t := range withMembers(tasks[:n]) {
			t.around = around
		}
		tasks = tasks[n:]
	}
}

// rankerDocument describes mentions that stand together in s[lo:hi] to the ranker.
func (l *Linker) rankerDocument(s string, lo, hi int, tasks []*task, blind lexical.Blind) *ranker.Document {
	mentions := make([]ranker.Mention, len(tasks))
	for i, t := range tasks {
		mentions[i] = t.asked()
		mentions[i].Start -= lo
		mentions[i].End -= lo
	}
	return l.ranker.NewDocument(mentions, s[lo:hi], blind)
}

func (t *task) asked() ranker.Mention {
	at := t.mention.Span()
	return ranker.Mention{Text: t.mention.Text, Surface: t.surface, Group: t.group, Start: at.Start, End: at.End}
}

// proposed adds the ranker's candidates, and tells those that the beams found how they look to stage 0.
func (l *Linker) proposed(t *task) {
	l.scr.Blind = t.blind
	list, n := l.ranker.Candidates(&l.scr, t.around, t.asked(), t.concepts()...)
	for i, c := range list {
		s := t.candidate(c.Concept)
		s.lex, s.listed, s.order = c, i < n, i
		if s.name == "" {
			s.name = c.Name
		}
		if s.name == "" {
			s.name = l.kb.Concept(c.Concept).PreferredName(t.doc.Language)
		}
	}
}

func (t *task) concepts() []int {
	out := make([]int, len(t.cands))
	for i := range t.cands {
		out[i] = t.cands[i].concept
	}
	return out
}

// ranked gives every candidate of a task the ranker's score.
func (l *Linker) ranked(t *task) {
	list, said := l.known(t)
	for i, s := range l.ranker.Scores(t.around, t.asked(), list, said) {
		t.cands[i].ranker = s
	}
}

// known brings the candidates of a task into stage 0's order and returns what stage 0 knows of each, and the model where the ranker was
// trained with that.
func (l *Linker) known(t *task) ([]lexical.Candidate, []ranker.Said) {
	for i := range t.cands {
		t.cands[i].lex.Concept = t.cands[i].concept // of those that only the model's names led to
	}
	slices.SortStableFunc(t.cands, func(a, b scored) int { return a.order - b.order })
	list := make([]lexical.Candidate, len(t.cands))
	var said []ranker.Said
	for i := range t.cands {
		s := &t.cands[i]
		list[i] = s.lex
		if l.opt.Mode == Hybrid && l.ranker.Informed {
			said = append(said, ranker.Said{LogP: float32(max(s.logp, floorLogP)), Raw: float32(max(s.raw, floorLogP)), Beam: s.beam})
		}
	}
	return list, said
}

// unordered is the place of a candidate that stage 0 did not propose.
const unordered = math.MaxInt32

// A Lesson is what one look at a training mention teaches: the ranker its list, calibration how likely the first candidate is right.
type Lesson struct {
	ranker.List
	seen mentionCase // without the ranker's log-odds
}

// Lessons makes the ranker's training examples of annotated documents: every mention as if its document had not been annotated, and a
// part of them a second time as if no training annotation had ever meant their concept. That second look teaches the trees what to trust
// where training says nothing. The workers are linkers of equal parts and options, with an oracle of their own each, which in Hybrid must not
// have learnt from these documents.
func Lessons(ctx context.Context, workers []*Linker, docs []corpus.Document, seed uint64) ([]Lesson, error) {
	lists := make([][]Lesson, len(docs))
	errs := make([]error, len(docs))
	next := make(chan int)
	var wg sync.WaitGroup
	for _, w := range workers {
		wg.Go(func() {
			for i := range next {
				lists[i], errs[i] = w.lessons(ctx, &docs[i], rand.New(rand.NewPCG(seed, uint64(i))))
			}
		})
	}
	for i := range docs {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	for _, err := range append(errs, ctx.Err()) {
		if err != nil {
			return nil, err
		}
	}
	return slices.Concat(lists...), nil
}

func (l *Linker) lessons(ctx context.Context, d *corpus.Document, rng *rand.Rand) ([]Lesson, error) {
	defer func() { l.scr.Blind = lexical.Blind{} }()
	l.scr.Blind = lexical.Blind{Document: d.Whole()}
	tasks, err := l.tasks([]corpus.Document{*d})
	if err != nil {
		return nil, err
	}
	var looks []*task
	around := map[int]*ranker.Document{} // by hidden concept
	look := func(t *task, hidden int) {
		c := *t
		c.blind = lexical.Blind{Document: d.Whole(), Concept: hidden}
		if around[hidden] == nil {
			around[hidden] = l.rankerDocument(d.Text, 0, len(d.Text), tasks, c.blind)
		}
		c.around = around[hidden]
		looks = append(looks, &c)
	}
	for _, t := range tasks {
		if t.mention.NIL() || l.outside(t) {
			continue
		}
		look(t, 0)
		if c, ok := l.kb.Index(t.mention.Gold[0][0]); ok && rng.Float64() < l.ranker.Hide() {
			look(t, c+1)
		}
	}
	var out []Lesson
	for some := range slices.Chunk(looks, l.opt.Batch) {
		if err := l.gather(ctx, some); err != nil {
			return nil, err
		}
		for _, t := range some {
			list, said := l.known(t)
			x := Lesson{seen: l.mentionCase(t)}
			x.Hidden = t.blind.Concept > 0
			x.seen.group, x.seen.document = t.group, d.Whole()
			x.X, x.Gold = l.ranker.Features(t.around, t.asked(), list, said), x.seen.gold
			out = append(out, x)
		}
	}
	return out, nil
}

// Learn trains the ranker on lessons and returns weights that leave the order to it, calibrated on the lessons: each is judged by trees grown
// without its document. They stand in for weights fitted on development documents where there are too few of those.
func Learn(k *ranker.Ranker, lessons []Lesson, calibration string) *Weights {
	lists := func(keep func(*Lesson) bool) []ranker.List {
		var out []ranker.List
		for i := range lessons {
			if keep(&lessons[i]) {
				out = append(out, lessons[i].List)
			}
		}
		return out
	}
	var cases []mentionCase
	for fold := range heldOutFolds {
		in := func(x *Lesson) bool { return x.seen.fold(heldOutFolds) == fold }
		trees := k.Grow(lists(func(x *Lesson) bool { return !in(x) }))
		for i := range lessons {
			x := &lessons[i]
			if x.Hidden || !in(x) {
				continue
			}
			for j, f := range x.X {
				x.seen.features[j][rankerFeature] = trees.Score(f)
			}
			cases = append(cases, x.seen)
		}
	}
	k.Trees = k.Grow(lists(func(*Lesson) bool { return true }))
	fixed := func(cases []mentionCase) *Weights { return fitCases(cases, rankerAlone(), true) }
	w := fixed(cases)
	if len(cases) >= minFit {
		w.Calibration = calibrate(cases, calibration, fixed)
	}
	return w
}

// heldOutFolds is how many times trees are grown for Learn's calibration.
const heldOutFolds = 2

// outside reports whether Closed leaves a mention out.
func (l *Linker) outside(t *task) bool {
	return l.opt.Closed && !slices.ContainsFunc(slices.Concat(t.mention.Gold...), func(id string) bool {
		_, ok := l.kb.Index(id)
		return ok
	})
}

// means reports whether a concept is part of any of the mention's answers.
func (t *task) means(id string) bool {
	return slices.ContainsFunc(t.mention.Gold, func(a corpus.Answer) bool { return slices.Contains(a, id) })
}
