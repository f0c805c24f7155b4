package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"syncabel/internal/eval"
	"syncabel/internal/prediction"
	"syncabel/internal/report"
)

type evalCmd struct {
	Protocol string   `enum:"strict,paper" default:"strict" help:"strict (every gold counts) or paper (arXiv 2601.19667, row for row)."`
	Lenient  bool     `help:"One part of a composite is enough."`
	Samples  int      `default:"1000" help:"Resamples of the bootstrap over documents."`
	Seed     uint64   `default:"1" help:"Of the bootstrap."`
	JSON     bool     `name:"json" help:"Print JSON: one object, or one a line for several files."`
	Files    []string `arg:"" help:"Prediction files: predictions.jsonl, or the released tables of arXiv 2601.19667 (TSV). A folder of the stage link will do." type:"path"`
}

// Help shows an example.
func (evalCmd) Help() string {
	return "Example:\n  syncabel eval --protocol paper --json predictions.tsv"
}

// Run scores files.
func (c *evalCmd) Run(a *app) error {
	for _, f := range c.Files {
		preds, err := readPredictions(f)
		if err != nil {
			return err
		}
		res, err := eval.Evaluate(preds, eval.Options{Protocol: c.Protocol, Lenient: c.Lenient, Samples: c.Samples, Seed: c.Seed})
		if err != nil {
			return fmt.Errorf("evaluating %s: %w", f, err)
		}
		if c.JSON {
			err = json.NewEncoder(a.out).Encode(res)
		} else {
			err = printResult(a, f, res)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func printResult(a *app, name string, res *eval.Result) error {
	fmt.Fprintf(a.out, "%s: protocol %s\n", name, res.Protocol)
	line := func(title string, c eval.Cell) {
		fmt.Fprintf(a.out, "  %-28s n %-6d correct %-6d Recall@1 %s  @5 %.1f  MRR %.1f\n", title, c.N, c.Correct, report.Percent(c.Recall1), 100*c.Recall5.Value, 100*c.MRR.Value)
	}
	line("all", res.Overall)
	names := make([]string, 0, len(res.Strata))
	for n := range res.Strata {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		line(n, res.Strata[n])
	}
	if res.NIL.AUROC > 0 {
		fmt.Fprintf(a.out, "  AUROC of the NIL probability %.3f\n", res.NIL.AUROC)
	}
	fmt.Fprintf(a.out, "  strings a document repeats: %d; linked differently %d, annotated differently %d\n", res.Repeats.Repeated, res.Repeats.Differ, res.Repeats.DifferingGold)
	_, err := fmt.Fprintf(a.out, "  NIL: %d annotated, %d of them abstained on; %d abstained in all; %d rows without annotation left out\n",
		res.NIL.Gold, res.NIL.Right, res.NIL.Abstain, res.Missing)
	return err
}

// readPredictions reads a prediction file, recognised by its content.
func readPredictions(path string) ([]prediction.Prediction, error) {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		path = filepath.Join(path, prediction.FileName)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading predictions: %w", err)
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<16)
	head, _ := in.Peek(1 << 14)
	for i, b := range head {
		if b == '\n' {
			head = head[:i]
			break
		}
	}
	if prediction.IsReference(string(head)) {
		return prediction.ReadReference(in, path)
	}
	return prediction.Read(in, path)
}

type compareCmd struct {
	A        string `arg:"" help:"First prediction file." type:"path"`
	B        string `arg:"" help:"Second prediction file." type:"path"`
	Protocol string `enum:"strict,paper" default:"strict" help:"As for eval."`
	Lenient  bool   `help:"One part of a composite is enough."`
	Samples  int    `default:"1000" help:"Resamples of the bootstrap over documents."`
	Seed     uint64 `default:"1" help:"Of the bootstrap."`
	List     bool   `help:"Also list the mentions that changed."`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// Help shows an example.
func (compareCmd) Help() string {
	return "The difference is first minus second.\n\nExample:\n  syncabel compare --json with.tsv without.tsv"
}

// Run compares two files.
func (c *compareCmd) Run(a *app) error {
	x, err := readPredictions(c.A)
	if err != nil {
		return err
	}
	y, err := readPredictions(c.B)
	if err != nil {
		return err
	}
	res, err := eval.Compare(x, y, eval.Options{Protocol: c.Protocol, Lenient: c.Lenient, Samples: c.Samples, Seed: c.Seed})
	if err != nil {
		return err
	}
	if !c.List {
		res.Gained, res.Lost = nil, nil
	}
	if c.JSON {
		return json.NewEncoder(a.out).Encode(res)
	}
	fmt.Fprintf(a.out, "%d mentions in both, %d only in the first, %d only in the second\nRecall@1 %s points, p %.3f (bootstrap), %.3g (McNemar)\n",
		res.N, res.OnlyA, res.OnlyB, report.Points(res.Recall1), res.Recall1.P, res.McNemar)
	for _, g := range res.Gained {
		fmt.Fprintf(a.out, "gained  %s  %q  %s  (was %s)\n", g.Document, g.Text, g.A, g.B)
	}
	for _, g := range res.Lost {
		fmt.Fprintf(a.out, "lost    %s  %q  %s  (was %s)\n", g.Document, g.Text, g.A, g.B)
	}
	return nil
}
