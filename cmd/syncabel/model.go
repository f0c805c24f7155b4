package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"

	"syncabel/internal/artifact"
	"syncabel/internal/hub"
	"syncabel/internal/model/checkpoint"
	"syncabel/internal/tokenizer"
)

type importModelCmd struct {
	Out      string `required:"" help:"Folder to write; the same command goes on with an unfinished one." type:"path"`
	Revision string `default:"main" help:"Branch, tag or commit."`
	Endpoint string `default:"https://huggingface.co" env:"HF_ENDPOINT" help:"Address of the hub."`
	JSON     bool   `name:"json" help:"Print the counts as JSON."`
	Name     string `arg:"" help:"Name of the model, owner/name."`
}

// Help shows an example.
func (importModelCmd) Help() string {
	return `Fetches configuration, tokenizer and safetensors weights, each checked against the hub's hash; nothing else is fetched, and no
other command does. For models that need permission set HF_TOKEN.

Example:
  syncabel import model --out models/smollm2-135m HuggingFaceTB/SmolLM2-135M
  syncabel run --out run --set train.base=$PWD/models/smollm2-135m --set train.lora=16 project.toml`
}

// Run downloads a model and says whether it can be trained and linked with here.
func (c *importModelCmd) Run(a *app) error {
	token := cmp.Or(os.Getenv("HF_TOKEN"), os.Getenv("HUGGING_FACE_HUB_TOKEN"))
	m, err := hub.Download(a.ctx, c.Name, c.Out, hub.Options{Endpoint: c.Endpoint, Revision: c.Revision, Token: token,
		Progress: func(done, total int64) { a.meter.progress("download", done, total) }})
	if err != nil {
		return err
	}
	options := map[string]string{"name": m.Name, "commit": m.Commit, "endpoint": c.Endpoint}
	raw, err := json.Marshal(options)
	if err != nil {
		return err
	}
	key, err := artifact.Key("base", 0, options, nil)
	if err != nil {
		return err
	}
	f, err := artifact.Create(c.Out, artifact.Manifest{Kind: "base", Program: version(), Key: key, Options: raw})
	if err != nil {
		return err
	}
	f.Manifest.Counts = map[string]int64{"files": int64(len(m.Files)), "bytes": m.Bytes}
	if err := tryModel(c.Out, f.Manifest.Counts); err != nil {
		a.warnings++
		fmt.Fprintf(a.err, "warning: the native engine cannot use this model: %v\n", err)
		f.Manifest.Warnings = []artifact.Warning{{Kind: "not usable by the native engine", Count: 1, Examples: []string{err.Error()}}}
	}
	if err := f.Commit(); err != nil {
		return err
	}
	return printCounts(a.out, "base", f.Manifest.Counts, c.JSON)
}

// tryModel opens a model folder as training and linking do.
func tryModel(dir string, counts map[string]int64) error {
	m, err := checkpoint.Open(dir)
	if err != nil {
		return err
	}
	defer m.Close()
	tok, err := tokenizer.Load(dir)
	if err != nil {
		return err
	}
	counts["parameters"], counts["vocabulary"], counts["tokens"] = int64(m.Config.Weights()), int64(m.Config.Vocab), int64(tok.VocabSize())
	if tok.VocabSize() > m.Config.Vocab {
		return fmt.Errorf("its tokenizer has %d tokens, its model %d", tok.VocabSize(), m.Config.Vocab)
	}
	return nil
}
