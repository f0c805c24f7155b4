package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"syncabel/internal/shard"
)

type shardCmd struct {
	Plan     shardPlanCmd     `cmd:"" help:"Cut files of lines into shards and fix what every worker does."`
	Status   shardStatusCmd   `cmd:"" help:"Count the shards that are done, begun and missing."`
	Verify   shardVerifyCmd   `cmd:"" help:"Check inputs and parts against the plan and the markers."`
	Merge    shardMergeCmd    `cmd:"" help:"Write the parts into one file, in the order of the input."`
	Emit     shardEmitCmd     `cmd:"" help:"Write a Slurm script, a Kubernetes job or a Nextflow workflow that runs the workers."`
	Filter   shardFilterCmd   `cmd:"" help:"Link standard input to standard output, for Spark, Beam, xargs and GNU parallel."`
	Simulate shardSimulateCmd `cmd:"" help:"Tell time, cost and what binds for numbers of workers."`
}

// Help shows the whole way.
func (shardCmd) Help() string {
	return `Example:
  syncabel shard plan --run R --shards 64 --write plan.json notes/*.jsonl
  syncabel link --run R --plan plan.json --out parts --shard 17/64      (on any machine, any number of times)
  syncabel shard status --plan plan.json --parts parts
  syncabel shard merge --plan plan.json --parts parts linked.jsonl
  syncabel shard emit --run R --plan plan.json --parts parts slurm      (writes link.sbatch, which starts the workers)

  syncabel shard plan synth --shards 16 --write shards.json sentences   (sentences is the folder of synth plan; judge likewise)
  syncabel synth run --endpoint http://127.0.0.1:8000/v1 --plan shards.json --out parts --shard 3/16
  syncabel shard merge --plan shards.json --parts parts sentences/journal.jsonl
  syncabel synth collect sentences

A worker that is killed goes on where it stopped; two on one shard do no harm: of link both work and the first counts, of synth and judge, where
answers cost money, the second is sent away with 75. Exit codes of workers: 0 done (also before), 42 do not try again (bad input, not what
was planned), 75 try again (engine lost, signal).`
}

// planFlags name a plan and the folder of its parts.
type planFlags struct {
	Plan  string `help:"The plan." default:"plan.json" type:"path"`
	Parts string `required:"" help:"Folder of the parts." type:"path"`
}

type shardStatusCmd struct {
	planFlags
	JSON bool `name:"json" help:"Print JSON."`
}

// Run counts.
func (c *shardStatusCmd) Run(a *app) error {
	p, err := shard.Read(c.Plan)
	if err != nil {
		return err
	}
	s, err := p.Look(c.Parts)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.out).Encode(s)
	}
	fmt.Fprintf(a.out, "%d of %d shards done: %d lines, %d rows, %d faults, %.0f worker seconds\n", s.Done, s.Shards, s.Lines, s.Rows, s.Faults, s.Seconds)
	if s.Done < s.Shards {
		fmt.Fprintf(a.out, "begun: %s\nmissing: %s\n", listed(s.Begun), listed(s.Missing))
	}
	return nil
}

// listed writes numbers as array jobs take them: 1-3,7.
func listed(ids []int) string {
	var out []string
	for i := 0; i < len(ids); {
		j := i
		for j+1 < len(ids) && ids[j+1] == ids[j]+1 {
			j++
		}
		if out = append(out, strconv.Itoa(ids[i])); j > i {
			out[len(out)-1] += "-" + strconv.Itoa(ids[j])
		}
		i = j + 1
	}
	if out == nil {
		return "none"
	}
	return strings.Join(out, ",")
}

type shardVerifyCmd struct{ planFlags }

// Run verifies.
func (c *shardVerifyCmd) Run(a *app) error {
	p, err := shard.Read(c.Plan)
	if err != nil {
		return err
	}
	s, err := p.Verify(c.Parts)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "whole: %d shards, %d lines, %d rows, %d faults\n", s.Shards, s.Lines, s.Rows, s.Faults)
	return err
}

type shardMergeCmd struct {
	planFlags
	Faults string `help:"File for the lines that could not be answered; default: FILE.errors.jsonl." placeholder:"FILE"`
	File   string `arg:"" help:"File to write." type:"path"`
}

// Run merges.
func (c *shardMergeCmd) Run(a *app) error {
	p, err := shard.Read(c.Plan)
	if err != nil {
		return err
	}
	if _, err := os.Stat(c.File); err == nil && p.Settings["verb"] != "" {
		return &usageError{c.File + " exists and may be a journal of answers that were paid for: merge into another file, or move it away"}
	}
	if c.Faults == "" {
		c.Faults = c.File + ".errors.jsonl"
	}
	s, err := p.Merge(c.Parts, c.File, c.Faults)
	if err != nil {
		return err
	}
	a.warnings += s.Faults
	if s.Faults > 0 {
		a.meter.log("%d lines could not be answered: %s", s.Faults, c.Faults)
	}
	_, err = fmt.Fprintf(a.out, "%d rows of %d lines: %s\n", s.Rows, s.Lines, c.File)
	return err
}
