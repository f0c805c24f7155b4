package link

import (
	"fmt"

	"syncabel/internal/terminology"
	"syncabel/internal/tokenizer"
	"syncabel/internal/trie"
)

// BuildTrie makes the trie of a knowledge base's forms, one root a semantic group, as the model writes them: with a
// leading space. Names too long for the trie are left out and returned; their concepts stay reachable by shorter names
// or are counted by the caller.
func BuildTrie(kb *terminology.KB, tok *tokenizer.Tokenizer, opt trie.Options) (*trie.Trie, []string, error) {
	var groups []trie.Group
	var long []string
	for _, g := range kb.Groups() {
		group := trie.Group{Name: g}
		for _, f := range kb.Forms(g) {
			tokens := tok.EncodeOrdinary(nil, " "+f.Text)
			if len(tokens) > trie.MaxTokens {
				long = append(long, f.Text)
				continue
			}
			concepts := make([]uint32, len(f.Concepts))
			for i, c := range f.Concepts {
				concepts[i] = uint32(c)
			}
			group.Forms = append(group.Forms, trie.Form{Text: f.Text, Tokens: tokens, Concepts: concepts})
		}
		groups = append(groups, group)
	}
	t, err := trie.Build(groups, opt)
	if err != nil {
		return nil, nil, fmt.Errorf("building trie of names: %w", err)
	}
	return t, long, nil
}
