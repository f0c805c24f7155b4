package main

import (
	"io"

	"syncabel/internal/artifact"
	"syncabel/internal/pipeline"
	"syncabel/internal/terminology/sqlite"
)

type exportCmd struct {
	KB       exportKBCmd       `cmd:"" name:"kb" help:"Write a knowledge base for other programs."`
	Examples exportExamplesCmd `cmd:"" help:"Write training examples for TRL, axolotl, LLaMA-Factory and NeMo AutoModel."`
	Set      exportSetCmd      `cmd:"" help:"Write annotated documents as a data set with a card (BigBio, Parquet)."`
}

type exportKBCmd struct {
	Format string `enum:"sqlite,jsonl" default:"sqlite" help:"sqlite (tables, and words of names in names_fts) or jsonl (one concept a line)."`
	Out    string `required:"" help:"File to write." type:"path"`
	Path   string `arg:"" help:"Folder of an imported knowledge base or of a run, or its file." type:"path"`
}

// Help shows an example.
func (exportKBCmd) Help() string {
	return `Every name keeps its source and its licence class: look at them before the file leaves the house.

Example:
  syncabel export kb --out hpo.sqlite kb/hpo
  sqlite3 hpo.sqlite "SELECT DISTINCT concept, name FROM names WHERE rowid IN (SELECT rowid FROM names_fts WHERE names_fts MATCH 'joint pain')"`
}

// Run writes the file.
func (c *exportKBCmd) Run(a *app) error {
	kb, err := pipeline.OpenKB(c.Path)
	if err != nil {
		return err
	}
	defer kb.Close()
	if c.Format == "jsonl" {
		return artifact.WriteWith(c.Out, func(w io.Writer) error { return kb.WriteJSONL(w) })
	}
	return sqlite.Write(a.ctx, c.Out, kb, func(concepts int64) error {
		a.meter.progress("concepts", concepts, int64(kb.Len()))
		return a.ctx.Err()
	})
}
