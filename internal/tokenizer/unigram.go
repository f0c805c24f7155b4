package tokenizer

import (
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// unigram is SentencePiece's language model: the most probable cut of a word (Kudo 2018, arXiv 1804.10959), by Viterbi over
// the tokens that start at each place.
type unigram struct {
	scores  []float64
	unk     int32
	penalty float64    // score of an unknown code point
	byteIDs [256]int32 // <0x00> ... of byte_fallback; -1: none
	back    bool
	nodes   []unigramNode
	edges   []unigramEdge
}

// A unigramNode of the trie of tokens owns edges [first,last), sorted by byte.
type unigramNode struct {
	first, last int32
	id          int32 // -1: no token ends here
}

type unigramEdge struct {
	b    byte
	node int32
}

// unknownPenalty is how much worse than the worst token an unknown code point is, as in SentencePiece.
const unknownPenalty = 10

// best is the best cut that ends at a byte.
type best struct {
	score float64
	start int32 // -1: not reached
	id    int32
}

func (m *unigram) encode(t *Tokenizer, dst []int32, w string) []int32 {
	var stack [128]best
	ends := stack[:0]
	if len(w) >= len(stack) {
		ends = make([]best, 0, len(w)+1)
	}
	ends = ends[:len(w)+1]
	for i := range ends {
		ends[i] = best{start: -1}
	}
	for at := 0; at < len(w); {
		_, n := utf8.DecodeRuneInString(w[at:])
		if !m.extend(ends, w, at, n) {
			offer(&ends[at+n], ends[at].score+m.penalty, at, m.unk)
		}
		at += n
	}
	start := len(dst)
	for end := len(w); end > 0; { // from the back; an unknown run is one
		lo := int(ends[end].start)
		if ends[end].id == m.unk {
			for lo > 0 && ends[lo].id == m.unk {
				lo = int(ends[lo].start)
			}
			dst = m.unknown(t, dst, w[lo:end])
		} else {
			dst = append(dst, ends[end].id)
		}
		end = lo
	}
	slices.Reverse(dst[start:])
	return dst
}

// extend offers every token that starts at w[at:] and reports whether one of them is the code point of n bytes there.
func (m *unigram) extend(ends []best, w string, at, n int) bool {
	single, node, score := false, int32(0), ends[at].score
	for i := at; i < len(w); i++ {
		node = m.child(node, w[i])
		if node < 0 {
			break
		}
		if id := m.nodes[node].id; id >= 0 {
			offer(&ends[i+1], score+m.scores[id], at, id)
			single = single || i+1-at == n
		}
	}
	return single
}

func offer(b *best, score float64, start int, id int32) {
	if b.start < 0 || score > b.score {
		*b = best{score, int32(start), id}
	}
}

func (m *unigram) child(node int32, b byte) int32 {
	lo, hi := m.nodes[node].first, m.nodes[node].last
	for lo < hi {
		mid := (lo + hi) / 2
		switch e := m.edges[mid]; {
		case e.b == b:
			return e.node
		case e.b < b:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return -1
}

// unknown appends, last byte first, what stands for a stretch that no token covers: a token of its text, which a fused run may
// happen to be, its bytes, or the unknown token.
func (m *unigram) unknown(t *Tokenizer, dst []int32, s string) []int32 {
	if id, ok := t.vocab[s]; ok {
		return append(dst, id)
	}
	if m.back {
		whole := true
		for i := range len(s) {
			whole = whole && m.byteIDs[s[i]] >= 0
		}
		if whole {
			for i := len(s) - 1; i >= 0; i-- {
				dst = append(dst, m.byteIDs[s[i]])
			}
			return dst
		}
	}
	return append(dst, m.unk)
}

// newUnigram checks the model part of a tokenizer.json of type Unigram.
func (t *Tokenizer) newUnigram(f *modelJSON) error {
	if f.UnkID == nil || *f.UnkID < 0 || int(*f.UnkID) >= len(f.scores) {
		return fmt.Errorf("model Unigram without unk_id is not supported")
	}
	m := &unigram{scores: f.scores, unk: *f.UnkID, back: f.ByteFallback}
	low := math.Inf(1)
	for _, s := range f.scores {
		if math.IsNaN(s) || math.IsInf(s, 0) {
			return fmt.Errorf("score %g of model Unigram is not finite", s)
		}
		low = min(low, s)
	}
	m.penalty = low - unknownPenalty
	for b := range 256 {
		m.byteIDs[b] = -1
		if id, ok := t.vocab[fmt.Sprintf("<0x%02X>", b)]; ok {
			m.byteIDs[b] = id
		}
	}
	m.grow(t.vocab)
	t.model = m
	return nil
}

// grow builds the trie, breadth first over the sorted tokens.
func (m *unigram) grow(vocab map[string]int32) {
	words := make([]string, 0, len(vocab))
	for w := range vocab {
		if w != "" {
			words = append(words, w)
		}
	}
	slices.Sort(words)
	type span struct{ lo, hi, depth int }
	m.nodes = []unigramNode{{id: -1}}
	todo := []span{{0, len(words), 0}}
	for n := 0; n < len(todo); n++ {
		s := todo[n]
		m.nodes[n].first = int32(len(m.edges))
		for lo := s.lo; lo < s.hi; {
			if len(words[lo]) == s.depth {
				m.nodes[n].id = vocab[words[lo]]
				lo++
				continue
			}
			b, hi := words[lo][s.depth], lo+1
			for hi < s.hi && words[hi][s.depth] == b {
				hi++
			}
			m.edges = append(m.edges, unigramEdge{b, int32(len(m.nodes))})
			m.nodes = append(m.nodes, unigramNode{id: -1})
			todo = append(todo, span{lo, hi, s.depth + 1})
			lo = hi
		}
		m.nodes[n].last = int32(len(m.edges))
	}
}
