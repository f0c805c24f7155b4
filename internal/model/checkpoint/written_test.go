package checkpoint

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"syncabel/internal/model"
	"syncabel/internal/tokenizer"
)

// TestWriteForHuggingFace writes folders of every family, trained a little, with what they compute and how they cut texts, for
// `scripts/model_fixtures.py --check`, which loads them with transformers (and PEFT). SYNCABEL_HF_OUT names where.
func TestWriteForHuggingFace(t *testing.T) {
	out := os.Getenv("SYNCABEL_HF_OUT")
	if out == "" {
		t.Skip("SYNCABEL_HF_OUT names no folder")
	}
	texts := []string{"a <MARK> b", "type 2 diabetes", "  Infarctus du myocarde\n\n12 mg", "<SEP>[ névralgie] est", "don't 中文 🩺 </s>", "x" + "  " + "y\t"}
	for _, family := range append([]string{"llama-lora"}, families...) {
		dir := filepath.Join(out, family)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		tok := writeTokenizer(t, dir, family, texts)
		c := model.Config{Architectures: []string{"LlamaForCausalLM"}, ModelType: "llama", Vocab: tok.VocabSize(), Width: 32, Hidden: 48, Layers: 2, Heads: 4,
			KVHeads: 2, HeadWidth: 8, Context: 64, NormEps: 1e-5, RopeTheta: 10000, Tied: true, Activation: "silu", BOS: 0, EOS: 1}
		switch family {
		case "llama":
			c.Scaling = &model.Scaling{Type: "llama3", Factor: 4, Low: 1, High: 4, Original: 16}
		case "qwen2":
			on := true
			c.ModelType, c.Architectures, c.Window, c.UseWindow, c.FullLayers, c.Tied = "qwen2", []string{"Qwen2ForCausalLM"}, 5, &on, 1, false
		case "qwen3":
			c.ModelType, c.Architectures, c.HeadWidth = "qwen3", []string{"Qwen3ForCausalLM"}, 12
		case "mistral":
			c.ModelType, c.Architectures, c.Window = "mistral", []string{"MistralForCausalLM"}, 7
		}
		writeFamily(t, dir, model.New(c, 1), tok, texts, family == "llama-lora")
	}
}

// writeTokenizer gives a family the tokenizer it comes with; models from scratch are Llamas with one of ours.
func writeTokenizer(t *testing.T, dir, family string, texts []string) *tokenizer.Tokenizer {
	t.Helper()
	kind := map[string]string{"llama-lora": "llama3", "qwen2": "qwen2", "qwen3": "qwen2", "mistral": "mistral"}[family]
	var tok *tokenizer.Tokenizer
	var err error
	switch kind {
	case "":
		tok, err = tokenizer.Train(slices.Values(texts), tokenizer.TrainOptions{VocabSize: 300, Special: []string{"<s>", "</s>", "<SEP>"}, Lowercase: true})
		if err == nil {
			err = tok.WriteFile(dir, "<s>", "</s>")
		}
	default:
		tok, _, err = tokenizer.Adapt(filepath.Join("../../tokenizer/testdata/hf", kind), dir, "<MARK>", 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func writeFamily(t *testing.T, dir string, m *model.Model, tok *tokenizer.Tokenizer, texts []string, lora bool) {
	t.Helper()
	opt, saved := model.TrainerOptions{EmbedLR: 1}, dir
	if lora {
		saved = filepath.Join(dir, "base")
		if err := os.MkdirAll(saved, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := Save(saved, m); err != nil { // before training: what the adapter belongs to
			t.Fatal(err)
		}
		var err error
		if opt.LoRA, err = model.NewLoRA(m, model.LoRAOptions{Rank: 4}); err != nil {
			t.Fatal(err)
		}
	}
	tr := model.NewTrainer(m, opt)
	defer tr.Close()
	r := rand.New(rand.NewPCG(1, 2))
	b := &model.Batch{Starts: []int32{0}}
	for range 40 {
		b.Tokens, b.Targets = append(b.Tokens, r.Int32N(int32(m.Config.Vocab))), append(b.Targets, r.Int32N(int32(m.Config.Vocab)))
	}
	for range 10 {
		if _, err := tr.Step(b, 1e-2); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if lora {
		err = SaveAdapter(dir, opt.LoRA, "base")
	} else {
		err = Save(dir, m)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := model.NewSession(m, model.SessionOptions{Nodes: 64})
	defer s.Close()
	var rows []model.Row
	var nodes []int32
	for i, token := range b.Tokens {
		rows = append(rows, model.Row{Token: token, Pos: int32(i), Node: int32(i), Path: slices.Clone(nodes)})
		nodes = append(nodes, int32(i))
	}
	if err := s.Run(rows); err != nil {
		t.Fatal(err)
	}
	logits := make([]float32, len(nodes)*m.Config.Vocab)
	s.Logits(nodes, logits)
	var ids [][]int32
	for _, x := range texts {
		ids = append(ids, tok.Encode(nil, x))
	}
	if err := writeJSON(filepath.Join(dir, "expected.json"), map[string]any{"tokens": b.Tokens, "logits": logits, "texts": texts, "ids": ids}); err != nil {
		t.Fatal(err)
	}
}
