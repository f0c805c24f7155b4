package lexicon

import (
	"bufio"
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
	var warnings []text.Warning
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxLine)
	line := 0
	for in.Scan() {
		line++
		if in.Text() == "" || strings.HasPrefix(in.Text(), "#") {
			continue
		}
		c := strings.Split(in.Text(), "\t")
		if len(c) > 1 && !strings.HasSuffix(c[1], ":lemma") { // definitions, examples
			continue
		}
		offset, pos, _ := strings.Cut(c[0], "-")
		at, ok := synsetOf(offset, pos)
		if !ok || len(c) < 3 {
			warnings = append(warnings, text.Warning{File: file, Line: line, Kind: "lexicon", Msg: "a set of WordNet, the kind of row and a lemma are expected"})
			continue
		}
		other[at] = append(other[at], lower(strings.ReplaceAll(c[2], "_", " ")))
	}
	if err := in.Err(); err != nil {
		return nil, nil, &text.SyntaxError{File: file, Line: line + 1, Msg: err.Error()}
	}
	out := Merge(across(other, english.lemmas))
	if len(out) == 0 {
		return nil, nil, fmt.Errorf("reading %s: none of its %d sets is in this WordNet: version 3.0 is expected", file, len(other))
	}
	return out, warnings, nil
}
