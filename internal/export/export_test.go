package export

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/corpus/exchange"
	"syncabel/internal/dataset"
	"syncabel/internal/lexical"
	"syncabel/internal/markup"
	"syncabel/internal/terminology"
	"syncabel/internal/text"
	"syncabel/internal/tokenizer"
)

const base = "../tokenizer/testdata/hf/llama3"

func document(id, origin, s string, words ...string) corpus.Document {
	d := corpus.Document{ID: id, Language: "en", Split: "train", Text: s}
	for i, w := range words {
		at := strings.Index(s, w)
		d.Mentions = append(d.Mentions, corpus.Mention{ID: string(rune('a' + i)), Spans: []text.Span{{Start: at, End: at + len(w)}}, Text: w, Type: "Disorders", Origin: origin,
			Gold: []corpus.Answer{{"D1"}}})
	}
	return d
}

func sets(t *testing.T) (train, dev *dataset.Set) {
	t.Helper()
	b := terminology.NewBuilder()
	b.Add(terminology.Concept{ID: "D1", Names: []terminology.Name{{Text: "gout", Language: "en"}, {Text: "gouty arthritis", Language: "en"}},
		Types: []terminology.SemanticType{{Name: "Disease", Group: "Disorders"}}})
	kb, _ := b.Build()
	human := []corpus.Document{document("h", "", "He has [old] gout and <SEP> Gouty arthritis.", "gout", "Gouty arthritis")}
	synthetic := []corpus.Document{document("s1", "synthetic", "Acute gout hurts.", "gout"), document("s2", "synthetic", "No gout.", "gout"), document("s3", "synthetic", "Chronic gout.", "gout")}
	opt := dataset.Options{Mode: dataset.FullUpsampled, Markup: markup.Options{Context: markup.ContextSentence}}
	vec := lexical.Fit([]string{"gout", "gouty arthritis"})
	train, err := dataset.New(t.Context(), kb, vec, human, synthetic, opt)
	if err != nil {
		t.Fatal(err)
	}
	opt.Mode = dataset.HumanOnly
	if dev, err = dataset.New(t.Context(), kb, vec, human, nil, opt); err != nil {
		t.Fatal(err)
	}
	return train, dev
}

func write(t *testing.T, opt Options) *artifact.Folder {
	t.Helper()
	f, err := artifact.Create(t.TempDir(), artifact.Manifest{Kind: "examples"})
	if err != nil {
		t.Fatal(err)
	}
	train, dev := sets(t)
	if _, err := Trainers(f, train, dev, opt); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	return f
}

func read[T any](t *testing.T, path string) []T {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []T
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var v T
		if err := json.Unmarshal(sc.Bytes(), &v); err != nil {
			t.Fatal(path, err)
		}
		out = append(out, v)
	}
	return out
}

// TestRows: every form holds the same rows in the order of the mode; tokens decode to the text, and only the name is learnt.
func TestRows(t *testing.T) {
	f := write(t, Options{Tokenizer: base, BOS: "<|begin_of_text|>", EOS: "<|end_of_text|>", Mode: dataset.FullUpsampled, Shards: 2, Pack: true, MaxLength: 128})
	tok, err := tokenizer.Load(f.Path("tokenizer"))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, shard := range []string{"00000", "00001"} {
		pairs := read[map[string]string](t, f.Path("pc", "train-"+shard+"-of-00002.jsonl"))
		rows := read[tokens](t, f.Path("pretok", "train-"+shard+"-of-00002.jsonl"))
		for i, r := range rows {
			ids = append(ids, r.ID)
			want := pairs[i]["prompt"] + pairs[i]["completion"]
			if got := tok.Decode(r.IDs[1:len(r.IDs)-1], false); got != want || pairs[i]["id"] != r.ID {
				t.Errorf("%q decodes to %q", want, got)
			}
			var name []int32
			for k, l := range r.Labels {
				if l != ignore {
					name = append(name, l)
				} else if len(name) > 0 {
					t.Errorf("label %d is ignored behind the name", k)
				}
			}
			if got := tok.Decode(name[:len(name)-1], false); got != pairs[i]["completion"] {
				t.Errorf("%q is learnt, %q expected", got, pairs[i]["completion"])
			}
		}
	}
	if got := strings.Join(ids, " "); got != "h/a s1/a h/b s2/a h/a s3/a" {
		t.Error(got)
	}
	if n := f.Manifest.Counts; n["train"] != 6 || n["train human"] != 3 || n["dev"] != 2 || n["train packed sequences"] == 0 {
		t.Errorf("%v", n)
	}
	for _, p := range read[tokens](t, f.Path("packed", "train.jsonl")) {
		if len(p.IDs) > 128 || len(p.Positions) != len(p.IDs) || p.Positions[0] != 0 {
			t.Errorf("packed row of %d tokens, %d positions", len(p.IDs), len(p.Positions))
		}
	}
	if n := len(read[map[string]string](t, f.Path("llamafactory", "train.jsonl"))); n != 6 {
		t.Errorf("%d rows for LLaMA-Factory", n)
	}
}

// TestConfigs: every configuration names files that are there, with and without a tokenizer.
func TestConfigs(t *testing.T) {
	for _, opt := range []Options{{Mode: dataset.HumanOnly}, {Mode: dataset.Full, Tokenizer: base, EOS: "<|end_of_text|>", Shards: 3}} {
		f := write(t, opt)
		entries, err := os.ReadDir(f.Path("configs"))
		if err != nil || len(entries) != 6 {
			t.Fatal(entries, err)
		}
		for _, e := range entries {
			b, err := os.ReadFile(f.Path("configs", e.Name()))
			if err != nil || strings.Contains(string(b), "<no value>") {
				t.Error(e.Name(), err)
			}
			for _, w := range strings.FieldsFunc(string(b), func(r rune) bool { return strings.ContainsRune(" \n[],", r) }) {
				if strings.HasSuffix(w, ".jsonl") {
					if _, err := os.Stat(f.Path(filepath.FromSlash(w))); err != nil {
						t.Errorf("%s: %v", e.Name(), err)
					}
				}
			}
		}
	}
	f, _ := artifact.Create(t.TempDir(), artifact.Manifest{})
	train, _ := sets(t)
	for _, opt := range []Options{{Mode: dataset.HumanFT}, {Mode: "half"}, {Mode: dataset.Full, Tokenizer: base}, {Mode: dataset.Full, Tokenizer: base, EOS: "</none>"}} {
		if _, err := Trainers(f, train, nil, opt); err == nil {
			t.Errorf("%+v passes", opt)
		}
	}
}

// TestDeterminism: same input, same bytes, whatever the number of shards after joining.
func TestDeterminism(t *testing.T) {
	opt := Options{Mode: dataset.FullUpsampled, Shuffle: true, Seed: 3}
	a, b := write(t, opt), write(t, opt)
	if a.Manifest.Hash() != b.Manifest.Hash() {
		t.Error("two exports differ")
	}
	opt.Shards = 4
	c := write(t, opt)
	var joined []byte
	for _, s := range []string{"00000", "00001", "00002", "00003"} {
		x, err := os.ReadFile(c.Path("pc", "train-"+s+"-of-00004.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		joined = append(joined, x...)
	}
	if one, _ := os.ReadFile(a.Path("pc", "train-00000-of-00001.jsonl")); string(one) != string(joined) {
		t.Error("shards change the rows")
	}
}

func TestSet(t *testing.T) {
	f, err := artifact.Create(t.TempDir(), artifact.Manifest{Kind: "set"})
	if err != nil {
		t.Fatal(err)
	}
	docs := []corpus.Document{document("s1", "synthetic", "Acute gout hurts.", "gout"), document("s2", "synthetic", "No gout.", "gout")}
	docs[1].Split = "dev"
	if _, err := Set(f, docs, SetOptions{Name: "Synth", JSON: true}); err != nil {
		t.Fatal(err)
	}
	got, warnings, err := exchange.ReadPath(f.Path("data", "train-00000-of-00001.parquet"), "bigbio-parquet", corpus.ReadOptions{})
	if err != nil || len(warnings) > 0 || len(got) != 1 || got[0].Mentions[0].Gold[0][0] != "D1" {
		t.Error(got, warnings, err)
	}
	b, _ := os.ReadFile(f.Path("README.md"))
	for _, want := range []string{"license: other", "split: validation\n    path: data/dev-*.parquet", "language: [en]", "| synthetic | 2 |", "no source of medical"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the card lacks %q:\n%s", want, b)
		}
	}
}
