package main

import (
	"fmt"
	"path/filepath"

	"syncabel/internal/eval"
	"syncabel/internal/report"
	"syncabel/internal/terminology"
)

type reportCmd struct {
	scoring
	Out   string `default:"report" help:"Folder for index.html, report.json, report.txt and report.md." type:"path"`
	Title string `default:"predictions" help:"Heading of the page."`
}

// Help shows examples.
func (reportCmd) Help() string {
	return `One self-contained page: tables with intervals, paired differences to the first file, confidence, verdicts of judges where there are any, groups
confused (with --kb), errors of the last file with sentence, gold, candidates and why. Runs and studies write theirs themselves.

Examples:
  syncabel report --out page baseline.jsonl mine.jsonl
  syncabel report --protocol paper --training train.pubtator --out page without.tsv with.tsv`
}

// Run writes a report.
func (c *reportCmd) Run(a *app) error {
	list, err := c.score(a)
	if err != nil {
		return err
	}
	rep := &report.Report{Title: c.Title, Program: version(), Split: "given", Protocol: c.Protocol, Lenient: c.Lenient, Rows: rowsOf(list)}
	docs := map[string]bool{}
	for _, p := range list[0].preds {
		docs[p.Document] = true
	}
	rep.Documents = len(docs)
	for _, s := range list[1:] {
		d, err := eval.Compare(s.preds, list[0].preds, c.options())
		if err != nil {
			return fmt.Errorf("comparing %s with %s: %w", s.File, list[0].File, err)
		}
		rep.Comparisons = append(rep.Comparisons, report.Comparison{A: s.File, B: list[0].File, Overall: d.Recall1,
			Seen: d.Strata[eval.SeenConcept].Test, Unseen: d.Strata[eval.UnseenConcept].Test})
	}
	last := list[len(list)-1]
	rep.EndToEnd = last.Spans
	name := func(string) string { return " " } // without a knowledge base every concept exists and none has a name
	if c.KB != "" {
		kb, err := a.readKB(c.KB)
		if err != nil {
			return err
		}
		name = func(id string) string { return preferredName(kb, id) }
		rep.Confusion, rep.ConfusionOf = eval.Groups(kb, last.preds), last.File
	}
	rep.Errors = report.Errors(last.preds, report.MaxErrors, name)
	if err := rep.Write(c.Out); err != nil {
		return err
	}
	a.meter.end()
	fmt.Fprint(a.out, rep.Text())
	a.meter.log("report: %s", filepath.Join(c.Out, "index.html"))
	return nil
}

// preferredName is "" when there is no such concept.
func preferredName(kb *terminology.KB, id string) string {
	i, ok := kb.Index(id)
	if !ok {
		return ""
	}
	return kb.Concept(i).PreferredName("")
}
