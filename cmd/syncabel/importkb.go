package main

import (
	"fmt"
	"os"
	"runtime/debug"

	"syncabel/internal/artifact"
	"syncabel/internal/pipeline"
	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

type importKBCmd struct {
	Format    string            `required:"" enum:"table,obo,obographs,umls,snomed,mesh,kb" help:"table (code, name, ... in TSV or CSV), obo, obographs, umls (RRF folder, zip or .nlm), snomed (RF2 folder or zip), mesh (XML), or kb (imported before)."`
	Out       string            `required:"" help:"Folder to write." type:"path"`
	Merge     []string          `help:"Knowledge bases imported before, to unite with this one." type:"path"`
	Against   string            `help:"The knowledge base of an earlier release: also write what changed since." type:"path"`
	Synonyms  []string          `help:"Tables (as format table) with further names of these concepts; rows of other codes are reported and left out." type:"path"`
	Relations string            `help:"Table of child and parent." type:"path"`
	Language  string            `help:"Language of names that do not say."`
	Group     string            `help:"Semantic group of concepts that do not say."`
	Source    string            `help:"Vocabulary the names come from."`
	Licence   string            `help:"Licence class: open, attribution or restricted."`
	Protocol  string            `enum:",paper" default:"" help:"paper: each name for one concept of a group, as arXiv 2601.19667 has it; default: every concept keeps its names."`
	Columns   map[string]string `help:"table: headings of the file for our columns, e.g. code=SCTID,name=Term. Ours: code, name, preferred, semantic_group, semantic_type, definition, lang."  mapsep:","`

	Preset     string   `help:"umls: st21pv (MedMentions: 21 semantic types with all below, 18 sources) or quaero (ten groups)."`
	GroupBy    string   `help:"umls, preset st21pv: types, for its 21 types as semantic groups; default: the fifteen of the UMLS." placeholder:"types"`
	Languages  []string `help:"umls, snomed: only names in these languages, e.g. en,fr,es."`
	Sources    []string `help:"umls: only names of these sources (SAB)."`
	TermTypes  []string `help:"umls: only names of these term types (TTY)."`
	Types      []string `help:"umls: only concepts of these semantic types (TUI)."`
	Groups     []string `help:"umls: only concepts of these semantic groups, e.g. DISO;CHEM; snomed: of these semantic tags." sep:";"`
	Refsets    []string `help:"snomed: only names that these language reference sets accept, preferred as they say (SCTID)."`
	Below      []string `help:"snomed: only these concepts and those below them (SCTID)."`
	Suppressed bool     `help:"umls: also suppressed and obsolete names."`

	JSON  bool     `name:"json" help:"Print the counts as JSON."`
	Paths []string `arg:"" help:"Files, folders or zips; several of one release are read together." type:"path"`
}

// Help shows examples.
func (importKBCmd) Help() string {
	return `Examples:
  syncabel import kb --format obo --out kb/hpo hp.obo
  syncabel import kb --format umls --preset st21pv --languages en --out kb/umls 2026AA-metathesaurus-full.zip
  syncabel import kb --format snomed --languages en,es --out kb/sct edition.zip extension.zip
  syncabel import kb --format table --columns code=SCTID,name=Term --out kb/own --merge kb/hpo terms.csv
  syncabel import kb --format obo --synonyms lay-terms.tsv --out kb/hpo-lay hp.obo
  syncabel import kb --format obo --against kb/hpo-2025 --out kb/hpo-2026 hp.obo     (writes changes.jsonl)

Sources of any size stream through some hundred megabytes of memory; temporary files lie in the folder to write and have no
name, so that nothing is left of an interrupted import.`
}

// importMemory is what the collector of garbage aims to stay below: the whole UMLS then imports in less than 2 GiB of resident memory.
const importMemory = 1400 << 20

// Run imports a knowledge base.
func (c *importKBCmd) Run(a *app) error {
	cfg := pipeline.KB{Format: c.Format, Paths: c.Paths, Merge: c.Merge, Synonyms: c.Synonyms, Relations: c.Relations, Language: c.Language, Group: c.Group, Source: c.Source, Licence: c.Licence,
		Columns: c.Columns, Protocol: c.Protocol, Preset: c.Preset, GroupBy: c.GroupBy, Languages: c.Languages, Sources: c.Sources, TermTypes: c.TermTypes, Types: c.Types, Groups: c.Groups,
		Refsets: c.Refsets, Below: c.Below, Suppressed: c.Suppressed}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(importMemory)
	}
	defer removeEmpty(c.Out)
	return a.save(saved{c.Out, "kb", cfg, cfg.Files(), c.JSON}, func(f *artifact.Folder) ([]text.Warning, error) {
		kb, warnings, err := pipeline.ImportKB(cfg, itself, f.Path(terminology.FileName), func(file string, rows int64) error {
			a.meter.rows(file, rows)
			return a.ctx.Err()
		})
		if err != nil {
			return nil, err
		}
		pipeline.NoteKB(f, kb, warnings)
		if c.Against == "" {
			return warnings, nil
		}
		return warnings, a.against(f, kb, c.Against)
	})
}

// against writes what changed since an earlier release and prints how much.
func (a *app) against(f *artifact.Folder, kb *terminology.KB, path string) error {
	old, err := pipeline.OpenKB(path)
	if err != nil {
		return fmt.Errorf("comparing with the earlier release: %w", err)
	}
	defer old.Close()
	counts, err := terminology.WriteChanges(f.Path(terminology.ChangesName), old, kb)
	if err != nil {
		return err
	}
	for kind, n := range counts {
		f.Manifest.Counts["changed: "+kind] = int64(n)
	}
	return nil
}

// removeEmpty removes a folder that an interrupted import made and left empty.
func removeEmpty(dir string) { _ = os.Remove(dir) } // fails on a folder that holds anything
