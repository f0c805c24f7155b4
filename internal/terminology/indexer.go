package terminology

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
)

// The name index has one entry for each concept and normalised name: 40 bits of the name's hash, 24 of the concept.
const (
	hashBits    = 40
	conceptBits = 24
	maxBuckets  = 1 << 16
)

// hashName is FNV-1a with a final mix, cut to hashBits.
func hashName(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	h ^= h >> 32
	h *= 0x9e3779b97f4a7c15
	return h >> (64 - hashBits)
}

// indexer builds the name index and the words of the search beside the assembly, on a goroutine of its own; it sees the records in
// the order of concepts, so that its result does not depend on timing.
type indexer struct {
	batches chan [][]byte
	batch   [][]byte
	size    int
	done    chan struct{}

	fold   *folder
	n      int      // concepts so far
	names  []uint64 // entries
	keys   []uint64 // of the concept at hand
	ids    map[string]uint32
	words  []string
	last   []uint32 // the concept that last bore a word, from 1
	count  []uint32 // concepts that bear a word
	lists  writer   // for each concept: n, word...
	listAt []uint32
	score  []uint8
	buf    []byte
	list   []uint32 // words of the concept at hand
}

const batchBytes = 1 << 20

func newIndexer() *indexer {
	x := &indexer{batches: make(chan [][]byte, 2), done: make(chan struct{}), fold: newFolder(), ids: map[string]uint32{}}
	go func() {
		defer close(x.done)
		for list := range x.batches {
			for _, r := range list {
				x.concept(r)
			}
		}
	}()
	return x
}

// add hands a record over.
func (x *indexer) add(record []byte) {
	x.batch = append(x.batch, slices.Clone(record))
	if x.size += len(record); x.size >= batchBytes {
		x.batches <- x.batch
		x.batch, x.size = nil, 0
	}
}

// stop ends the goroutine.
func (x *indexer) stop() {
	if x.batches != nil {
		close(x.batches)
		<-x.done
		x.batches = nil
	}
}

func (x *indexer) concept(record []byte) {
	x.keys = x.keys[:0]
	list, shortest, names := x.list[:0], 1<<10, 0
	eachName(record, func(name string) bool {
		x.buf = appendNormalized(x.buf[:0], name)
		key := hashName(x.buf)<<conceptBits | uint64(x.n)
		if len(x.keys) < 64 && slices.Contains(x.keys, key) { // most repeated names, without a look at their words
			return true
		}
		x.keys = append(x.keys, key)
		names++
		shortest = min(shortest, len(x.buf))
		x.buf = x.fold.words(x.buf[:0], name)
		list = x.bear(list)
		return true
	})
	slices.Sort(x.keys)
	x.names = append(x.names, slices.Compact(x.keys)...)
	x.listAt = append(x.listAt, uint32(len(x.lists.b)))
	x.lists.num(len(list))
	for _, w := range list {
		x.lists.num(int(w))
	}
	x.score = append(x.score, score(shortest, names))
	x.list = list
	x.n++
}

// bear notes the words in buf, each closed by a zero byte, for the concept at hand.
func (x *indexer) bear(list []uint32) []uint32 {
	for from, i := 0, 0; i < len(x.buf); i++ {
		if x.buf[i] != 0 {
			continue
		}
		id, ok := x.ids[string(x.buf[from:i])]
		if !ok {
			id = uint32(len(x.words))
			w := string(x.buf[from:i])
			x.ids[w] = id
			x.words, x.last, x.count = append(x.words, w), append(x.last, 0), append(x.count, 0)
		}
		if from = i + 1; x.last[id] != uint32(x.n+1) {
			x.last[id] = uint32(x.n + 1)
			x.count[id]++
			list = append(list, id)
		}
	}
	return list
}

// score says how likely a search means a concept, lower is likelier: a short name, and many of them.
func score(shortest, names int) uint8 {
	return uint8(min(max(min(shortest, 200)-4*bits.Len(uint(names)), 0), 255))
}

// finish writes the sections of both indexes.
func (x *indexer) finish(out *sectionWriter, stats *Stats) error {
	if len(x.batch) > 0 {
		x.batches <- x.batch
	}
	x.stop()
	if len(x.lists.b) >= 1<<32 {
		return fmt.Errorf("the names have too many words for the search's index: filter the sources")
	}
	x.ids, x.last = nil, nil
	slices.Sort(x.names)
	stats.AmbiguousNames = ambiguous(x.names)
	if err := out.u64("names", x.names); err != nil {
		return err
	}
	if err := out.u32("namesAt", buckets(x.names)); err != nil {
		return err
	}
	x.names = nil
	ranks := x.ranks()
	if err := out.u32("rank", ranks); err != nil {
		return err
	}
	return x.lexicon(out, ranks)
}

// ambiguous counts the names of several concepts.
func ambiguous(names []uint64) int {
	n := 0
	for i := 1; i < len(names); i++ {
		same := names[i]>>conceptBits == names[i-1]>>conceptBits
		if same && (i == 1 || names[i-2]>>conceptBits != names[i]>>conceptBits) {
			n++
		}
	}
	return n
}

// buckets returns where the names of each leading part of the hash begin, some sixteen names each.
func buckets(names []uint64) []uint32 {
	n := min(1<<bits.Len(uint(len(names)/16)), maxBuckets)
	out := make([]uint32, n+1)
	for _, e := range names {
		out[bucketOf(e>>conceptBits, n)+1]++
	}
	for i := range n {
		out[i+1] += out[i]
	}
	return out
}

// bucketOf returns the bucket of a hash among n, a power of two.
func bucketOf(hash uint64, n int) int { return int(hash >> (hashBits - bits.Len(uint(n)) + 1)) }

// ranks orders the concepts by score, equal ones by number.
func (x *indexer) ranks() []uint32 {
	var at [257]uint32
	for _, s := range x.score {
		at[int(s)+1]++
	}
	for i := range 256 {
		at[i+1] += at[i]
	}
	out := make([]uint32, x.n)
	for i, s := range x.score {
		out[at[s]] = uint32(i)
		at[s]++
	}
	return out
}

// lexicon writes the sorted words with their postings: a counting sort, as walking the concepts by rank fills every list in order.
func (x *indexer) lexicon(out *sectionWriter, ranks []uint32) error {
	start := make([]uint64, len(x.words)+1)
	for w, n := range x.count {
		start[w+1] = start[w] + uint64(n)
	}
	all := make([]uint32, start[len(x.words)])
	next := slices.Clone(start)
	for r, c := range ranks {
		s := scanner{b: x.lists.b[x.listAt[c]:]}
		for range s.num() {
			w := s.num()
			all[next[w]] = uint32(r)
			next[w]++
		}
	}
	x.lists.b, x.listAt = nil, nil
	order := make([]uint32, len(x.words))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return cmp.Compare(x.words[a], x.words[b]) })
	if err := out.begin("postings"); err != nil {
		return err
	}
	places, size := make([]uint64, 0, len(order)+1), uint64(0)
	var b []byte
	for _, w := range order {
		b = b[:0]
		prev := uint32(0)
		for _, r := range all[start[w]:start[w+1]] {
			b = binary.AppendUvarint(b, uint64(r-prev))
			prev = r
		}
		places = append(places, size)
		size += uint64(len(b))
		if _, err := out.Write(b); err != nil {
			return err
		}
	}
	if err := out.u64("postingsAt", append(places, size)); err != nil {
		return err
	}
	return x.writeWords(out, order)
}

func (x *indexer) writeWords(out *sectionWriter, order []uint32) error {
	var text []byte
	places := make([]uint32, 0, len(order)+1)
	for _, w := range order {
		places = append(places, uint32(len(text)))
		text = append(text, x.words[w]...)
	}
	if err := out.section("words", text); err != nil {
		return err
	}
	return out.u32("wordsAt", append(places, uint32(len(text))))
}
