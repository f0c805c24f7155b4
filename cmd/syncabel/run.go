package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"syncabel/internal/demo"
	"syncabel/internal/pipeline"
)

type demoCmd struct {
	Out  string   `help:"Folder for every artefact and the report." default:"syncabel-demo" type:"path"`
	Set  []string `help:"Change a setting of the config, stage.key=value; may be repeated." sep:"none"`
	JSON bool     `name:"json" help:"Print the report as JSON."`
}

// Help shows an example.
func (demoCmd) Help() string {
	return "Example:\n  syncabel demo --out my-demo\n\nA second run reuses what is finished. The files of the example are in OUT/data."
}

// Run runs the chain on the embedded example.
func (c *demoCmd) Run(a *app) error {
	cfg, err := demo.Config(c.Out, c.Set)
	if err != nil {
		return err
	}
	return a.runConfig(cfg, c.Out, c.JSON)
}

type runCmd struct {
	Config string   `arg:"" optional:"" help:"Config file (TOML); ready ones are in configs/."`
	Out    string   `help:"Folder for every artefact and the report; default: the config's name." type:"path"`
	Set    []string `help:"Change a setting of the config, stage.key=value; may be repeated. data=DIR names the folder of the input files." sep:"none"`
	JSON   bool     `name:"json" help:"Print the report as JSON."`
	Keys   bool     `help:"Print every key a config may have, and end."`
}

// Help shows an example.
func (runCmd) Help() string {
	return "Example:\n  syncabel run --out ncbi --set data=corpora/ncbi-disease --set train.tokens=2000000 configs/ncbi-disease.toml"
}

// Run runs a config.
func (c *runCmd) Run(a *app) error {
	if c.Keys {
		_, err := fmt.Fprintln(a.out, strings.Join(pipeline.Keys(), "\n"))
		return err
	}
	if c.Config == "" {
		return &usageError{"run needs a config file: ready ones are in configs/"}
	}
	cfg, err := pipeline.LoadConfig(c.Config, c.Set)
	if err != nil {
		return err
	}
	if c.Out == "" {
		c.Out = cfg.Name
	}
	return a.runConfig(cfg, c.Out, c.JSON)
}

func (a *app) runOptions(out string) pipeline.Options {
	return pipeline.Options{Out: out, Program: version(), Threads: a.cli.Threads, Progress: a.meter.progress, Note: a.meter.note, Log: a.meter.log}
}

func (a *app) runConfig(cfg *pipeline.Config, out string, asJSON bool) error {
	rep, err := pipeline.Run(a.ctx, cfg, a.runOptions(out))
	if err != nil {
		return err
	}
	a.meter.end()
	for _, s := range rep.Stages {
		for _, w := range s.Warnings {
			a.warnings += int(w.Count)
		}
	}
	if asJSON {
		enc := json.NewEncoder(a.out)
		enc.SetIndent("", " ")
		return enc.Encode(rep)
	}
	fmt.Fprint(a.out, rep.Text())
	a.meter.log("\nreport: %s", filepath.Join(out, "report", "index.html"))
	return nil
}
