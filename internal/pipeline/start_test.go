package pipeline

import (
	"context"
	"errors"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"syncabel/internal/corpus"
	"syncabel/internal/link"
	"syncabel/internal/model"
	"syncabel/internal/model/checkpoint"
	"syncabel/internal/oracle"
	"syncabel/internal/oracle/llamacpp"
	"syncabel/internal/oracle/mock"
	"syncabel/internal/oracle/remote"
	"syncabel/internal/oracle/sglang"
	"syncabel/internal/oracle/vllm"
	"syncabel/internal/prediction"
	"syncabel/internal/tokenizer"
)

// baseFolder is a downloaded model in small: a random Llama with the tokenizer of testdata, whose embeddings have no row to spare.
func baseFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	tok, _, err := tokenizer.Adapt("../tokenizer/testdata/hf/llama3", dir, "<SEP>", 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := model.Preset("tiny", tok.VocabSize())
	if err != nil {
		t.Fatal(err)
	}
	c.Layers, c.Width, c.Hidden, c.HeadWidth = 2, 32, 48, 8
	c.BOS, _ = tok.ID("<|begin_of_text|>")
	c.EOS, _ = tok.ID("<|end_of_text|>")
	if err := checkpoint.Save(dir, model.New(c, 1)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestFineTune: a run whose model starts from a folder, all weights and adapters only, ends with a model that links.
func TestFineTune(t *testing.T) {
	base, out := baseFolder(t), t.TempDir()
	cfg, err := LoadConfig("../demo/data/demo.toml", []string{`train.base="` + base + `"`, "train.preset=\"\"", "train.vocabulary=0", "train.tokens=6000",
		"train.lora=4", "train.recompute=true", "model.0.lora=0", `link.modes=["beam-trie"]`, `link.split="dev"`})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Corpus = cfg.Corpus[:1]
	cfg.Models[0].LoRA = 0
	if _, err := Run(context.Background(), cfg, Options{Out: out}); err != nil {
		t.Fatal(err)
	}
	rec, err := ReadRun(out)
	if err != nil {
		t.Fatal(err)
	}
	adapted := filepath.Join(out, rec.Models[1].Model)
	if _, err := os.Stat(filepath.Join(out, rec.Models[0].Model, "adapter")); err == nil {
		t.Error("full fine-tuning wrote an adapter")
	}
	m, err := checkpoint.Load(base)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := checkpoint.LoadAdapter(filepath.Join(adapted, "adapter"), m); err != nil {
		t.Fatal(err)
	}
	merged, err := checkpoint.Load(adapted)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range merged.Tensors() {
		for j, x := range w.Data {
			if x != m.Tensors()[i].Data[j] {
				t.Fatalf("%s: base with adapter differs from the merged model", w.Name)
			}
		}
	}
	o, err := OpenRun(t.Context(), out, OpenOptions{Mode: link.BeamTrie})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	docs, err := corpus.ReadFile(filepath.Join(out, rec.Corpus, corpus.FileName))
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.Linker.Link(context.Background(), docs[:1])
	if err != nil || len(p) == 0 || len(p[0].Candidates) == 0 {
		t.Errorf("%d predictions: %v", len(p), err)
	}
	linkRemotely(t, out, docs[:1], p)
}

// linkRemotely links again through each engine's protocol: the same concepts in the same order.
func linkRemotely(t *testing.T, out string, docs []corpus.Document, want []prediction.Prediction) {
	t.Helper()
	for _, name := range []string{sglang.Name, vllm.Name, llamacpp.Name} {
		native, err := OpenRun(t.Context(), out, OpenOptions{Mode: link.BeamTrie})
		if err != nil {
			t.Fatal(err)
		}
		defer native.Close()
		h := httptest.NewServer(mocked(native, name))
		defer h.Close()
		o, err := OpenRun(t.Context(), out, OpenOptions{Mode: link.BeamTrie, Oracle: Oracle{URLs: []string{h.URL}}})
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		probe, pool := o.Remote()
		if probe.Engine != name || probe.Tokenizer != "same" {
			t.Fatalf("%s: %+v", name, probe)
		}
		got, err := o.Linker.Link(context.Background(), docs)
		if err != nil || len(got) != len(want) || pool.Stats().Requests == 0 {
			t.Fatalf("%s: %d predictions: %v", name, len(got), err)
		}
		for i := range want {
			for k, c := range want[i].Candidates {
				if g := got[i].Candidates[k]; g.Code != c.Code || g.Name != c.Name || math.Abs(g.Score-c.Score) > 1e-4 {
					t.Errorf("%s: %+v instead of %+v", name, g, c)
				}
			}
		}
	}
	h := httptest.NewServer(mock.New(mock.Options{Engine: "ollama"}))
	defer h.Close()
	if _, err := OpenRun(t.Context(), out, OpenOptions{Mode: link.BeamTrie, Oracle: Oracle{URLs: []string{h.URL}}}); !errors.Is(err, remote.ErrRefused) {
		t.Errorf("an engine without log-probabilities: %v", err)
	}
}

// mocked is an engine that answers with a run's own model, and with faults.
func mocked(o *Opened, engine string) *mock.Server {
	return mockedWith(o, engine, mock.Faults{Busy: 5, Reorder: true})
}

func mockedWith(o *Opened, engine string, faults mock.Faults) *mock.Server {
	tok := o.model.tok
	return mock.New(mock.Options{Engine: engine, Model: vocabulary{o.model.oracle, &sync.Mutex{}}, Vocab: tok.VocabSize(), MaxTop: 4 * remote.RollTop,
		Tokenize: func(s string) []int32 { return tok.EncodeOrdinary(nil, s) }, Faults: faults})
}

// vocabulary is a native oracle's every log-probability.
type vocabulary struct {
	o  link.Oracle
	mu *sync.Mutex
}

func (v vocabulary) Row(prefix []int32) []float64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	q := oracle.Query{Prefix: prefix}
	for i := range int32(v.o.Caps().Vocab) {
		q.Want = append(q.Want, i)
	}
	a, err := v.o.Do(context.Background(), []oracle.Query{q})
	if err != nil {
		panic(err)
	}
	return a[0].Want
}

func TestBaseKeysAreChecked(t *testing.T) {
	const rest = "[kb]\npaths=['x']\n[[corpus]]\n[train]\n"
	for config, want := range map[string]string{"lora=4": "train.base", "base='b'\npreset='tiny'": "train.preset", "base='b'\nlora=-1": "no rank", "dtype='int3'": "train.dtype"} {
		if _, err := ParseConfig([]byte(rest+config), "c.toml", nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", config, err)
		}
	}
}
