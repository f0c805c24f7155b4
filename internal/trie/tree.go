package trie

// tree numbers the nodes of sorted, distinct token sequences level by level. Sequence i begins a node at depth d when it
// shares fewer than d tokens with the sequence before it and is at least d long. A worker takes a stretch of sequences and a
// cursor on every level; where each cursor starts follows from how many nodes the workers before it begin there.
type tree struct {
	b      *Builder
	order  []uint32 // name of each sequence
	shared []uint8  // tokens that each sequence shares with the one before
	parts  int
	begun  [][]uint32 // by worker and depth: nodes
	depth  int        // longest sequence
}

func newTree(b *Builder, order []uint32) *tree {
	t := &tree{b: b, order: order, shared: make([]uint8, len(order)), parts: workers(len(order))}
	t.begun = make([][]uint32, t.parts)
	parallel(t.parts, func(p int) { t.begun[p] = t.survey(p) })
	for _, n := range t.begun {
		t.depth = max(t.depth, len(n)-1)
	}
	return t
}

// survey fills shared and counts the nodes that worker p begins at each depth.
func (t *tree) survey(p int) []uint32 {
	begun := make([]uint32, 1)
	from, to := split(len(t.order), p, t.parts)
	for i := from; i < to; i++ {
		s := t.b.sequence(t.order[i])
		if i > 0 {
			t.shared[i] = uint8(sharedPrefix(t.b.sequence(t.order[i-1]), s))
		}
		for len(begun) <= len(s) {
			begun = append(begun, 0)
		}
		for d := int(t.shared[i]) + 1; d <= len(s); d++ {
			begun[d]++
		}
	}
	if p == 0 {
		begun[0] = 1 // the root
	}
	return begun
}

func sharedPrefix(a, b []int32) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// nodes returns how many nodes there are.
func (t *tree) nodes() int {
	n := 0
	for _, begun := range t.begun {
		for _, k := range begun {
			n += int(k)
		}
	}
	return n
}

// cursors returns for each worker the number of its first node at every depth, and one level more.
func (t *tree) cursors(start uint32) [][]uint32 {
	out := make([][]uint32, t.parts)
	for p := range out {
		out[p] = make([]uint32, t.depth+2)
	}
	for d := range t.depth + 2 {
		for p, begun := range t.begun {
			out[p][d] = start
			if d < len(begun) {
				start += begun[d]
			}
		}
	}
	return out
}

// fill writes the nodes from number start on, whose leaves are numbered from base on.
func (t *tree) fill(into *Trie, start, base uint32) {
	cursors := t.cursors(start)
	into.meta[start], into.first[start], into.leaf[start] = 0, start+1, base
	parallel(t.parts, func(p int) { t.stretch(into, p, cursors[p], base) })
	into.sum(int(start))
}

// stretch writes the nodes that worker p begins. A node's children are the next to be begun one level down.
func (t *tree) stretch(into *Trie, p int, next []uint32, base uint32) {
	from, to := split(len(t.order), p, t.parts)
	for i := from; i < to; i++ {
		for d, tok := range t.b.sequence(t.order[i])[t.shared[i]:] {
			at := int(t.shared[i]) + d + 1
			n := next[at]
			next[at]++
			into.meta[n], into.first[n], into.leaf[n] = uint32(tok)<<8, next[at+1], base+uint32(i)
		}
	}
}

// sum fills in counts and depths from the last node down to start: children have larger numbers than their parents.
func (t *Trie) sum(start int) {
	end := uint32(len(t.meta))
	after := end
	for n := len(t.meta) - 1; n >= start; n-- {
		var depth, count uint32
		for c := t.first[n]; c < after; c++ {
			depth = max(depth, t.meta[c]&255+1)
			count += t.count[c]
		}
		if t.first[n] == after {
			count = 1
		}
		after = t.first[n]
		t.meta[n] = t.meta[n]&^255 | min(depth, 255)
		t.count[n] = count
	}
}
