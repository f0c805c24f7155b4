// Package trie holds the names of a knowledge base as token sequences, one root per semantic group and one over all, so
// that decoding can be kept to names that exist. A leaf is a set of concepts, not a string: a name that several concepts
// share is never dropped. It stands between the knowledge base with its tokenizer and the search in link.
//
// Nodes are numbered level by level, so the children of a node are neighbours, sorted by token, and one array of first
// children describes the tree: 16 bytes a node, no pointer, the same in memory and in the file.
//
//	meta  token of the edge into the node (24 bits) | longest way down to a leaf, at most 255 (8 bits)
//	first number of the node's first child; its last is first of the next node minus one
//	leaf  first of the leaves below the node; leaves are numbered in sorted order of their tokens
//	count number of leaves below the node; 1 marks a beginning that only one name has
//
// A name ends with the end-of-text token, so a leaf is a node whose token is EOS, and a name that is a prefix of another
// needs no special case.
package trie

import "sort"

// A Node is the number of a node of a Trie.
type Node uint32

// A Trie is immutable and safe for concurrent use.
type Trie struct {
	head  header
	meta  []uint32 // (N)
	first []uint32 // (N+1)
	leaf  []uint32 // (N)
	count []uint32 // (N)
	// Leaves, in sorted order per group.
	textAt    []uint32 // (L+1) offsets into texts
	texts     []byte
	conceptAt []uint32 // (L+1) offsets into concepts
	concepts  []uint32
	close     func() error
}

type header struct {
	Version   int
	EOS       int32
	Tokenizer string // hash of the tokenizer that made the tokens
	KB        string // hash of the knowledge base whose concepts the leaves name
	Groups    []string
	Roots     []uint32
	All       *uint32 `json:",omitempty"` // root over all groups
	Sections  []section
}

type section struct {
	Name   string
	Offset int64
	Count  int64 // elements
	CRC    uint32
}

// Groups returns the names of the roots in the order they were built.
func (t *Trie) Groups() []string { return t.head.Groups }

// Root returns the root of a semantic group, or of All where the trie was built with it.
func (t *Trie) Root(group string) (Node, bool) {
	if group == All && t.head.All != nil {
		return Node(*t.head.All), true
	}
	for i, g := range t.head.Groups {
		if g == group {
			return Node(t.head.Roots[i]), true
		}
	}
	return 0, false
}

// EOS returns the token that ends every name.
func (t *Trie) EOS() int32 { return t.head.EOS }

// Tokenizer returns the hash of the tokenizer the trie was built with.
func (t *Trie) Tokenizer() string { return t.head.Tokenizer }

// KB returns the hash of the knowledge base the trie was built from.
func (t *Trie) KB() string { return t.head.KB }

// Nodes returns the number of nodes and Leaves the number of names.
func (t *Trie) Nodes() int { return len(t.meta) }

// Leaves returns the number of distinct token sequences over all groups.
func (t *Trie) Leaves() int { return max(len(t.textAt)-1, 0) }

// Token returns the token of the edge into n. It is meaningless for a root.
func (t *Trie) Token(n Node) int32 { return int32(t.meta[n] >> 8) }

// Depth returns the length of the longest way from n down to a leaf, at most 255.
func (t *Trie) Depth(n Node) int { return int(t.meta[n] & 255) }

// Children returns the half-open range of n's children, sorted by token. It is empty for a leaf.
func (t *Trie) Children(n Node) (lo, hi Node) { return Node(t.first[n]), Node(t.first[n+1]) }

// Count returns the number of names below n; 1 means the rest of the name is decided.
func (t *Trie) Count(n Node) int { return int(t.count[n]) }

// Leaf returns the number of the first name below n, which is the name itself when n is a leaf.
func (t *Trie) Leaf(n Node) int { return int(t.leaf[n]) }

// IsLeaf reports whether n ends a name.
func (t *Trie) IsLeaf(n Node) bool { return t.first[n] == t.first[n+1] && t.count[n] == 1 }

// AppendTokens appends the tokens of n's children to dst, ascending.
func (t *Trie) AppendTokens(dst []int32, n Node) []int32 {
	lo, hi := t.Children(n)
	for _, m := range t.meta[lo:hi] {
		dst = append(dst, int32(m>>8))
	}
	return dst
}

// Child returns the child of n by token.
func (t *Trie) Child(n Node, token int32) (Node, bool) {
	lo, hi := t.Children(n)
	k := sort.Search(int(hi-lo), func(i int) bool { return t.Token(lo+Node(i)) >= token })
	c := lo + Node(k)
	return c, c < hi && t.Token(c) == token
}

// Find walks tokens from n.
func (t *Trie) Find(n Node, tokens []int32) (Node, bool) {
	for _, tok := range tokens {
		var ok bool
		if n, ok = t.Child(n, tok); !ok {
			return n, false
		}
	}
	return n, true
}

// Text returns the name of a leaf as the knowledge base writes it.
func (t *Trie) Text(leaf int) string { return string(t.texts[t.textAt[leaf]:t.textAt[leaf+1]]) }

// Concepts returns the concepts of a leaf as indexes into the knowledge base, ascending. The slice must not be changed.
func (t *Trie) Concepts(leaf int) []uint32 {
	return t.concepts[t.conceptAt[leaf]:t.conceptAt[leaf+1]]
}

// Close unmaps an opened trie.
func (t *Trie) Close() error {
	if t.close == nil {
		return nil
	}
	return t.close()
}
