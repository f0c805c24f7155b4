package ranker

import (
	"slices"
	"strings"

	"syncabel/internal/lexical"
	"syncabel/internal/terminology"
)

// A Mention is what is asked about.
type Mention struct {
	Text    string // as it stands
	Surface string // what is compared: the long form of an abbreviation, the first member of a coordination
	Group   string
	Start   int // bytes of the document's text
	End     int
}

// A Document is one text with its mentions, which say something about one another.
type Document struct {
	Mentions []Mention
	lower    string
	windows  windows // of lower
	anchors  []anchor
	apposed  map[string][]apposed // by normalised surface
	blind    lexical.Blind
}

// anchor is a mention whose meaning its string alone tells.
type anchor struct {
	key     string
	words   []string
	concept int
}

// apposed is what the text says in brackets beside a mention, or before the brackets that it stands in: "tranexamic acid (AMCA)",
// "nausées (mal au cœur)". It mostly means the same, in abstracts nearly always.
type apposed struct {
	shape
	surface string
	group   string
	concept int // that its string alone tells; -1: none
}

// NewDocument finds the anchors of a document, and which of its mentions its text says twice. Blind training documents do not see their own annotations.
func (r *Ranker) NewDocument(mentions []Mention, text string, blind lexical.Blind) *Document {
	d := &Document{Mentions: mentions, lower: strings.Join(strings.Fields(strings.ToLower(text)), " "), blind: blind}
	d.windows = newWindows(d.lower)
	told := make([]int, len(mentions))
	for i, m := range mentions {
		key := terminology.Normalize(m.Surface)
		c, any := r.memory.byKey[place{m.Group, key}].usual(blind)
		if !any {
			if list := r.kb.Normalized(m.Surface); len(list) == 1 {
				c = list[0]
			}
		}
		if told[i] = c; c >= 0 {
			d.anchors = append(d.anchors, anchor{key, words(m.Surface), c})
		}
	}
	r.appose(d, mentions, told, text)
	return d
}

// Bounds of what is looked at: mentions after one that may stand in brackets beside it (others may overlap it), and of a string's
// second names how many bring candidates, and how many each.
const (
	near        = 5
	maxApposed  = 3
	apposedAdds = 3
)

// appose finds the mentions that stand in brackets of their own beside another of their group. told are the concepts that strings tell.
func (r *Ranker) appose(d *Document, mentions []Mention, told []int, text string) {
	order := make([]int, len(mentions))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return mentions[a].Start - mentions[b].Start })
	for k, i := range order {
		for _, j := range order[k+1 : min(k+1+near, len(order))] {
			if a, b := &mentions[i], &mentions[j]; a.Group == b.Group && bracketed(text, a.End, b.Start, b.End) {
				r.second(d, a, b, told[j])
				r.second(d, b, a, told[i])
			}
		}
	}
}

// second notes that the text says a as b too.
func (r *Ranker) second(d *Document, a, b *Mention, told int) {
	key := terminology.Normalize(a.Surface)
	if key == terminology.Normalize(b.Surface) { // a long form and its abbreviation, expanded
		return
	}
	if d.apposed == nil {
		d.apposed = map[string][]apposed{}
	}
	d.apposed[key] = append(d.apposed[key], apposed{r.shape(b.Surface), b.Surface, b.Group, told})
}

// bracketed reports whether text[start:end] fills brackets that open at after, white space apart.
func bracketed(text string, after, start, end int) bool {
	if start < after || end > len(text) {
		return false
	}
	opened, closed := strings.TrimSpace(text[after:start]), strings.TrimLeft(text[end:min(len(text), end+4)], " ")
	return opened == "(" && strings.HasPrefix(closed, ")") || opened == "[" && strings.HasPrefix(closed, "]")
}

// secondTime compares a concept with what the text says beside the mention.
func (r *Ranker) secondTime(f []float32, list []apposed, concept int, e *entry) {
	for i := range list {
		o := &list[i]
		f[fApposed] = 1
		is(f, fApposedIs, o.concept == concept)
		for k := range e.names {
			n := &e.names[k]
			if n.group != "" && n.group != o.group || len(n.words) == 0 || len(o.words) == 0 {
				continue
			}
			c := r.Vocabulary.compare(o.words, n.words)
			f[fApposedSoft] = max(f[fApposedSoft], harmonic(c.softQ, c.softN))
			f[fApposedCosine] = max(f[fApposedCosine], lexical.Cosine(o.vec, n.vec))
		}
	}
}

// around is what the rest of the document has to do with a concept.
func (r *Ranker) around(f []float32, d *Document, q shape, concept int, e *entry) {
	for _, a := range d.anchors {
		switch {
		case a.key == q.key:
		case a.concept == concept:
			f[fAnchors]++
			if len(a.words) > 0 && len(q.words) > 0 {
				_, soft, _ := r.Vocabulary.covered(q.words, a.words)
				f[fAnchorWords] = max(f[fAnchorWords], soft)
			}
		case slices.Contains(r.kb.ParentsOf(a.concept), concept):
			f[fAnchorChild]++
		case slices.Contains(e.parents, a.concept):
			f[fAnchorParent]++
		}
	}
	for i := range e.names {
		if n := &e.names[i]; len(n.key) >= window && n.key != q.key && d.windows.may(n.key) && strings.Contains(d.lower, n.key) {
			f[fInText] = 1
			return
		}
	}
}

// windows are the runs of five bytes of a text, a bit each by their hash: a name of which one is missing does not stand in it. Of the
// thousands of names that a document's candidates have, few need to be looked for.
type windows []uint64

const (
	window     = 5  // bytes; shorter names are not looked for
	windowBits = 16 // of a hash: half of the bits are set for 32 KB of text
)

func newWindows(s string) windows {
	w := make(windows, 1<<windowBits/64)
	for i := 0; i+window <= len(s); i++ {
		h := windowHash(s[i:])
		w[h/64] |= 1 << (h % 64)
	}
	return w
}

func (w windows) may(key string) bool {
	for i := 0; i+window <= len(key) && len(w) > 0; i++ {
		if h := windowHash(key[i:]); w[h/64]&(1<<(h%64)) == 0 {
			return false
		}
	}
	return true
}

func windowHash(s string) uint32 {
	x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32
	return uint32(x * 0x9E3779B97F4A7C15 >> (64 - windowBits))
}
