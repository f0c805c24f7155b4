package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/lexicon"
	"syncabel/internal/terminology/release"
	"syncabel/internal/text"
)

type importLexiconCmd struct {
	Format  string   `required:"" enum:"wordnet,omw,dictd,table,shipped" help:"wordnet (folder with data.noun, ...: English synonyms, adjectives and their nouns), omw (Open Multilingual Wordnet: .tab file and folder of WordNet 3.0: another language to English), dictd (FreeDict: .index and .dict.dz), table (term, other, weight), or shipped (a table that comes with the program, by name)."`
	Out     string   `required:"" help:"Table to write (TSV: term, other, weight)." type:"path"`
	Reverse bool     `help:"Swap the sides, as for a dictionary into the language of the texts."`
	Paths   []string `arg:"" help:"Files and folders, as the format says." type:"path"`
}

// Help shows examples.
func (importLexiconCmd) Help() string {
	return `Examples:
  syncabel import lexicon --format wordnet --out en.tsv /usr/share/wordnet
  syncabel import lexicon --format omw --out fr-en.tsv wn-data-fra.tab /usr/share/wordnet
  syncabel import lexicon --format dictd --out fra-eng.tsv /usr/share/dictd/freedict-fra-eng.index /usr/share/dictd/freedict-fra-eng.dict.dz
  syncabel run --set "ranker.lexicons=[\"$PWD/fr-en.tsv\", \"$PWD/fra-eng.tsv\"]" ...

  syncabel import lexicon --format shipped --out es.tsv es-clinical

The table says what texts may write for words of names; one of your own, of abbreviations for instance, needs no import. en-clinical,
es-clinical and fr-clinical come with the program: ranker.lexicons takes their names; a copy is for reading, or to be changed.`
}

// Run writes the table.
func (c *importLexiconCmd) Run(a *app) error {
	pairs, warnings, err := c.read()
	if err != nil {
		return fmt.Errorf("importing lexicon: %w", err)
	}
	if c.Reverse {
		pairs = lexicon.Merge(lexicon.Reverse(pairs))
	}
	if len(pairs) == 0 {
		return errors.New("importing lexicon: no pair of terms was read: is it of the format that --format says?")
	}
	var b bytes.Buffer
	if err := lexicon.Write(&b, pairs); err != nil {
		return err
	}
	if err := artifact.WriteFile(c.Out, b.Bytes()); err != nil {
		return fmt.Errorf("importing lexicon: %w", err)
	}
	fmt.Fprintf(a.out, "%d pairs of terms\n", len(pairs))
	a.report(warnings)
	return nil
}

// read reads what the format says.
func (c *importLexiconCmd) read() (pairs []lexicon.Pair, warnings []text.Warning, err error) {
	need := map[string]int{"omw": 2, "dictd": 2}[c.Format]
	if len(c.Paths) != max(1, need) {
		return nil, nil, &usageError{fmt.Sprintf("format %s takes %d paths, got %d", c.Format, max(1, need), len(c.Paths))}
	}
	switch first := c.Paths[0]; c.Format {
	case "wordnet":
		pairs, err = lexicon.WordNet(os.DirFS(first))
	case "omw":
		err = release.OpenFile(first, func(r io.Reader, base string) (err error) {
			pairs, warnings, err = lexicon.OpenMultilingual(r, base, os.DirFS(c.Paths[1]))
			return err
		})
	case "dictd":
		err = release.OpenFile(first, func(index io.Reader, base string) error {
			return release.OpenFile(c.Paths[1], func(entries io.Reader, _ string) (err error) {
				pairs, warnings, err = lexicon.Dictd(index, entries, base)
				return err
			})
		})
	case "shipped":
		name := filepath.Base(first)
		table, ok := lexicon.Shipped(name)
		if !ok {
			return nil, nil, &usageError{fmt.Sprintf("no table %q comes with the program; %s do", name, strings.Join(lexicon.ShippedNames(), ", "))}
		}
		pairs, warnings, err = lexicon.Read(bytes.NewReader(table), name)
	default:
		err = release.OpenFile(first, func(r io.Reader, base string) (err error) {
			pairs, warnings, err = lexicon.Read(r, base)
			return err
		})
	}
	return pairs, warnings, err
}
