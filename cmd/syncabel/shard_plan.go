package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/pipeline"
	"syncabel/internal/shard"
)

type shardPlanCmd struct {
	Link  shardPlanLinkCmd  `cmd:"" default:"withargs" help:"Linking (the default): JSONL of documents, or lines of text."`
	Synth shardPlanSynthCmd `cmd:"" help:"Sentences for concepts: the requests of a plan of synth."`
	Judge shardPlanJudgeCmd `cmd:"" help:"Verdicts on wrong answers: predictions."`
}

// cutFlags say how inputs are cut.
type cutFlags struct {
	Shards int    `required:"" help:"Number of shards; 20 to 120 minutes of work each is a good size."`
	Chunk  int    `help:"Lines answered together; default: 200 of link, which a killed worker loses at most, 5000 of synth and judge, which lose nothing."`
	Write  string `help:"Plan to write." default:"plan.json" type:"path"`
}

// askedChunk of lines is more than servers are asked at a time many times over, so that they seldom wait for a chunk's last answer.
const askedChunk = 5000

// cut writes a plan.
func (c *cutFlags) cut(a *app, files []string, chunk int, settings map[string]string) error {
	for i, f := range files {
		var err error
		if files[i], err = filepath.Abs(f); err != nil {
			return err
		}
	}
	p, err := shard.Make(files, c.Shards, cmp.Or(c.Chunk, chunk), settings, version())
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

// openPlanned reads a plan and refuses one that was made for other settings.
func openPlanned(path string, planned func() (map[string]string, error)) (*shard.Plan, error) {
	p, err := shard.Read(path)
	if err != nil {
		return nil, err
	}
	s, err := planned()
	if err != nil {
		return nil, err
	}
	return p, p.Check(s)
}

type shardPlanLinkCmd struct {
	linkSettings
	cutFlags
	Files []string `arg:"" help:"JSONL of documents, or lines of text with marked mentions." type:"existingfile"`
}

// Help shows an example.
func (shardPlanLinkCmd) Help() string {
	return "Example:\n  syncabel shard plan --run R --shards 64 --write plan.json notes/*.jsonl"
}

// Run plans.
func (c *shardPlanLinkCmd) Run(a *app) error {
	s, err := c.planned()
	if err != nil {
		return err
	}
	for _, f := range c.Files {
		if err := lined(f); err != nil {
			return err
		}
	}
	return c.cut(a, c.Files, shard.DefaultChunk, s)
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

type shardPlanSynthCmd struct {
	cutFlags
	Dir string `arg:"" help:"Folder of a plan of synth." type:"existingdir"`
}

// Help shows an example.
func (shardPlanSynthCmd) Help() string {
	return "Example:\n  syncabel synth plan --kb kb/hpo --model llama-3.3-70b --out sentences\n  syncabel shard plan synth --shards 16 --write shards.json sentences"
}

// Run plans.
func (c *shardPlanSynthCmd) Run(a *app) error {
	s, err := synthPlanned()
	if err != nil {
		return err
	}
	return c.cut(a, []string{filepath.Join(c.Dir, planName)}, askedChunk, s)
}

// synthPlanned are the settings of a plan of shards of synth: all others are in the plan of synth, which is their input.
func synthPlanned() (map[string]string, error) { return map[string]string{"verb": "synth"}, nil }

type shardPlanJudgeCmd struct {
	judgeSettings
	cutFlags
	Files []string `arg:"" help:"Predictions with gold answers, as link --json and run write them." type:"existingfile"`
}

// Help shows an example.
func (shardPlanJudgeCmd) Help() string {
	return "Example:\n  syncabel shard plan judge --kb kb/hpo --model my-model --blind --shards 16 --write shards.json predictions.jsonl"
}

// Run plans.
func (c *shardPlanJudgeCmd) Run(a *app) error {
	s, err := c.planned()
	if err != nil {
		return err
	}
	for _, path := range c.Files {
		f, _, kind, err := openSniffed(path, "")
		if err != nil {
			return fmt.Errorf("reading predictions: %w", err)
		}
		f.Close()
		if kind != ourPredictions {
			return &usageError{filepath.Base(path) + " is not our JSONL of predictions, the only kind that can be cut at its lines"}
		}
	}
	return c.cut(a, c.Files, askedChunk, s)
}

// planned are the settings that change what is asked, with the knowledge base that describes the concepts.
func (c *judgeSettings) planned() (map[string]string, error) {
	path := c.KB // a table, or the folder of a run or of an import
	for _, name := range []string{pipeline.RunName, artifact.ManifestName} {
		if _, err := os.Stat(filepath.Join(c.KB, name)); err == nil {
			path = filepath.Join(c.KB, name)
			break
		}
	}
	kb, err := artifact.HashFile(path)
	if err != nil {
		return nil, fmt.Errorf("opening knowledge base: %w", err)
	}
	return map[string]string{"verb": "judge", "kb": kb.SHA256, "models": strings.Join(c.Model, " "), "blind": fmt.Sprint(c.Blind), "language": c.Language,
		"prompts": c.Prompts, "max-tokens": fmt.Sprint(c.MaxTokens), "seed": fmt.Sprint(c.Seed)}, nil
}
