// Package lexicon reads what dictionaries and thesauri say about words: translations, synonyms, the noun behind an adjective ("renal",
// "kidney"), and holds the tables of clinical words that come with the program. It stands beside the knowledge base at the start of the
// chain; ranker uses it where the names of a knowledge base are not in the words, or not in the language, of the text.
package lexicon

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"syncabel/internal/text"
)

// A Pair says that texts may write Term for what names write as Other. Both are words or short phrases in lower case.
type Pair struct {
	Term, Other string
	Weight      float64 // in (0,1]: 1 where the term has one sense and this is its only rendering
}

// header is the first line of the table that Write writes and Read reads.
const header = "term\tother\tweight"

// minWeight leaves out what a term of fifty senses may mean in one of them.
const minWeight = 0.02

// maxTerm bounds a term, in bytes: longer ones are definitions.
const maxTerm = 60

// Merge brings pairs into order, adds up the weights of equal ones, to 1 at the most, and leaves out the faint, the long, those of one letter and those of a term with itself.
func Merge(pairs []Pair) []Pair {
	out := slices.Clone(pairs)
	slices.SortStableFunc(out, func(a, b Pair) int { return cmp.Or(cmp.Compare(a.Term, b.Term), cmp.Compare(a.Other, b.Other)) })
	n := 0
	for i := 0; i < len(out); {
		p := out[i]
		for i++; i < len(out) && out[i].Term == p.Term && out[i].Other == p.Other; i++ {
			p.Weight += out[i].Weight
		}
		if p.Weight = min(1, p.Weight); p.Weight >= minWeight && p.Term != p.Other && usable(p.Term) && usable(p.Other) {
			out[n] = p
			n++
		}
	}
	return slices.Clip(out[:n])
}

func usable(term string) bool { return utf8.RuneCountInString(term) > 1 && len(term) <= maxTerm }

// Reverse swaps the sides, as for a dictionary into the language of the texts. It trusts them less: what a word is explained by is often rarer, or wider, than the word.
func Reverse(pairs []Pair) []Pair {
	const trust = 0.7
	out := make([]Pair, len(pairs))
	for i, p := range pairs {
		out[i] = Pair{p.Other, p.Term, trust * p.Weight}
	}
	return out
}

// Write writes pairs as a table.
func Write(w io.Writer, pairs []Pair) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, header)
	for _, p := range pairs {
		fmt.Fprintf(b, "%s\t%s\t%s\n", p.Term, p.Other, strconv.FormatFloat(p.Weight, 'f', 3, 64))
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("writing lexicon: %w", err)
	}
	return nil
}

// maxLine bounds a row, maxPairs a table: a large dictionary has some hundred thousand.
const (
	maxLine  = 1 << 16
	maxPairs = 20_000_000
)

// lines calls each with every line and its number. What each returns ends the reading, located.
func lines(r io.Reader, file string, longest int, each func(line int, s string) error) error {
	in := bufio.NewScanner(r)
	in.Buffer(nil, longest)
	line := 0
	for in.Scan() {
		line++
		if err := each(line, in.Text()); err != nil {
			return &text.SyntaxError{File: file, Line: line, Msg: err.Error()}
		}
	}
	if err := in.Err(); err != nil {
		return &text.SyntaxError{File: file, Line: line + 1, Msg: err.Error()}
	}
	return nil
}

// kind is that of every warning: a row was left out.
const kind = "lexicon"

// Read reads a table of term, other and weight (1 where it is left out), with or without the heading. Rows that are none are reported with their line and left out.
func Read(r io.Reader, file string) ([]Pair, []text.Warning, error) {
	var out []Pair
	bad := text.Problems{File: file}
	err := lines(r, file, maxLine, func(line int, row string) error {
		row = strings.TrimPrefix(row, "\ufeff")
		if row == "" || line == 1 && strings.HasPrefix(row, "term\t") {
			return nil
		}
		p, err := parse(row)
		if err != nil {
			bad.Add(line, kind, "%v", err)
			return nil
		}
		if out = append(out, p); len(out) > maxPairs {
			return fmt.Errorf("more than %d pairs", maxPairs)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return Merge(out), bad.List, nil
}

func parse(row string) (Pair, error) {
	c := strings.Split(row, "\t")
	if len(c) < 2 || !utf8.ValidString(row) {
		return Pair{}, errors.New("term, tab, other and perhaps a tab and a weight are expected, in UTF-8")
	}
	p := Pair{lower(c[0]), lower(c[1]), 1}
	if len(c) > 2 && c[2] != "" {
		w, err := strconv.ParseFloat(c[2], 64)
		if err != nil || !(w > 0 && w <= 1) {
			return Pair{}, fmt.Errorf("weight %q: a number above 0 and at most 1 is expected", c[2])
		}
		p.Weight = w
	}
	if !usable(p.Term) || !usable(p.Other) {
		return Pair{}, fmt.Errorf("a term has 2 letters to %d bytes", maxTerm)
	}
	return p, nil
}

// lower is a term as pairs hold it.
func lower(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
