package dataset

import (
	"math/rand/v2"
	"strings"
	"unicode"
	"unicode/utf8"
)

func splitWords(s string) []string { return strings.Fields(s) }

func joinWords(w []string) string { return strings.Join(w, " ") }

// Perturb returns s with one or two of the changes that mentions show against names: a dropped or swapped word, inverted
// halves of a comma, a plural, initials, a cut word, another suffix, a hyphen or comma, a typing error.
func Perturb(s string, rng *rand.Rand) string {
	out := s
	for range 1 + rng.IntN(2) {
		if next := perturbOnce(out, rng); strings.TrimSpace(next) != "" {
			out = next
		}
	}
	return out
}

func perturbOnce(s string, rng *rand.Rand) string {
	w := splitWords(s)
	if len(w) == 0 {
		return s
	}
	at := rng.IntN(len(w))
	switch rng.IntN(9) {
	case 0:
		if len(w) > 1 {
			return joinWords(append(append([]string{}, w[:at]...), w[at+1:]...))
		}
		return typo(s, rng)
	case 1:
		rng.Shuffle(len(w), func(i, j int) { w[i], w[j] = w[j], w[i] })
	case 2:
		return invert(s)
	case 3:
		w[len(w)-1] = plural(w[len(w)-1])
	case 4:
		return initials(w, rng)
	case 5:
		w[at] = cut(w[at], rng)
	case 6:
		w[at] = suffix(w[at], rng)
	case 7:
		return punctuation(s)
	default:
		return typo(s, rng)
	}
	return joinWords(w)
}

// invert turns "diabetes, type 2" into "type 2 diabetes", and without a comma moves the last word to the front behind one.
func invert(s string) string {
	if a, b, ok := strings.Cut(s, ", "); ok {
		return b + " " + a
	}
	w := splitWords(s)
	if len(w) < 2 {
		return s
	}
	return w[len(w)-1] + ", " + joinWords(w[:len(w)-1])
}

func plural(w string) string {
	switch {
	case strings.HasSuffix(w, "s") && len(w) > 3:
		return w[:len(w)-1]
	case strings.HasSuffix(w, "y") && len(w) > 3:
		return w[:len(w)-1] + "ies"
	}
	return w + "s"
}

// initials abbreviates all words, or only some neighbours of a longer name.
func initials(w []string, rng *rand.Rand) string {
	if len(w) < 2 {
		return joinWords(w)
	}
	from, to := 0, len(w)
	if len(w) > 2 && rng.IntN(2) == 0 {
		to = 2 + rng.IntN(len(w)-2)
	}
	var b strings.Builder
	for _, x := range w[from:to] {
		r, _ := utf8.DecodeRuneInString(x)
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			b.WriteRune(unicode.ToUpper(r))
		}
	}
	return joinWords(append([]string{b.String()}, w[to:]...))
}

func cut(w string, rng *rand.Rand) string {
	r := []rune(w)
	if len(r) < 6 {
		return w
	}
	return string(r[:4+rng.IntN(len(r)-5)])
}

// suffix swaps an ending that nouns and adjectives of the field alternate in.
func suffix(w string, rng *rand.Rand) string {
	pairs := [][2]string{{"ic", "ia"}, {"ia", "ic"}, {"oma", "omatous"}, {"al", ""}, {"itis", "itic"}, {"osis", "otic"}, {"ous", ""},
		{"ed", ""}, {"ing", ""}, {"ism", "ic"}, {"pathy", "pathic"}, {"emia", "emic"}, {"ial", "ium"}, {"cancer", "tumor"}, {"tumour", "tumor"},
		{"ico", "ia"}, {"ica", "ia"}, {"ique", "ie"}, {"ie", "ique"}, {"ado", "ada"}, {"aux", "al"}}
	start := rng.IntN(len(pairs))
	for i := range pairs {
		p := pairs[(start+i)%len(pairs)]
		if strings.HasSuffix(w, p[0]) && len(w) > len(p[0])+2 {
			return w[:len(w)-len(p[0])] + p[1]
		}
	}
	return w
}

func punctuation(s string) string {
	switch {
	case strings.Contains(s, "-"):
		return strings.Replace(s, "-", " ", 1)
	case strings.Contains(s, ","):
		return strings.Replace(s, ",", "", 1)
	case strings.Contains(s, " "):
		return strings.Replace(s, " ", "-", 1)
	}
	return s
}

// typo drops, doubles, swaps or replaces one letter.
func typo(s string, rng *rand.Rand) string {
	r := []rune(s)
	if len(r) < 4 {
		return s
	}
	i := 1 + rng.IntN(len(r)-2)
	switch rng.IntN(4) {
	case 0:
		return string(append(append([]rune{}, r[:i]...), r[i+1:]...))
	case 1:
		return string(append(append(append([]rune{}, r[:i+1]...), r[i]), r[i+1:]...))
	case 2:
		r[i], r[i+1] = r[i+1], r[i]
	default:
		r[i] = rune('a' + rng.IntN(26))
	}
	return string(r)
}
