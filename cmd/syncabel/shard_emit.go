package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"

	"syncabel/internal/artifact"
	"syncabel/internal/shard"
)

type shardEmitCmd struct {
	Link  shardEmitLinkCmd  `cmd:"" default:"withargs" help:"Workers that link (the default)."`
	Synth shardEmitSynthCmd `cmd:"" help:"Workers that ask for sentences."`
	Judge shardEmitJudgeCmd `cmd:"" help:"Workers that ask for verdicts."`
}

// emitFlags describe a cluster.
type emitFlags struct {
	planFlags
	Merged   string `help:"File that merging writes; default: linked.jsonl, of synth and judge journal.jsonl in their folder." type:"path" placeholder:"FILE"`
	To       string `help:"Folder to write into." default:"." type:"path"`
	Name     string `help:"Name of the job; default: syncabel-VERB."`
	Binary   string `help:"The program on the workers." default:"syncabel"`
	Parallel int    `help:"Shards at a time." default:"32"`
	CPUs     int    `name:"cpus" help:"Processors of a worker." default:"2"`
	Memory   int    `help:"Memory of a worker in GiB." default:"8"`
	GPUs     int    `name:"gpus" help:"GPUs of a worker."`
	Hours    int    `help:"Time a worker may take." default:"4"`
	Engine   string `help:"Command that serves the model beside each worker on 127.0.0.1:$PORT, which the worker then asks." placeholder:"COMMAND"`
	Image    string `help:"Container image of the program." default:"syncabel:latest"`
	EngImage string `name:"engine-image" help:"Container image of the engine under Kubernetes; under Nextflow and Slurm it runs where the worker does."`
	Volume   string `help:"Kubernetes volume claim with inputs, run and parts." placeholder:"CLAIM"`
	Mount    string `help:"Where it is mounted; the paths above must lie there." default:"/data"`
	System   string `arg:"" help:"slurm, k8s or nextflow." enum:"slurm,k8s,nextflow"`
}

// emit writes the scripts for a verb whose workers take these arguments. merged is where its result belongs.
func (c *emitFlags) emit(a *app, p *shard.Plan, verb string, worker []string, merged string) error {
	files, err := shard.Emit{Verb: verb, Name: c.Name, Binary: c.Binary, Shards: len(p.Shards), Parallel: c.Parallel, CPUs: c.CPUs, Memory: c.Memory, GPUs: c.GPUs,
		Hours: c.Hours, Engine: c.Engine, Image: c.Image, EngImage: c.EngImage, Volume: c.Volume, Mount: c.Mount,
		Worker: append(worker, "--plan", c.Plan, "--out", c.Parts),
		Merge:  []string{"shard", "merge", "--plan", c.Plan, "--parts", c.Parts, cmp.Or(c.Merged, merged)}}.Files(c.System)
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

type shardEmitLinkCmd struct {
	linkSettings
	emitFlags
}

// Help shows an example.
func (shardEmitLinkCmd) Help() string {
	return "The flags that change answers must be those of the plan.\n\nExample:\n  syncabel shard emit --run /data/R --plan /data/plan.json --parts /data/parts slurm"
}

// Run writes the scripts.
func (c *shardEmitLinkCmd) Run(a *app) error {
	p, err := openPlanned(c.Plan, c.planned)
	if err != nil {
		return err
	}
	merged, err := filepath.Abs("linked.jsonl")
	if err != nil {
		return err
	}
	return c.emit(a, p, "link", append([]string{"link"}, c.arguments()...), merged)
}

type shardEmitSynthCmd struct {
	endpointFlags
	emitFlags
}

// Help shows an example.
func (shardEmitSynthCmd) Help() string {
	return "Workers ask an engine that is started beside each, or servers that run.\n\nExamples:\n  syncabel shard emit synth --engine 'vllm serve /data/70b --host 127.0.0.1 --port $PORT' --gpus 1 --plan /data/shards.json --parts /data/parts slurm\n  syncabel shard emit synth --endpoint http://llm:8000/v1 --plan /data/shards.json --parts /data/parts k8s"
}

// Run writes the scripts.
func (c *shardEmitSynthCmd) Run(a *app) error {
	if err := c.servers(c.Engine); err != nil {
		return err
	}
	p, err := openPlanned(c.Plan, synthPlanned)
	if err != nil {
		return err
	}
	return c.emit(a, p, "synth", append([]string{"synth", "run"}, c.arguments()...), filepath.Join(filepath.Dir(p.Inputs[0].Path), journalName))
}

type shardEmitJudgeCmd struct {
	endpointFlags
	judgeSettings
	emitFlags
}

// Help shows an example.
func (shardEmitJudgeCmd) Help() string {
	return "Workers ask an engine that is started beside each, or servers that run; the flags that change questions must be those of the plan.\n\nExample:\n  syncabel shard emit judge --kb /data/kb --model my-model --blind --endpoint http://llm:8000/v1 --plan /data/shards.json --parts /data/parts nextflow"
}

// Run writes the scripts.
func (c *shardEmitJudgeCmd) Run(a *app) error {
	if err := c.servers(c.Engine); err != nil {
		return err
	}
	p, err := openPlanned(c.Plan, c.planned)
	if err != nil {
		return err
	}
	merged, err := filepath.Abs(filepath.Join("judged", journalName))
	if err != nil {
		return err
	}
	return c.emit(a, p, "judge", slices.Concat([]string{"judge", "run"}, c.judgeSettings.arguments(), c.endpointFlags.arguments()), merged)
}

// servers checks that workers will know whom to ask.
func (f *endpointFlags) servers(engine string) error {
	switch {
	case engine == "":
		_, err := f.list()
		return err
	case f.Endpoint != "" || f.Endpoints != "":
		return &usageError{"workers ask either the --engine beside them or the servers of --endpoint or --endpoints, not both"}
	}
	return nil
}

// changed returns flags with values that are not the defaults: {flag, value, default}.
func changed(flags ...[3]string) []string {
	var out []string
	for _, f := range flags {
		if f[1] != f[2] {
			out = append(out, f[0], f[1])
		}
	}
	return out
}

// arguments are the settings as flags of link, but for defaults.
func (c *linkSettings) arguments() []string {
	return append([]string{"--run", c.RunDir}, changed([][3]string{{"--model", c.Model, ""}, {"--seed", fmt.Sprint(c.Seed), "0"}, {"--mode", c.Mode, "hybrid"},
		{"--language", c.Language, "en"}, {"--group", c.Group, ""}, {"--detect", c.Detect, "auto"}, {"-k", fmt.Sprint(c.K), "5"}, {"--nil", fmt.Sprint(c.NIL), "0"},
		{"--min-confidence", fmt.Sprint(c.MinConf), "0"}}...)...)
}

// arguments are the settings as flags of judge, but for defaults.
func (c *judgeSettings) arguments() []string {
	out := append([]string{"--kb", c.KB}, changed([][3]string{{"--language", c.Language, "en"}, {"--seed", fmt.Sprint(c.Seed), "1"}, {"--prompts", c.Prompts, ""},
		{"--max-tokens", fmt.Sprint(c.MaxTokens), "2000"}}...)...)
	for _, m := range c.Model {
		out = append(out, "--model", m)
	}
	if c.Blind {
		out = append(out, "--blind")
	}
	return out
}

// arguments are the flags, but for defaults.
func (f *endpointFlags) arguments() []string {
	out := changed([][3]string{{"--endpoint", f.Endpoint, ""}, {"--endpoints", f.Endpoints, ""}, {"--api", f.API, "openai"}, {"--server-model", f.ServerName, ""},
		{"--key-env", f.KeyEnv, ""}, {"--key-file", f.KeyFile, ""}, {"--in-flight", fmt.Sprint(f.InFlight), "64"}, {"--per-second", fmt.Sprint(f.PerSecond), "0"},
		{"--structured", f.Structured, "auto"}, {"--timeout", fmt.Sprint(f.Timeout), "300"}, {"--give-up", f.GiveUp.String(), "0s"},
		{"--price-in", fmt.Sprint(f.PriceIn), "0"}, {"--price-out", fmt.Sprint(f.PriceOut), "0"}}...)
	if f.Stream {
		out = append(out, "--stream")
	}
	return out
}
