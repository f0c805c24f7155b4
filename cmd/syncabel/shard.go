package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/oracle/remote"
	"syncabel/internal/pipeline"
	"syncabel/internal/prediction"
	"syncabel/internal/shard"
)

type shardCmd struct {
	Plan   shardPlanCmd   `cmd:"" help:"Cut files of lines into shards and fix what every worker does."`
	Status shardStatusCmd `cmd:"" help:"Count the shards that are done, begun and missing."`
	Verify shardVerifyCmd `cmd:"" help:"Check inputs and parts against the plan and the markers."`
	Merge  shardMergeCmd  `cmd:"" help:"Write the parts into one file, in the order of the input."`
	Emit   shardEmitCmd   `cmd:"" help:"Write a Slurm script, a Kubernetes job or a Nextflow workflow that runs the workers."`
}

// Help shows the whole way.
func (shardCmd) Help() string {
	return `Example:
  syncabel shard plan --run R --shards 64 --write plan.json notes/*.jsonl
  syncabel link --run R --plan plan.json --out parts --shard 17/64      (on any machine, any number of times)
  syncabel shard status --plan plan.json --parts parts
  syncabel shard merge --plan plan.json --parts parts linked.jsonl
  syncabel shard emit --run R --plan plan.json --parts parts slurm      (writes link.sbatch, which starts the workers)

A worker that is killed goes on where it stopped; two on one shard do no harm. Exit codes of workers: 0 done (also before), 42 do not
try again (bad input, not what was planned), 75 try again (engine lost, signal).`
}

type shardPlanCmd struct {
	linkSettings
	Shards int      `required:"" help:"Number of shards; 20 to 120 minutes of work each is a good size."`
	Chunk  int      `help:"Lines answered and kept at a time: what a killed worker loses at most." default:"200"`
	Write  string   `help:"Plan to write." default:"plan.json" type:"path"`
	Files  []string `arg:"" help:"JSONL of documents, or lines of text with marked mentions." type:"existingfile"`
}

// Run plans.
func (c *shardPlanCmd) Run(a *app) error {
	s, err := c.planned()
	if err != nil {
		return err
	}
	for i, f := range c.Files {
		if c.Files[i], err = filepath.Abs(f); err != nil {
			return err
		}
		if err := lined(c.Files[i]); err != nil {
			return err
		}
	}
	p, err := shard.Make(c.Files, c.Shards, c.Chunk, s, version())
	if err != nil {
		return err
	}
	if err := p.Write(c.Write); err != nil {
		return err
	}
	lines := 0
	for _, in := range p.Inputs {
		lines += in.Lines
	}
	_, err = fmt.Fprintf(a.out, "%d lines of %d files in %d shards: %s\n", lines, len(p.Inputs), len(p.Shards), c.Write)
	return err
}

// lined refuses files whose documents are more than a line.
func lined(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := newInput(f)
	r.Peek(1)
	if looksPubTator(r) {
		return &usageError{filepath.Base(path) + " is PubTator, whose documents are several lines: first syncabel corpus convert it to jsonl"}
	}
	return nil
}

// planned are the settings that change answers, with the run they are of.
func (c *linkSettings) planned() (map[string]string, error) {
	run, err := artifact.HashFile(filepath.Join(c.RunDir, pipeline.RunName))
	if err != nil {
		return nil, fmt.Errorf("opening run: %w", err)
	}
	return map[string]string{"run": run.SHA256, "model": c.Model, "seed": fmt.Sprint(c.Seed), "mode": c.Mode, "language": c.Language, "group": c.Group,
		"detect": c.Detect, "k": fmt.Sprint(c.K), "nil": fmt.Sprint(c.NIL), "min-confidence": fmt.Sprint(c.MinConf)}, nil
}

// plan reads a plan and refuses one that was made for other settings.
func (c *linkSettings) plan(path string) (*shard.Plan, error) {
	p, err := shard.Read(path)
	if err != nil {
		return nil, err
	}
	s, err := c.planned()
	if err != nil {
		return nil, err
	}
	return p, p.Check(s)
}

// arguments are the settings as flags of link, but for defaults.
func (c *linkSettings) arguments() []string {
	out := []string{"--run", c.RunDir}
	for _, f := range [][3]string{{"--model", c.Model, ""}, {"--seed", fmt.Sprint(c.Seed), "0"}, {"--mode", c.Mode, "hybrid"}, {"--language", c.Language, "en"},
		{"--group", c.Group, ""}, {"--detect", c.Detect, "auto"}, {"-k", fmt.Sprint(c.K), "5"}, {"--nil", fmt.Sprint(c.NIL), "0"},
		{"--min-confidence", fmt.Sprint(c.MinConf), "0"}} {
		if f[1] != f[2] {
			out = append(out, f[0], f[1])
		}
	}
	return out
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

type shardEmitCmd struct {
	linkSettings
	planFlags
	Merged   string `help:"File that merging writes." default:"linked.jsonl" type:"path"`
	To       string `help:"Folder to write into." default:"." type:"path"`
	Name     string `help:"Name of the job." default:"syncabel-link"`
	Binary   string `help:"The program on the workers." default:"syncabel"`
	Parallel int    `help:"Shards at a time." default:"32"`
	CPUs     int    `name:"cpus" help:"Processors of a worker." default:"2"`
	Memory   int    `help:"Memory of a worker in GiB." default:"8"`
	GPUs     int    `name:"gpus" help:"GPUs of a worker."`
	Hours    int    `help:"Time a worker may take." default:"4"`
	Engine   string `help:"Command that serves the model beside each worker on 127.0.0.1:$PORT, which the worker then asks." placeholder:"COMMAND"`
	Image    string `help:"Container image of the program." default:"syncabel:latest"`
	EngImage string `name:"engine-image" help:"Container image of the engine."`
	Volume   string `help:"Kubernetes volume claim with inputs, run and parts." placeholder:"CLAIM"`
	Mount    string `help:"Where it is mounted; the paths above must lie there." default:"/data"`
	System   string `arg:"" help:"slurm, k8s or nextflow." enum:"slurm,k8s,nextflow"`
}

// Run writes the scripts.
func (c *shardEmitCmd) Run(a *app) error {
	p, err := c.plan(c.Plan)
	if err != nil {
		return err
	}
	files, err := shard.Emit{Name: c.Name, Binary: c.Binary, Shards: len(p.Shards), Parallel: c.Parallel, CPUs: c.CPUs, Memory: c.Memory, GPUs: c.GPUs, Hours: c.Hours,
		Engine: c.Engine, Image: c.Image, EngImage: c.EngImage, Volume: c.Volume, Mount: c.Mount,
		Worker: append(append([]string{"link"}, c.arguments()...), "--plan", c.Plan, "--out", c.Parts),
		Merge:  []string{"shard", "merge", "--plan", c.Plan, "--parts", c.Parts, c.Merged}}.Files(c.System)
	if err != nil {
		return err
	}
	for name, b := range files {
		path := filepath.Join(c.To, name)
		if err := artifact.WriteFile(path, b); err != nil {
			return err
		}
		fmt.Fprintln(a.out, path)
	}
	return nil
}

// errRetry marks what ends a worker that should be started again.
var errRetry = errors.New("start the worker again: it goes on where it stopped")

// work answers the shard that link was asked for.
func (c *linkCmd) work(a *app, w *linkWriter, note any) error {
	p, err := c.plan(c.Plan)
	if err != nil {
		return err
	}
	id, of, ok := strings.Cut(c.Shard, "/")
	i, err1 := strconv.Atoi(id)
	n, err2 := strconv.Atoi(of)
	if !ok || err1 != nil || err2 != nil || n != len(p.Shards) {
		return &usageError{fmt.Sprintf("--shard %q: the plan has %d shards, so i/%d with i from 0 is expected", c.Shard, len(p.Shards), len(p.Shards))}
	}
	worker := shard.Worker{Plan: p, Dir: c.Out, Do: w.shard, Note: note,
		Progress: func(done, total int64) { a.meter.progress("shard "+c.Shard, done, total) }}
	d, err := worker.Run(a.ctx, i)
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w: %v", errRetry, err)
	}
	if err != nil {
		return err
	}
	a.meter.end()
	a.meter.log("shard %s is done: %d lines, %d rows, %d faults", c.Shard, d.Lines, d.Rows, d.Faults)
	return nil
}

// shard answers the lines of a chunk. A document that cannot be linked is a fault of its own; an engine that is lost ends the worker.
func (w *linkWriter) shard(ctx context.Context, lines []shard.Line) ([]byte, []shard.Fault, error) {
	var docs []corpus.Document
	var from []shard.Line
	var faults []shard.Fault
	fault := func(l shard.Line, err error) {
		faults = append(faults, shard.Fault{File: filepath.Base(l.File), Line: l.Number, Error: err.Error()})
	}
	for _, l := range lines {
		if len(bytes.TrimSpace(l.Text)) == 0 {
			continue
		}
		one, err := w.parse(l.Text, l.Number)
		if err != nil {
			fault(l, err)
			continue
		}
		docs, from = append(docs, one), append(from, l)
	}
	if err := w.prepare(docs); err != nil {
		return nil, nil, err
	}
	preds, err := w.linker.Link(ctx, docs)
	if err != nil && !ends(ctx, err) { // some document is at fault: which?
		preds = nil
		for i := range docs {
			p, err := w.linker.Link(ctx, docs[i:i+1])
			if err != nil && ends(ctx, err) {
				return nil, nil, err
			}
			if err != nil {
				fault(from[i], err)
			}
			preds = append(preds, p...)
		}
	} else if err != nil {
		return nil, nil, err
	}
	slices.SortStableFunc(faults, func(a, b shard.Fault) int { return cmp.Compare(a.Line, b.Line) })
	var out bytes.Buffer
	err = prediction.Write(&out, preds)
	return out.Bytes(), faults, err
}

// ends reports whether an error is the engine's or a signal's, not a document's.
func ends(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, remote.ErrUnavailable) || errors.Is(err, remote.ErrRefused) || errors.Is(err, remote.ErrProtocol)
}
