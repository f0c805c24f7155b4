package synth

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"syncabel/internal/corpus"
	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

// Reasons why a sentence does not pass. Every one is counted.
const (
	RejectConcept   = "concept not in knowledge base"
	RejectMissing   = "request failed"
	RejectMention   = "not exactly one bracketed mention"
	RejectResidue   = "markup or prompt residue"
	RejectLength    = "length"
	RejectLanguage  = "language"
	RejectOther     = "mention is a name of another concept only"
	RejectDuplicate = "duplicate"
	RejectLeakage   = "overlaps a held-out sentence"
)

// Options of Check. Zero values are the defaults.
type Options struct {
	MinWords, MaxWords int // of a sentence; default 4 and 80
	Overlap            int // words in a row shared with a held-out sentence that reject; default 8
}

// A Checked is what passed, and why the rest did not.
type Checked struct {
	Documents []corpus.Document // one a sentence
	Sentences int               // seen
	Rejected  map[string]int    // by reason
}

// Check parses the answers of a journal and lets sentences through the gates. Held-out documents (development and test)
// are used for one thing: to reject sentences that repeat them.
func Check(kb *terminology.KB, records []Record, heldOut []corpus.Document, opt Options) *Checked {
	if opt.MinWords == 0 {
		opt.MinWords = 4
	}
	if opt.MaxWords == 0 {
		opt.MaxWords = 80
	}
	if opt.Overlap == 0 {
		opt.Overlap = 8
	}
	g := &gates{kb: kb, opt: opt, out: &Checked{Rejected: map[string]int{}}, seen: map[string]bool{}, held: map[string]bool{}}
	for i := range heldOut {
		for _, k := range shingles(heldOut[i].Text, opt.Overlap) {
			g.held[k] = true
		}
	}
	for _, r := range records {
		g.record(r)
	}
	return g.out
}

type gates struct {
	kb   *terminology.KB
	opt  Options
	out  *Checked
	seen map[string]bool // sentences without marks, folded
	held map[string]bool
}

func (g *gates) record(r Record) {
	if r.Error != "" || strings.TrimSpace(r.Answer) == "" {
		g.out.Rejected[RejectMissing]++
		return
	}
	i, ok := g.kb.Index(r.Concept)
	n := 0
	for line := range strings.Lines(r.Answer) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		g.out.Sentences++
		n++
		if !ok {
			g.out.Rejected[RejectConcept]++
			continue
		}
		d, why := g.sentence(i, r.Language, line)
		if why != "" {
			g.out.Rejected[why]++
			continue
		}
		d.ID = fmt.Sprintf("synthetic:%s:%s:%d", r.Concept, r.Language, n)
		d.Mentions[0].ID = d.ID + ".1"
		g.out.Documents = append(g.out.Documents, d)
	}
}

// sentence parses and judges one line.
func (g *gates) sentence(concept int, language, line string) (corpus.Document, string) {
	s, sp, ok := Parse(line)
	switch words := len(strings.Fields(s)); {
	case !ok:
		return corpus.Document{}, RejectMention
	case strings.ContainsAny(s, "{}<>|") || strings.Contains(s, "SEP"):
		return corpus.Document{}, RejectResidue
	case words < g.opt.MinWords || words > g.opt.MaxWords:
		return corpus.Document{}, RejectLength
	case !plausibleLanguage(s, language):
		return corpus.Document{}, RejectLanguage
	}
	mention := s[sp.Start:sp.End]
	if owners := g.kb.Normalized(mention); len(owners) > 0 && !slices.Contains(owners, concept) {
		return corpus.Document{}, RejectOther
	}
	key := strings.Join(words(s), " ")
	if g.seen[key] {
		return corpus.Document{}, RejectDuplicate
	}
	for _, k := range shingles(s, g.opt.Overlap) {
		if g.held[k] {
			return corpus.Document{}, RejectLeakage
		}
	}
	g.seen[key] = true
	c := g.kb.Concept(concept)
	return corpus.Document{Language: language, Split: "train", Text: s, Mentions: []corpus.Mention{{
		Spans: []text.Span{sp}, Text: mention, Type: c.Groups()[0], Gold: []corpus.Answer{{c.ID}}, Origin: "synthetic"}}}, ""
}

// Parse takes the brackets off a sentence. It fails unless there is exactly one bracketed, non-empty mention.
func Parse(line string) (string, text.Span, bool) {
	a, b := strings.IndexByte(line, '['), strings.IndexByte(line, ']')
	if a < 0 || b <= a+1 || strings.Count(line, "[") != 1 || strings.Count(line, "]") != 1 {
		return line, text.Span{}, false
	}
	mention := line[a+1 : b]
	if strings.TrimSpace(mention) != mention || mention == "" {
		return line, text.Span{}, false
	}
	return line[:a] + mention + line[b+1:], text.Span{Start: a, End: a + len(mention)}, true
}

func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// shingles returns every n words in a row.
func shingles(s string, n int) []string {
	w := words(s)
	var out []string
	for i := 0; i+n <= len(w); i++ {
		out = append(out, strings.Join(w[i:i+n], " "))
	}
	return out
}

// plausibleLanguage votes with function words: another language must not have clearly more of them.
func plausibleLanguage(s, language string) bool {
	lists := map[string]string{
		"en": " the of and in to was with for is his her on had were by after an a he she at from ",
		"fr": " le la les de des du et en un une est a été pour avec dans au aux sur par son sa ce il elle d l ",
		"es": " el la los las de del y en un una es fue para con al por su se que lo sin tras ",
	}
	if lists[language] == "" {
		return true
	}
	votes := map[string]int{}
	for _, w := range words(s) {
		for l, list := range lists {
			if strings.Contains(list, " "+w+" ") {
				votes[l]++
			}
		}
	}
	for l, n := range votes {
		if l != language && n > votes[language]+2 {
			return false
		}
	}
	return true
}
