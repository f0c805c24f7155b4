package synth

import (
	"math"
	"strings"
	"unicode"
)

// languages tells in which language a sentence is. Between those of the prompts it compares how likely the sentence's letters are,
// three at a time, in the prompts themselves: ten kilobytes a language suffice to part English, French and Spanish, also in notes
// without a function word. Other languages that models fall into are known by their function words. It must not reject
// a good sentence for a foreign name, so another language must be clearly ahead. docs/results.md has its errors, and those of
// lingua-go, which makes more and the program 120 MB larger.
type languages struct {
	counts map[string]map[[3]rune]float64
	totals map[string]float64
}

// Thresholds, chosen on the demonstration's sentences.
const (
	letterLead = 8.0  // natural logarithm of the odds for another language
	wordLead   = 1    // function words that a language without a prompt must have more
	smoothing  = 0.3  // added to every count
	trigrams   = 6000 // a language has about so many
)

// newLanguages learns the languages of the prompts.
func newLanguages() *languages {
	m := &languages{counts: map[string]map[[3]rune]float64{}, totals: map[string]float64{}}
	for _, name := range PromptNames() {
		_, language, _ := strings.Cut(name, ".")
		b, err := promptFiles.ReadFile("prompts/" + name + ".txt")
		if err != nil {
			panic(err) // PromptNames lists what is embedded
		}
		if m.counts[language] == nil {
			m.counts[language] = map[[3]rune]float64{}
		}
		for _, g := range letterTrigrams(string(b)) {
			m.counts[language][g]++
			m.totals[language]++
		}
	}
	return m
}

// letterTrigrams returns every three letters in a row, words parted by one space, without those that hold a digit.
func letterTrigrams(s string) [][3]rune {
	r := []rune(" " + strings.Join(words(s), " ") + " ")
	var out [][3]rune
	for i := 0; i+3 <= len(r); i++ {
		if !unicode.IsDigit(r[i]) && !unicode.IsDigit(r[i+1]) && !unicode.IsDigit(r[i+2]) {
			out = append(out, [3]rune(r[i:i+3]))
		}
	}
	return out
}

// wrong reports whether s is clearly in another language than it should be. A language without a prompt passes.
func (m *languages) wrong(s, language string) bool {
	if m.counts[language] == nil {
		return false
	}
	grams := letterTrigrams(s)
	own := m.likelihood(grams, language)
	for other := range m.counts {
		if other != language && m.likelihood(grams, other)-own > letterLead {
			return true
		}
	}
	w := foldWords(s)
	mine := count(w, functionWords[language])
	for other, list := range functionWords {
		if m.counts[other] == nil && count(w, list) > mine+wordLead {
			return true
		}
	}
	return false
}

// likelihood is the natural logarithm of the probability of trigrams in a language.
func (m *languages) likelihood(grams [][3]rune, language string) float64 {
	c := m.counts[language]
	norm := math.Log(m.totals[language] + smoothing*trigrams)
	sum := 0.0
	for _, g := range grams {
		sum += math.Log(c[g]+smoothing) - norm
	}
	return sum
}

func count(words []string, list map[string]bool) int {
	n := 0
	for _, w := range words {
		if list[w] {
			n++
		}
	}
	return n
}

// functionWords of languages, folded. Words that two languages share count for both.
var functionWords = map[string]map[string]bool{
	"en": set(`the of and in to with for is his her on had were by after an a he she at from was has been this that which be as are not or but who when
during without before it who its their into between most than while no`),
	"fr": set(`le la les de des du et en un une a est ete pour avec dans au aux sur par son sa ce il elle d l qui que chez sans apres plus ou ne pas lors
ont sont cette ces ses leur nous vous se s n depuis sous`),
	"es": set(`el la los las de del y en un una es fue para con al por su se que lo sin tras a o no ha han como desde mas sus entre durante este esta
ante muy hasta le pero cuando ser sobre`),
	"de": set(`der die das und in den von zu mit sich des auf fur ist im dem nicht ein eine als auch es an werden aus er hat dass sie nach wird bei einer um
am sind noch wie einem uber einen so zum war haben nur oder aber vor zur bis mehr durch man wurde`),
	"it": set(`il lo la i gli le di del della dei delle e in un una per con che non da dal dalla al alla nel nella si sono ha come dopo piu anche o su
ai agli alle degli sul sulla era stato stata senza`),
	"pt": set(`o a os as de do da dos das e em um uma para com no na nos nas por se que nao ao aos foi mais como ou sem apos pelo pela ser sua seu
entre sobre ate foram tem`),
	"nl": set(`de het een van en in te dat die op met voor zijn was is niet aan ook als bij er maar om door over naar uit tot werd heeft na ze hij
worden wordt zonder`),
}
