package tokenizer

import (
	"fmt"
	"unicode/utf8"
)

// wordPiece is BERT's model: the longest token first (Wu et al. 2016, arXiv 1609.08144).
type wordPiece struct {
	prefix string // of tokens that continue a word
	unk    int32  // for a word that cannot be written
	limit  int    // code points of a word; longer ones are unknown
}

func (m *wordPiece) encode(t *Tokenizer, dst []int32, w string) []int32 {
	if utf8.RuneCountInString(w) > m.limit {
		return append(dst, m.unk)
	}
	start := len(dst)
	key := make([]byte, 0, len(m.prefix)+len(w))
	for lo := 0; lo < len(w); {
		key = key[:0]
		if lo > 0 {
			key = append(key, m.prefix...)
		}
		plain := len(key)
		key = append(key, w[lo:]...)
		for len(key) > plain {
			if id, ok := t.vocab[string(key)]; ok {
				dst = append(dst, id)
				break
			}
			_, n := utf8.DecodeLastRune(key)
			key = key[:len(key)-n]
		}
		if len(key) == plain {
			return append(dst[:start], m.unk)
		}
		lo += len(key) - plain
	}
	return dst
}

// newWordPiece checks the model part of a tokenizer.json of type WordPiece.
func (t *Tokenizer) newWordPiece(f *modelJSON) error {
	m := &wordPiece{prefix: "##", limit: 100}
	unk := "[UNK]"
	if f.UnkToken != nil {
		unk = *f.UnkToken
	}
	if f.ContinuingSub != nil {
		m.prefix = *f.ContinuingSub
	}
	if f.MaxChars != nil {
		m.limit = *f.MaxChars
	}
	id, ok := t.vocab[unk]
	if !ok {
		return fmt.Errorf("unk_token %q is not in the vocabulary", unk)
	}
	m.unk = id
	t.model = m
	return nil
}
