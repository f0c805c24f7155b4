package trie

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
)

// MaxTokens is the longest name in tokens, EOS not counted. Longer names are refused by Build with their text.
const MaxTokens = 254

// A Form is one way to write concepts: a name, its tokens without EOS, and the concepts it means.
type Form struct {
	Text     string
	Tokens   []int32
	Concepts []uint32 // indexes into the knowledge base; more than one when the name is shared
}

// A Group is the input of one root.
type Group struct {
	Name  string
	Forms []Form
}

// Options of Build.
type Options struct {
	EOS       int32  // token that ends a name
	Tokenizer string // hash, checked when trie and model meet
	KB        string // hash
}

// Build makes a trie. The result does not depend on the order of forms or the number of cores: forms are sorted by
// tokens, then text. Forms with equal tokens become one leaf with the union of their concepts and the first text.
func Build(groups []Group, opt Options) (*Trie, error) {
	b := &builder{t: &Trie{head: header{Version: Version, EOS: opt.EOS, Tokenizer: opt.Tokenizer, KB: opt.KB}}}
	for _, g := range groups {
		if len(g.Forms) == 0 {
			return nil, fmt.Errorf("building trie: group %q has no names", g.Name)
		}
		if err := b.group(g); err != nil {
			return nil, fmt.Errorf("building trie of group %q: %w", g.Name, err)
		}
	}
	if len(groups) == 0 {
		return nil, errors.New("building trie: no groups")
	}
	t := b.t
	t.first = append(t.first, uint32(len(t.meta)))
	t.textAt = append(t.textAt, uint32(len(t.texts)))
	t.conceptAt = append(t.conceptAt, uint32(len(t.concepts)))
	t.depths()
	return t, nil
}

type builder struct{ t *Trie }

// span is a node under construction: forms [lo,hi) agree on their first depth tokens.
type span struct{ lo, hi uint32 }

func (b *builder) group(g Group) error {
	forms := slices.Clone(g.Forms)
	for i := range forms {
		if n := len(forms[i].Tokens); n > MaxTokens {
			return fmt.Errorf("name %.60q has %d tokens, at most %d are allowed", forms[i].Text, n, MaxTokens)
		}
		if len(forms[i].Concepts) == 0 || len(forms[i].Tokens) == 0 {
			return fmt.Errorf("name %q has no concept or no token", forms[i].Text)
		}
	}
	sortForms(forms)
	base := uint32(len(b.t.textAt))
	forms = b.leaves(forms)
	t := b.t
	t.head.Groups = append(t.head.Groups, g.Name)
	t.head.Roots = append(t.head.Roots, uint32(len(t.meta)))
	b.node(0, span{0, uint32(len(forms))}, base)
	level := []span{{0, uint32(len(forms))}}
	for depth := 0; len(level) > 0; depth++ {
		level = b.level(forms, level, depth, base)
	}
	return nil
}

// leaves appends the texts and concepts of sorted forms and returns the forms that kept a leaf.
func (b *builder) leaves(forms []Form) []Form {
	t := b.t
	kept := forms[:0]
	for i := 0; i < len(forms); {
		j := i + 1
		set := slices.Clone(forms[i].Concepts)
		for ; j < len(forms) && slices.Equal(forms[i].Tokens, forms[j].Tokens); j++ {
			set = append(set, forms[j].Concepts...)
		}
		slices.Sort(set)
		set = slices.Compact(set)
		t.textAt = append(t.textAt, uint32(len(t.texts)))
		t.texts = append(t.texts, forms[i].Text...)
		t.conceptAt = append(t.conceptAt, uint32(len(t.concepts)))
		t.concepts = append(t.concepts, set...)
		kept = append(kept, forms[i])
		i = j
	}
	return kept
}

func (b *builder) node(token int32, s span, base uint32) {
	t := b.t
	t.meta = append(t.meta, uint32(token)<<8)
	t.leaf = append(t.leaf, base+s.lo)
	t.count = append(t.count, s.hi-s.lo)
}

// level appends the children of every node of one level and returns the next level. A form that ends here becomes an EOS
// child, which is placed by the value of the EOS token so that children stay sorted.
func (b *builder) level(forms []Form, level []span, depth int, base uint32) []span {
	var next []span
	for _, s := range level {
		b.t.first = append(b.t.first, uint32(len(b.t.meta)))
		if s.lo == s.hi {
			continue // an EOS node: no children
		}
		lo := s.lo
		ended := len(forms[lo].Tokens) == depth // at most one form ends here and sorts first
		if ended {
			lo++
		}
		placed := !ended
		for lo < s.hi {
			tok := forms[lo].Tokens[depth]
			hi := lo + 1
			for hi < s.hi && forms[hi].Tokens[depth] == tok {
				hi++
			}
			if !placed && tok > b.t.head.EOS {
				next, placed = b.end(next, s.lo, base), true
			}
			b.node(tok, span{lo, hi}, base)
			next = append(next, span{lo, hi})
			lo = hi
		}
		if !placed {
			next = b.end(next, s.lo, base)
		}
	}
	return next
}

// end appends the EOS leaf of form lo. Its span in the next level is empty, so that it gets no children.
func (b *builder) end(next []span, lo uint32, base uint32) []span {
	b.node(b.t.head.EOS, span{lo, lo + 1}, base)
	return append(next, span{lo, lo})
}

// depths fills the low byte of meta from the last level up: children have larger numbers than their parents.
func (t *Trie) depths() {
	for n := len(t.meta) - 1; n >= 0; n-- {
		var d uint32
		for c := t.first[n]; c < t.first[n+1]; c++ {
			d = max(d, t.meta[c]&255+1)
		}
		t.meta[n] = t.meta[n]&^255 | min(d, 255)
	}
}

// sortForms sorts by tokens, then text, in parallel pieces that are merged pairwise; the order is total up to equal
// forms, so the pieces do not show in the result.
func sortForms(forms []Form) {
	parts := runtime.GOMAXPROCS(0)
	if len(forms) < 1<<14 || parts == 1 {
		slices.SortStableFunc(forms, compareForms)
		return
	}
	mid := len(forms) / 2
	var wg sync.WaitGroup
	wg.Go(func() { slices.SortStableFunc(forms[:mid], compareForms) })
	slices.SortStableFunc(forms[mid:], compareForms)
	wg.Wait()
	merged := make([]Form, 0, len(forms))
	a, b := forms[:mid], forms[mid:]
	for len(a) > 0 && len(b) > 0 {
		if compareForms(b[0], a[0]) < 0 {
			merged, b = append(merged, b[0]), b[1:]
		} else {
			merged, a = append(merged, a[0]), a[1:]
		}
	}
	merged = append(append(merged, a...), b...)
	copy(forms, merged)
}

func compareForms(a, b Form) int {
	if c := slices.Compare(a.Tokens, b.Tokens); c != 0 {
		return c
	}
	return cmp.Compare(a.Text, b.Text)
}
