package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"syncabel/internal/corpus"
	"syncabel/internal/eval"
	"syncabel/internal/pipeline"
	"syncabel/internal/report"
	"syncabel/internal/study"
)

type studySelectCmd struct {
	RunDir   string    `name:"run" help:"Folder of a finished run: its knowledge base, and its training documents as those that are annotated." type:"path"`
	Config   string    `help:"Instead of a run, a config: its knowledge base and corpus are imported into --out." type:"path"`
	Set      []string  `help:"Change a setting of the config, stage.key=value; may be repeated." sep:"none"`
	Strategy string    `enum:"random,uncertainty,coverage,both" default:"both" help:"random, uncertainty, coverage or both."`
	N        int       `short:"n" default:"20" help:"Documents to propose."`
	Simulate bool      `help:"Instead of proposing, play all strategies on the run's own annotated documents and tell what they save against random order."`
	Shares   []float64 `default:"0.05,0.1,0.15,0.2,0.3,0.4,0.6,0.8,1" help:"Of the annotated documents after each round of the simulation."`
	Target   float64   `default:"0.95" help:"Share of the result with all documents that the simulation wants to reach."`
	Seeds    int       `default:"3" help:"Repetitions of the simulation, each with its own first documents."`
	Seed     uint64    `default:"1" help:"Of ties and of random order."`
	Out      string    `help:"Folder for the simulation's report, and for what --config imports." type:"path"`
	JSON     bool      `name:"json" help:"Print JSON, one document a line."`
	Pool     []string  `arg:"" optional:"" help:"Documents to choose from, with mentions marked (PubTator, BigBio, documents.jsonl); their codes are not looked at." type:"path"`
}

// Help shows examples.
func (studySelectCmd) Help() string {
	return `The linker of the choice is string comparison with the memory of the annotated documents.

Examples:
  syncabel study select --run my-run --n 50 pool.pubtator
  syncabel study select --config configs/demo-study.toml --simulate --out active`
}

// Run proposes documents, or simulates.
func (c *studySelectCmd) Run(a *app) error {
	if c.Simulate == (len(c.Pool) > 0) {
		return &usageError{"study select needs either documents to choose from or --simulate"}
	}
	s, err := c.open(a)
	if err != nil {
		return err
	}
	if c.Simulate {
		return c.simulate(a, s)
	}
	pool, err := a.readDocuments(c.Pool...)
	if err != nil {
		return err
	}
	annotated := corpus.Split(s.Docs, "train")
	preds, err := s.Link(a.ctx, annotated, pool)
	if err != nil {
		return err
	}
	list, err := study.Select(c.Strategy, annotated, pool, preds, c.N, c.Seed)
	if err != nil {
		return err
	}
	if !c.JSON {
		fmt.Fprintln(a.out, "document\tmentions\tnew forms\tuncertainty\tgain")
	}
	for _, p := range list {
		if c.JSON {
			err = json.NewEncoder(a.out).Encode(p)
		} else {
			_, err = fmt.Fprintf(a.out, "%s\t%d\t%d\t%.2f\t%.2f\n", p.Document, p.Mentions, p.New, p.Uncertainty, p.Gain)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// open takes a run, or imports what a config names.
func (c *studySelectCmd) open(a *app) (*pipeline.Selection, error) {
	if (c.RunDir == "") == (c.Config == "") || c.Config != "" && c.Out == "" {
		return nil, &usageError{"study select needs either --run DIR, or --config FILE with --out DIR"}
	}
	if c.RunDir != "" {
		return pipeline.OpenSelection(c.RunDir)
	}
	cfg, err := pipeline.LoadConfig(c.Config, c.Set)
	if err != nil {
		return nil, err
	}
	return pipeline.PrepareSelection(a.ctx, cfg, a.runOptions(c.Out))
}

func (c *studySelectCmd) simulate(a *app, s *pipeline.Selection) error {
	sim := study.Simulation{Pool: corpus.Split(s.Docs, "train"), Test: corpus.Split(s.Docs, "test"), Tagger: s.Tagger, Fractions: c.Shares, Strategies: study.Strategies(),
		Progress: func(done, total int64) { a.meter.progress("simulation", done, total) }}
	for i := range c.Seeds {
		sim.Seeds = append(sim.Seeds, c.Seed+uint64(i))
	}
	outcomes, read, err := study.Simulate(a.ctx, sim, s)
	if err != nil {
		return err
	}
	res, err := study.Analyse(outcomes, read, study.Options{Reference: study.Random, Target: c.Target, Eval: eval.Options{Lenient: true, Seed: 1}})
	if err != nil {
		return err
	}
	rep := &report.Study{Title: "active selection on " + s.Name, Note: "Simulated: the documents' annotations were known all along. The linker is string comparison with the memory of what each strategy chose.",
		Program: version(), Link: "lexical", Results: res}
	a.meter.end()
	if c.Out != "" {
		dir := filepath.Join(c.Out, "report")
		if err := rep.Write(dir); err != nil {
			return err
		}
		a.meter.log("report: %s", filepath.Join(dir, "index.html"))
	}
	if c.JSON {
		return json.NewEncoder(a.out).Encode(rep)
	}
	_, err = fmt.Fprint(a.out, rep.Text())
	return err
}
