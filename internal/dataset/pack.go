package dataset

import (
	"cmp"
	"math/bits"
	"slices"
)

// Pack puts examples of the given lengths, in tokens, into as few sequences of at most limit tokens as best-fit-decreasing finds: the
// longest first, each into the fullest sequence that still holds it; equal lengths in their order. It returns the numbers of
// the examples of every sequence, ascending inside it, and those that are longer than limit, which are in none. A trainer must start
// positions and attention anew at every example of a sequence.
func Pack(lengths []int, limit int) (sequences [][]int, tooLong []int) {
	order := make([]int, 0, len(lengths))
	for i, n := range lengths {
		if n > limit {
			tooLong = append(tooLong, i)
		} else {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(lengths[b], lengths[a]) })
	open := newRooms(limit)
	for _, i := range order {
		s, left, ok := open.take(lengths[i])
		if !ok {
			s, left = len(sequences), limit
			sequences = append(sequences, nil)
		}
		sequences[s] = append(sequences[s], i)
		open.put(s, left-lengths[i])
	}
	for _, s := range sequences {
		slices.Sort(s)
	}
	return sequences, tooLong
}

// rooms keeps sequences by how many tokens they still hold.
type rooms struct {
	by  [][]int  // tokens left -> sequences
	any []uint64 // bit n: by[n] is not empty
}

func newRooms(limit int) *rooms {
	return &rooms{by: make([][]int, limit+1), any: make([]uint64, limit/64+1)}
}

func (r *rooms) put(s, left int) {
	r.by[left] = append(r.by[left], s)
	r.any[left/64] |= 1 << (left % 64)
}

// take removes the sequence with the least room that holds n.
func (r *rooms) take(n int) (s, left int, ok bool) {
	for w := n / 64; w < len(r.any); w++ {
		x := r.any[w]
		if w == n/64 {
			x &= ^uint64(0) << (n % 64)
		}
		if x == 0 {
			continue
		}
		left = w*64 + bits.TrailingZeros64(x)
		list := r.by[left]
		s = list[0] // the earliest made
		if r.by[left] = list[1:]; len(list) == 1 {
			r.any[w] &^= 1 << (left % 64)
		}
		return s, left, true
	}
	return 0, 0, false
}

// TokenStats are the lengths of examples in tokens.
type TokenStats struct {
	Examples int     `json:"examples"`
	Prompt   int64   `json:"prompt_tokens"`
	Target   int64   `json:"target_tokens"` // the end of the sequence included
	Mean     float64 `json:"mean"`
	Median   int     `json:"median"`
	P95      int     `json:"p95"`
	P99      int     `json:"p99"`
	Max      int     `json:"max"`
}

// CountTokens returns the statistics of examples with these prompts and targets.
func CountTokens(prompt, target []int) TokenStats {
	s := TokenStats{Examples: len(prompt)}
	if len(prompt) == 0 {
		return s
	}
	all := make([]int, len(prompt))
	for i := range prompt {
		s.Prompt += int64(prompt[i])
		s.Target += int64(target[i])
		all[i] = prompt[i] + target[i]
	}
	slices.Sort(all)
	at := func(q float64) int { return all[int(q*float64(len(all)-1)+0.5)] }
	s.Mean = float64(s.Prompt+s.Target) / float64(len(all))
	s.Median, s.P95, s.P99, s.Max = at(0.5), at(0.95), at(0.99), all[len(all)-1]
	return s
}
