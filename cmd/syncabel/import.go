package main

import (
	"encoding/json"
	"fmt"
	"io"
	"sort"

	"syncabel/internal/artifact"
	"syncabel/internal/pipeline"
	"syncabel/internal/text"
)

type importCmd struct {
	KB     importKBCmd     `cmd:"" name:"kb" help:"Import a knowledge base."`
	Corpus importCorpusCmd `cmd:"" help:"Import an annotated corpus."`
}

type importKBCmd struct {
	Format    string `required:"" enum:"table,obo,obographs,umls,snomed,mesh" help:"table (code, name, ... in TSV or CSV), obo, obographs, umls (RRF folder or zip), snomed (RF2 folder or zip) or mesh (XML)."`
	Out       string `required:"" help:"Folder to write." type:"path"`
	Relations string `help:"Table of child and parent." type:"path"`
	Language  string `help:"Language of names that do not say."`
	Group     string `help:"Semantic group of concepts that do not say."`
	Source    string `help:"Vocabulary the names come from."`
	Licence   string `help:"Licence class: open, attribution or restricted."`

	Languages  []string `help:"UMLS, SNOMED CT: only names in these languages, e.g. en,fr,es."`
	Sources    []string `help:"UMLS: only names of these sources (SAB)."`
	TermTypes  []string `help:"UMLS: only names of these term types (TTY)."`
	Types      []string `help:"UMLS: only concepts of these semantic types (TUI), or st21pv."`
	Groups     []string `help:"UMLS: only concepts of these semantic groups; SNOMED CT: of these semantic tags." sep:";"`
	Suppressed bool     `help:"UMLS: also suppressed and obsolete names."`

	JSON  bool     `name:"json" help:"Print the counts as JSON."`
	Paths []string `arg:"" help:"Files." type:"path"`
}

// Help shows an example.
func (importKBCmd) Help() string {
	return "Example:\n  syncabel import kb --format obo --out kb/hpo hp.obo"
}

// Run imports a knowledge base.
func (c *importKBCmd) Run(a *app) error {
	cfg := pipeline.KB{Format: c.Format, Paths: c.Paths, Relations: c.Relations, Language: c.Language, Group: c.Group, Source: c.Source, Licence: c.Licence,
		Languages: c.Languages, Sources: c.Sources, TermTypes: c.TermTypes, Types: c.Types, Groups: c.Groups, Suppressed: c.Suppressed}
	kb, warnings, err := pipeline.ReadKB(cfg, itself)
	if err != nil {
		return err
	}
	return a.save(c.Out, "kb", cfg, c.Paths, warnings, c.JSON, func(f *artifact.Folder) error { return pipeline.SaveKB(f, kb, warnings) })
}

type importCorpusCmd struct {
	Format      string   `required:"" enum:"pubtator,brat,bioc,bigbio,table,jsonl" help:"pubtator, brat (folder or zip), bioc (XML or JSON), bigbio (JSON), table (TSV or CSV beside texts) or jsonl (this program's own)."`
	Out         string   `required:"" help:"Folder to write." type:"path"`
	Language    string   `default:"en" help:"Language of the texts: en, fr, es."`
	Split       string   `enum:"train,dev,test" default:"test" help:"Split the files belong to."`
	Composite   string   `help:"What joins the codes of one answer that needs all of them; default | in PubTator and BioC, + in BRAT and tables."`
	Alternative string   `help:"What joins codes of which any one counts."`
	Prefix      string   `help:"Put before codes without a colon."`
	Texts       string   `help:"Format table: folder of the .txt files; default: the table's own." type:"path"`
	JSON        bool     `name:"json" help:"Print the counts as JSON."`
	Paths       []string `arg:"" help:"Files." type:"path"`
}

// Help shows an example.
func (importCorpusCmd) Help() string {
	return "Example:\n  syncabel import corpus --format pubtator --split train --out corpus/train train.pubtator"
}

// Run imports a corpus.
func (c *importCorpusCmd) Run(a *app) error {
	cfg := pipeline.Corpus{Format: c.Format, Language: c.Language, Composite: c.Composite, Alternative: c.Alternative, Prefix: c.Prefix, Texts: c.Texts}
	switch c.Split {
	case "train":
		cfg.Train = c.Paths
	case "dev":
		cfg.Dev = c.Paths
	default:
		cfg.Test = c.Paths
	}
	docs, warnings, err := pipeline.ReadCorpus(cfg, itself)
	if err != nil {
		return err
	}
	return a.save(c.Out, "corpus", cfg, c.Paths, warnings, c.JSON, func(f *artifact.Folder) error { return pipeline.SaveCorpus(f, docs, warnings) })
}

func itself(p string) string { return p }

// save writes an artefact folder, prints every warning with its place, and the counts.
func (a *app) save(out, kind string, options any, paths []string, warnings []text.Warning, asJSON bool, build func(*artifact.Folder) error) error {
	raw, err := json.Marshal(options)
	if err != nil {
		return err
	}
	inputs := map[string]string{}
	for _, p := range paths {
		h, err := artifact.HashPath(p)
		if err != nil {
			return err
		}
		inputs[p] = h.SHA256
	}
	key, err := artifact.Key(kind, 0, options, inputs)
	if err != nil {
		return err
	}
	f, err := artifact.Create(out, artifact.Manifest{Kind: kind, Program: version(), Key: key, Options: raw, Inputs: inputs})
	if err != nil {
		return err
	}
	if err := build(f); err != nil {
		return err
	}
	if err := f.Commit(); err != nil {
		return err
	}
	a.report(warnings)
	return printCounts(a.out, kind, f.Manifest.Counts, asJSON)
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
