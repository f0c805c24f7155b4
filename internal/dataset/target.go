package dataset

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"syncabel/internal/corpus"
	"syncabel/internal/markup"
	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

// Choices of the name that a model is taught to write for a mention, among the names of its concept in the document's language.
// Equals are decided by the order of the names: the preferred first, then as the knowledge base has them.
const (
	ChoiceTFIDF     = "tfidf"     // nearest by lexical.Vectorizer fitted on all names: the published recipe
	ChoiceEdit      = "edit"      // fewest inserted, deleted and replaced characters
	ChoicePreferred = "preferred" // the preferred name whatever the mention
	ChoiceEmbedding = "embedding" // nearest by the cosine of vectors that Options.Embedder gives
)

// An Embedder gives one vector a text, all of one length.
type Embedder interface {
	Embed(ctx context.Context, texts []string) ([][]float32, error)
}

// A chooser returns the number of the name for a mention and how near it is; larger is nearer.
type chooser func(mention string, names []string) (int, float64)

func (s *Set) chooser() (chooser, error) {
	switch cmp.Or(s.opt.Choice, ChoiceTFIDF) {
	case ChoiceTFIDF:
		return func(m string, names []string) (int, float64) {
			i, c := s.vec.NearestScore(m, names)
			return i, float64(c)
		}, nil
	case ChoicePreferred:
		return func(string, []string) (int, float64) { return 0, 0 }, nil
	case ChoiceEdit:
		return nearestEdit, nil
	case ChoiceEmbedding:
		if s.opt.Embedder == nil {
			return nil, fmt.Errorf("choice %q of the target needs an embedding endpoint", ChoiceEmbedding)
		}
		return s.embedded, nil
	}
	return nil, fmt.Errorf("unknown choice %q of the target: have %s, %s, %s, %s", s.opt.Choice, ChoiceTFIDF, ChoiceEdit, ChoicePreferred, ChoiceEmbedding)
}

func nearestEdit(mention string, names []string) (int, float64) {
	best, at := math.MaxInt, 0
	m := []rune(mention)
	for i, n := range names {
		if d := editDistance(m, []rune(n)); d < best {
			best, at = d, i
		}
	}
	return at, -float64(best)
}

// editDistance counts inserted, deleted and replaced code points (Levenshtein).
func editDistance(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range b {
			d := diagonal
			if x != y {
				d = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}

// embedded chooses by the vectors that embed has asked for. A text without a vector is a broken invariant.
func (s *Set) embedded(mention string, names []string) (int, float64) {
	const tie = 1e-6
	q := s.vectors[mention]
	best, at := math.Inf(-1), 0
	for i, n := range names {
		if c := cosine(q, s.vectors[n]); c > best+tie {
			best, at = c, i
		}
	}
	return at, best
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range min(len(a), len(b)) {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	return ab / math.Sqrt(max(aa*bb, 1e-30))
}

// embed asks for the vectors of every mention and every name of its concepts, each text once, in sorted order.
func (s *Set) embed(ctx context.Context, sets ...[]corpus.Document) error {
	need := map[string]bool{}
	for _, docs := range sets {
		for i := range docs {
			d := &docs[i]
			var long map[string]string
			if s.opt.Expand {
				long = Expansions(d.Text)
			}
			for j := range d.Mentions {
				m := &d.Mentions[j]
				for _, a := range m.Gold {
					for _, id := range a {
						k, ok := s.kb.Index(id)
						if !ok {
							continue
						}
						need[Expand(m.Text, long)] = true
						c := s.kb.Concept(k)
						for _, n := range namesIn(c, d.Language, s.groupOf(c, m.Type)) {
							need[n] = true
						}
					}
				}
			}
		}
	}
	texts := make([]string, 0, len(need))
	for t := range need {
		texts = append(texts, t)
	}
	slices.Sort(texts)
	vectors, err := s.opt.Embedder.Embed(ctx, texts)
	if err != nil {
		return fmt.Errorf("embedding %d mentions and names: %w", len(texts), err)
	}
	if len(vectors) != len(texts) {
		return fmt.Errorf("embedding %d mentions and names: %d vectors came back", len(texts), len(vectors))
	}
	s.vectors = make(map[string][]float32, len(texts))
	for i, t := range texts {
		s.vectors[t] = vectors[i]
	}
	return nil
}

// groupOf returns the group a mention of a type has when it means c.
func (s *Set) groupOf(c *terminology.Concept, typ string) string {
	g := GroupOf(s.kb, typ, s.opt.GroupMap)
	if g == "" || !slices.Contains(c.Groups(), g) {
		return c.Groups()[0]
	}
	return g
}

// documents adds every mention that has a target. Documents are worked on in parallel and joined in their order.
func (s *Set) documents(docs []corpus.Document, origin string, choose chooser) {
	type result struct {
		items   []Item
		skipped map[string]int
	}
	results := make([]result, len(docs))
	next := make(chan int, len(docs))
	for i := range docs {
		next <- i
	}
	close(next)
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(docs)) {
		wg.Go(func() {
			for i := range next {
				items, skipped := s.document(&docs[i], origin, choose)
				results[i] = result{items, skipped}
			}
		})
	}
	wg.Wait()
	for _, r := range results {
		s.items[origin] = append(s.items[origin], r.items...)
		for why, n := range r.skipped {
			s.Skipped[why] += n
		}
	}
}

func (s *Set) document(d *corpus.Document, origin string, choose chooser) ([]Item, map[string]int) {
	var long map[string]string
	if s.opt.Expand {
		long = Expansions(d.Text)
	}
	var sentences []text.Span
	if s.opt.Markup.Context != "" && s.opt.Markup.Context != markup.ContextNone {
		sentences = text.Sentences(d.Text, d.Language, d.Spans())
	}
	var items []Item
	skipped := map[string]int{}
	var memory []markup.Link
	for j := range d.Mentions {
		m := &d.Mentions[j]
		it, why := s.item(d, m, long, choose)
		if why != "" {
			skipped[why]++
			continue
		}
		it.Origin, it.sentence, it.memory = origin, sentences, memory
		memory = append(memory, markup.Link{Surface: m.Text, Names: s.remembered(&it, choose)})
		items = append(items, it)
	}
	return items, skipped
}

// remembered returns the names that later prompts of the document show for an item.
func (s *Set) remembered(it *Item, choose chooser) []string {
	if s.opt.Remembered == nil || it.Origin != Human {
		return it.Names
	}
	i, ok := s.kb.Index(s.opt.Remembered(it.Doc.ID, it.Mention.ID))
	if !ok {
		return it.Names
	}
	list := namesIn(s.kb.Concept(i), it.Language, it.Group)
	if len(list) == 0 {
		return it.Names
	}
	k, _ := choose(it.Surface, list)
	return []string{s.kb.TargetForm(i, list[k], it.Group)}
}

// item chooses the target of one mention, or says why there is none. Of alternatives, which all count, it takes the one whose
// names are nearest.
func (s *Set) item(d *corpus.Document, m *corpus.Mention, long map[string]string, choose chooser) (Item, string) {
	if m.NIL() {
		return Item{}, "nil"
	}
	it := Item{Doc: d, Mention: m, Surface: m.Text, Language: d.Language}
	if l := Expand(m.Text, long); l != m.Text {
		it.Surface, it.Short = l, m.Text
	}
	best := math.Inf(-1)
	for _, a := range m.Gold {
		if group, names, score, ok := s.answerNames(a, m.Type, it.Surface, d.Language, choose); ok && score > best {
			best, it.Group, it.Names = score, group, names
		}
	}
	if it.Names == nil {
		return Item{}, "code not in knowledge base"
	}
	return it, ""
}

// answerNames returns the names of an answer's parts, in the form that is each concept's own, the group of the first, and the mean
// nearness. It fails when a part is not in the knowledge base.
func (s *Set) answerNames(a corpus.Answer, typ, surface, language string, choose chooser) (group string, names []string, score float64, ok bool) {
	for _, id := range a {
		i, ok := s.kb.Index(id)
		if !ok {
			return "", nil, 0, false
		}
		c := s.kb.Concept(i)
		g := s.groupOf(c, typ)
		group = cmp.Or(group, g)
		list := namesIn(c, language, g)
		k, near := choose(surface, list)
		names = append(names, s.kb.TargetForm(i, list[k], g))
		score += near / float64(len(a))
	}
	return group, names, score, true
}
