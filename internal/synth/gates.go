package synth

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

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
	RejectUnlike    = "mention is no name of the concept"
	RejectDuplicate = "duplicate"
	RejectNear      = "near-duplicate"
	RejectLeakage   = "overlaps a held-out sentence"
	RejectRoundTrip = "round trip: concept not among the candidates"
	RejectJudge     = "judge: mention does not mean the concept"
)

// How closely a mention must resemble the names of its concept.
const (
	MentionNear      = "near"      // a name, a form of one, an abbreviation, or a word of one: loses brand names and some lay words
	MentionPlausible = "plausible" // anything that is not clearly something else: for sentences that somebody has read
)

// Options of Check. Zero values are the defaults.
type Options struct {
	MinWords  int    // of a sentence; default 4
	MaxWords  int    // default 80
	Overlap   int    // words in a row shared with a held-out sentence that reject; default 8
	Mention   string // MentionNear or MentionPlausible; default near
	Frames    int    // sentences that differ in nothing but the mention, over all concepts; default 5
	RoundTrip int    // 0, or the concept must be among so many candidates of Ranker
	Ranker    Ranker
	Confirmer Confirmer // asked about mentions that resemble no name; nil: MentionPlausible or MentionNear decides
}

// A Ranker lists the concepts that a mention could mean, best first: the linker of today, or string comparison.
type Ranker interface {
	Rank(mention, group, language string, k int) []string
}

// A Confirmer says whether the mention of a sentence, which is in brackets, means a concept. known is false when nobody could say.
type Confirmer interface {
	Confirm(concept, language, sentence string) (means, known bool)
}

// A Rejected is a sentence that did not pass, kept for reading.
type Rejected struct {
	Concept  string `json:"concept"`
	Language string `json:"language"`
	Prompt   string `json:"prompt,omitempty"`
	Reason   string `json:"reason"`
	Sentence string `json:"sentence,omitempty"`
}

// A Checked is what passed, and why the rest did not.
type Checked struct {
	Documents []corpus.Document // one a sentence
	Kept      []Rejected        // what did not pass
	Counts
}

// Counts sum up a check.
type Counts struct {
	Sentences   int            // seen
	Passed      int            //
	Unconfirmed int            // of those that passed: the mention resembles no name and nobody confirmed it
	Rejected    map[string]int // by reason; a failed request counts once
}

// Check parses the answers of a journal and lets sentences through the gates. Held-out documents (development and test)
// are used for one thing: to reject sentences that repeat them.
func Check(kb *terminology.KB, records []Record, heldOut []corpus.Document, opt Options) *Checked {
	g := NewGates(kb, heldOut, opt)
	out := &Checked{}
	for _, r := range records {
		docs, rejected := g.Record(r)
		out.Documents, out.Kept = append(out.Documents, docs...), append(out.Kept, rejected...)
	}
	out.Counts = g.Counts
	return out
}

// Gates judge the sentences of records one record after the other. What passes depends on what came before: the first of two
// duplicates stays.
type Gates struct {
	Counts
	kb        *terminology.KB
	languages *languages
	opt       Options
	hash      maphash.Seed

	seen   map[uint64]bool  // whole sentences
	frames map[uint64]uint8 // sentences without their mention
	held   map[uint64]bool  // runs of words of held-out documents

	// Of the concept and language at hand.
	concept  *terminology.Concept
	index    int
	language string
	names    *names
	written  [][]uint64 // pairs of words of each sentence that passed
}

// NewGates makes gates that have seen nothing.
func NewGates(kb *terminology.KB, heldOut []corpus.Document, opt Options) *Gates {
	opt.MinWords, opt.MaxWords = cmp.Or(opt.MinWords, 4), cmp.Or(opt.MaxWords, 80)
	opt.Overlap, opt.Frames, opt.Mention = cmp.Or(opt.Overlap, 8), cmp.Or(opt.Frames, 5), cmp.Or(opt.Mention, MentionNear)
	g := &Gates{Counts: Counts{Rejected: map[string]int{}}, kb: kb, languages: newLanguages(), opt: opt, hash: maphash.MakeSeed(),
		seen: map[uint64]bool{}, frames: map[uint64]uint8{}, held: map[uint64]bool{}}
	for i := range heldOut {
		for _, k := range g.runs(words(heldOut[i].Text), opt.Overlap) {
			g.held[k] = true
		}
		for _, s := range text.Sentences(heldOut[i].Text, heldOut[i].Language, nil) {
			if w := words(heldOut[i].Text[s.Start:s.End]); len(w) >= opt.MinWords {
				g.held[g.sum(w)] = true
			}
		}
	}
	return g
}

// Record judges the sentences of one answer.
func (g *Gates) Record(r Record) (docs []corpus.Document, rejected []Rejected) {
	reject := func(why, sentence string) {
		g.Rejected[why]++
		rejected = append(rejected, Rejected{Concept: r.Concept, Language: r.Language, Prompt: r.Prompt, Reason: why, Sentence: sentence})
	}
	if r.Error != "" || strings.TrimSpace(r.Answer) == "" {
		reject(RejectMissing, "")
		return docs, rejected
	}
	known := g.enter(r)
	for n, line := range Lines(r.Answer) {
		g.Sentences++
		if !known {
			reject(RejectConcept, line)
			continue
		}
		d, why := g.sentence(line)
		if why != "" {
			reject(why, line)
			continue
		}
		g.Passed++
		d.ID = fmt.Sprintf("synthetic:%s:%s:%d", r.Concept, cmp.Or(r.Prompt, r.Language), n+1) // a prompt's name ends in its language
		d.Mentions[0].ID = d.ID + ".1"
		docs = append(docs, d)
	}
	return docs, rejected
}

// enter looks up the concept of a record.
func (g *Gates) enter(r Record) bool {
	if g.concept != nil && g.concept.ID == r.Concept && g.language == r.Language {
		return true
	}
	i, ok := g.kb.Index(r.Concept)
	if !ok {
		return false
	}
	g.concept, g.index, g.language, g.written = g.kb.Concept(i), i, r.Language, nil
	list := make([]string, len(g.concept.Names))
	for k, n := range g.concept.Names {
		list[k] = n.Text
	}
	g.names = newNames(list)
	return true
}

// sentence judges one line.
func (g *Gates) sentence(line string) (corpus.Document, string) {
	s, sp, ok := Parse(line)
	if !ok {
		return corpus.Document{}, RejectMention
	}
	w := words(s)
	switch n := len(strings.Fields(s)); {
	case g.residue(s):
		return corpus.Document{}, RejectResidue
	case n < g.opt.MinWords || n > g.opt.MaxWords:
		return corpus.Document{}, RejectLength
	case g.languages.wrong(s, g.language):
		return corpus.Document{}, RejectLanguage
	}
	sure, why := g.mention(line, s, sp)
	if why != "" {
		return corpus.Document{}, why
	}
	if why := g.repeats(w, words(s[:sp.Start]), words(s[sp.End:])); why != "" {
		return corpus.Document{}, why
	}
	if !sure {
		g.Unconfirmed++
	}
	return corpus.Document{Language: g.language, Split: "train", Text: s, Mentions: []corpus.Mention{{
		Spans: []text.Span{sp}, Text: s[sp.Start:sp.End], Type: g.concept.Groups()[0], Gold: []corpus.Answer{{g.concept.ID}}, Origin: "synthetic"}}}, ""
}

var (
	markup  = regexp.MustCompile("[{}]|<SEP>|<\\|?/?[a-zA-Z][^<>]*>|\\|>|```|\uFFFD|\\\\n")
	chatter = regexp.MustCompile(`(?i)\bas an ai\b|\bi cannot\b|\bi can't\b|\bhere (is|are)\b.*\bsentences?\b|\bvoici\b.*\bphrases?\b|\baquí (están|tienes|tiene)\b.*\bfrases?\b|\bje ne peux pas\b|\bno puedo\b.*\bfrases?\b`)
)

// residue reports whether s holds parts of a prompt, of markup, or of the talk around an answer. The group in round brackets is
// what readers that replace braces make of a copied {Group}.
func (g *Gates) residue(s string) bool {
	if !utf8.ValidString(s) || markup.MatchString(s) || chatter.MatchString(s) || len(g.concept.ID) > 3 && strings.Contains(s, g.concept.ID) {
		return true
	}
	return slices.ContainsFunc(g.concept.Groups(), func(group string) bool { return strings.Contains(s, "("+group+")") })
}

// mention judges what stands in the brackets; sure is false when it resembles no name and passes all the same.
func (g *Gates) mention(line, s string, sp text.Span) (sure bool, why string) {
	mention := s[sp.Start:sp.End]
	if owners := g.kb.Normalized(mention); len(owners) > 0 && !slices.Contains(owners, g.index) {
		return false, RejectOther
	}
	like := g.names.like(mention)
	if like != sameName && isClause(mention) {
		return false, RejectUnlike
	}
	if like == unlike {
		switch {
		case g.isGeneric(mention), g.namedOutside(s, sp):
			return false, RejectUnlike
		case g.opt.Confirmer != nil:
			means, known := g.opt.Confirmer.Confirm(g.concept.ID, g.language, line)
			if known && !means {
				return false, RejectJudge
			}
			if sure = known; !known && g.opt.Mention == MentionNear {
				return false, RejectUnlike
			}
		case g.opt.Mention == MentionNear:
			return false, RejectUnlike
		}
	} else {
		sure = true
	}
	if g.opt.RoundTrip > 0 && like != sameName && g.opt.Ranker != nil &&
		!slices.Contains(g.opt.Ranker.Rank(mention, g.concept.Groups()[0], g.language, g.opt.RoundTrip), g.concept.ID) {
		return false, RejectRoundTrip
	}
	return sure, ""
}

// maxMentionWords is more than names in running text have.
const maxMentionWords = 12

// isClause reports whether a mention is longer than a name, or punctuated as a sentence is.
func isClause(mention string) bool {
	return len(strings.Fields(mention)) > maxMentionWords || strings.Contains(mention, "; ") || strings.Contains(mention, ". ") || strings.HasSuffix(mention, ".") && strings.Contains(mention, " ")
}

// isGeneric reports whether a mention has no letters, or only words that stand in every note.
func (g *Gates) isGeneric(mention string) bool {
	w := foldWords(mention)
	return !slices.ContainsFunc(w, func(x string) bool {
		return !generic[x] && !vague[x] && strings.ContainsFunc(x, unicode.IsLetter)
	})
}

// namedOutside reports whether a name of the concept stands outside the brackets: the mark is then on something else.
func (g *Gates) namedOutside(s string, sp text.Span) bool {
	rest := " " + strings.Join(foldWords(s[:sp.Start]+" | "+s[sp.End:]), " ") + " "
	return slices.ContainsFunc(g.names.folded, func(n string) bool { return len(n) > 3 && strings.Contains(rest, " "+n+" ") })
}

// repeats judges a sentence, given as words, by what was seen before, and remembers it when it passes.
func (g *Gates) repeats(w, before, after []string) string {
	whole := g.sum(w)
	if g.seen[whole] {
		return RejectDuplicate
	}
	pairs := g.runs(w, 2)
	slices.Sort(pairs)
	if slices.ContainsFunc(g.written, func(old []uint64) bool { return overlap(pairs, old) >= nearDuplicate }) {
		return RejectNear
	}
	frame := g.sum(append(append(slices.Clip(before), "\x00"), after...))
	if int(g.frames[frame]) >= g.opt.Frames {
		return RejectNear
	}
	if g.held[whole] || slices.ContainsFunc(g.runs(w, g.opt.Overlap), func(k uint64) bool { return g.held[k] }) {
		return RejectLeakage
	}
	g.seen[whole] = true
	g.frames[frame]++
	g.written = append(g.written, pairs)
	return ""
}

// nearDuplicate is the share of word pairs that makes two sentences of a concept one: changing one word of ten leaves two thirds.
const nearDuplicate = 0.6

// overlap is the Jaccard index of two sorted lists.
func overlap(a, b []uint64) float64 {
	both, i, j := 0, 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			both, i, j = both+1, i+1, j+1
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	if len(a)+len(b) == 0 {
		return 0
	}
	return float64(both) / float64(len(a)+len(b)-both)
}

func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// sum hashes a sequence of words.
func (g *Gates) sum(words []string) uint64 {
	var h maphash.Hash
	h.SetSeed(g.hash)
	for _, w := range words {
		h.WriteString(w)
		h.WriteByte(0)
	}
	return h.Sum64()
}

// runs hashes every n words in a row.
func (g *Gates) runs(w []string, n int) []uint64 {
	var out []uint64
	for i := 0; i+n <= len(w); i++ {
		out = append(out, g.sum(w[i:i+n]))
	}
	return out
}
