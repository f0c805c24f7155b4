package main

import (
	"fmt"

	"syncabel/internal/pipeline"
)

type studyCmd struct {
	Run studyRunCmd `cmd:"" help:"Run the grid of a config; finished cells are reused."`
}

type studyRunCmd struct {
	Config string   `arg:"" help:"Config file (TOML) with a section [study]; ready ones: configs/demo-study.toml, configs/ncbi-disease-study.toml."`
	Out    string   `help:"Folder for every artefact and the report; default: the config's name." type:"path"`
	Set    []string `help:"Change a setting of the config, stage.key=value; may be repeated." sep:"none"`
	JSON   bool     `name:"json" help:"Print the results as JSON."`
}

// Run runs the grid of a config.
func (c *studyRunCmd) Run(a *app) error {
	cfg, err := pipeline.LoadConfig(c.Config, c.Set)
	if err != nil {
		return err
	}
	if c.Out == "" {
		c.Out = cfg.Name
	}
	rec, err := pipeline.RunStudy(a.ctx, cfg, pipeline.Options{Out: c.Out, Program: version(), Threads: a.cli.Threads, Progress: a.meter.progress, Log: a.meter.log})
	if err != nil {
		return err
	}
	fmt.Fprintln(a.out, len(rec.Outcomes))
	return nil
}
