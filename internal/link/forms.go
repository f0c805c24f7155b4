package link

import (
	"fmt"
	"iter"
	"runtime"
	"sync"

	"syncabel/internal/markup"
	"syncabel/internal/terminology"
	"syncabel/internal/tokenizer"
	"syncabel/internal/trie"
)

// BuildTrie makes the trie of a knowledge base's forms, one root a semantic group and one over all, as a model that is asked with
// these options writes them. Names too long for the trie are left out and returned; their concepts stay reachable by shorter
// names or are counted by the caller.
func BuildTrie(kb *terminology.KB, tok *tokenizer.Tokenizer, m markup.Options, opt trie.Options) (*trie.Trie, []string, error) {
	b := trie.NewBuilder(opt)
	var long []string
	for _, g := range kb.Groups() {
		b.Group(g)
		l, err := addForms(b, tok, m, func(yield func(terminology.Form) bool) { kb.EachForm(g, yield) })
		if err != nil {
			return nil, nil, err
		}
		long = append(long, l...)
	}
	t, err := b.Build()
	return t, long, err
}

// encodeAtOnce is how many names are encoded between two rounds of adding them.
const encodeAtOnce = 1 << 14

// addForms encodes names on all cores and adds them in their order.
func addForms(b *trie.Builder, tok *tokenizer.Tokenizer, m markup.Options, forms iter.Seq[terminology.Form]) (long []string, err error) {
	var list []terminology.Form
	flush := func() error {
		tokens := encodeAll(tok, m, list)
		for i, f := range list {
			if len(tokens[i]) > trie.MaxTokens {
				long = append(long, f.Text)
				continue
			}
			concepts := make([]uint32, len(f.Concepts))
			for k, c := range f.Concepts {
				concepts[k] = uint32(c)
			}
			if err := b.Add(f.Text, tokens[i], concepts...); err != nil {
				return fmt.Errorf("adding names: %w", err)
			}
		}
		list = list[:0]
		return nil
	}
	for f := range forms {
		if list = append(list, f); len(list) == encodeAtOnce {
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	return long, flush()
}

func encodeAll(tok *tokenizer.Tokenizer, m markup.Options, forms []terminology.Form) [][]int32 {
	out := make([][]int32, len(forms))
	parts := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for p := range parts {
		wg.Go(func() {
			var arena []int32
			for i := len(forms) * p / parts; i < len(forms)*(p+1)/parts; i++ {
				at := len(arena)
				arena = tok.EncodeOrdinary(arena, m.Name(forms[i].Text))
				out[i] = arena[at:len(arena):len(arena)]
			}
		})
	}
	wg.Wait()
	return out
}
