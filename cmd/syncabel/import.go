package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sort"

	"syncabel/internal/artifact"
	"syncabel/internal/pipeline"
	"syncabel/internal/text"
)

type importCmd struct {
	KB      importKBCmd      `cmd:"" name:"kb" help:"Import a knowledge base."`
	Corpus  importCorpusCmd  `cmd:"" help:"Import an annotated corpus."`
	Lexicon importLexiconCmd `cmd:"" help:"Make a table of translations and synonyms of a dictionary."`
	Model   importModelCmd   `cmd:"" help:"Download a model folder to fine-tune, given its name on a hub."`
}

type importCorpusCmd struct {
	corpusIn
	Out   string   `required:"" help:"Folder to write." type:"path"`
	Split string   `enum:"train,dev,test," default:"" help:"Split the files belong to: train, dev or test; default test, unless the documents say."`
	JSON  bool     `name:"json" help:"Print the counts as JSON."`
	Paths []string `arg:"" optional:"" help:"Files." type:"path"`
}

// Help shows an example.
func (importCorpusCmd) Help() string {
	return "Example:\n  syncabel import corpus --format pubtator --split train --out corpus/train train.pubtator"
}

// Run imports a corpus.
func (c *importCorpusCmd) Run(a *app) error {
	cfg := c.config(nil)
	switch {
	case c.Split == "train":
		cfg.Train = append(cfg.Train, c.Paths...)
	case c.Split == "dev":
		cfg.Dev = append(cfg.Dev, c.Paths...)
	case c.Split == "test" || len(c.IDs) == 0 && c.Format != "jsonl":
		cfg.Test = append(cfg.Test, c.Paths...)
	default:
		cfg.All = c.Paths
	}
	inputs := slices.Concat(cfg.Train, cfg.Dev, cfg.Test, cfg.All)
	if len(inputs) == 0 {
		return &usageError{"no corpus: name its files, or --train, --dev, --test"}
	}
	docs, warnings, err := pipeline.ReadCorpus(cfg, itself)
	if err != nil {
		return err
	}
	return a.save(saved{c.Out, "corpus", cfg, inputs, c.JSON}, func(f *artifact.Folder) ([]text.Warning, error) {
		return warnings, pipeline.SaveCorpus(f, docs, warnings)
	})
}

func itself(p string) string { return p }

// saved says what a verb writes into a folder of its own.
type saved struct {
	out, kind string
	options   any
	inputs    []string
	json      bool
}

// save writes an artefact folder, prints every warning with its place, and the counts.
func (a *app) save(s saved, build func(*artifact.Folder) ([]text.Warning, error)) error {
	raw, err := json.Marshal(s.options)
	if err != nil {
		return err
	}
	inputs := map[string]string{}
	for _, p := range s.inputs {
		h, err := artifact.HashPath(p)
		if err != nil {
			return err
		}
		inputs[p] = h.SHA256
	}
	key, err := artifact.Key(s.kind, 0, s.options, inputs)
	if err != nil {
		return err
	}
	f, err := artifact.Create(s.out, artifact.Manifest{Kind: s.kind, Program: version(), Key: key, Options: raw, Inputs: inputs})
	if err != nil {
		return err
	}
	warnings, err := build(f)
	if err != nil {
		return err
	}
	if err := f.Commit(); err != nil {
		return err
	}
	a.report(warnings)
	return printCounts(a.out, s.kind, f.Manifest.Counts, s.json)
}

// maxWarnings bounds how many warnings are printed; all are counted.
const maxWarnings = 20

func (a *app) report(warnings []text.Warning) {
	a.warnings += text.Count(warnings)
	for i, w := range warnings {
		if i == maxWarnings {
			fmt.Fprintf(a.err, "... and %d more warnings; manifest.json counts them by kind\n", text.Count(warnings[i:]))
			return
		}
		fmt.Fprintf(a.err, "warning: %s\n", w)
	}
}

func printCounts(w io.Writer, kind string, counts map[string]int64, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(map[string]any{"kind": kind, "counts": counts})
	}
	names := make([]string, 0, len(counts))
	for n := range counts {
		names = append(names, n)
	}
	sort.Strings(names)
	fmt.Fprintln(w, kind)
	for _, n := range names {
		fmt.Fprintf(w, "  %-40s %d\n", n, counts[n])
	}
	return nil
}
