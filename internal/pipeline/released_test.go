package pipeline

import (
	"encoding/json"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/link"
	"syncabel/internal/markup"
	"syncabel/internal/model/checkpoint"
	"syncabel/internal/oracle/llamacpp"
	"syncabel/internal/oracle/sglang"
	"syncabel/internal/oracle/vllm"
	"syncabel/internal/prediction"
	"syncabel/internal/text"
	"syncabel/internal/tokenizer"
	"syncabel/internal/train"
)

// referenceCases are what the published way of prompting gives (scripts/reference_fixture.py).
type referenceCases struct {
	Sep, EOS int32
	Cases    []struct {
		Prompt string
		IDs    []int32
		Want   []struct {
			Name, Code string
			Score      float64 `json:"beam_score"`
		}
		Several []struct {
			Names, Codes []string
			Score        float64 `json:"beam_score"`
		}
		Free string
	}
}

const referenceDir = "testdata/reference"

func readReference(t *testing.T) (*referenceCases, []corpus.Document) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(referenceDir, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var c referenceCases
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	docs, err := corpus.ReadFile(filepath.Join(referenceDir, "documents.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return &c, docs
}

// TestReferencePrompts: prompts and their tokens are those of the published code.
func TestReferencePrompts(t *testing.T) {
	c, docs := readReference(t)
	tok, err := tokenizer.Load(filepath.Join(referenceDir, "model"))
	if err != nil {
		t.Fatal(err)
	}
	end, err := tokenizer.EndToken(filepath.Join(referenceDir, "model"), tok)
	if sep, _ := tok.ID(markup.Sep); err != nil || end != c.EOS || sep != c.Sep {
		t.Fatalf("the end is %d, the separator %d, want %d and %d: %v", end, sep, c.EOS, c.Sep, err)
	}
	for i, want := range c.Cases {
		d := &docs[i]
		q := markup.Question{Doc: d, Mention: &d.Mentions[0], Group: d.Mentions[0].Type, Surface: d.Mentions[0].Text, Sentences: text.Sentences(d.Text, d.Language, d.Spans())}
		got := markup.Prompt(q, markup.Options{Form: markup.FormReference})
		if s := markup.Text(got); s != want.Prompt {
			t.Errorf("prompt %q\n  want %q", s, want.Prompt)
		}
		if ids := train.EncodePrompt(tok, -1, got); !slices.Equal(ids, want.IDs) {
			t.Errorf("%q: tokens %v, want %v", want.Prompt, ids, want.IDs)
		}
	}
}

// referenceRun links the cases with the checkpoint in a folder.
func referenceRun(t *testing.T, model string, settings ...string) (string, error) {
	t.Helper()
	dir, err := filepath.Abs(referenceDir)
	if err != nil {
		t.Fatal(err)
	}
	const config = `
name = "reference"
[kb]
format = "table"
paths = ["kb.tsv"]
[[corpus]]
format = "jsonl"
all = ["documents.jsonl"]
[train]
prompt = "reference"
[link]
modes = ["beam-hf", "free"]
`
	cfg, err := ParseConfig([]byte(config), "reference.toml", append([]string{"data=" + dir, "train.released=" + model}, settings...))
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	_, err = Run(t.Context(), cfg, Options{Out: out})
	return out, err
}

// checkReference compares the predictions of beam-hf and free with the cases.
func checkReference(t *testing.T, c *referenceCases, mode string, preds []prediction.Prediction) {
	t.Helper()
	if len(preds) != len(c.Cases) {
		t.Fatalf("%d predictions of %d mentions", len(preds), len(c.Cases))
	}
	for i, want := range c.Cases {
		p := preds[i]
		if mode == link.Free {
			if got := p.Candidates[0].Name; got != "(nothing)" && got != strings.TrimSpace(want.Free) {
				t.Errorf("%q: wrote %q, want %q", want.Prompt, got, want.Free)
			}
			continue
		}
		var seen []string
		for _, w := range want.Want {
			if slices.Contains(seen, w.Code) { // one candidate a concept, by its best name
				continue
			}
			seen = append(seen, w.Code)
			g := p.Candidates[len(seen)-1]
			if g.Code != w.Code || markup.Clean(g.Name) != w.Name || math.Abs(g.Score-math.Log(w.Score)) > 1e-3 {
				t.Errorf("%q: candidate %d is %s %q %.5f, want %s %q %.5f", want.Prompt, len(seen), g.Code, g.Name, math.Exp(g.Score), w.Code, w.Name, w.Score)
			}
		}
		if len(p.Candidates) != len(seen) {
			t.Errorf("%q: %d candidates, want %d", want.Prompt, len(p.Candidates), len(seen))
		}
	}
}

// TestSeveralNames: with link.several the names, order and scores are those of the published search that lets a separator follow a name, but
// for names written twice. Candidates of the same concepts are one, the best.
func TestSeveralNames(t *testing.T) {
	c, docs := readReference(t)
	model, err := filepath.Abs(filepath.Join(referenceDir, "model"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := referenceRun(t, model, "link.several=true")
	if err != nil {
		t.Fatal(err)
	}
	native, err := OpenRun(t.Context(), out, OpenOptions{Mode: link.BeamHF})
	if err != nil {
		t.Fatal(err)
	}
	defer native.Close()
	h := httptest.NewServer(mocked(native, vllm.Name))
	defer h.Close()
	asked, err := OpenRun(t.Context(), out, OpenOptions{Mode: link.BeamHF, Oracle: Oracle{URLs: []string{h.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	defer asked.Close()
	for _, o := range []*Opened{native, asked} {
		preds, err := o.Linker.Link(t.Context(), docs)
		if err != nil {
			t.Fatal(err)
		}
		checkSeveral(t, c, preds)
	}
}

func checkSeveral(t *testing.T, c *referenceCases, preds []prediction.Prediction) {
	t.Helper()
	composites := 0
	for i, want := range c.Cases {
		var seen []string
		sum := 0.0
		for _, w := range want.Several {
			codes := slices.Compact(slices.Sorted(slices.Values(w.Codes)))
			code := strings.Join(codes, "+")
			if slices.Contains(seen, code) {
				continue
			}
			g := preds[i].Candidates[len(seen)]
			seen = append(seen, code)
			sum += g.Probability
			name := w.Names[0]
			if len(codes) > 1 {
				name = strings.Join(w.Names, " + ")
				composites++
			}
			if g.Code != code || markup.Clean(g.Name) != name || math.Abs(g.Score-math.Log(w.Score)) > 1e-3 || len(codes) > 1 && !slices.Equal(g.Parts, codes) {
				t.Errorf("%q: candidate %d is %s %q %.5f, want %s %q %.5f", want.Prompt, len(seen), g.Code, g.Name, math.Exp(g.Score), code, name, w.Score)
			}
		}
		if len(preds[i].Candidates) == len(seen) && math.Abs(sum-1) > 1e-6 {
			t.Errorf("%q: probabilities sum to %g", want.Prompt, sum)
		}
	}
	if composites < 20 {
		t.Errorf("%d composites only", composites)
	}
}

// TestReleasedCheckpoint: a checkpoint of the published kind gives, over our trie, the names, order and scores of the published search,
// computed here, and asked on each engine, which may be the only one to have the weights.
func TestReleasedCheckpoint(t *testing.T) {
	c, docs := readReference(t)
	model, err := filepath.Abs(filepath.Join(referenceDir, "model"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := referenceRun(t, model)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := ReadRun(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range rec.Systems {
		if s.Model == "" {
			continue
		}
		preds, err := prediction.ReadFile(filepath.Join(out, s.Predictions, prediction.FileName))
		if err != nil {
			t.Fatal(err)
		}
		checkReference(t, c, s.Mode, preds)
	}
	native, err := OpenRun(t.Context(), out, OpenOptions{Mode: link.BeamHF})
	if err != nil {
		t.Fatal(err)
	}
	defer native.Close()
	bare := withoutWeights(t, model)
	for _, engine := range []string{sglang.Name, vllm.Name, llamacpp.Name} {
		h := httptest.NewServer(mocked(native, engine))
		defer h.Close()
		o, err := OpenRun(t.Context(), out, OpenOptions{Mode: link.BeamHF, Keep: 10, Oracle: Oracle{URLs: []string{h.URL}}})
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		preds, err := o.Linker.Link(t.Context(), docs)
		if err != nil {
			t.Fatal(err)
		}
		checkReference(t, c, link.BeamHF, preds)
		if engine == sglang.Name {
			remoteRun(t, c, bare, h.URL)
		}
	}
}

// remoteRun runs a config whose model is a folder without weights and whose [link.oracle] has them. What links later asks the same server.
func remoteRun(t *testing.T, c *referenceCases, model, url string) {
	t.Helper()
	if _, err := referenceRun(t, model); err == nil || !strings.Contains(err.Error(), "[link.oracle]") {
		t.Errorf("a model without weights and without a server: %v", err)
	}
	out, err := referenceRun(t, model, `link.oracle.urls=["`+url+`"]`)
	if err != nil {
		t.Fatal(err)
	}
	o, err := OpenRun(t.Context(), out, OpenOptions{Mode: link.BeamHF, Keep: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	_, docs := readReference(t)
	preds, err := o.Linker.Link(t.Context(), docs)
	if err != nil {
		t.Fatal(err)
	}
	checkReference(t, c, link.BeamHF, preds)
	for _, s := range o.Record.Systems {
		m, err := artifact.Open(filepath.Join(out, s.Predictions))
		if _, ok := m.Metrics["oracle epsilon"]; err != nil || ok != (s.Model != "") || ok != (m.Counts["oracle requests of sglang"] > 0) {
			t.Errorf("%s: the manifest notes %v, %v: %v", s.Name, m.Metrics, m.Counts, err)
		}
	}
}

// withoutWeights copies a model folder but for its weights, and puts files into it that a released folder may hold and no run should take.
func withoutWeights(t *testing.T, model string) string {
	t.Helper()
	dir := t.TempDir()
	list, err := os.ReadDir(model)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if checkpoint.IsWeights(e.Name()) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(model, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, e.Name()), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "candidate_trie.pkl"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestAdoptEnds: the first and the last token of a sequence are the tokenizer's, whatever config.json says; no code and no pickle is taken over.
func TestAdoptEnds(t *testing.T) {
	model := withoutWeights(t, filepath.Join(referenceDir, "model"))
	path := filepath.Join(model, tokenizer.FileName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	doc["post_processor"] = json.RawMessage(`{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<|begin_of_text|>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
		"pair":[],"special_tokens":{"<|begin_of_text|>":{"id":"<|begin_of_text|>","ids":[0],"tokens":["<|begin_of_text|>"]}}}`)
	if b, err = json.Marshal(doc); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	c, _ := readReference(t)
	for dir, bos := range map[string]int32{model: 0, withoutWeights(t, filepath.Join(referenceDir, "model")): -1} {
		f, err := artifact.Create(t.TempDir(), artifact.Manifest{Kind: "model"})
		if err != nil {
			t.Fatal(err)
		}
		if err := (&runner{cfg: &Config{}}).adopt(Train{Released: dir}, f); err != nil {
			t.Fatal(err)
		}
		got, err := checkpoint.Config(f.Dir)
		if err != nil || got.BOS != bos || got.EOS != c.EOS {
			t.Errorf("a sequence begins with %d and ends with %d, want %d and %d: %v", got.BOS, got.EOS, bos, c.EOS, err)
		}
		if _, err := os.Stat(f.Path("candidate_trie.pkl")); err == nil {
			t.Error("a pickle was taken over")
		}
	}
}

func TestReleasedKeysAreChecked(t *testing.T) {
	const rest = "[kb]\npaths=['x']\n[[corpus]]\n"
	for config, want := range map[string]string{"[train]\nreleased='b'\nbase='c'": "train.base", "[train]\nprompt='reference'": "train.released",
		"[train]\nreleased='b'\nprompt='theirs'": "reference", "[train]\nreleased='b'\nprompt='reference'\nmemory=2": "memory",
		"[link.oracle]\nurls=['u']\ncommand=['c','{model}','{port}']": "urls and a command", "[link.oracle]\ncommand=['c','{model}']": "{port}", "[link.oracle]\nurls=['u']\nengine='ollama'": "sglang"} {
		if _, err := ParseConfig([]byte(rest+config), "c.toml", nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", config, err)
		}
	}
}
