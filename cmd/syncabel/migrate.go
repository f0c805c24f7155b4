package main

import (
	"fmt"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/pipeline"
	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

type corpusMigrateCmd struct {
	corpusIn
	KB   string `name:"kb" required:"" help:"The knowledge base to move to." type:"path"`
	From string `help:"The knowledge base that the annotations were made with: also codes whose release says nothing of them move, where all their names belong to one concept now." type:"path"`
	Out  string `required:"" help:"Folder to write: the corpus, and migration.jsonl with every code that is not what it was." type:"path"`
	JSON bool   `name:"json" help:"Print the counts as JSON."`

	Paths []string `arg:"" optional:"" help:"Files whose documents say their split." type:"path"`
}

// migrationName is the report of a migration: one corpus.Move a line.
const migrationName = "migration.jsonl"

// Help shows an example.
func (corpusMigrateCmd) Help() string {
	return `A code moves where exactly one concept took its place: by the history of the release (retired CUIs, historical associations, replaced_by,
alternate IDs), or with --from by its names. Codes that were split or lost stay as they are and are reported.

Example:
  syncabel corpus migrate --kb kb/umls-2026 --from kb/umls-2017 --out corpus/mm-2026 corpus/mm/documents.jsonl`
}

// Run moves annotations to another release.
func (c *corpusMigrateCmd) Run(a *app) error {
	kb, err := pipeline.OpenKB(c.KB)
	if err != nil {
		return err
	}
	defer kb.Close()
	now := kb.Current
	if c.From != "" {
		old, err := pipeline.OpenKB(c.From)
		if err != nil {
			return err
		}
		defer old.Close()
		now = func(code string) []string { return terminology.Successors(old, kb, code) }
	}
	docs, err := c.read(a, c.Paths)
	if err != nil {
		return err
	}
	inputs := append([]string{c.KB}, c.Paths...)
	return a.save(saved{c.Out, "corpus", c, inputs, c.JSON}, func(f *artifact.Folder) ([]text.Warning, error) { return migrate(f, docs, now) })
}

func migrate(f *artifact.Folder, docs []corpus.Document, now func(string) []string) ([]text.Warning, error) {
	var moves []corpus.Move
	corpus.Migrate(docs, now, func(m corpus.Move) { moves = append(moves, m) })
	var warnings []text.Warning
	for _, m := range moves {
		if m.Kind != "moved" {
			warnings = append(warnings, text.Warning{Kind: m.Kind, Msg: fmt.Sprintf("document %s: the code %s of %q was %s: %v", m.Document, m.Code, m.Text, m.Kind, m.To)})
		}
	}
	if err := pipeline.SaveCorpus(f, docs, warnings); err != nil {
		return nil, err
	}
	for _, m := range moves {
		f.Manifest.Counts["codes "+m.Kind]++
	}
	return warnings, artifact.WriteLines(f.Path(migrationName), moves)
}
