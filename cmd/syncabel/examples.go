package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/dataset"
	"syncabel/internal/export"
	"syncabel/internal/lexical"
	"syncabel/internal/markup"
	"syncabel/internal/pipeline"
	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

type exportExamplesCmd struct {
	Out       string            `required:"" help:"Folder to write." type:"path"`
	KB        string            `name:"kb" required:"" help:"Folder of an imported knowledge base." type:"path"`
	Corpus    []string          `help:"Folders of imported corpora: the splits train and dev are used." type:"path"`
	Synthetic []string          `help:"Folders of checked synthetic sentences." type:"path"`
	GroupMap  map[string]string `help:"Type of the corpora and semantic group, e.g. --group-map 'DISO=Disorders'."`

	Mode     string  `help:"Mixing: human_only, synth_only, full, full_upsampled or ratio; default full_upsampled with synthetic sentences, else human_only."`
	Ratio    float64 `default:"1" help:"Mode ratio: human examples to every synthetic one."`
	Fraction float64 `default:"1" help:"Part of the human training documents to use, drawn with the seed; smaller parts are inside larger ones."`
	Shuffle  bool    `help:"Rows in an order drawn with the seed instead of the mode's."`
	Seed     uint64  `default:"1" help:"Of fraction and shuffle."`
	Context  string  `enum:"none,sentence,window,document" default:"sentence" help:"Of prompts: none, sentence (the published form), window or document."`
	Words    int     `help:"Of context window (default 10) and document (default 300), to either side."`
	Memory   int     `help:"Earlier links of the document in the prompt."`

	Choice         string `enum:"tfidf,edit,preferred,embedding" default:"tfidf" help:"Of the target among a concept's names: tfidf (published), edit, preferred or embedding."`
	EmbeddingURL   string `name:"embedding-url" help:"Choice embedding: OpenAI-compatible server, e.g. http://127.0.0.1:8000/v1. Mentions and names are sent there."`
	EmbeddingModel string `name:"embedding-model" help:"Its model."`
	EmbeddingKey   string `name:"embedding-key-env" help:"Environment variable that holds its key."`

	Tokenizer string `help:"Folder of the base model, or its tokenizer.json: pre-tokenised rows, <SEP> on a reserved token." type:"path"`
	Base      string `help:"Base model that the configs name."`
	BOS       string `name:"bos" help:"Token before a prompt; default as the tokenizer says."`
	EOS       string `name:"eos" help:"Token behind a name; default as the tokenizer says."`
	Passes    int    `help:"Epochs in the configs; default the paper's of the mode."`
	Shards    int    `default:"1" help:"Files a set is cut into."`
	MaxLength int    `default:"2048" help:"Tokens of configs and packing."`
	Pack      bool   `help:"Also rows of several examples with position_ids."`
	JSON      bool   `name:"json" help:"Print the counts as JSON."`
}

// Help shows an example.
func (exportExamplesCmd) Help() string {
	return `Writes one folder for TRL, axolotl, LLaMA-Factory and NeMo AutoModel with ready configs; its README.md says how to start each.

Example:
  syncabel export examples --kb kb/medic --corpus corpus/ncbi --synthetic synth --tokenizer Llama-3.1-8B --base ./Llama-3.1-8B --out examples`
}

// Run writes the examples.
func (c *exportExamplesCmd) Run(a *app) error {
	kb, err := pipeline.OpenKB(c.KB)
	if err != nil {
		return err
	}
	defer kb.Close()
	docs, err := readFolders(c.Corpus)
	if err != nil {
		return err
	}
	synthetic, err := readFolders(c.Synthetic)
	if err != nil {
		return err
	}
	if len(docs)+len(synthetic) == 0 {
		return &usageError{"nothing to export: give --corpus, --synthetic or both"}
	}
	c.Mode = cmp.Or(c.Mode, map[bool]string{true: dataset.FullUpsampled, false: dataset.HumanOnly}[len(synthetic) > 0])
	human := corpus.Split(docs, "train")
	if c.Fraction < 1 {
		human = corpus.Subset(human, c.Fraction, c.Seed)
	}
	opt := dataset.Options{Mode: c.Mode, Ratio: c.Ratio, Choice: c.Choice, GroupMap: c.GroupMap, Seed: c.Seed,
		Markup: markup.Options{Context: c.Context, Words: c.Words, Memory: c.Memory}}
	if c.Choice == dataset.ChoiceEmbedding {
		if c.EmbeddingURL == "" {
			return &usageError{"--choice embedding needs --embedding-url"}
		}
		opt.Embedder = dataset.EmbeddingEndpoint{URL: c.EmbeddingURL, Model: c.EmbeddingModel, KeyEnv: c.EmbeddingKey}
	}
	return c.write(a, kb, human, synthetic, corpus.Split(docs, "dev"), opt)
}

func (c *exportExamplesCmd) write(a *app, kb *terminology.KB, human, synthetic, held []corpus.Document, opt dataset.Options) error {
	vec := lexical.Fit(allNames(kb))
	set, err := dataset.New(a.ctx, kb, vec, human, synthetic, opt)
	if err != nil {
		return err
	}
	var dev *dataset.Set
	if len(held) > 0 {
		opt.Mode = dataset.HumanOnly
		if dev, err = dataset.New(a.ctx, kb, vec, held, nil, opt); err != nil {
			return fmt.Errorf("split dev: %w", err)
		}
	}
	inputs := append(append([]string{c.KB}, c.Corpus...), c.Synthetic...)
	return a.save(saved{c.Out, "examples", c, inputs, c.JSON}, func(f *artifact.Folder) ([]text.Warning, error) {
		f.Manifest.Seed = c.Seed
		warnings, err := export.Trainers(f, set, dev, export.Options{Base: c.Base, Tokenizer: c.Tokenizer, BOS: c.BOS, EOS: c.EOS, Mode: c.Mode, Ratio: c.Ratio,
			Passes: c.Passes, Shuffle: c.Shuffle, Seed: c.Seed, Shards: c.Shards, MaxLength: c.MaxLength, Pack: c.Pack})
		if err != nil {
			return nil, err
		}
		for why, n := range set.Skipped {
			f.Manifest.Counts["mentions without example: "+why] = int64(n)
		}
		return append(warnings, restricted(kb)...), nil
	})
}

func allNames(kb *terminology.KB) []string {
	var out []string
	for i := range kb.Len() {
		for _, n := range kb.Concept(i).Names {
			out = append(out, n.Text)
		}
	}
	return out
}

// restricted says when names may not leave the house.
func restricted(kb *terminology.KB) []text.Warning {
	n := 0
	for i := range kb.Len() {
		for _, name := range kb.Concept(i).Names {
			if strings.EqualFold(name.Licence, "restricted") {
				n++
			}
		}
	}
	if n == 0 {
		return nil
	}
	return []text.Warning{{Kind: "licence", Msg: fmt.Sprintf("%d names of the knowledge base are of licence class restricted: examples hold some of them, keep the folder to yourself", n)}}
}

// readFolders reads the documents of imported corpora.
func readFolders(paths []string) ([]corpus.Document, error) {
	var out []corpus.Document
	for _, p := range paths {
		file := p
		if st, err := os.Stat(p); err == nil && st.IsDir() {
			if _, err := artifact.Open(p); err != nil {
				return nil, err
			}
			file = filepath.Join(p, corpus.FileName)
		} else if err != nil {
			return nil, fmt.Errorf("reading corpus: %w", &fs.PathError{Op: "open", Path: p, Err: fs.ErrNotExist})
		}
		docs, err := corpus.ReadFile(file)
		if err != nil {
			return nil, err
		}
		out = append(out, docs...)
	}
	return out, nil
}

type exportSetCmd struct {
	Out     string   `required:"" help:"Folder to write." type:"path"`
	Name    string   `required:"" help:"Name of the data set in its card."`
	Licence string   `help:"SPDX identifier for the card; default other."`
	Source  string   `help:"How the texts and annotations came to be, one paragraph for the card."`
	JSON    bool     `name:"jsonl" help:"JSON lines beside Parquet."`
	Shards  int      `default:"1" help:"Parquet files a split."`
	Paths   []string `arg:"" help:"Folders of imported corpora or checked synthetic sentences." type:"path"`
}

// Help shows an example.
func (exportSetCmd) Help() string {
	return "BigBio knowledge-base schema as Parquet with a data-set card, as the Hugging Face hub wants it.\n\nExample:\n  syncabel export set --name SynthMEDIC --licence cc-by-4.0 --out synthmedic work/synth/ncbi@1b2c"
}

// Run writes the data set.
func (c *exportSetCmd) Run(a *app) error {
	docs, err := readFolders(c.Paths)
	if err != nil {
		return err
	}
	return a.save(saved{c.Out, "set", c, c.Paths, false}, func(f *artifact.Folder) ([]text.Warning, error) {
		return export.Set(f, docs, export.SetOptions{Name: c.Name, Licence: c.Licence, Source: c.Source, JSON: c.JSON, Shards: c.Shards})
	})
}
