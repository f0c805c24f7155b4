package lexicon

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"syncabel/internal/text"
)

// A wordNet is the part of Princeton WordNet that pairs are made from, read from its database files (wndb(5WN)).
type wordNet struct {
	lemmas    map[synset][]string
	relations []relation
}

// synset names a set of synonyms: the offset in its file and its part of speech.
type synset struct {
	offset string
	pos    byte
}

// relation leads from the word `from` of one set to the word `to` of another.
type relation struct {
	source, target synset
	from, to       int  // from 0
	pertains       bool // "renal" pertains to "kidney"; otherwise one is derived from the other ("hear", "hearing")
}

// Weights of what WordNet says, for a term with one sense.
const (
	weightSynonym  = 0.8
	weightPertains = 1
	weightDerived  = 0.6
	weightPertain  = 0.7 // from the noun to its adjective, which is one sense more
)

// WordNet reads a folder with the files data.noun, data.verb, data.adj and data.adv and returns which words are synonyms in a sense, which
// adjective pertains to which noun and what is derived from what. A word of n senses means each of them with weight 1/n.
func WordNet(dir fs.FS) ([]Pair, error) {
	w, err := readWordNet(dir)
	if err != nil {
		return nil, err
	}
	n := senses(w.lemmas)
	out := across(w.lemmas, w.lemmas)
	for _, r := range w.relations {
		a, b := w.lemmas[r.source][r.from], w.lemmas[r.target][r.to]
		if !r.pertains {
			out = append(out, Pair{a, b, weightDerived / float64(n[a])})
			continue
		}
		out = append(out, Pair{a, b, weightPertains / float64(n[a])}, Pair{b, a, weightPertain / float64(1+n[b])})
	}
	return Merge(out), nil
}

// across pairs the words that one lexicon has for a sense with those that another has.
func across(from, to map[synset][]string) (out []Pair) {
	n := senses(from)
	for s, words := range from {
		for _, a := range words {
			for _, b := range to[s] {
				out = append(out, Pair{a, b, weightSynonym / float64(n[a])})
			}
		}
	}
	return out
}

// senses counts the sets that each word stands in.
func senses(lemmas map[synset][]string) map[string]int {
	out := map[string]int{}
	for _, words := range lemmas {
		for _, w := range words {
			out[w]++
		}
	}
	return out
}

func readWordNet(dir fs.FS) (*wordNet, error) {
	w := &wordNet{lemmas: map[synset][]string{}}
	for _, name := range []string{"data.noun", "data.verb", "data.adj", "data.adv"} {
		if err := w.read(dir, name); err != nil {
			return nil, err
		}
	}
	for _, r := range w.relations {
		if r.from >= len(w.lemmas[r.source]) || r.to >= len(w.lemmas[r.target]) {
			return nil, &text.SyntaxError{File: "WordNet", Msg: fmt.Sprintf("a relation leads to word %d of %s%c, which is not there: the files are of several versions", r.to+1, r.target.offset, r.target.pos)}
		}
	}
	return w, nil
}

// maxData bounds a line of WordNet: the longest has some 20 KB.
const maxData = 1 << 20

func (w *wordNet) read(dir fs.FS, name string) error {
	f, err := dir.Open(name)
	if err != nil {
		return fmt.Errorf("reading WordNet: %w (a folder with data.noun, data.verb, data.adj and data.adv is expected, as Debian's package wordnet-base has in /usr/share/wordnet)", err)
	}
	defer f.Close()
	return lines(f, name, maxData, func(_ int, line string) error {
		if strings.HasPrefix(line, "  ") || line == "" { // the licence
			return nil
		}
		return w.synset(line)
	})
}

var errData = errors.New("no line of a WordNet data file")

// synset reads a line: offset, file, part of speech, count of words (hexadecimal), each with a number, count of pointers, each of four fields.
func (w *wordNet) synset(line string) error {
	data, _, _ := strings.Cut(line, " | ")
	c := strings.Fields(data)
	if len(c) < 4 {
		return errData
	}
	at, ok := synsetOf(c[0], c[2])
	words, err := strconv.ParseUint(c[3], 16, 8)
	n := 4 + 2*int(words)
	if !ok || err != nil || len(c) <= n {
		return errData
	}
	for i := 4; i < n; i += 2 {
		word, _, _ := strings.Cut(c[i], "(") // adjectives tell their place so: "afloat(p)"
		w.lemmas[at] = append(w.lemmas[at], lower(strings.ReplaceAll(word, "_", " ")))
	}
	pointers, err := strconv.Atoi(c[n])
	if err != nil || pointers < 0 || len(c) < n+1+4*pointers {
		return errData
	}
	for i := range pointers {
		if err := w.pointer(at, c[n+1+4*i:][:4]); err != nil {
			return err
		}
	}
	return nil
}

// pointer reads a relation between words; those between whole sets (00 as words) and of other kinds are passed over.
func (w *wordNet) pointer(from synset, c []string) error {
	if c[0] != `\` && c[0] != "+" || c[3] == "0000" {
		return nil
	}
	to, ok := synsetOf(c[1], c[2])
	ends, err := strconv.ParseUint(c[3], 16, 16)
	if !ok || err != nil || ends>>8 == 0 || ends&0xff == 0 {
		return errData
	}
	w.relations = append(w.relations, relation{from, to, int(ends>>8) - 1, int(ends&0xff) - 1, c[0] == `\`})
	return nil
}

// synsetOf names a set; adjectives that stand for others ("s") share their file with the rest.
func synsetOf(offset, pos string) (synset, bool) {
	if pos == "s" {
		pos = "a"
	}
	if len(pos) != 1 || offset == "" || strings.Trim(offset, "0123456789") != "" {
		return synset{}, false
	}
	return synset{offset, pos[0]}, true
}
