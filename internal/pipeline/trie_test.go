package pipeline

import (
	"strings"
	"testing"

	"syncabel/internal/trie"
)

// A trie is refused where its tokens or its concepts are another's, also when only one of the two differs.
func TestTrieOfAnother(t *testing.T) {
	tr, err := trie.Build([]trie.Group{{Name: "G", Forms: []trie.Form{{Text: "a", Tokens: []int32{2}, Concepts: []uint32{0}}}}},
		trie.Options{EOS: 1, Tokenizer: "tok", KB: "kb"})
	if err != nil {
		t.Fatal(err)
	}
	for want, parts := range map[string]trieOf{"": {"tok", "kb"}, "another knowledge base": {"tok", "kb2"}, "another tokenizer": {"tok2", "kb"}} {
		err := parts.check(tr, "work/trie/x")
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "work/trie/x")) {
			t.Errorf("%+v: %v", parts, err)
		}
	}
}
