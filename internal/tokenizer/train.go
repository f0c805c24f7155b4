package tokenizer

import (
	"cmp"
	"container/heap"
	"fmt"
	"iter"
	"maps"
	"slices"
)

// TrainOptions say what vocabulary Train makes.
type TrainOptions struct {
	VocabSize int      // ids in all, special tokens included; default 4000: small models on 75k names stop gaining there
	Special   []string // added tokens, the first ids in this order
	Lowercase bool     // Lowercase normalizer: names and notes disagree about capitals, and a small model cannot afford both
	MinCount  int      // a pair must occur so often to be merged; default 2
}

// Train learns a byte-level byte-pair encoding (Sennrich et al. 2016, arXiv 1508.07909) with single digits. The result
// depends only on the multiset of texts: pairs of equal count are merged in the order of their written form.
func Train(texts iter.Seq[string], opt TrainOptions) (*Tokenizer, error) {
	opt.VocabSize = cmp.Or(opt.VocabSize, 4000)
	opt.MinCount = cmp.Or(opt.MinCount, 2)
	if opt.VocabSize < 256+len(opt.Special) {
		return nil, fmt.Errorf("training tokenizer: vocabulary of %d is smaller than 256 bytes and %d special tokens", opt.VocabSize, len(opt.Special))
	}
	t := &Tokenizer{tables: unicodeTables(), trained: &recipe{lower: opt.Lowercase}, decoders: []decoder{{kind: "ByteLevel"}},
		steps: []step{{kind: stepDigits, behavior: isolated}, {kind: stepByteLevel, pattern: patternGPT2}}}
	if opt.Lowercase {
		t.normalizers = []normalizer{{kind: "Lowercase"}}
	}
	for i, s := range opt.Special {
		if slices.Contains(byteAlphabet[:], s) || slices.Contains(opt.Special[:i], s) {
			return nil, fmt.Errorf("training tokenizer: special token %q is a token already", s)
		}
		t.tokens = append(t.tokens, s)
		t.added = append(t.added, Added{ID: int32(i), Content: s, Special: true})
	}
	t.tokens = append(t.tokens, byteAlphabet[:]...)
	tr := newTrainer(t, texts)
	for len(t.tokens) < opt.VocabSize {
		p, count, ok := tr.best()
		if !ok || count < opt.MinCount {
			break
		}
		tr.apply(p)
	}
	t.vocab = make(map[string]int32, len(t.tokens))
	for i, tok := range t.tokens {
		t.vocab[tok] = int32(i)
	}
	if err := t.newBPE(&modelJSON{Merges: t.trained.list}, true); err != nil {
		return nil, fmt.Errorf("training tokenizer: %w", err)
	}
	t.build()
	return t, nil
}

type trainer struct {
	t      *Tokenizer
	words  [][]int32
	counts []int
	pairs  map[pair]int              // occurrences
	where  map[pair]map[int]struct{} // words that hold a pair
	queue  pairHeap
}

func newTrainer(t *Tokenizer, texts iter.Seq[string]) *trainer {
	seen := map[string]int{}
	for s := range texts {
		t.cut(t.steps, t.normalize(lossy(s), inside), inside, func(w string) { seen[w]++ })
	}
	tr := &trainer{t: t, pairs: map[pair]int{}, where: map[pair]map[int]struct{}{}}
	first := int32(len(t.tokens) - 256)
	for _, w := range slices.Sorted(maps.Keys(seen)) {
		ids := make([]int32, len(w))
		for i := range len(w) {
			ids[i] = first + int32(w[i])
		}
		tr.words, tr.counts = append(tr.words, ids), append(tr.counts, seen[w])
		tr.count(len(tr.words)-1, 1, nil)
	}
	for p, n := range tr.pairs {
		tr.queue = append(tr.queue, entry{p, n, tr.key(p)})
	}
	heap.Init(&tr.queue)
	return tr
}

// count adds (sign 1) or takes away (-1) the pairs of word w, noting in touched those that changed.
func (tr *trainer) count(w, sign int, touched map[pair]struct{}) {
	ids := tr.words[w]
	for i := range len(ids) - 1 {
		p := pair{ids[i], ids[i+1]}
		tr.pairs[p] += sign * tr.counts[w]
		if sign > 0 {
			if tr.where[p] == nil {
				tr.where[p] = map[int]struct{}{}
			}
			tr.where[p][w] = struct{}{}
		}
		if touched != nil {
			touched[p] = struct{}{}
		}
	}
}

func (tr *trainer) key(p pair) string { return tr.t.tokens[p.a] + "\x00" + tr.t.tokens[p.b] }

// best takes the most frequent pair off the queue. Entries whose count is out of date are skipped: the current one is in
// the queue too.
func (tr *trainer) best() (pair, int, bool) {
	for len(tr.queue) > 0 {
		e := heap.Pop(&tr.queue).(entry)
		if n := tr.pairs[e.p]; n == e.count && n > 0 {
			return e.p, n, true
		}
	}
	return pair{}, 0, false
}

// apply merges p everywhere and puts the pairs that changed back into the queue.
func (tr *trainer) apply(p pair) {
	id := int32(len(tr.t.tokens))
	tr.t.tokens = append(tr.t.tokens, tr.t.tokens[p.a]+tr.t.tokens[p.b])
	tr.t.trained.list = append(tr.t.trained.list, mergeJSON{tr.t.tokens[p.a], tr.t.tokens[p.b]})
	touched := map[pair]struct{}{}
	for w := range tr.where[p] {
		tr.count(w, -1, touched)
		tr.words[w] = mergeAll(tr.words[w], p, id)
		tr.count(w, 1, touched)
	}
	delete(tr.where, p)
	delete(tr.pairs, p)
	for q := range touched {
		if n := tr.pairs[q]; n > 0 && q != p {
			heap.Push(&tr.queue, entry{q, n, tr.key(q)})
		}
	}
}

// mergeAll replaces every occurrence of p in ids, from the left, in place.
func mergeAll(ids []int32, p pair, id int32) []int32 {
	out := ids[:0]
	for i := 0; i < len(ids); i++ {
		if i+1 < len(ids) && ids[i] == p.a && ids[i+1] == p.b {
			out = append(out, id)
			i++
		} else {
			out = append(out, ids[i])
		}
	}
	return out
}

type entry struct {
	p     pair
	count int
	key   string
}

// pairHeap orders by count, then by written form, so the order of insertion does not show.
type pairHeap []entry

func (h pairHeap) Len() int { return len(h) }
func (h pairHeap) Less(i, j int) bool {
	if h[i].count != h[j].count {
		return h[i].count > h[j].count
	}
	return h[i].key < h[j].key
}
func (h pairHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *pairHeap) Push(x any)   { *h = append(*h, x.(entry)) }
func (h *pairHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	*h = old[:len(old)-1]
	return e
}
