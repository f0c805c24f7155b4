package detect

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A feature is the hash of what is seen at a word. Two that fall together cost a little accuracy and nothing else.
type feature uint64

// hashed joins parts by FNV-1a; the first byte says which kind of feature it is.
func hashed(kind byte, parts ...string) feature {
	h := uint64(14695981039346656037) ^ uint64(kind)
	h *= 1099511628211
	for _, p := range parts {
		for i := range len(p) {
			h = (h ^ uint64(p[i])) * 1099511628211
		}
		h = (h ^ 0x1f) * 1099511628211
	}
	return feature(h)
}

// features appends what is seen at each word of a sentence, a slice a word.
func (v *view) features(s words, dst [][]feature) [][]feature {
	n := s.hi - s.lo
	low, shapes, dict := make([]string, n+4), make([]string, n+4), make([]string, n+4)
	for i := range n + 4 {
		low[i], shapes[i], dict[i] = "_", "_", "_"
		if k := s.lo + i - 2; k >= s.lo && k < s.hi {
			w := v.words[k]
			low[i], shapes[i], dict[i] = v.lower(k), shape(v.doc.Text[w.Start:w.End]), v.dictionary(k)
		}
	}
	for i := 2; i < n+2; i++ {
		dst = append(dst, v.at(s.lo+i-2, i, low, shapes, dict))
	}
	return dst
}

// dictionary names what dictionary and document say about a word.
func (v *view) dictionary(k int) string {
	m := v.matches[k]
	b := []byte{'0' + m.at, '0' + min(m.n, 4), 'a' + m.group}
	if m.at == matchNone {
		b = b[:1]
	}
	w := v.words[k]
	if x := v.short[v.doc.Text[w.Start:w.End]]; x > 0 {
		b = append(b, 'S', '0'+x)
	}
	if v.long[k] {
		b = append(b, 'L')
	}
	return string(b)
}

// at lists the features of word k, which stands at i of the padded sentence.
func (v *view) at(k, i int, low, shapes, dict []string) []feature {
	w := low[i]
	info := v.m.Words[w]
	known := string([]byte{'0' + info.Any/2, '0' + info.Last/2, 'a' + info.Group})
	raw := v.doc.Text[v.words[k].Start:v.words[k].End]
	f := []feature{
		hashed('b'), hashed('w', w), hashed('r', raw), hashed('s', shapes[i]),
		hashed('1', low[i-1]), hashed('2', low[i+1]), hashed('3', low[i-2]), hashed('4', low[i+2]),
		hashed('5', low[i-1], w), hashed('6', w, low[i+1]), hashed('7', low[i-1], low[i+1]),
		hashed('8', shapes[i-1], shapes[i]), hashed('9', shapes[i], shapes[i+1]),
		hashed('d', dict[i]), hashed('e', dict[i-1], dict[i]), hashed('f', dict[i], dict[i+1]), hashed('g', dict[i-1], dict[i], dict[i+1]),
		hashed('h', dict[i], shapes[i]), hashed('i', dict[i], w), hashed('k', known), hashed('l', known, dict[i]),
		hashed('m', tail(low[i-1], 3), tail(w, 4)), hashed('n', tail(w, 4), tail(low[i+1], 4)), hashed('o', tail(low[i+1], 5)), hashed('q', tail(low[i-1], 5)),
	}
	next := v.m.Words[low[i+1]]
	f = append(f, hashed('t', known, string([]byte{'0' + next.Any/2, '0' + next.Last/2, 'a' + next.Group})))
	for n := 1; n <= 5; n++ {
		if len(w) > n {
			f = append(f, hashed('p', head(w, n)), hashed('z', tail(w, n)))
		}
	}
	return f
}

// tail returns the last n runes of s, head the first.
func tail(s string, n int) string {
	i := len(s)
	for ; n > 0 && i > 0; n-- {
		_, k := utf8.DecodeLastRuneInString(s[:i])
		i -= k
	}
	return s[i:]
}

func head(s string, n int) string {
	i := 0
	for ; n > 0 && i < len(s); n-- {
		_, k := utf8.DecodeRuneInString(s[i:])
		i += k
	}
	return s[:i]
}

// shape writes capitals as X, small letters as x, digits as 0, each run of one kind at most twice.
func shape(s string) string {
	var b strings.Builder
	var last rune
	run := 0
	for _, r := range s {
		c := r
		switch {
		case unicode.IsUpper(r):
			c = 'X'
		case unicode.IsLetter(r):
			c = 'x'
		case unicode.IsDigit(r):
			c = '0'
		}
		if run++; c != last {
			run = 1
		}
		if last = c; run <= 2 {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// scores adds up the weights of a word's features.
func (m *Model) scores(f []feature, dst []float32) {
	clear(dst)
	for _, x := range f {
		if i, ok := m.at[x]; ok {
			for t, w := range m.Weights[int(i)*m.tags() : (int(i)+1)*m.tags()] {
				dst[t] += w
			}
		}
	}
}

// decode finds the best tags of a sentence by Viterbi.
func (m *Model) decode(f [][]feature) []uint8 {
	n, k := len(f), m.tags()
	if n == 0 {
		return nil
	}
	best := make([]float32, n*k)
	from := make([]uint8, n*k)
	cur := make([]float32, k)
	for i := range n {
		m.scores(f[i], cur)
		for t := range k {
			top, arg := float32(math.Inf(-1)), 0
			if i == 0 {
				if legal(outside, uint8(t)) {
					top = m.Moves[t]
				}
			} else {
				for p := range k {
					if s := best[(i-1)*k+p] + m.Moves[p*k+t]; s > top && legal(uint8(p), uint8(t)) {
						top, arg = s, p
					}
				}
			}
			best[i*k+t], from[i*k+t] = top+cur[t], uint8(arg)
		}
	}
	out := make([]uint8, n)
	for t := range k {
		if best[(n-1)*k+t] > best[(n-1)*k+int(out[n-1])] {
			out[n-1] = uint8(t)
		}
	}
	for i := n - 1; i > 0; i-- {
		out[i-1] = from[i*k+int(out[i])]
	}
	return out
}

// legal: inside follows begin or inside of its group.
func legal(p, t uint8) bool {
	return t == outside || t%2 == 1 || p == t || p == t-1
}
