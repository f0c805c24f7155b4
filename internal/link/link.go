// Package link names the concept of each mention. It writes names with a language model that can only write names of the
// knowledge base (beam search over oracle and trie), adds the candidates that string comparison and the memory of training
// annotations give (stage 0), merges the names of a concept, and turns scores into probabilities. It stands after train
// and before eval.
//
// Modes:
//
//	free            beam search without a trie; what it writes counts when it is a name
//	beam-hf         token-synchronous beam search in the trie, raw log-probabilities, length normalisation (arXiv 2601.19667)
//	beam-trie       log-probabilities renormalised over the trie's children, forced tokens free
//	certified-top1  the one best name with the proof that none is better; a beam search where the proof would cost too much
//	hybrid          beam-trie, then every candidate of beams and stage 0 scored exactly and combined by weights fitted on dev
//	ranked         stage 0 in the order of the ranker, without a model
//	lexical         stage 0 alone
package link

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"syncabel/internal/corpus"
	"syncabel/internal/dataset"
	"syncabel/internal/lexical"
	"syncabel/internal/markup"
	"syncabel/internal/prediction"
	"syncabel/internal/ranker"
	"syncabel/internal/terminology"
	"syncabel/internal/text"
	"syncabel/internal/tokenizer"
	"syncabel/internal/train"
	"syncabel/internal/trie"
)

// Modes of linking.
const (
	Free          = "free"
	BeamHF        = "beam-hf"
	BeamTrie      = "beam-trie"
	CertifiedTop1 = "certified-top1"
	Hybrid        = "hybrid"
	Lexical       = "lexical"
	Ranked        = "ranked"
)

// Modes returns every mode.
func Modes() []string {
	return []string{Free, BeamHF, BeamTrie, CertifiedTop1, Hybrid, Lexical, Ranked}
}

// Options of a Linker.
type Options struct {
	Mode       string            // default BeamTrie
	Beams      int               // default 5, as published
	Candidates int               // concepts that stage 0 adds in Hybrid; default 32
	NamesEach  int               // names of a stage-0 candidate that are scored, the nearest first; default 4
	Keep       int               // candidates in a prediction; default 10
	Limit      int               // longest free answer in tokens; default 40
	Exact      bool              // in Lexical: equal strings only
	Coordinate bool              // take the first member of a coordination that nothing is called by
	Expand     bool              // replace abbreviations by the long form their document gives
	GroupMap   map[string]string // type of the corpus -> semantic group
	Markup     markup.Options    // must be what the model was trained with
	System     string            // name of the row in a comparison
	Composites *Composites       // also answers of several concepts; nil: every mention means one
	Several    bool              // in BeamHF: several names may be written with markup.Sep between them
	Weights    *Weights          // of Hybrid and Ranked; nil: the defaults
	NIL        float64           // in Hybrid and Ranked: abstain where no candidate is right with more than this probability; 0: never
	Budget     int               // of CertifiedTop1: nodes a proof may ask about before a beam search answers instead; default 64
	// CertifyMean lets CertifiedTop1 prove the best name by beam-hf's score, the mean of raw log-probabilities, instead of by
	// beam-trie's, under which its probability is exact.
	CertifyMean bool
	// MinConfidence abstains where the first candidate is right with less than this probability: its own times that of one being
	// right at all. It means what it says in Hybrid and Ranked, which are calibrated; 0: never.
	MinConfidence float64
	Closed        bool // every mention means a concept of the knowledge base: what means another is left out of fitting
	Batch         int  // mentions searched at a time; default 16
	Apart         bool // in BeamTrie: a concept has the probability of its likeliest name alone, for ablations
	Narrow        bool // in Hybrid: the candidates of stage 0 only, no beams, for ablations
	Progress      func(done, total int64)
}

// A Linker links mentions. It is not safe for concurrent use: the oracle's state is one search's.
type Linker struct {
	kb     *terminology.KB
	trie   *trie.Trie
	tok    *tokenizer.Tokenizer
	bos    int32
	oracle Oracle
	stage0 *lexical.Retriever
	ranker *ranker.Ranker // nil without
	opt    Options
	scr    lexical.Scratch
	memo   Memo
}

// Parts are what a Linker is made of. Oracle, Trie and Tokenizer may be missing in mode Lexical, Stage0 in the others but
// Hybrid.
type Parts struct {
	KB        *terminology.KB
	Trie      *trie.Trie
	Tokenizer *tokenizer.Tokenizer
	BOS       int32
	Oracle    Oracle
	Stage0    *lexical.Retriever
	Ranker    *ranker.Ranker // of Ranked; Hybrid uses it where there is one
	Memo      Memo           // what the model has said before, to other linkers over the same trie and model too; nil: to this one
}

// New checks that the parts belong together.
func New(p Parts, opt Options) (*Linker, error) {
	opt.Mode, opt.Beams = cmp.Or(opt.Mode, BeamTrie), cmp.Or(opt.Beams, 5)
	opt.Candidates, opt.NamesEach = cmp.Or(opt.Candidates, 32), cmp.Or(opt.NamesEach, 4)
	opt.Keep, opt.Limit, opt.Batch = cmp.Or(opt.Keep, 10), cmp.Or(opt.Limit, 40), cmp.Or(opt.Batch, 16)
	opt.Budget = cmp.Or(opt.Budget, 64)
	if !slices.Contains(Modes(), opt.Mode) {
		return nil, fmt.Errorf("unknown linking mode %q: have %s", opt.Mode, strings.Join(Modes(), ", "))
	}
	if opt.Mode != Lexical && opt.Mode != Ranked && (p.Oracle == nil || p.Trie == nil || p.Tokenizer == nil) {
		return nil, fmt.Errorf("linking mode %q needs a model", opt.Mode)
	}
	if opt.Mode == BeamHF && opt.Several {
		if _, ok := p.Tokenizer.ID(markup.Sep); !ok {
			return nil, fmt.Errorf("several names in an answer need a model whose tokenizer has %s as a token", markup.Sep)
		}
	}
	if opt.Mode == Ranked && p.Ranker == nil {
		return nil, fmt.Errorf("linking mode %q needs a trained ranker", opt.Mode)
	}
	if (opt.Mode == Hybrid || opt.Mode == Lexical || opt.Mode == Ranked) && p.Stage0 == nil {
		return nil, fmt.Errorf("linking mode %q needs stage 0", opt.Mode)
	}
	if p.Memo == nil {
		p.Memo = Memo{}
	}
	return &Linker{p.KB, p.Trie, p.Tokenizer, p.BOS, p.Oracle, p.Stage0, p.Ranker, opt, lexical.Scratch{}, p.Memo}, nil
}

// task is one mention on its way.
type task struct {
	doc       *corpus.Document
	mention   *corpus.Mention
	surface   string // text, or the long form its document gives
	group     string
	anywhere  bool // the group is unknown: names of all groups are searched, and group is where string comparison finds most likeness
	sentence  string
	prompt    []int32
	root      trie.Node
	cands     []scored
	heard     *heard
	around    *ranker.Document // what the ranker knows of the document
	blind     lexical.Blind    // what stage 0 must not know, of a training mention
	sentences []text.Span
	invalid   string // a free answer that is no name

	members []*task               // of a coordination, that may all be meant
	several *prediction.Candidate // a composite that is known before anything is asked

	composites []prediction.Candidate // that the model wrote, best first
}

// Link links every mention of docs, in their order.
func (l *Linker) Link(ctx context.Context, docs []corpus.Document) ([]prediction.Prediction, error) {
	tasks, err := l.tasks(docs)
	if err != nil {
		return nil, err
	}
	out := make([]prediction.Prediction, 0, len(tasks))
	err = l.each(ctx, tasks, func(t *task) {
		out = append(out, l.predict(t))
		t.cands, t.composites = nil, nil
	})
	return out, err
}

// each scores tasks batch by batch and hands them out in order.
func (l *Linker) each(ctx context.Context, tasks []*task, f func(*task)) error {
	if l.remembers() {
		if err := l.inReadingOrder(ctx, tasks); err != nil {
			return err
		}
		for i, t := range tasks {
			f(t)
			l.progress(i+1, len(tasks))
		}
		return nil
	}
	for lo := 0; lo < len(tasks); lo += l.opt.Batch {
		batch := tasks[lo:min(lo+l.opt.Batch, len(tasks))]
		if err := l.score(ctx, withMembers(batch)); err != nil {
			return linkError(batch, err)
		}
		for _, t := range batch {
			f(t)
		}
		l.progress(lo+len(batch), len(tasks))
	}
	return nil
}

func withMembers(batch []*task) []*task {
	out := slices.Clone(batch)
	for _, t := range batch {
		out = append(out, t.members...)
	}
	return out
}

func (l *Linker) progress(done, total int) {
	if l.opt.Progress != nil {
		l.opt.Progress(int64(done), int64(total))
	}
}

func linkError(batch []*task, err error) error {
	return fmt.Errorf("linking document %q: %w", batch[0].doc.ID, err)
}

func (l *Linker) tasks(docs []corpus.Document) ([]*task, error) {
	var out []*task
	for i := range docs {
		d := &docs[i]
		var long map[string]string
		if l.opt.Expand {
			long = dataset.Expansions(d.Text)
		}
		sentences := text.Sentences(d.Text, d.Language, d.Spans())
		ends := map[int]int{} // where mentions end -> the last start of those
		for _, m := range d.Mentions {
			ends[m.Span().End] = max(ends[m.Span().End], m.Span().Start)
		}
		for j := range d.Mentions {
			t, err := l.task(d, &d.Mentions[j], long, sentences, ends)
			if err != nil {
				return nil, err
			}
			out = append(out, t)
		}
		if l.ranker != nil {
			l.lookAround(d, out[len(out)-len(d.Mentions):])
		}
	}
	return out, nil
}

func (l *Linker) task(d *corpus.Document, m *corpus.Mention, long map[string]string, sentences []text.Span, ends map[int]int) (*task, error) {
	t := &task{doc: d, mention: m, surface: dataset.Expand(m.Text, long)}
	t.group = dataset.GroupOf(l.kb, m.Type, l.opt.GroupMap)
	if t.group == "" && l.searchesAll() {
		t.anywhere, t.group = true, l.likeliestGroup(t.surface)
	}
	switch {
	case t.group == "" && m.Type == "":
		return nil, fmt.Errorf("mention %q of document %q has no semantic group: write [mention]{Group} or give a group for all, one of %s",
			m.Text, d.ID, strings.Join(l.kb.Groups(), ", "))
	case t.group == "":
		return nil, fmt.Errorf("mention %q of document %q has type %q, which is no semantic group of the knowledge base (%s): map it in [link.group_map]",
			m.Text, d.ID, m.Type, strings.Join(l.kb.Groups(), ", "))
	}
	t.sentence = text.Marked(d.Text, m.Span(), sentences)
	whole, shared := t.surface, ends[m.Span().End] > m.Span().Start
	if l.opt.Coordinate && l.stage0 != nil {
		t.surface = l.coordinate(t, shared)
	}
	if l.opt.Mode != Lexical && l.opt.Mode != Ranked {
		var ok bool
		if t.root, ok = l.trie.Root(t.searched()); !ok {
			return nil, fmt.Errorf("the trie has no group %q: it was built for another knowledge base", t.searched())
		}
		t.sentences = sentences
	}
	if l.opt.Composites != nil && l.stage0 != nil && !l.writesSeveral() && !shared {
		l.split(t, whole)
	}
	if l.opt.Mode == Lexical || l.opt.Mode == Ranked || l.remembers() {
		return t, nil
	}
	for _, x := range withMembers([]*task{t}) {
		l.render(x, nil)
	}
	return t, nil
}

// writesSeveral reports whether the model itself decides how many names an answer has.
func (l *Linker) writesSeveral() bool {
	return l.opt.Mode == Free || l.opt.Mode == BeamHF && l.opt.Several
}

// searched is the group whose names are searched.
func (t *task) searched() string {
	if t.anywhere {
		return trie.All
	}
	return t.group
}

// searchesAll reports whether mentions of an unknown group can be linked: string comparison looks everywhere, a trie needs its root
// over all groups.
func (l *Linker) searchesAll() bool {
	if l.trie == nil {
		return l.stage0 != nil
	}
	_, ok := l.trie.Root(trie.All)
	return ok
}

// likeliestGroup is the group with the name or training string most like a surface, the first without any: what a prompt, which has to name
// one, says of a mention whose group nobody knows.
func (l *Linker) likeliestGroup(surface string) string {
	groups := l.kb.Groups()
	best, at := float32(0), groups[0]
	for _, g := range groups {
		if l.stage0 == nil {
			break
		}
		if s := l.nearestScore(g, surface); s > best {
			best, at = s, g
		}
	}
	return at
}

// render writes a task's prompt. One that leaves the model no room for the longest name goes without memory, then without context,
// then with the beginning of the mention only.
func (l *Linker) render(t *task, memory []markup.Link) {
	room := l.oracle.Caps().Context - l.trie.Depth(t.root)
	room = max(room, l.oracle.Caps().Context/2)
	q := markup.Question{Doc: t.doc, Mention: t.mention, Group: t.group, Surface: t.surface, Sentences: t.sentences, Memory: memory}
	opt := l.opt.Markup
	for {
		t.prompt = train.EncodePrompt(l.tok, l.bos, markup.Prompt(q, opt))
		switch words := strings.Fields(q.Surface); {
		case len(t.prompt) <= room:
			return
		case len(q.Memory) > 0:
			q.Memory = nil
		case opt.Form == markup.FormReference && opt.Context != markup.ContextWindow:
			opt.Context, opt.Words = markup.ContextWindow, 0
		case opt.Form == "" && opt.Context != "" && opt.Context != markup.ContextNone:
			opt = markup.Options{}
		case len(words) > 1:
			q.Surface = strings.Join(words[:len(words)/2], " ")
		default:
			q.Surface = strings.ToValidUTF8(q.Surface[:len(q.Surface)/2], "")
			if q.Surface == "" {
				return // the model has no room for any prompt and will say so
			}
		}
	}
}

// predict turns the ranked candidates of a task into its prediction.
func (l *Linker) predict(t *task) prediction.Prediction {
	m := t.mention
	p := prediction.Prediction{Document: t.doc.ID, Mention: m.ID, Spans: m.Spans, Text: m.Text, Sentence: t.sentence, Type: m.Type,
		Group: t.searched(), Language: t.doc.Language, HasGold: m.Gold != nil, Mode: l.opt.Mode, System: l.opt.System,
		Candidates: []prediction.Candidate{}, Gold: [][]string{}}
	for _, a := range m.Gold {
		p.Gold = append(p.Gold, a)
	}
	ranked, none := l.judged(t)
	p.NIL, ranked = none, l.withSeveral(t, ranked)
	if l.abstains(p.NIL, ranked) {
		return p
	}
	if t.invalid != "" {
		p.Candidates = append(p.Candidates, prediction.Candidate{Name: t.invalid, Source: []string{"free"}})
	}
	p.Candidates = append(p.Candidates, ranked[:min(l.opt.Keep, len(ranked))]...)
	return p
}

// judged ranks a task's candidates with calibrated probabilities, and gives that of none being right.
func (l *Linker) judged(t *task) ([]prediction.Candidate, float64) {
	ranked := l.rank(t)
	none := l.none(t, ranked)
	if l.weighs() && l.Weights().Calibration != nil && len(ranked) > 0 {
		none = l.Weights().Calibration.apply(t.group, ranked, none)
	}
	return ranked, none
}

// abstains decides whether a mention stays without an answer.
func (l *Linker) abstains(none float64, ranked []prediction.Candidate) bool {
	return l.opt.NIL > 0 && none > l.opt.NIL || len(ranked) > 0 && ranked[0].Probability*(1-none) < l.opt.MinConfidence
}

// coordinate chooses between a coordinated phrase and its first member: whichever resembles a known string most. A phrase that is a known
// string stays. Where another mention ends with the phrase ("limb malformations" in "ear and limb malformations") the phrase shares its last
// words with that one and means its first member.
func (l *Linker) coordinate(t *task, shared bool) string {
	variants := text.FirstConjuncts(t.surface, t.doc.Language)
	if len(variants) == 0 {
		return t.surface
	}
	best, at := l.nearestScore(t.group, t.surface), t.surface
	if shared {
		best = -1
	}
	for _, v := range variants {
		if best >= 1 {
			break
		}
		if s := l.nearestScore(t.group, v); s > best {
			best, at = s, v
		}
	}
	return at
}

func (l *Linker) nearestScore(group, s string) float32 {
	if c := l.stage0.Retrieve(&l.scr, group, 1, s); len(c) > 0 {
		return c[0].Score
	}
	return 0
}

// none is the probability that no candidate is right, 0 where the weights do not know.
func (l *Linker) none(t *task, ranked []prediction.Candidate) float64 {
	if !l.weighs() || l.Weights().Confidence == nil || len(ranked) == 0 {
		return 0
	}
	i, _ := l.kb.Index(ranked[0].Code)
	return l.Weights().Confidence.probability(confidenceFeatures(ranked[0].Score, ranked[0].Probability, float64(t.candidate(i).lex.Score)))
}
