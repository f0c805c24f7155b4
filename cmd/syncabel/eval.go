package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"syncabel/internal/corpus"
	"syncabel/internal/eval"
	"syncabel/internal/pipeline"
	"syncabel/internal/prediction"
	"syncabel/internal/report"
)

// counting are the flags that say what counts as right, and how sure that is.
type counting struct {
	Protocol string `enum:"strict,paper" default:"strict" help:"strict (every gold counts) or paper (arXiv 2601.19667, row for row)."`
	Lenient  bool   `help:"One part of a composite is enough."`
	Samples  int    `default:"1000" help:"Resamples of the bootstrap over documents."`
	Seed     uint64 `default:"1" help:"Of the bootstrap."`
}

// options are those of package eval.
func (c *counting) options() eval.Options {
	return eval.Options{Protocol: c.Protocol, Lenient: c.Lenient, Samples: c.Samples, Seed: c.Seed}
}

// scoring are the flags of verbs that score prediction files.
type scoring struct {
	counting
	Pool      bool     `help:"Score all files together, as parts of one system."`
	Gold      string   `help:"Documents with the gold answers (PubTator, BigBio, JSONL), for predictions that carry none; also scores end to end: spans that were found, missed or made up." type:"path"`
	Training  []string `help:"Training documents: tells seen from unseen concepts, mentions and pairs." type:"path"`
	KB        string   `name:"kb" help:"Knowledge base (folder of import kb or of a run, or a table): tells linkable and identical mentions." type:"path"`
	Baselines string   `help:"Folder of a run: its string comparisons stand in the same table." type:"path"`
	Files     []string `arg:"" help:"Predictions: predictions.jsonl, the released tables of arXiv 2601.19667 (TSV), PubTator or BigBio files. A folder of the stage link will do, and a run's folder stands for all its systems." type:"path"`
}

type evalCmd struct {
	scoring
	Columns []string `help:"Strata to show in a table; default: all mentions and what training saw. See the strata in --json." sep:","`
	Format  string   `enum:",text,markdown,latex,csv" default:"" help:"Print a table, one line a file: text, markdown, latex or csv."`
	JSON    bool     `name:"json" help:"Print JSON: one object, or one a line for several files."`
}

// Help shows examples.
func (evalCmd) Help() string {
	return `Examples:
  syncabel eval --protocol paper --json predictions.tsv
  syncabel eval --format latex --columns 'seen concept,unseen concept,composite' ours.jsonl theirs.jsonl
  syncabel eval --gold test.pubtator --training train.pubtator --kb kb theirs.pubtator`
}

// scored is one line of the table.
type scored struct {
	File string `json:"file"`
	*eval.Result
	Spans *eval.EndToEnd `json:"end_to_end,omitempty"`
	preds []prediction.Prediction
}

// Run scores files.
func (c *evalCmd) Run(a *app) error {
	list, err := c.score(a)
	if err != nil {
		return err
	}
	if c.JSON {
		enc := json.NewEncoder(a.out)
		for _, s := range list {
			if err := enc.Encode(s); err != nil {
				return err
			}
		}
		return nil
	}
	if c.Format == "" && len(list) == 1 {
		return printResult(a, list[0])
	}
	rep := &report.Report{Protocol: c.Protocol, Lenient: c.Lenient, Rows: rowsOf(list)}
	tables := rep.Tables()
	if len(c.Columns) > 0 {
		tables = []report.Table{rep.Table(append([]string{""}, c.Columns...))}
	}
	for i, t := range tables {
		t.Caption = fmt.Sprintf("Recall@1 in percent with 95 %% intervals over documents, protocol %s", c.Protocol)
		text, err := t.Render(c.Format)
		if err != nil {
			return err
		}
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		fmt.Fprint(a.out, text)
	}
	return nil
}

// rowsOf makes lines of a table.
func rowsOf(list []scored) []report.Row {
	var out []report.Row
	for _, s := range list {
		out = append(out, report.Row{System: s.File, Mode: s.Mode, Overall: s.Overall, Strata: s.Strata, Selective: s.Selective, Verdicts: s.Verdicts, Ambiguous: s.Ambiguous})
	}
	return out
}

// source is a named set of predictions.
type source struct {
	name  string
	preds []prediction.Prediction
}

func (c *scoring) score(a *app) ([]scored, error) {
	sources, err := c.sources(a)
	if err != nil {
		return nil, err
	}
	var gold []corpus.Document
	if c.Gold != "" {
		if gold, err = a.readDocuments(c.Gold); err != nil {
			return nil, err
		}
	}
	tagger, err := c.tagger(a)
	if err != nil {
		return nil, err
	}
	opt := c.options()
	var out []scored
	for _, s := range sources {
		r := scored{File: s.name}
		if gold != nil {
			r.Spans = eval.ScoreEndToEnd(gold, [][]prediction.Prediction{s.preds}, func(t string) string { return t }, opt)
			s.preds, _ = eval.Attach(gold, s.preds)
		}
		if tagger != nil {
			tagger.Tag(s.preds)
		}
		if r.Result, err = eval.Evaluate(s.preds, opt); err != nil {
			return nil, fmt.Errorf("evaluating %s: %w", s.name, err)
		}
		r.preds = s.preds
		out = append(out, r)
	}
	return out, nil
}

// sources reads the baselines and the files; a run's folder gives all its systems.
func (c *scoring) sources(a *app) ([]source, error) {
	var out []source
	if c.Baselines != "" {
		list, err := a.runSystems(c.Baselines, true)
		if err != nil {
			return nil, err
		}
		out = list
	}
	for _, f := range c.Files {
		if _, err := os.Stat(filepath.Join(f, pipeline.RunName)); err == nil {
			list, err := a.runSystems(f, false)
			if err != nil {
				return nil, err
			}
			out = append(out, list...)
			continue
		}
		preds, err := a.readPredictions(f)
		if err != nil {
			return nil, err
		}
		out = append(out, source{filepath.Base(f), preds})
	}
	if !c.Pool {
		return out, nil
	}
	pooled := source{name: strings.Join(c.Files, " + ")}
	for _, s := range out {
		pooled.preds = append(pooled.preds, s.preds...)
	}
	return []source{pooled}, nil
}

// runSystems reads the predictions of a run's systems, or only of its string comparisons.
func (a *app) runSystems(dir string, baselines bool) ([]source, error) {
	rec, err := pipeline.ReadRun(dir)
	if err != nil {
		return nil, err
	}
	var out []source
	for _, s := range rec.Systems {
		if baselines && s.Model != "" {
			continue
		}
		preds, err := a.readPredictions(filepath.Join(dir, s.Predictions))
		if err != nil {
			return nil, err
		}
		name := s.Name
		if s.Seed > 0 {
			name = fmt.Sprintf("%s, seed %d", s.Name, s.Seed)
		}
		out = append(out, source{name, preds})
	}
	return out, nil
}

// tagger returns nil when neither training nor knowledge base is given.
func (c *scoring) tagger(a *app) (*eval.Tagger, error) {
	if len(c.Training) == 0 {
		if c.KB != "" {
			return nil, &usageError{"--kb needs --training: strata of the knowledge base come with those of training"}
		}
		return nil, nil
	}
	train, err := a.readDocuments(c.Training...)
	if err != nil {
		return nil, err
	}
	if c.KB == "" {
		return eval.NewTagger(train, nil), nil
	}
	kb, err := a.readKB(c.KB)
	if err != nil {
		return nil, err
	}
	return eval.NewTagger(train, kb), nil
}

func printResult(a *app, s scored) error {
	res := s.Result
	fmt.Fprintf(a.out, "%s: protocol %s\n", s.File, res.Protocol)
	line := func(title string, c eval.Cell) {
		fmt.Fprintf(a.out, "  %-28s n %-6d correct %-6d Recall@1 %s  @5 %.1f  MRR %.1f\n", title, c.N, c.Correct, report.Percent(c.Recall1), 100*c.Recall5.Value, 100*c.MRR.Value)
	}
	line("all", res.Overall)
	for _, n := range slices.Sorted(maps.Keys(res.Strata)) {
		line(n, res.Strata[n])
	}
	if c, ok := res.Strata[eval.Composite]; ok {
		fmt.Fprintf(a.out, "  composites, n %d: part recall %s, part precision %s, Jaccard %s, one part right %s\n", c.N,
			report.Percent(c.PartRecall), report.Percent(c.PartPrecision), report.Percent(c.Jaccard), report.Percent(c.Lenient))
	}
	if sel := res.Selective; sel != nil {
		fmt.Fprintf(a.out, "  confidence (%s), n %d: AUROC %.3f, AURC %.3f", sel.Of, sel.N, sel.AUROC, sel.AURC)
		if len(sel.Bins) > 0 {
			fmt.Fprintf(a.out, ", ECE %.3f, Brier %.3f", sel.ECE, sel.Brier)
		}
		fmt.Fprintln(a.out)
	}
	printVerdicts(a, res.Verdicts)
	if res.NIL.AUROC > 0 {
		fmt.Fprintf(a.out, "  AUROC of the NIL probability %.3f\n", res.NIL.AUROC)
	}
	fmt.Fprintf(a.out, "  strings a document repeats: %d; linked differently %d, annotated differently %d\n", res.Repeats.Repeated, res.Repeats.Differ, res.Repeats.DifferingGold)
	printAmbiguity(a, "names of several concepts", res.Ambiguous.Named, "")
	printAmbiguity(a, "strings of several meanings in training", res.Ambiguous.Taught, fmt.Sprintf(", by the usual meaning %d", res.Ambiguous.Taught.Usual))
	printSpans(a, s.Spans)
	_, err := fmt.Fprintf(a.out, "  NIL: %d annotated, %d of them abstained on; %d abstained in all; %d rows without annotation left out\n",
		res.NIL.Gold, res.NIL.Right, res.NIL.Abstain, res.Missing)
	return err
}

// printAmbiguity says nothing where nothing is ambiguous, or nobody counted the meanings.
func printAmbiguity(a *app, of string, x eval.Ambiguity, more string) {
	if x.N > 0 {
		fmt.Fprintf(a.out, "  %s: n %d, right %d, by chance %.1f%s\n", of, x.N, x.Right, x.Chance, more)
	}
}

func printVerdicts(a *app, v *eval.Verdicts) {
	if v == nil {
		return
	}
	fmt.Fprintf(a.out, "  judge, n %d: STRICT or EXACT %s", v.N, report.Percent(v.Appropriate))
	for _, l := range slices.Sorted(maps.Keys(v.Counts)) {
		fmt.Fprintf(a.out, "; %s %d (%.1f)", l, v.Counts[l], 100*float64(v.Counts[l])/float64(v.N))
	}
	fmt.Fprintf(a.out, "; missing %d (%.1f)\n", v.Missing, 100*float64(v.Missing)/float64(v.N))
}

func printSpans(a *app, e *eval.EndToEnd) {
	if e == nil {
		return
	}
	for _, x := range []struct {
		title string
		eval.PRF
	}{{"mentions found", e.Spans}, {"  and of the right type", e.Groups}, {"end to end, same span", e.Linked}, {"end to end, overlapping", e.Overlap}, {"concepts of documents", e.Concepts}} {
		fmt.Fprintf(a.out, "  %-28s gold %-6d found %-6d precision %s  recall %s  F1 %s\n", x.title, x.Gold, x.Found, report.Percent(x.Precision), report.Percent(x.Recall), report.Percent(x.F1))
	}
	fmt.Fprintf(a.out, "  %d annotated mentions untouched by anything found, %d found where nothing is annotated\n", e.Missed, e.Spurious)
}

type compareCmd struct {
	counting
	A    string `arg:"" help:"First prediction file." type:"path"`
	B    string `arg:"" help:"Second prediction file." type:"path"`
	List bool   `help:"Also list the mentions that changed, with their sentences."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Help shows an example.
func (compareCmd) Help() string {
	return "The difference is first minus second; ~ where it is within noise.\n\nExample:\n  syncabel compare --json with.tsv without.tsv"
}

// Run compares two files.
func (c *compareCmd) Run(a *app) error {
	x, err := a.readPredictions(c.A)
	if err != nil {
		return err
	}
	y, err := a.readPredictions(c.B)
	if err != nil {
		return err
	}
	res, err := eval.Compare(x, y, c.options())
	if err != nil {
		return err
	}
	gained, lost := res.Gained, res.Lost
	if !c.List {
		res.Gained, res.Lost = nil, nil
	}
	if c.JSON {
		return json.NewEncoder(a.out).Encode(res)
	}
	fmt.Fprintf(a.out, "%d mentions in both, %d only in the first, %d only in the second\nRecall@1 %s points, p %.3f (bootstrap), %.3g (McNemar); %d gained, %d lost\n",
		res.N, res.OnlyA, res.OnlyB, report.Points(res.Recall1), res.Recall1.P, res.McNemar, len(gained), len(lost))
	for _, n := range slices.Sorted(maps.Keys(res.Strata)) {
		fmt.Fprintf(a.out, "  %-28s n %-6d %s\n", n, res.Strata[n].N, report.Points(res.Strata[n].Test))
	}
	printChanges(a, "gained", res.Gained)
	printChanges(a, "lost", res.Lost)
	return nil
}

// printChanges lists mentions with their sentence, gold and both answers.
func printChanges(a *app, what string, list []eval.Change) {
	for _, g := range list {
		var gold []string
		for _, x := range g.Gold {
			gold = append(gold, strings.Join(x, "+"))
		}
		fmt.Fprintf(a.out, "%-6s  %s  %q  gold %s\n        first:  %s\n        second: %s\n", what, g.Document, g.Text, strings.Join(gold, " or "), g.A, g.B)
		if g.Sentence != "" {
			fmt.Fprintf(a.out, "        %s\n", g.Sentence)
		}
	}
}
