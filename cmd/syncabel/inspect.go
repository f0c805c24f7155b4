package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/pipeline"
	"syncabel/internal/prediction"
	"syncabel/internal/synth"
	"syncabel/internal/terminology"
)

type inspectCmd struct {
	JSON   bool `name:"json" help:"Print JSON: kind and counts."`
	Verify bool `help:"Compare every file with its hash."`

	Concept string `help:"Of a knowledge base: show this concept, or what became of a retired one."`
	Search  string `help:"Of a knowledge base: show what a search as you type finds: a code, beginnings of words, a letter wrong."`

	Path string `arg:"" help:"Folder of a stage or a run, or one of their files." type:"path"`
}

// Help shows an example.
func (inspectCmd) Help() string {
	return "Examples:\n  syncabel inspect --json syncabel-demo\n  syncabel inspect kb/hpo                          (counts, vocabularies, samples)\n  syncabel inspect --search 'joint pa' kb/hpo"
}

// Run prints what an artefact holds.
func (c *inspectCmd) Run(a *app) error {
	kind, counts, err := c.inspect(a)
	if err != nil {
		return err
	}
	switch ofKB := c.Concept != "" || c.Search != ""; {
	case kind == "kb" || ofKB && kind == "run":
		return c.knowledge(a)
	case ofKB:
		return &usageError{fmt.Sprintf("--concept and --search look into a knowledge base, and %s is of kind %q", c.Path, kind)}
	}
	return printCounts(a.out, kind, counts, c.JSON)
}

func (c *inspectCmd) inspect(a *app) (string, map[string]int64, error) {
	st, err := os.Stat(c.Path)
	if err != nil {
		return "", nil, fmt.Errorf("inspecting: %w", err)
	}
	if !st.IsDir() {
		return a.inspectFile(c.Path)
	}
	if rec, err := pipeline.ReadRun(c.Path); err == nil {
		return rec.Kind, rec.Counts, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", nil, err
	}
	open := artifact.Open
	if c.Verify {
		open = artifact.Verify
	}
	m, err := open(c.Path)
	if err != nil {
		return "", nil, err
	}
	return m.Kind, m.Counts, nil
}

// inspectFile recognises a file by its name, which stages fix.
func (a *app) inspectFile(path string) (string, map[string]int64, error) {
	switch base := filepath.Base(path); {
	case base == pipeline.RunName:
		rec, err := pipeline.ReadRun(filepath.Dir(path))
		if err != nil {
			return "", nil, err
		}
		return rec.Kind, rec.Counts, nil
	case base == artifact.ManifestName:
		m, err := artifact.Open(filepath.Dir(path))
		if err != nil {
			return "", nil, err
		}
		return m.Kind, m.Counts, nil
	case base == planName:
		p, err := synth.OpenPlan(path)
		if err != nil {
			return "", nil, err
		}
		return "plan", map[string]int64{"requests": p.Totals.Requests, "concepts": p.Totals.Concepts, "sentences": p.Totals.Sentences}, nil
	case base == terminology.FileName:
		return "kb", nil, nil
	case base == corpus.FileName:
		docs, err := corpus.ReadFile(path)
		if err != nil {
			return "", nil, err
		}
		return "corpus", map[string]int64{"documents": int64(len(docs)), "mentions": int64(corpus.Mentions(docs))}, nil
	case base == prediction.FileName, strings.HasSuffix(base, ".tsv"):
		preds, err := a.readPredictions(path)
		if err != nil {
			return "", nil, err
		}
		return "predictions", map[string]int64{"mentions": int64(len(preds))}, nil
	}
	return "", nil, &usageError{fmt.Sprintf("%s is no file of this program: inspect knows stage folders, runs, %s, %s, %s and prediction tables",
		path, terminology.FileName, corpus.FileName, prediction.FileName)}
}
