package terminology

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
	"sort"
	"strings"
)

// SearchOptions of Search.
type SearchOptions struct {
	Limit    int    // hits; default 10
	Group    string // only concepts of this semantic group
	Language string // only names in this language, or of no language
}

// A Hit is one concept that a search means.
type Hit struct {
	Concept int    // number
	ID      string // of the concept
	Name    Name   // the name that fits best
	Match   Match
}

// A Match says how a hit fits, the closest first.
type Match int

// Kinds of matches.
const (
	MatchCode   Match = iota // the query is the concept's ID
	MatchExact               // the name is the query, up to case, marks and punctuation
	MatchPrefix              // the name begins with the query
	MatchWord                // words of the name begin with the query's words, in any order
	MatchSpread              // the same, by words of several names of the concept
	MatchTypo                // one or two letters differ
)

// String returns the name of the kind.
func (m Match) String() string {
	return []string{"code", "exact", "prefix", "word", "spread", "typo"}[m]
}

const (
	defaultLimit = 10
	// enough is how many fitting concepts are looked at for each hit asked for: they come in the order of the static rank, and the
	// best of them are returned.
	enough = 16
	// budget bounds the work of one search: decoding a concept costs decoding, passing over one of another group costs one.
	budget   = 200_000
	decoding = 50
)

// Search finds concepts as a user types: every word of the query must begin a word of one of the concept's names, whatever the order,
// case and diacritics. Where that finds fewer than the limit, words may also differ by a letter (two from eight letters on). Codes are found
// too. The best hits come first; equal ones by length, rank and ID.
func (kb *KB) Search(query string, opt SearchOptions) []Hit {
	if opt.Limit <= 0 {
		opt.Limit = defaultLimit
	}
	s := &search{kb: kb, opt: opt, words: kb.fold.query(query), seen: map[int]bool{}}
	s.code(strings.TrimSpace(query))
	if len(s.words) > 0 {
		for _, i := range kb.Normalized(query) {
			s.try(i, false)
		}
		s.collect(kb.wordPrefixes(s.words), false)
		for k := 1; k <= 2 && len(s.hits) < opt.Limit; k++ {
			s.collect(kb.similarWords(s.words, k), true)
		}
	}
	slices.SortStableFunc(s.hits, func(a, b ranked) int {
		return cmp.Or(a.compare(b), cmp.Compare(a.rank, b.rank), cmp.Compare(a.Concept, b.Concept))
	})
	out := make([]Hit, 0, min(len(s.hits), opt.Limit))
	for _, h := range s.hits[:cap(out)] {
		out = append(out, h.Hit)
	}
	return out
}

type search struct {
	kb    *KB
	opt   SearchOptions
	words []string
	hits  []ranked
	seen  map[int]bool
}

type ranked struct {
	Hit
	edits int // of a typo
	rank  int
}

func (r ranked) compare(o ranked) int {
	return cmp.Or(cmp.Compare(r.Match, o.Match), cmp.Compare(r.edits, o.edits), cmp.Compare(len(r.Name.Text), len(o.Name.Text)))
}

// code finds concepts by ID.
func (s *search) code(query string) {
	for _, id := range []string{query, strings.ToUpper(query)} {
		if i, ok := s.kb.Index(id); ok && !s.seen[i] && (s.opt.Group == "" || s.kb.in(i, s.opt.Group)) {
			s.seen[i] = true
			s.hits = append(s.hits, ranked{Hit{i, s.kb.ID(i), s.kb.Concept(i).Names[0], MatchCode}, 0, 0})
		}
	}
}

// collect looks at the concepts that have a word in every list of word ranges.
func (s *search) collect(terms [][]span, typo bool) {
	set := s.kb.bearers(terms)
	want, spent := len(s.hits)+enough*s.opt.Limit, 0
	for w, word := range set {
		for ; word != 0; word &= word - 1 {
			i := s.kb.rank.at(64*w + bits.TrailingZeros64(word))
			spent += s.try(i, typo)
			if spent >= budget || len(s.hits) >= want {
				return
			}
		}
	}
}

// try adds concept i if it fits, and returns what looking at it cost.
func (s *search) try(i int, typo bool) int {
	if s.seen[i] || s.opt.Group != "" && !s.kb.in(i, s.opt.Group) {
		return 1
	}
	s.seen[i] = true
	c := s.kb.Concept(i)
	best := ranked{Hit: Hit{Concept: i, ID: c.ID, Match: MatchTypo + 1}, rank: len(s.hits)}
	for _, n := range c.Names {
		if s.opt.Language != "" && n.Language != "" && n.Language != s.opt.Language || s.opt.Group != "" && !n.In(s.opt.Group) {
			continue
		}
		r := best
		r.Name = n
		if r.Match = s.match(n.Text); typo {
			r.Match, r.edits = MatchTypo, s.edits(n.Text)
		}
		if r.compare(best) < 0 {
			best = r
		}
	}
	if best.Match <= MatchTypo {
		s.hits = append(s.hits, best)
	}
	return decoding
}

// match says how a name fits the query.
func (s *search) match(name string) Match {
	have := s.kb.fold.query(name)
	if len(have) >= len(s.words) {
		n := len(s.words)
		head := slices.Equal(have[:n-1], s.words[:n-1]) && strings.HasPrefix(have[n-1], s.words[n-1])
		switch {
		case head && len(have) == n && have[n-1] == s.words[n-1]:
			return MatchExact
		case head:
			return MatchPrefix
		}
	}
	for _, q := range s.words {
		if !slices.ContainsFunc(have, func(w string) bool { return strings.HasPrefix(w, q) }) {
			return MatchSpread
		}
	}
	return MatchWord
}

// edits returns the distance of the query's words to the beginnings of the name's that are nearest to them.
func (s *search) edits(name string) int {
	have, sum := s.kb.fold.query(name), 0
	for _, q := range s.words {
		t, least := newEditTable(q), len(q)
		for _, w := range have {
			for d := range len(w) {
				t.row(w, d)
				least = min(least, t.last(d))
			}
		}
		sum += least
	}
	return sum
}

// A span is a range of the sorted words.
type span struct{ from, to int }

func (kb *KB) wordCount() int { return kb.wordsAt.len() - 1 }

func (kb *KB) word(i int) string {
	return view(cut(kb.words, uint64(kb.wordsAt.at(i)), uint64(kb.wordsAt.at(i+1))))
}

// prefixed returns the words from `from` on that begin with prefix.
func (kb *KB) prefixed(from int, prefix string) span {
	n := kb.wordCount() - from
	lo := from + sort.Search(n, func(i int) bool { return kb.word(from+i) >= prefix })
	hi := lo + sort.Search(kb.wordCount()-lo, func(i int) bool { return !strings.HasPrefix(kb.word(lo+i), prefix) })
	return span{lo, hi}
}

func (kb *KB) wordPrefixes(words []string) [][]span {
	out := make([][]span, len(words))
	for i, w := range words {
		out[i] = []span{kb.prefixed(0, w)}
	}
	return out
}

// bearers returns the ranks of the concepts that have a word of every term, as a set of bits.
func (kb *KB) bearers(terms [][]span) []uint64 {
	var all []uint64
	for i, spans := range terms {
		set := make([]uint64, (kb.Len()+63)/64)
		for _, s := range spans {
			kb.mark(set, cut(kb.postings, kb.postingsAt.at(s.from), kb.postingsAt.at(s.to)), s)
		}
		if i == 0 {
			all = set
			continue
		}
		for j := range all {
			all[j] &= set[j]
		}
	}
	return all
}

// mark sets the ranks of the words of s, whose postings b lie one after the other.
func (kb *KB) mark(set []uint64, b []byte, s span) {
	start := kb.postingsAt.at(s.from)
	for w := s.from; w < s.to; w++ {
		list := cut(b, kb.postingsAt.at(w)-start, kb.postingsAt.at(w+1)-start)
		rank := uint64(0)
		for len(list) > 0 {
			d, n := binary.Uvarint(list)
			if rank += d; n <= 0 || rank >= uint64(kb.Len()) {
				return
			}
			set[rank/64] |= 1 << (rank % 64)
			list = list[n:]
		}
	}
}

// similarWords returns for each word of a query the words that begin with something up to k letters off, as far as its length allows: none
// below four letters, one below eight.
func (kb *KB) similarWords(words []string, k int) [][]span {
	out := make([][]span, len(words))
	for i, w := range words {
		if n := min(k, len(w)/4); n > 0 {
			out[i] = kb.similar(w, n)
		} else {
			out[i] = []span{kb.prefixed(0, w)}
		}
	}
	return out
}

// similar returns the words with a beginning within k edits of w (insertion, deletion, change, or two neighbours swapped). It
// walks the sorted words and keeps the rows of the distance table for the letters that a word shares with the one before.
func (kb *KB) similar(w string, k int) []span {
	t := newEditTable(w)
	var out []span
	prev := ""
	for i := 0; i < kb.wordCount(); {
		word := kb.word(i)
		d := shared(prev, word)
		prev = word
		next := i + 1
		for ; d < len(word); d++ {
			least := t.row(word, d)
			if t.last(d) <= k {
				next = kb.past(i, word[:d+1])
				out = append(out, span{i, next})
				break
			}
			if least > k {
				next = kb.past(i, word[:d+1])
				break
			}
		}
		i = next
	}
	return out
}

// past returns the first word after i that does not begin with prefix, which word i does: near ones are found fast.
func (kb *KB) past(i int, prefix string) int {
	step := 1
	for i+step < kb.wordCount() && strings.HasPrefix(kb.word(i+step), prefix) {
		i += step
		step *= 2
	}
	n := min(step, kb.wordCount()-i)
	return i + sort.Search(n, func(j int) bool { return !strings.HasPrefix(kb.word(i+j), prefix) })
}

func shared(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// editTable is the table of distances between the beginnings of a query and those of a word: row d+1 belongs to the word's first
// d+1 bytes.
type editTable struct {
	w    string
	rows [maxWord + 2][]int
}

func newEditTable(w string) *editTable {
	t := &editTable{w: w}
	for i := range t.rows {
		t.rows[i] = make([]int, len(w)+1)
		t.rows[i][0] = i
	}
	for j := range len(w) + 1 {
		t.rows[0][j] = j
	}
	return t
}

// row fills the row of word[:d+1] and returns its least entry.
func (t *editTable) row(word string, d int) int {
	above, row := t.rows[d], t.rows[d+1]
	least := row[0]
	for j := 1; j <= len(t.w); j++ {
		cost := 1
		if word[d] == t.w[j-1] {
			cost = 0
		}
		v := min(above[j-1]+cost, above[j]+1, row[j-1]+1)
		if d > 0 && j > 1 && word[d] == t.w[j-2] && word[d-1] == t.w[j-1] {
			v = min(v, t.rows[d-1][j-2]+1)
		}
		row[j] = v
		least = min(least, v)
	}
	return least
}

func (t *editTable) last(d int) int { return t.rows[d+1][len(t.w)] }
