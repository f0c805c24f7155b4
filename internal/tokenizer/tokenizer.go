// Package tokenizer turns text into the token ids of a language model and back, as the tokenizer.json of Hugging Face describes it:
// byte-pair encoding over bytes (GPT-2, Llama 3, Qwen, SmolLM) or code points (Llama 2, Mistral), Unigram and WordPiece, with
// the normalizers, pre-tokenizers, decoders and templates they use. Byte-level vocabularies are also trained here. It stands
// beside the model at the start of the chain; markup decides what text is encoded, trie and train consume the ids.
//
// What a tokenizer.json asks for is done exactly or refused by the feature's name, never approximated: a linker whose
// tokens differ from those its model was trained with is wrong without a sign. Only `truncation` and `padding` are left
// aside, as transformers does when it loads the file.
package tokenizer

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// A Tokenizer is immutable after construction and safe for concurrent use.
type Tokenizer struct {
	tables      *tables
	tokens      []string         // by id, as tokenizer.json writes them; empty: an id without a token
	vocab       map[string]int32 // the model's tokens
	ids         map[string]int32 // all tokens
	added       []Added
	special     map[int32]bool
	raw         *matcher // added tokens that are found in the text as it is
	normed      *matcher // those that are found in normalized text
	normalizers []normalizer
	steps       []step
	model       encoder
	decoders    []decoder
	prefix      []int32 // of the template
	suffix      []int32
	trained     *recipe // what MarshalJSON writes; nil for a tokenizer that was read

	seed  maphash.Seed
	cache [cacheWords]atomic.Pointer[cached]
}

// An encoder appends the ids of one pre-token.
type encoder interface {
	encode(t *Tokenizer, dst []int32, w string) []int32
}

// cached is a pre-token with its ids.
type cached struct {
	word string
	ids  []int32
}

// cacheWords is the size of the word cache, a power of two. Names and notes repeat a few ten thousand words; a word has two
// places and replaces the older of those that are there.
const cacheWords = 1 << 16

// longestCached is the longest pre-token, in bytes, that is worth remembering.
const longestCached = 64

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
func (t *Tokenizer) IsSpecial(id int32) bool { return t.special[id] }

// Template returns what the post-processor puts before and after a text, e.g. <|begin_of_text|>.
func (t *Tokenizer) Template() (prefix, suffix []int32) { return t.prefix, t.suffix }

// A place says what stands before a stretch of text, which decides whether a tokenizer puts its space or mark in front.
type place int

const (
	atStart place = iota // nothing
	later                // an added token: some tokenizers treat that as a start, too
	inside               // other text: nothing is put in front
)

// after is the place of what follows a piece.
func (p place) after() place { return max(p, later) }

// Encode appends the ids of s, in which added tokens are recognised, without the template: what the tokenizers library returns
// for add_special_tokens=False. Bytes that are no UTF-8 become U+FFFD.
func (t *Tokenizer) Encode(dst []int32, s string) []int32 { return t.encode(dst, s, atStart) }

// EncodeMarks is Encode for a stretch of a longer text: no space or mark is put in front of it.
func (t *Tokenizer) EncodeMarks(dst []int32, s string) []int32 { return t.encode(dst, s, inside) }

// EncodeOrdinary is EncodeMarks with added tokens taken as ordinary text, so that a note that contains "<SEP>" cannot put a
// separator into a prompt.
func (t *Tokenizer) EncodeOrdinary(dst []int32, s string) []int32 {
	return t.plain(dst, t.normalize(lossy(s), inside), inside)
}

func (t *Tokenizer) encode(dst []int32, s string, at place) []int32 {
	token := func(id int32) { dst = append(dst, id) }
	t.raw.split(t.tables, lossy(s), at, func(piece string, at place) {
		t.normed.split(t.tables, t.normalize(piece, at), at, func(piece string, at place) { dst = t.plain(dst, piece, at) }, token)
	}, token)
	return dst
}

// plain appends the ids of normalized text without added tokens.
func (t *Tokenizer) plain(dst []int32, s string, at place) []int32 {
	if s == "" {
		return dst
	}
	t.cut(t.steps, s, at, func(w string) { dst = t.word(dst, w) })
	return dst
}

// word appends the ids of one pre-token.
func (t *Tokenizer) word(dst []int32, w string) []int32 {
	if len(w) > longestCached {
		return t.model.encode(t, dst, w)
	}
	h := maphash.String(t.seed, w) & (cacheWords - 1) &^ 1
	one, two := &t.cache[h], &t.cache[h+1]
	if c := one.Load(); c != nil && c.word == w {
		return append(dst, c.ids...)
	}
	if c := two.Load(); c != nil && c.word == w {
		return append(dst, c.ids...)
	}
	start := len(dst)
	dst = t.model.encode(t, dst, w)
	two.Store(one.Load())
	one.Store(&cached{strings.Clone(w), append([]int32(nil), dst[start:]...)})
	return dst
}

// build completes a tokenizer whose tokens, vocab and added are set.
func (t *Tokenizer) build() {
	t.tables = unicodeTables()
	t.seed = maphash.MakeSeed()
	t.ids = make(map[string]int32, len(t.tokens))
	for i, tok := range t.tokens {
		if tok != "" {
			t.ids[tok] = int32(i)
		}
	}
	t.special = map[int32]bool{}
	var raw, normed []Added
	for _, a := range t.added {
		if a.Special {
			t.special[a.ID] = true
		}
		if !a.Normalized {
			raw = append(raw, a)
			continue
		}
		if a.Content = t.normalize(a.Content, later); a.Content != "" {
			normed = append(normed, a)
		}
	}
	t.raw, t.normed = newMatcher(raw), newMatcher(normed)
}
