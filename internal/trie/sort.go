package trie

import (
	"bytes"
	"cmp"
	"math/bits"
	"runtime"
	"slices"
	"sync"
)

// sortKey is a name with its first tokens packed into one number, so that most comparisons touch nothing else.
type sortKey struct {
	head uint64
	name uint32
}

// minParallel is the number of names from which on sorting and filling use several cores.
const minParallel = 1 << 14

// workers returns how many goroutines share n names.
func workers(n int) int {
	if n < minParallel {
		return 1
	}
	return runtime.GOMAXPROCS(0)
}

// split returns the half-open range of part p of parts of n.
func split(n, p, parts int) (lo, hi int) { return n * p / parts, n * (p + 1) / parts }

// parallel runs f for each of parts.
func parallel(parts int, f func(p int)) {
	var wg sync.WaitGroup
	for p := range parts {
		wg.Go(func() { f(p) })
	}
	wg.Wait()
}

// sorted returns the names [lo,hi) ordered by tokens, then text, then number: a total order, so that neither the pieces that
// are sorted apart nor the order of Add shows.
func (b *Builder) sorted(lo, hi uint32) []uint32 {
	n := int(hi - lo)
	keys := make([]sortKey, n)
	width := bits.Len32(uint32(b.largest))
	parts := workers(n)
	parallel(parts, func(p int) {
		from, to := split(n, p, parts)
		for i := from; i < to; i++ {
			name := lo + uint32(i)
			keys[i] = sortKey{pack(b.sequence(name), width), name}
		}
		slices.SortFunc(keys[from:to], b.compare)
	})
	pieces := make([][]sortKey, parts)
	for p := range pieces {
		from, to := split(n, p, parts)
		pieces[p] = keys[from:to]
	}
	keys = b.merge(pieces)
	out := make([]uint32, n)
	for i, k := range keys {
		out[i] = k.name
	}
	return out
}

// pack puts as many first tokens into one number as fit. No sequence is the beginning of another, so missing tokens may count
// as zero.
func pack(tokens []int32, width int) uint64 {
	var head uint64
	room := 64
	for _, t := range tokens {
		if room < width {
			break
		}
		room -= width
		head |= uint64(t) << room
	}
	return head
}

func (b *Builder) compare(x, y sortKey) int {
	if c := cmp.Compare(x.head, y.head); c != 0 {
		return c
	}
	if c := slices.Compare(b.sequence(x.name), b.sequence(y.name)); c != 0 {
		return c
	}
	if c := bytes.Compare(b.text(x.name), b.text(y.name)); c != 0 {
		return c
	}
	return cmp.Compare(x.name, y.name)
}

// merge joins sorted pieces pairwise, each pair on its own core.
func (b *Builder) merge(pieces [][]sortKey) []sortKey {
	for len(pieces) > 1 {
		next := make([][]sortKey, (len(pieces)+1)/2)
		parallel(len(next), func(i int) {
			if next[i] = pieces[2*i]; 2*i+1 < len(pieces) {
				next[i] = b.mergeTwo(pieces[2*i], pieces[2*i+1])
			}
		})
		pieces = next
	}
	return pieces[0]
}

func (b *Builder) mergeTwo(x, y []sortKey) []sortKey {
	out := make([]sortKey, 0, len(x)+len(y))
	for len(x) > 0 && len(y) > 0 {
		if b.compare(y[0], x[0]) < 0 {
			out, y = append(out, y[0]), y[1:]
		} else {
			out, x = append(out, x[0]), x[1:]
		}
	}
	return append(append(out, x...), y...)
}
