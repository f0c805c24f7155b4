package ranker

import (
	"slices"
	"strings"
	"unicode"
)

// fold lower-cases, strips the accents of the Latin letters of the three languages, writes Greek letters out and turns all that is
// neither letter nor digit into a space.
func fold(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range strings.ToLower(s) {
		switch f, ok := folded[r]; {
		case ok:
			b.WriteString(f)
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()
}

var folded = map[rune]string{'á': "a", 'à': "a", 'â': "a", 'ä': "a", 'ã': "a", 'å': "a", 'é': "e", 'è': "e", 'ê': "e", 'ë': "e", 'í': "i", 'ì': "i",
	'î': "i", 'ï': "i", 'ó': "o", 'ò': "o", 'ô': "o", 'ö': "o", 'õ': "o", 'ø': "o", 'ú': "u", 'ù': "u", 'û': "u", 'ü': "u", 'ñ': "n", 'ç': "c", 'œ': "e",
	'æ': "e", 'ß': "ss", 'α': "alpha", 'β': "beta", 'γ': "gamma", 'δ': "delta", 'κ': "kappa", 'μ': "mu", 'µ': "mu", 'ω': "omega"}

// stop are words of the three languages that carry no meaning of their own in a name.
var stop = set("of the a an in and or with to by for on s nos unspecified de la le les des du d l et ou un une au aux en el los las del y o con una al por para")

func set(list string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(list) {
		out[w] = true
	}
	return out
}

// words splits a string into canonical words without stop words; when nothing else is left, the stop words stay.
func words(s string) []string {
	all := strings.Fields(fold(s))
	out := make([]string, 0, len(all))
	for _, w := range all {
		if !stop[w] {
			out = append(out, canonical(w))
		}
	}
	if len(out) == 0 {
		return all
	}
	return out
}

var roman = map[string]string{"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7", "viii": "8", "ix": "9", "x": "10"}

// spellings are written one way: British and American English, and the learned letters that Spanish writes plainly.
var spellings = strings.NewReplacer("tumour", "tumor", "ae", "e", "oe", "e", "ph", "f", "y", "i")

// canonical brings inflections and spellings together: plurals, spellings, Roman numerals.
func canonical(w string) string {
	if d, ok := roman[w]; ok {
		return d
	}
	if len(w) > 4 {
		w = spellings.Replace(w)
	}
	switch n := len(w); {
	case n > 4 && strings.HasSuffix(w, "ies"), n > 4 && strings.HasSuffix(w, "sses"), n > 5 && strings.HasSuffix(w, "xes"):
		return w[:n-2]
	case n > 5 && strings.HasSuffix(w, "eaux"), n > 5 && strings.HasSuffix(w, "ses"):
		return w[:n-1]
	case n > 3 && strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss") && !strings.HasSuffix(w, "is") && !strings.HasSuffix(w, "us"):
		return w[:n-1]
	}
	return w
}

// bag is the order-free form of a list of words.
func bag(w []string) string {
	c := slices.Clone(w)
	slices.Sort(c)
	return strings.Join(c, " ")
}

// initials returns the first letters of the words of a name.
func initials(s string) string {
	var b strings.Builder
	for _, w := range strings.Fields(fold(s)) {
		if !stop[w] {
			b.WriteByte(w[0])
		}
	}
	return b.String()
}

func number(w string) bool {
	return w != "" && (w[0] >= '0' && w[0] <= '9' || len(w) == 1)
}

// alike is the likeness of two words' spelling: the Dice coefficient of their letter pairs, raised by a common beginning; 1 only
// when they are equal.
func alike(a, b string) float32 {
	if a == b {
		return 1
	}
	if len(a) < 3 || len(b) < 3 {
		return 0
	}
	p := 0
	for p < len(a) && p < len(b) && a[p] == b[p] {
		p++
	}
	dice := 2 * float32(sharedPairs(a, b)) / float32(len(a)+len(b)-2)
	prefix := float32(p) / float32(max(len(a), len(b)))
	return 0.95 * max(dice, 0.5*(dice+prefix))
}

// sharedPairs counts the neighbouring letters that two words share, each once, among the first 64 of b.
func sharedPairs(a, b string) int {
	n, used := 0, uint64(0)
	for i := 0; i+1 < len(a); i++ {
		for j := 0; j+1 < len(b) && j < 64; j++ {
			if a[i] == b[j] && a[i+1] == b[j+1] && used>>j&1 == 0 {
				used |= 1 << j
				n++
				break
			}
		}
	}
	return n
}

// edit is 1 minus the edit distance in bytes of two strings, of their first 80, divided by the longer's length.
func edit(a, b string) float32 {
	a, b = a[:min(len(a), 80)], b[:min(len(b), 80)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		prev := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := prev
			if a[i] != b[j] {
				cost++
			}
			prev = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return 1 - float32(row[len(b)])/float32(max(len(a), len(b), 1))
}
