package link

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"

	"syncabel/internal/corpus"
	"syncabel/internal/lexical"
	"syncabel/internal/ranker"
)

// rankerDocument describes the mentions of one document to the ranker. The tasks are that document's, all of them.
func (l *Linker) rankerDocument(d *corpus.Document, tasks []*task, blind lexical.Blind) *ranker.Document {
	mentions := make([]ranker.Mention, len(tasks))
	for i, t := range tasks {
		mentions[i] = t.asked()
	}
	return l.ranker.NewDocument(mentions, d.Text, blind)
}

func (t *task) asked() ranker.Mention {
	return ranker.Mention{Text: t.mention.Text, Surface: t.surface, Group: t.group}
}

// proposed adds the ranker's candidates, and tells those that the beams found how they look to stage 0.
func (l *Linker) proposed(t *task) {
	list, n := l.ranker.Candidates(&l.scr, t.asked(), t.concepts()...)
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
	for i := range t.cands {
		t.cands[i].lex.Concept = t.cands[i].concept // of those that only the model's names led to
	}
	slices.SortStableFunc(t.cands, func(a, b scored) int { return a.order - b.order })
	list := make([]lexical.Candidate, len(t.cands))
	for i := range t.cands {
		list[i] = t.cands[i].lex
	}
	for i, s := range l.ranker.Scores(t.around, t.asked(), list) {
		t.cands[i].ranker = s
	}
}

// unordered is the place of a candidate that stage 0 did not propose.
const unordered = math.MaxInt32

// TrainRanker trains r, which the linker must have been given, on annotated documents: every mention as if its document had not been
// annotated, and a part of them a second time as if no training annotation had ever meant their concept. That second look teaches the trees
// what to trust where training says nothing.
func (l *Linker) TrainRanker(ctx context.Context, docs []corpus.Document, seed uint64) error {
	lists := make([][]ranker.List, len(docs))
	errs := make([]error, len(docs))
	next := make(chan int)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		w := *l
		w.scr = lexical.Scratch{}
		wg.Go(func() {
			for i := range next {
				lists[i], errs[i] = w.trainingLists(&docs[i], rand.New(rand.NewPCG(seed, uint64(i))))
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
			return err
		}
	}
	l.ranker.Train(slices.Concat(lists...))
	return nil
}

func (l *Linker) trainingLists(d *corpus.Document, rng *rand.Rand) ([]ranker.List, error) {
	l.scr.Blind = lexical.Blind{Document: d.ID}
	defer func() { l.scr.Blind = lexical.Blind{} }()
	tasks, err := l.tasks([]corpus.Document{*d})
	if err != nil {
		return nil, err
	}
	var out []ranker.List
	for _, t := range tasks {
		if t.mention.NIL() {
			continue
		}
		out = append(out, l.trainingList(d, tasks, t, 0))
		if c, ok := l.kb.Index(t.mention.Gold[0][0]); ok && rng.Float64() < l.ranker.Hide() {
			out = append(out, l.trainingList(d, tasks, t, c+1))
		}
	}
	return out, nil
}

func (l *Linker) trainingList(d *corpus.Document, tasks []*task, t *task, hidden int) ranker.List {
	l.scr.Blind.Concept = hidden
	defer func() { l.scr.Blind.Concept = 0 }()
	cands, _ := l.ranker.Candidates(&l.scr, t.asked())
	list := ranker.List{X: l.ranker.Features(l.rankerDocument(d, tasks, l.scr.Blind), t.asked(), cands)}
	for _, c := range cands {
		list.Gold = append(list.Gold, t.means(l.kb.ID(c.Concept)))
	}
	return list
}

// means reports whether a concept is part of any of the mention's answers.
func (t *task) means(id string) bool {
	return slices.ContainsFunc(t.mention.Gold, func(a corpus.Answer) bool { return slices.Contains(a, id) })
}
