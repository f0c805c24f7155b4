package checkpoint

import (
	stdcmp "cmp"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"syncabel/internal/model"
)

// families are the folders that Hugging Face transformers wrote (scripts/model_fixtures.py; testdata/hf/versions.json says with
// which versions): llama with grouped queries, Llama-3 frequencies and an untied head in float32; qwen2 with biases, a
// window from layer 1 on and bfloat16 shards; qwen3 with norms of q and k and wide heads in float16; mistral with a window in
// every layer.
var families = []string{"llama", "qwen2", "qwen3", "mistral"}

// relative is the largest error that is allowed, relative to the largest value of the tensor.
const relative = 1e-4

// expected opens the tensors that transformers computed for a family.
func expected(t *testing.T, family string) (get func(name string, shape ...int) []float32) {
	t.Helper()
	f, err := OpenTensors(filepath.Join("testdata/hf", family, "expected.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return func(name string, shape ...int) []float32 {
		n := 1
		for _, d := range shape {
			n *= d
		}
		dst := make([]float32, n)
		if err := f.Read(name, shape, dst); err != nil {
			t.Fatal(err)
		}
		return dst
	}
}

func load(t *testing.T, family string) *model.Model {
	t.Helper()
	m, err := Load(filepath.Join("testdata/hf", family))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// worst returns the largest difference, relative to the largest value of want.
func worst(got, want []float32) float64 {
	scale, diff := 1e-6, 0.0
	for i := range want {
		scale = math.Max(scale, math.Abs(float64(want[i])))
		diff = math.Max(diff, math.Abs(float64(got[i]-want[i])))
	}
	return diff / scale
}

func ints(x []float32) []int32 {
	out := make([]int32, len(x))
	for i, v := range x {
		out[i] = int32(v)
	}
	return out
}

// logits runs the fixture's two sequences through a session.
func logits(t *testing.T, s *model.Session, tokens []int32) []float32 {
	t.Helper()
	var rows []model.Row
	var nodes []int32
	for i, tok := range tokens {
		start := i / 24 * 24
		rows = append(rows, model.Row{Token: tok, Pos: int32(i - start), Node: int32(i), Path: append([]int32(nil), nodes[start:]...)})
		nodes = append(nodes, int32(i))
	}
	if err := s.Run(rows); err != nil {
		t.Fatal(err)
	}
	got := make([]float32, len(tokens)*64)
	s.Logits(nodes, got)
	return got
}

// TestLogitsAsHuggingFace: a folder that transformers wrote gives the same logits here.
func TestLogitsAsHuggingFace(t *testing.T) {
	for _, family := range families {
		get := expected(t, family)
		m, err := Open(filepath.Join("testdata/hf", family))
		if err != nil {
			t.Fatal(err)
		}
		s := model.NewFrozenSession(m.Frozen, model.SessionOptions{Nodes: 48, Threads: 2})
		e := worst(logits(t, s, ints(get("tokens", 2, 24))), get("logits", 2, 24, 64))
		s.Close()
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		t.Logf("%s: logits: relative error %.1e, tolerance %.0e", family, e, relative)
		if e > relative {
			t.Errorf("%s: logits differ", family)
		}
	}
}

// TestTrainingAsPyTorch: gradients of every tensor are PyTorch's, and so are the losses of ten steps of AdamW.
func TestTrainingAsPyTorch(t *testing.T) {
	for _, family := range families {
		m, get := load(t, family), expected(t, family)
		b := &model.Batch{Tokens: ints(get("tokens", 2, 24)), Targets: ints(get("targets", 2, 24)), Starts: []int32{0, 24}}
		tr := model.NewTrainer(m, model.TrainerOptions{Decay: 0.05, EmbedLR: 1, Threads: 2})
		defer tr.Close()
		if _, err := tr.Gradient(b); err != nil {
			t.Fatal(err)
		}
		top, in := 0.0, ""
		for _, g := range tr.Gradients() {
			e := worst(g.Data, get("grad."+g.Name, g.Shape...))
			if e > top {
				top, in = e, g.Name
			}
			if e > relative {
				t.Errorf("%s: gradient of %s: relative error %.1e", family, g.Name, e)
			}
		}
		t.Logf("%s: %d gradients: relative error up to %.1e (%s), tolerance %.0e", family, len(tr.Gradients()), top, in, relative)
		top = 0
		for i, want := range get("losses", 10) {
			s, err := tr.Step(b, 3e-3)
			if err != nil {
				t.Fatal(err)
			}
			e := math.Abs(s.Loss-float64(want)) / float64(want)
			top = math.Max(top, e)
			if e > relative {
				t.Errorf("%s: step %d: loss %g, PyTorch's %g", family, i, s.Loss, want)
			}
		}
		t.Logf("%s: ten losses: relative error up to %.1e, tolerance %.0e", family, top, relative)
	}
}

// TestConfigSurvives: a config.json that transformers wrote and Save writes again is read to the same configuration.
func TestConfigSurvives(t *testing.T) {
	for _, family := range families {
		m, dir := load(t, family), t.TempDir()
		if err := Save(dir, m); err != nil {
			t.Fatal(err)
		}
		again, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		m.Config.DType = "float32" // what is written
		if diff := cmp.Diff(m.Config, again.Config, cmpopts.IgnoreUnexported(model.Config{})); diff != "" {
			t.Errorf("%s: %s", family, diff)
		}
	}
}

// TestUnsupportedFeaturesAreNamed: whatever the engine cannot honour is refused, naming the key.
func TestUnsupportedFeaturesAreNamed(t *testing.T) {
	base, err := os.ReadFile("testdata/hf/llama/config.json")
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{"model_type": `"gpt2"`, "hidden_act": `"gelu"`, "attention_bias": "true", "mlp_bias": "true",
		"rope_scaling": `{"rope_type": "yarn", "factor": 4}`, "hidden_size": "0", "quantization_config": `{"bits": 4}`,
		"partial_rotary_factor": "0.5", "logit_softcap": "30.0", "sliding_window": "4", "auto_map": `{"x": "y"}`,
		"architectures": `["LlamaForSequenceClassification"]`, "max_position_embeddings": "1e12", "num_hidden_layers": "99999999"} {
		keys := map[string]json.RawMessage{}
		if err := json.Unmarshal(base, &keys); err != nil {
			t.Fatal(err)
		}
		if key == "rope_scaling" {
			delete(keys, "rope_parameters")
		}
		keys[key] = json.RawMessage(value)
		b, _ := json.Marshal(keys)
		name := map[string]string{"rope_scaling": "rope_type", "architectures": "architecture"}[key]
		if _, err := model.ParseConfig(b); err == nil || !strings.Contains(err.Error(), stdcmp.Or(name, key)) {
			t.Errorf("%s = %s: %v", key, value, err)
		}
	}
}
