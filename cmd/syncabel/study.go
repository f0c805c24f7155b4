package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"syncabel/internal/eval"
	"syncabel/internal/pipeline"
	"syncabel/internal/report"
	"syncabel/internal/study"
)

type studyCmd struct {
	Run    studyRunCmd    `cmd:"" help:"Run the grid of a config; finished cells are reused."`
	Select studySelectCmd `cmd:"" help:"Propose which documents to annotate next, or simulate what that saves."`
	Report studyReportCmd `cmd:"" help:"Draw the curves of a study, finished or not, without training anything."`
}

type studyRunCmd struct {
	Config string   `arg:"" help:"Config file (TOML) with a section [study]; ready ones: configs/demo-study.toml, configs/ncbi-disease-study.toml." type:"path"`
	Out    string   `help:"Folder for every artefact and the report; default: the config's name." type:"path"`
	Set    []string `help:"Change a setting of the config, stage.key=value; may be repeated." sep:"none"`
	JSON   bool     `name:"json" help:"Print the results as JSON."`
}

// Help shows an example.
func (studyRunCmd) Help() string {
	return `The grid crosses study.fractions (shares of the annotated documents), study.modes (mixing modes) or the [[model]] variants,
study.sentences (synthetic sentences per concept), study.presets (sizes) and seeds. Every cell is made of ordinary stages: an
interrupted or killed study goes on where it stopped.

Example:
  syncabel study run --out demo-study configs/demo-study.toml`
}

// Run runs the grid of a config and reports.
func (c *studyRunCmd) Run(a *app) error {
	cfg, err := pipeline.LoadConfig(c.Config, c.Set)
	if err != nil {
		return err
	}
	if c.Out == "" {
		c.Out = cfg.Name
	}
	if _, err := pipeline.RunStudy(a.ctx, cfg, a.runOptions(c.Out)); err != nil {
		return err
	}
	return a.reportStudy(c.Out, c.JSON)
}

type studyReportCmd struct {
	Dir  string `arg:"" help:"Folder of a study." type:"path"`
	JSON bool   `name:"json" help:"Print the results as JSON."`
}

// Help shows an example.
func (studyReportCmd) Help() string { return "Example:\n  syncabel study report --json demo-study" }

// Run reports a study.
func (c *studyReportCmd) Run(a *app) error { return a.reportStudy(c.Dir, c.JSON) }

// reportStudy analyses the finished cells of a folder and writes its report.
func (a *app) reportStudy(dir string, asJSON bool) error {
	rec, read, err := pipeline.ReadStudy(dir)
	if err != nil {
		return err
	}
	res, err := study.Analyse(rec.Outcomes, read, study.Options{Reference: rec.Reference, Cells: rec.Cells,
		Eval: eval.Options{Lenient: rec.Lenient, Samples: rec.Samples, Seed: 1}})
	if err != nil {
		return err
	}
	s := &report.Study{Title: rec.Name, Note: rec.Note, Program: rec.Program, Link: rec.Link, Results: res}
	if err := s.Write(filepath.Join(dir, "report")); err != nil {
		return err
	}
	a.meter.end()
	if asJSON {
		return json.NewEncoder(a.out).Encode(s)
	}
	fmt.Fprint(a.out, s.Text())
	a.meter.log("report: %s", filepath.Join(dir, "report", "index.html"))
	return nil
}
