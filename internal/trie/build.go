package trie

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// MaxTokens is the longest name in tokens, EOS not counted. Longer names are refused with their text.
const MaxTokens = 254

// All is the root over the names of every semantic group, for mentions whose group nobody knows.
const All = "all"

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

// Options of NewBuilder and Build.
type Options struct {
	EOS       int32  // token that ends a name
	Tokenizer string // hash, checked when trie and model meet
	KB        string // hash
	All       bool   // also a root over all groups; with one group it is that group's and costs nothing
}

// Build makes a trie of forms in memory. See Builder.
func Build(groups []Group, opt Options) (*Trie, error) {
	b := NewBuilder(opt)
	for _, g := range groups {
		b.Group(g.Name)
		for _, f := range g.Forms {
			if err := b.Add(f.Text, f.Tokens, f.Concepts...); err != nil {
				return nil, err
			}
		}
	}
	return b.Build()
}

// A Builder takes names one by one, about a hundred bytes each, and makes the trie of them by sorting their token sequences;
// it holds no map and no node until the end. The result does not depend on the order of names within a group or the number of
// cores. Names with equal tokens become one leaf with the union of their concepts and the first text.
type Builder struct {
	opt    Options
	groups []string
	starts []uint32 // first name of each group
	// Names in the order of Add, the offsets with one more at the end.
	tokens    []int32 // each name's followed by EOS
	tokenAt   []uint32
	texts     []byte
	textAt    []uint32
	concepts  []uint32
	conceptAt []uint32
	largest   int32
}

// NewBuilder returns an empty builder.
func NewBuilder(opt Options) *Builder {
	return &Builder{opt: opt, tokenAt: []uint32{0}, textAt: []uint32{0}, conceptAt: []uint32{0}, largest: opt.EOS}
}

// Group begins a semantic group: names added from now on are its.
func (b *Builder) Group(name string) {
	b.groups = append(b.groups, name)
	b.starts = append(b.starts, uint32(b.names()))
}

func (b *Builder) names() int { return len(b.tokenAt) - 1 }

// Add adds a name to the group begun last. Nothing of the arguments is kept.
func (b *Builder) Add(text string, tokens []int32, concepts ...uint32) error {
	switch {
	case len(b.groups) == 0:
		return errors.New("building trie: a name before any group")
	case len(tokens) > MaxTokens:
		return fmt.Errorf("building trie: name %.60q has %d tokens, at most %d are allowed", text, len(tokens), MaxTokens)
	case len(tokens) == 0 || len(concepts) == 0:
		return fmt.Errorf("building trie: name %q has no concept or no token", text)
	case len(b.tokens)+len(tokens) >= math.MaxUint32 || len(b.texts)+len(text) >= math.MaxUint32:
		return errors.New("building trie: more than four billion tokens or bytes of names")
	}
	for _, t := range tokens {
		if t < 0 || t >= 1<<24 || t == b.opt.EOS {
			return fmt.Errorf("building trie: name %q holds token %d: 0 to %d without the end token %d can be stored", text, t, 1<<24-1, b.opt.EOS)
		}
		b.largest = max(b.largest, t)
	}
	b.tokens = append(append(b.tokens, tokens...), b.opt.EOS)
	b.tokenAt = append(b.tokenAt, uint32(len(b.tokens)))
	b.texts = append(b.texts, text...)
	b.textAt = append(b.textAt, uint32(len(b.texts)))
	b.concepts = append(b.concepts, concepts...)
	b.conceptAt = append(b.conceptAt, uint32(len(b.concepts)))
	return nil
}

func (b *Builder) sequence(i uint32) []int32 { return b.tokens[b.tokenAt[i]:b.tokenAt[i+1]] }
func (b *Builder) text(i uint32) []byte      { return b.texts[b.textAt[i]:b.textAt[i+1]] }

// Build makes the trie. The builder must not be used again.
func (b *Builder) Build() (*Trie, error) {
	if len(b.groups) == 0 {
		return nil, errors.New("building trie: no groups")
	}
	t := &Trie{head: header{Version: Version, EOS: b.opt.EOS, Tokenizer: b.opt.Tokenizer, KB: b.opt.KB, Groups: b.groups}}
	b.starts = append(b.starts, uint32(b.names()))
	for g, name := range b.groups {
		if b.starts[g] == b.starts[g+1] {
			return nil, fmt.Errorf("building trie: group %q has no names", name)
		}
		if slices.Contains(b.groups[:g], name) || name == All && b.opt.All {
			return nil, fmt.Errorf("building trie: two groups are called %q", name)
		}
		root, err := b.tree(t, b.starts[g], b.starts[g+1])
		if err != nil {
			return nil, fmt.Errorf("building trie of group %q: %w", name, err)
		}
		t.head.Roots = append(t.head.Roots, root)
	}
	if b.opt.All {
		t.head.All = &t.head.Roots[0]
		if len(b.groups) > 1 {
			root, err := b.tree(t, 0, uint32(b.names()))
			if err != nil {
				return nil, fmt.Errorf("building trie of all groups: %w", err)
			}
			t.head.All = &root
		}
	}
	t.first = append(t.first, uint32(len(t.meta)))
	t.textAt = append(t.textAt, uint32(len(t.texts)))
	t.conceptAt = append(t.conceptAt, uint32(len(t.concepts)))
	return t, nil
}

// tree appends the tree of the names [lo,hi) and returns its root.
func (b *Builder) tree(t *Trie, lo, hi uint32) (uint32, error) {
	order := b.sorted(lo, hi)
	base := uint32(len(t.textAt))
	order = b.leaves(t, order)
	tr := newTree(b, order)
	start := len(t.meta)
	if start > 0 {
		start++ // a node between two trees keeps the last leaf of the one apart from the root of the next
	}
	if start+tr.nodes() >= math.MaxUint32 {
		return 0, errors.New("more than four billion nodes")
	}
	t.grow(start + tr.nodes())
	if start > 0 {
		t.first[start-1] = uint32(start - 1)
	}
	tr.fill(t, uint32(start), base)
	return uint32(start), nil
}

// leaves appends texts and concepts of sorted names and returns, for each leaf, the name it is.
func (b *Builder) leaves(t *Trie, order []uint32) []uint32 {
	kept := order[:0]
	var set []uint32
	for i := 0; i < len(order); {
		j := i
		set = set[:0]
		for ; j < len(order) && (j == i || slices.Equal(b.sequence(order[i]), b.sequence(order[j]))); j++ {
			set = append(set, b.concepts[b.conceptAt[order[j]]:b.conceptAt[order[j]+1]]...)
		}
		slices.Sort(set)
		t.textAt = append(t.textAt, uint32(len(t.texts)))
		t.texts = append(t.texts, b.text(order[i])...)
		t.conceptAt = append(t.conceptAt, uint32(len(t.concepts)))
		t.concepts = append(t.concepts, slices.Compact(set)...)
		kept = append(kept, order[i])
		i = j
	}
	return kept
}

// grow makes room for n nodes.
func (t *Trie) grow(n int) {
	for _, s := range []*[]uint32{&t.meta, &t.first, &t.leaf, &t.count} {
		*s = slices.Grow(*s, n+1-len(*s))[:n]
	}
}
