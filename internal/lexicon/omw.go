package lexicon

import (
	"fmt"
	"io"
	"io/fs"
	"strings"

	"syncabel/internal/text"
)

// OpenMultilingual reads a wordnet of another language in the table of the Open Multilingual Wordnet (rows of "00001740-n", "fra:lemma", "entité") and
// the folder of WordNet 3.0, whose sets it names. It returns what that language's words are in English. Rows that are none are reported with their line.
func OpenMultilingual(r io.Reader, file string, dir fs.FS) ([]Pair, []text.Warning, error) {
	english, err := readWordNet(dir)
	if err != nil {
		return nil, nil, err
	}
	other := map[synset][]string{}
	bad := text.Problems{File: file}
	err = lines(r, file, maxLine, func(line int, row string) error {
		c := strings.Split(row, "\t")
		if row == "" || row[0] == '#' || len(c) > 1 && !strings.HasSuffix(c[1], ":lemma") { // definitions, examples
			return nil
		}
		offset, pos, _ := strings.Cut(c[0], "-")
		at, ok := synsetOf(offset, pos)
		if !ok || len(c) < 3 {
			bad.Add(line, kind, "a set of WordNet, the kind of row and a lemma are expected")
			return nil
		}
		other[at] = append(other[at], lower(strings.ReplaceAll(c[2], "_", " ")))
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	out := Merge(across(other, english.lemmas))
	if len(out) == 0 {
		return nil, nil, fmt.Errorf("reading %s: none of its %d sets is in this WordNet: version 3.0 is expected", file, len(other))
	}
	return out, bad.List, nil
}
