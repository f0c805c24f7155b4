package tokenizer

import (
	"fmt"
	"math/bits"
	"strings"
	"unicode/utf8"
)

// bpe is byte-pair encoding over bytes, in GPT-2's alphabet, or over code points (SentencePiece's, as in Llama 2).
type bpe struct {
	merges  mergeTable
	bytes   bool       // units are bytes
	byteIDs [256]int32 // units of bytes, else <0x00> ... of byte_fallback; -1: not in the vocabulary
	back    bool       // byte_fallback
	unk     int32      // -1: unknown units are dropped
	fuse    bool       // fuse_unk
	ignore  bool       // ignore_merges: a whole word in the vocabulary is taken as it is
}

type pair struct{ a, b int32 }

type merge struct{ rank, id int32 }

// encode appends the ids of a pre-token.
func (m *bpe) encode(t *Tokenizer, dst []int32, w string) []int32 {
	if m.ignore {
		key := w
		if m.bytes {
			key = visible(w)
		}
		if id, ok := t.vocab[key]; ok {
			return append(dst, id)
		}
	}
	start := len(dst)
	dst = m.units(t, dst, w)
	return dst[:start+m.merge(dst[start:])]
}

// units appends the ids of the units of w before any merge.
func (m *bpe) units(t *Tokenizer, dst []int32, w string) []int32 {
	if m.bytes {
		for i := range len(w) {
			if id := m.byteIDs[w[i]]; id >= 0 {
				dst = append(dst, id)
			} else {
				dst = m.unknown(dst, i > 0 && m.byteIDs[w[i-1]] < 0)
			}
		}
		return dst
	}
	pending := false // the library holds an unknown unit back until a known one comes
	for i, r := range w {
		s := w[i : i+utf8.RuneLen(r)]
		if id, ok := t.vocab[s]; ok {
			if pending {
				dst, pending = append(dst, m.unk), false
			}
			dst = append(dst, id)
			continue
		}
		if m.back && m.fallback(s) {
			for j := range len(s) {
				dst = append(dst, m.byteIDs[s[j]])
			}
			continue
		}
		if m.unk >= 0 {
			if pending && !m.fuse {
				dst = append(dst, m.unk)
			}
			pending = true
		}
	}
	if pending {
		dst = append(dst, m.unk)
	}
	return dst
}

// unknown appends the unknown token, once for a run where runs are fused.
func (m *bpe) unknown(dst []int32, again bool) []int32 {
	if m.unk < 0 || again && m.fuse {
		return dst
	}
	return append(dst, m.unk)
}

// fallback reports whether every byte of s has a token.
func (m *bpe) fallback(s string) bool {
	for i := range len(s) {
		if m.byteIDs[s[i]] < 0 {
			return false
		}
	}
	return true
}

// longWord is the number of units from which a heap beats looking at all pairs.
const longWord = 64

const noRank = 1<<31 - 1

// merge applies merges to ids in place, always the pair of the lowest rank and of those the leftmost, and returns how many ids
// are left.
func (m *bpe) merge(ids []int32) int {
	if len(ids) > longWord {
		return m.mergeLong(ids)
	}
	var ranks [longWord]merge // of the pair that starts here
	n := len(ids)
	for i := range n - 1 {
		ranks[i] = m.at(ids[i], ids[i+1])
	}
	for n > 1 {
		best := 0
		for i := 1; i < n-1; i++ {
			if ranks[i].rank < ranks[best].rank {
				best = i
			}
		}
		if ranks[best].rank == noRank {
			break
		}
		ids[best] = ranks[best].id
		copy(ids[best+1:], ids[best+2:n])
		copy(ranks[best:], ranks[best+1:n-1])
		n--
		if best > 0 {
			ranks[best-1] = m.at(ids[best-1], ids[best])
		}
		if best < n-1 {
			ranks[best] = m.at(ids[best], ids[best+1])
		}
	}
	return n
}

func (m *bpe) at(a, b int32) merge { return m.merges.at(a, b) }

// A mergeTable is a hash table with open addressing: looking merges up is most of the work of a new word, and a map of Go
// takes twice as long.
type mergeTable struct {
	slots []mergeSlot
	shift uint
}

type mergeSlot struct {
	key uint64 // pair, plus one so that zero is free
	merge
}

func newMergeTable(n int) mergeTable {
	size := uint(bits.Len(uint(2*n + 1)))
	return mergeTable{make([]mergeSlot, 1<<size), 64 - size}
}

func pairKey(a, b int32) uint64 { return uint64(uint32(a))<<32 | uint64(uint32(b)) + 1 }

func (t *mergeTable) slot(key uint64) *mergeSlot {
	i := key * 0x9E3779B97F4A7C15 >> t.shift // Fibonacci hashing
	for {
		s := &t.slots[i]
		if s.key == key || s.key == 0 {
			return s
		}
		i = (i + 1) & uint64(len(t.slots)-1)
	}
}

func (t *mergeTable) at(a, b int32) merge {
	if s := t.slot(pairKey(a, b)); s.key != 0 {
		return s.merge
	}
	return merge{rank: noRank}
}

func (t *mergeTable) set(a, b int32, m merge) {
	key := pairKey(a, b)
	*t.slot(key) = mergeSlot{key, m}
}

// A link is a unit in a doubly linked list; a is -1 once it was merged into its neighbour.
type link struct{ id, prev, next int32 }

// candidate is a possible merge of the unit at and the one after it.
type candidate struct {
	order uint64 // rank, then place: the smallest is next
	id    int32
	pair  pair
}

func (c *candidate) at() int32 { return int32(uint32(c.order)) }

// candidates is a heap by order. container/heap would box every candidate.
type candidates []candidate

func (h *candidates) push(c candidate) {
	q := append(*h, c)
	i := len(q) - 1
	for i > 0 && c.order < q[(i-1)/2].order {
		q[i] = q[(i-1)/2]
		i = (i - 1) / 2
	}
	q[i], *h = c, q
}

func (h *candidates) pop() candidate {
	q := *h
	top, last := q[0], q[len(q)-1]
	q = q[:len(q)-1]
	i := 0
	for {
		k := 2*i + 1
		if k+1 < len(q) && q[k+1].order < q[k].order {
			k++
		}
		if k >= len(q) || q[k].order >= last.order {
			break
		}
		q[i] = q[k]
		i = k
	}
	if len(q) > 0 {
		q[i] = last
	}
	*h = q
	return top
}

// mergeLong is merge for long words: a heap of candidates over a linked list.
func (m *bpe) mergeLong(ids []int32) int {
	list := make([]link, len(ids))
	queue := make(candidates, 0, len(ids))
	offer := func(at int32) {
		if at < 0 || list[at].next < 0 {
			return
		}
		p := pair{list[at].id, list[list[at].next].id}
		if r := m.at(p.a, p.b); r.rank != noRank {
			queue.push(candidate{uint64(r.rank)<<32 | uint64(at), r.id, p})
		}
	}
	for i, id := range ids {
		list[i] = link{id, int32(i) - 1, int32(i) + 1}
	}
	list[len(ids)-1].next = -1
	for i := range ids {
		offer(int32(i))
	}
	for len(queue) > 0 {
		c := queue.pop()
		at := c.at()
		a := &list[at]
		if a.id != c.pair.a || a.next < 0 || list[a.next].id != c.pair.b {
			continue // out of date
		}
		b := &list[a.next]
		a.id, a.next, b.id = c.id, b.next, -1
		if a.next >= 0 {
			list[a.next].prev = at
		}
		offer(at)
		offer(a.prev)
	}
	n := 0
	for i := int32(0); i >= 0; i = list[i].next {
		ids[n] = list[i].id
		n++
	}
	return n
}

// newBPE checks the model part of a tokenizer.json of type BPE.
func (t *Tokenizer) newBPE(f *modelJSON, bytes bool) error {
	switch {
	case f.Dropout != nil && *f.Dropout != 0:
		return fmt.Errorf("BPE dropout is not supported")
	case f.ContinuingSub != nil && *f.ContinuingSub != "":
		return fmt.Errorf("continuing_subword_prefix of BPE is not supported")
	case f.EndOfWord != nil && *f.EndOfWord != "":
		return fmt.Errorf("end_of_word_suffix of BPE is not supported")
	case f.ByteFallback && bytes:
		return fmt.Errorf("byte_fallback of a byte-level BPE is not supported")
	}
	m := &bpe{bytes: bytes, back: f.ByteFallback, fuse: f.FuseUnk, ignore: f.IgnoreMerges, unk: -1, merges: newMergeTable(len(f.Merges))}
	if f.UnkToken != nil && *f.UnkToken != "" {
		id, ok := t.vocab[*f.UnkToken]
		if !ok {
			return fmt.Errorf("unk_token %q is not in the vocabulary", *f.UnkToken)
		}
		m.unk = id
	}
	for b := range 256 {
		m.byteIDs[b] = -1
		key := byteAlphabet[b]
		if !bytes {
			key = fmt.Sprintf("<0x%02X>", b)
		}
		if id, ok := t.vocab[key]; ok {
			m.byteIDs[b] = id
		}
	}
	for rank, p := range f.Merges {
		a, okA := t.vocab[p[0]]
		b, okB := t.vocab[p[1]]
		id, ok := t.vocab[p[0]+p[1]]
		if !okA || !okB || !ok {
			return fmt.Errorf("merge %d (%q, %q) needs a token that is not in the vocabulary", rank, p[0], p[1])
		}
		m.merges.set(a, b, merge{int32(rank), id}) // the last of equal merges counts, as in the library
	}
	t.model = m
	whole := len(t.steps) == 0 || len(t.steps) == 1 && t.steps[0].kind == stepMetaspace && t.steps[0].whole && t.steps[0].literal == metaMark
	if !bytes && whole && t.splitsAtMark(f.Merges) {
		t.steps = append(t.steps, step{kind: stepMarks})
	}
	return nil
}

// metaMark is SentencePiece's sign for a space.
const metaMark = "\u2581"

// splitsAtMark reports whether no merge crosses the start of a word: then the text, which SentencePiece models take as one word,
// can be cut there with the same result, and words are remembered.
func (t *Tokenizer) splitsAtMark(merges []mergeJSON) bool {
	if _, ok := t.vocab[metaMark]; !ok {
		return false
	}
	for _, p := range merges {
		word := p[0] + p[1]
		if strings.Contains(strings.TrimLeft(word, metaMark), metaMark) {
			return false
		}
	}
	return true
}
