package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/pipeline"
	"syncabel/internal/train/torchrun"
)

type trainCmd struct {
	Config string   `arg:"" help:"Config file (TOML); ready ones are in configs/." type:"path"`
	Out    string   `help:"Folder of the run; default: the config's name." type:"path"`
	Set    []string `help:"Change a setting of the config, stage.key=value; may be repeated. data=DIR names the folder of the input files." sep:"none"`
	Engine string   `enum:",native,torchrun" default:"" help:"native (this processor) or torchrun (PyTorch, GPUs); default as train.engine says."`
	JSON   bool     `name:"json" help:"Print the models as JSON."`

	Emit   string `enum:",slurm" default:"" help:"Do not train: write a script for a cluster. Have: slurm."`
	To     string `help:"File that --emit writes." default:"train.sbatch" type:"path"`
	Binary string `help:"With --emit: the program on the cluster." default:"syncabel"`
	CPUs   int    `name:"cpus" help:"With --emit: processors of a node." default:"16"`
	Memory int    `help:"With --emit: memory of a node in GiB; 0 is all of it." default:"0"`
	Hours  int    `help:"With --emit: time of the job; it is queued again when that is not enough." default:"24"`
}

// Help shows examples.
func (trainCmd) Help() string {
	return `Runs the stages of a config up to its models; syncabel run with the same config and folder takes them over.

Engine torchrun starts PyTorch's torchrun with a trainer that this program brings along (FSDP2, packed examples, LoRA or all weights); it needs
a Python with torch, transformers and, for LoRA, peft. [train.torchrun] of the config has its settings (syncabel run --keys):

  [train]
  base = "models/Llama-3.1-8B"
  engine = "torchrun"
  [train.torchrun]
  python = "/opt/torch/bin/python"
  processes = 8                       # GPUs of a machine

Ctrl-C saves after the step at hand, and the same command goes on there. Metrics are in OUT/work/torchrun/*/metrics.jsonl.

Examples:
  syncabel train --engine torchrun --out run project.toml
  syncabel train --engine torchrun --out /shared/run --set train.torchrun.nodes=2 --emit slurm --to train.sbatch project.toml`
}

// Run trains the models, or writes the script that does.
func (c *trainCmd) Run(a *app) error {
	if c.Engine != "" {
		c.Set = append(c.Set, "train.engine="+c.Engine)
	}
	cfg, err := pipeline.LoadConfig(c.Config, c.Set)
	if err != nil {
		return err
	}
	if c.Out == "" {
		if c.Out, err = filepath.Abs(cfg.Name); err != nil {
			return err
		}
	}
	if c.Emit != "" {
		return c.emit(a, cfg)
	}
	models, err := pipeline.FitModels(a.ctx, cfg, a.runOptions(c.Out))
	if err != nil {
		return err
	}
	a.meter.end()
	if c.JSON {
		return json.NewEncoder(a.out).Encode(models)
	}
	for _, m := range models {
		fmt.Fprintf(a.out, "%s, seed %d: %s\n", m.Name, m.Seed, filepath.Join(c.Out, m.Model))
	}
	return nil
}

// emit writes the job of the first model's size.
func (c *trainCmd) emit(a *app, cfg *pipeline.Config) error {
	m := cfg.Models[0]
	if m.Engine != pipeline.Torchrun {
		return &usageError{"--emit needs --engine torchrun: the native engine uses no GPU"}
	}
	command := []string{c.Binary, "train", "--out", c.Out}
	for _, s := range c.Set {
		if dir, ok := strings.CutPrefix(s, "data="); ok {
			abs, err := filepath.Abs(dir)
			if err != nil {
				return err
			}
			s = "data=" + abs
		}
		command = append(command, "--set", s)
	}
	b, err := torchrun.Slurm{Name: "syncabel-train", Command: append(command, c.Config), Nodes: max(m.Torchrun.Nodes, 1), GPUs: max(m.Torchrun.Processes, 1),
		CPUs: c.CPUs, Memory: c.Memory, Hours: c.Hours}.Script()
	if err != nil {
		return err
	}
	if err := artifact.WriteFile(c.To, b); err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.out, c.To)
	return err
}
