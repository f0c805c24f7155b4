// Package tokenizer turns text into the token ids of a language model and back: byte-level byte-pair encoding as the
// tokenizer.json of Hugging Face describes it, read, written and trained here. It stands beside the model at the start of
// the chain; markup decides what text is encoded, trie and train consume the ids.
//
// What a tokenizer.json asks for is done exactly or refused by the feature's name, never approximated: a linker whose
// tokens differ from those its model was trained with is wrong without a sign.
package tokenizer

import (
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"
)

// A Tokenizer is immutable after construction and safe for concurrent use.
type Tokenizer struct {
	tokens  []string         // by id, in the byte alphabet of GPT-2 for ordinary tokens
	ids     map[string]int32 // inverse of tokens
	merges  map[pair]merge
	list    []pair // merges in rank order, for writing
	added   []Added
	special map[string]int32
	lower   bool // Lowercase normalizer
	digits  bool // Digits(individual) before the pattern
	pattern pattern
	ignore  bool // ignore_merges: a whole word in the vocabulary is taken as it is
	byteIDs [256]int32

	mu    sync.RWMutex
	cache map[string][]int32
}

// An Added token stands outside the byte-pair encoding: <s>, </s>, <SEP>.
type Added struct {
	ID      int32  `json:"id"`
	Content string `json:"content"`
	Special bool   `json:"special"`
}

type pair struct{ a, b int32 }

type merge struct{ rank, id int32 }

// cacheWords bounds the word cache. Names and notes repeat a few ten thousand words; the rest would only cost memory.
const cacheWords = 1 << 16

// VocabSize returns the number of ids, added tokens included.
func (t *Tokenizer) VocabSize() int { return len(t.tokens) }

// ID returns the id of a token as tokenizer.json writes it, e.g. "</s>" or "Ġfever".
func (t *Tokenizer) ID(token string) (int32, bool) {
	id, ok := t.ids[token]
	return id, ok
}

// Token returns the written form of an id.
func (t *Tokenizer) Token(id int32) string {
	if id < 0 || int(id) >= len(t.tokens) {
		return ""
	}
	return t.tokens[id]
}

// IsSpecial reports whether id is an added special token.
func (t *Tokenizer) IsSpecial(id int32) bool {
	_, ok := t.special[t.Token(id)]
	return ok
}

// Encode appends the ids of s. Added tokens that stand in s are recognised, as in Hugging Face; no template is applied.
func (t *Tokenizer) Encode(dst []int32, s string) []int32 {
	for s != "" {
		at, tok := t.nextAdded(s)
		if at < 0 {
			return t.EncodeOrdinary(dst, s)
		}
		dst = t.EncodeOrdinary(dst, s[:at])
		dst = append(dst, tok.ID)
		s = s[at+len(tok.Content):]
	}
	return dst
}

// nextAdded finds the leftmost added token in s, the longest where several start.
func (t *Tokenizer) nextAdded(s string) (int, Added) {
	best, found := -1, Added{}
	for _, a := range t.added {
		at := strings.Index(s, a.Content)
		if at >= 0 && (best < 0 || at < best || at == best && len(a.Content) > len(found.Content)) {
			best, found = at, a
		}
	}
	return best, found
}

// EncodeOrdinary appends the ids of s with added tokens taken as ordinary text, so that a note that contains "<SEP>"
// cannot put a separator into a prompt.
func (t *Tokenizer) EncodeOrdinary(dst []int32, s string) []int32 {
	if t.lower {
		s = lower(s)
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	t.words(s, func(w string) { dst = t.word(dst, w) })
	return dst
}

// words calls f for every pre-token of s.
func (t *Tokenizer) words(s string, f func(string)) {
	if !t.digits {
		t.pattern.split(s, f)
		return
	}
	splitDigits(s, func(piece string) { t.pattern.split(piece, f) })
}

// word appends the ids of one pre-token.
func (t *Tokenizer) word(dst []int32, w string) []int32 {
	t.mu.RLock()
	ids, ok := t.cache[w]
	t.mu.RUnlock()
	if ok {
		return append(dst, ids...)
	}
	ids = t.encodeWord(w)
	t.mu.Lock()
	if len(t.cache) >= cacheWords {
		clear(t.cache)
	}
	t.cache[strings.Clone(w)] = ids
	t.mu.Unlock()
	return append(dst, ids...)
}

// encodeWord applies merges in rank order, the leftmost first among equals. Words are short, so looking at all pairs
// again after each merge is the fastest there is; very long ones are rare.
func (t *Tokenizer) encodeWord(w string) []int32 {
	if t.ignore {
		if id, ok := t.ids[visible(w)]; ok {
			return []int32{id}
		}
	}
	ids := make([]int32, len(w))
	for i := range len(w) {
		ids[i] = t.byteIDs[w[i]]
	}
	for len(ids) > 1 {
		best, at := merge{rank: 1 << 30}, -1
		for i := range len(ids) - 1 {
			if m, ok := t.merges[pair{ids[i], ids[i+1]}]; ok && m.rank < best.rank {
				best, at = m, i
			}
		}
		if at < 0 {
			break
		}
		ids = mergeAll(ids, pair{ids[at], ids[at+1]}, best.id)
	}
	return ids
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

// Decode returns the text of ids. Bytes that are no UTF-8 become U+FFFD; ids outside the vocabulary are left out.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	var b []byte
	for _, id := range ids {
		tok := t.Token(id)
		if _, ok := t.special[tok]; ok {
			if !skipSpecial {
				b = append(b, tok...)
			}
			continue
		}
		b = appendBytes(b, tok)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// build completes a tokenizer whose tokens, list and added are set.
func (t *Tokenizer) build() error {
	t.ids = make(map[string]int32, len(t.tokens))
	for i, tok := range t.tokens {
		t.ids[tok] = int32(i)
	}
	t.special = map[string]int32{}
	for _, a := range t.added {
		if a.Content == "" {
			return fmt.Errorf("added token %d is empty", a.ID)
		}
		t.special[a.Content] = a.ID
	}
	for i := range 256 {
		id, ok := t.ids[byteAlphabet[i]]
		if !ok {
			return fmt.Errorf("byte-level vocabulary lacks byte 0x%02x", i)
		}
		t.byteIDs[i] = id
	}
	t.merges = make(map[pair]merge, len(t.list))
	for rank, p := range t.list {
		id, ok := t.ids[t.tokens[p.a]+t.tokens[p.b]]
		if !ok {
			return fmt.Errorf("merge %d makes %q, which is not in the vocabulary", rank, t.tokens[p.a]+t.tokens[p.b])
		}
		if _, dup := t.merges[p]; !dup {
			t.merges[p] = merge{int32(rank), id}
		}
	}
	t.cache = map[string][]int32{}
	return nil
}

// lower is the Lowercase normalizer: each code point on its own, by Unicode's full mapping, of which only U+0130 becomes more
// than one.
func lower(s string) string {
	return strings.ToLower(strings.ReplaceAll(s, "\u0130", "i\u0307"))
}
