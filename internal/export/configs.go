package export

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"syncabel/internal/artifact"
)

//go:embed configs
var templates embed.FS

// configs renders the ready configurations and says how to start each trainer.
func (w *writer) configs(dev bool) error {
	shards := func(form, split string) []string {
		var out []string
		for s := range w.opt.Shards {
			out = append(out, fmt.Sprintf("%s/%s-%05d-of-%05d.jsonl", form, split, s, w.opt.Shards))
		}
		return out
	}
	values := map[string]any{"Base": w.opt.Base, "Passes": w.opt.Passes, "Seed": w.opt.Seed, "MaxLength": w.opt.MaxLength, "Dev": dev, "Mode": w.opt.Mode,
		"Tokens": w.tok != nil, "Grows": w.grows, "Packed": w.opt.Pack && w.tok != nil, "Counts": w.f.Manifest.Counts, "Text": shards("pc", "train"), "TextDev": shards("pc", "dev"),
		"Rows": shards("pretok", "train"), "RowsDev": shards("pretok", "dev"), "Segments": shards("segments", "train"), "SegmentsDev": shards("segments", "dev")}
	entries, err := templates.ReadDir("configs")
	if err != nil {
		return err
	}
	for _, e := range entries {
		t, err := template.New(e.Name()).Option("missingkey=error").ParseFS(templates, "configs/"+e.Name())
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := t.Execute(&b, values); err != nil {
			return err
		}
		name := w.f.Path("configs", strings.TrimSuffix(e.Name(), ".tmpl"))
		if e.Name() == "README.md.tmpl" {
			name = w.f.Path("README.md")
		}
		if err := artifact.WriteFile(name, b.Bytes()); err != nil {
			return err
		}
	}
	info := map[string]any{}
	for _, split := range []string{"train", "dev"} {
		if split == "train" || dev {
			info["syncabel_"+split] = map[string]any{"file_name": split + ".jsonl", "formatting": "alpaca",
				"columns": map[string]string{"prompt": "instruction", "query": "input", "response": "output"}}
		}
	}
	return w.f.WriteJSON("llamafactory/dataset_info.json", info)
}

// named are the tokens that tokenizer_config.json names.
type named struct{ BOS, EOS string }

// companions reads them from beside the tokenizer.
func companions(path string) (named, error) {
	if st, err := os.Stat(path); err == nil && !st.IsDir() {
		path = filepath.Dir(path)
	}
	b, err := os.ReadFile(filepath.Join(path, "tokenizer_config.json"))
	if err != nil {
		return named{}, err
	}
	var c struct {
		BOS json.RawMessage `json:"bos_token"`
		EOS json.RawMessage `json:"eos_token"`
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return named{}, err
	}
	return named{tokenText(c.BOS), tokenText(c.EOS)}, nil
}

// tokenText reads a token, a string or an object with its content.
func tokenText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var o struct {
		Content string `json:"content"`
	}
	_ = json.Unmarshal(raw, &o) // null or something else: no token
	return o.Content
}
