package pipeline

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/corpus/exchange"
	"syncabel/internal/eval"
	"syncabel/internal/llm/fake"
	"syncabel/internal/model/checkpoint"
	"syncabel/internal/oracle/mock"
	"syncabel/internal/oracle/remote"
	"syncabel/internal/prediction"
	"syncabel/internal/terminology"
	"syncabel/internal/terminology/invented"
	"syncabel/internal/text"
	"syncabel/internal/tokenizer"
)

const recipesDir = "../../configs/recipes"

// TestRecipesParse: every config of a recipe loads.
func TestRecipesParse(t *testing.T) {
	list, err := filepath.Glob(filepath.Join(recipesDir, "*.toml"))
	if err != nil || len(list) < 5 {
		t.Fatalf("%d configs: %v", len(list), err)
	}
	for _, path := range list {
		cfg, err := LoadConfig(path, []string{"data=elsewhere"})
		if err != nil {
			t.Error(err)
			continue
		}
		if name := strings.TrimSuffix(filepath.Base(path), ".toml"); cfg.Name != name {
			t.Errorf("%s calls itself %s", path, cfg.Name)
		}
	}
}

// TestRecipesRun runs each recipe from end to end where everything that is licensed or big is replaced by something small: the terminology by an
// invented release, the corpus by invented notes in the corpus's format, the 70B model by a fake server, both base models by a random one with
// a tokenizer of Llama-3's kind, torchrun by the native engine, and SGLang by a process that speaks its protocol. What the recipes say of files,
// types, splits and stages is thereby known to fit together; it says nothing about quality. All but one run with SYNCABEL_SLOW=1 only.
func TestRecipesRun(t *testing.T) {
	for _, r := range []struct {
		name    string
		prepare func(*testing.T, string)
		systems int // of models
		more    []string
	}{
		{"medmentions-st21pv", inventMedMentions, 12, nil},
		{"quaero-emea", func(t *testing.T, dir string) { inventQuaero(t, dir, "EMEA") }, 12, nil},
		{"quaero-medline", func(t *testing.T, dir string) { inventQuaero(t, dir, "MEDLINE") }, 12, []string{"kb.protocol=paper", "corpus.groups=gold", "eval.protocol=paper"}},
		{"spaccc", inventSPACCC, 12, nil},
		{"released-checkpoint", inventReleased, 2, nil},
	} {
		t.Run(r.name, func(t *testing.T) {
			if os.Getenv("SYNCABEL_SLOW") == "" && r.name != "released-checkpoint" {
				t.Skip("SYNCABEL_SLOW is not set")
			}
			data, out := t.TempDir(), t.TempDir()
			r.prepare(t, data)
			settings := append([]string{"data=" + data, "eval.samples=50", engineSetting(t)}, r.more...)
			if r.systems > 2 {
				settings = append(settings, smallSettings(t, data)...)
			}
			cfg, err := LoadConfig(filepath.Join(recipesDir, r.name+".toml"), settings)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Run(t.Context(), cfg, Options{Out: out, Threads: 2}); err != nil {
				t.Fatal(err)
			}
			checkRecipe(t, out, r.systems)
		})
	}
}

// engineSetting starts this test's binary as the engine of each model.
func engineSetting(t *testing.T) string {
	t.Setenv("SYNCABEL_TEST_ENGINE", "1")
	return fmt.Sprintf(`link.oracle.command=[%q, "-test.run=^TestEngineProcess$", "{model}", "{port}"]`, os.Args[0])
}

// TestEngineProcess is no test: it is the engine that other tests start, an SGLang by its protocol.
func TestEngineProcess(t *testing.T) {
	if os.Getenv("SYNCABEL_TEST_ENGINE") == "" || flag.NArg() != 2 {
		t.Skip("other tests start it")
	}
	dir, port := flag.Arg(0), flag.Arg(1)
	tok, err := tokenizer.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	srv := &http.Server{Handler: mock.New(mock.Options{Engine: "sglang", Model: vocabulary{newNative([]*checkpoint.Mapped{m}, 1), &sync.Mutex{}}, Vocab: m.Config.Vocab,
		Tokenize: func(s string) []int32 { return tok.EncodeOrdinary(nil, s) }, Faults: mock.Faults{Busy: 9}})}
	context.AfterFunc(ctx, func() { srv.Close() })
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		t.Fatal(err)
	}
}

// TestEngineThatEnds: an engine that cannot start is an error at once that names its log.
func TestEngineThatEnds(t *testing.T) {
	_, err := referenceRun(t, filepath.Join(mustAbs(t, referenceDir), "model"), fmt.Sprintf(`link.oracle.command=[%q, "-test.run=^$", "{model}", "{port}"]`, os.Args[0]))
	if !errors.Is(err, remote.ErrUnavailable) || !strings.Contains(err.Error(), "engine.log") {
		t.Error(err)
	}
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// smallSettings put a random model where the recipe's bases are, and make training and writing small.
func smallSettings(t *testing.T, data string) []string {
	base := baseFolder(t)
	for _, name := range []string{"llama-3-8b", "llama-3.2-1b"} {
		if err := os.CopyFS(filepath.Join(data, "models", name), os.DirFS(base)); err != nil {
			t.Fatal(err)
		}
	}
	s := httptest.NewServer(fake.New(fake.Options{Faults: map[string]float64{fake.TooMany: 0.1}}))
	t.Cleanup(s.Close)
	return []string{"train.engine=native", "train.tokens=1000", "train.batch_tokens=512", "train.warmup=2", "train.max_length=256",
		"synth.endpoint.0.url=" + s.URL + "/v1", "synth.limit=30", "ranker.candidates=2", "link.candidates=2", "link.names_each=1", "link.beams=2"}
}

// checkRecipe looks at what a recipe left: sentences that passed, all models in all modes, both protocols, and a report.
func checkRecipe(t *testing.T, out string, systems int) {
	t.Helper()
	rec, err := ReadRun(out)
	if err != nil {
		t.Fatal(err)
	}
	if systems > 2 {
		m, err := artifact.Open(filepath.Join(out, rec.Synth))
		if err != nil || m.Counts["passed"] == 0 {
			t.Errorf("sentences: %v, %v", m, err)
		}
	}
	n := 0
	for _, s := range rec.Systems {
		if s.Model == "" {
			continue
		}
		n++
		preds, err := prediction.ReadFile(filepath.Join(out, s.Predictions, prediction.FileName))
		if err != nil {
			t.Fatal(err)
		}
		for _, protocol := range []string{"strict", "paper"} {
			res, err := eval.Evaluate(preds, eval.Options{Protocol: protocol, Samples: 20, Seed: 1})
			if err != nil || res.Overall.N == 0 {
				t.Errorf("%s, protocol %s: %d mentions: %v", s.Name, protocol, res.Overall.N, err)
			}
		}
		if m, err := artifact.Open(filepath.Join(out, s.Predictions)); err != nil || m.Counts["oracle requests of sglang"] == 0 {
			t.Errorf("%s did not ask the engine: %v, %v", s.Name, m, err)
		}
	}
	if n != systems {
		t.Errorf("%d systems of models, want %d", n, systems)
	}
	if _, err := os.Stat(filepath.Join(out, "report", "index.html")); err != nil {
		t.Error(err)
	}
}

// notes invents documents about the concepts of a knowledge base, four a split, with types that typ gives to semantic groups.
func notes(kb *terminology.KB, language string, typ func(group string) string) map[string][]corpus.Document {
	before := map[string]string{"en": "The patient had ", "fr": "Le patient avait ", "es": "El paciente tiene "}[language]
	out := map[string][]corpus.Document{}
	at := 0
	for _, split := range []string{"train", "dev", "test"} {
		for i := range 4 {
			d := corpus.Document{ID: fmt.Sprintf("%d%02d", 1+len(out), i), Language: language, Split: split}
			for len(d.Mentions) < 2 {
				c := kb.Concept(at % kb.Len())
				at++
				groups := c.Groups()
				names := c.NamesIn(groups[0], language)
				if len(names) == 0 || typ(groups[0]) == "" {
					continue
				}
				d.Text += before
				start := len(d.Text)
				d.Text += names[0].Text
				d.Mentions = append(d.Mentions, corpus.Mention{ID: fmt.Sprint(1 + len(d.Mentions)), Spans: []text.Span{{Start: start, End: len(d.Text)}}, Text: names[0].Text,
					Type: typ(groups[0]), Gold: []corpus.Answer{{c.ID}}})
				d.Text += ". "
			}
			d.Text = strings.TrimSpace(d.Text)
			out[split] = append(out[split], d)
		}
	}
	return out
}

// inventUMLS writes an invented release where a recipe looks for it and reads it as the recipe does.
func inventUMLS(t *testing.T, dir, recipe string) (*Config, *terminology.KB) {
	t.Helper()
	cfg, err := LoadConfig(filepath.Join(recipesDir, recipe+".toml"), []string{"data=" + dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := invented.UMLS(cfg.path(cfg.KB.Paths[0]), invented.UMLSOptions{Concepts: 200, Rows: 1600, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	kb, _, err := ReadKB(cfg.KB, cfg.path)
	if err != nil {
		t.Fatal(err)
	}
	return cfg, kb
}

// typeOf turns a config's group_map round.
func typeOf(cfg *Config) func(string) string {
	types := map[string]string{}
	for typ, group := range cfg.Link.GroupMap {
		types[group] = typ
	}
	return func(group string) string { return types[group] }
}

func write(t *testing.T, path, format string, docs []corpus.Document) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := exchange.WritePath(path, format, docs, corpus.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func inventMedMentions(t *testing.T, dir string) {
	cfg, kb := inventUMLS(t, dir, "medmentions-st21pv")
	var all []corpus.Document
	for split, docs := range notes(kb, "en", typeOf(cfg)) {
		var ids strings.Builder
		for _, d := range docs {
			fmt.Fprintln(&ids, d.ID)
		}
		writeFile(t, cfg.path(cfg.Corpus[0].IDs[split]), ids.String())
		all = append(all, docs...)
	}
	write(t, cfg.path(cfg.Corpus[0].All[0]), "pubtator", all)
}

func inventQuaero(t *testing.T, dir, part string) {
	cfg, kb := inventUMLS(t, dir, "quaero-"+strings.ToLower(part))
	c := cfg.Corpus[0]
	for split, docs := range notes(kb, "fr", typeOf(cfg)) {
		write(t, cfg.path(map[string][]string{"train": c.Train, "dev": c.Dev, "test": c.Test}[split][0]), "brat", docs)
	}
}

// inventGazetteer makes the task's gazetteer of an invented edition of SNOMED CT.
func inventGazetteer(t *testing.T, dir string) map[string][]corpus.Document {
	t.Helper()
	edition := t.TempDir()
	if err := invented.SNOMED(edition, invented.SNOMEDOptions{Concepts: 150, Languages: []string{"en", "es"}, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	kb, _, err := ReadKB(KB{Format: "snomed", Paths: []string{edition}, Languages: []string{"es"}}, func(p string) string { return p })
	if err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	rows.WriteString("code\tlanguage\tterm\tsemantic_tag\tmainterm\n")
	labels := []string{"ENFERMEDAD", "SINTOMA", "PROCEDIMIENTO"}
	for i := range kb.Len() {
		c := kb.Concept(i)
		for k, n := range c.Names {
			fmt.Fprintf(&rows, "%s\tes\t%s\t%s\t%d\n", c.ID, n.Text, labels[i%3], map[bool]int{true: 1}[k == 0])
		}
	}
	path := filepath.Join(dir, "spaccc", "terminology.tsv")
	writeFile(t, path, rows.String())
	gazetteer, _, err := ReadKB(KB{Format: "table", Paths: []string{path}, Language: "es"}, func(p string) string { return p })
	if err != nil {
		t.Fatal(err)
	}
	return notes(gazetteer, "es", func(group string) string { return group })
}

// inventSPACCC also divides the training documents, as the page says, so that the config finds what `corpus split` writes.
func inventSPACCC(t *testing.T, dir string) {
	docs := inventGazetteer(t, dir)
	train := append(docs["train"], docs["dev"]...)
	if err := corpus.Divide(train, 80, 20, 0, 1); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "spaccc-train")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := corpus.WriteFile(filepath.Join(folder, corpus.FileName), train); err != nil {
		t.Fatal(err)
	}
	writeTable(t, dir, docs["test"])
}

// writeTable writes a table of mentions and, in a folder, the texts.
func writeTable(t *testing.T, dir string, docs []corpus.Document) {
	t.Helper()
	var rows strings.Builder
	rows.WriteString("filename\tlabel\tstart_span\tend_span\tspan\tcode\tsemantic_rel\n")
	for _, d := range docs {
		o := text.NewOffsets(d.Text)
		for _, m := range d.Mentions {
			fmt.Fprintf(&rows, "%s\t%s\t%d\t%d\t%s\t%s\tEXACT\n", d.ID, m.Type, o.Unit(m.Spans[0].Start), o.Unit(m.Spans[0].End), m.Text, m.Gold[0][0])
		}
		writeFile(t, filepath.Join(dir, "spaccc", "text_files", d.ID+".txt"), d.Text)
	}
	writeFile(t, filepath.Join(dir, "spaccc", "test.tsv"), rows.String())
}

func inventReleased(t *testing.T, dir string) {
	writeTable(t, dir, inventGazetteer(t, dir)["test"])
	if err := os.CopyFS(filepath.Join(dir, "models", "syncabel-spaccc"), os.DirFS(filepath.Join(referenceDir, "model"))); err != nil {
		t.Fatal(err)
	}
}

// TestGoldGroups: a mention's type becomes its concept's group; of several the annotated one, if it is among them.
func TestGoldGroups(t *testing.T) {
	b := terminology.NewBuilder()
	for _, c := range []struct {
		id     string
		groups []string
	}{{"1", []string{"A"}}, {"2", []string{"A", "B"}}} {
		x := terminology.Concept{ID: c.id, Names: []terminology.Name{{Text: "name " + c.id}}}
		for _, g := range c.groups {
			x.Types = append(x.Types, terminology.SemanticType{Name: g, Group: g})
		}
		b.Add(x)
	}
	kb, _ := b.Build()
	var docs []corpus.Document
	for _, m := range [][3]string{{"1", "b", "A"}, {"2", "b", "B"}, {"2", "x", "A"}, {"3", "x", "x"}, {"", "b", "b"}} {
		d := corpus.Document{ID: m[2], Mentions: []corpus.Mention{{Type: m[1]}}}
		if m[0] != "" {
			d.Mentions[0].Gold = []corpus.Answer{{m[0]}}
		}
		docs = append(docs, d)
	}
	goldGroups(docs, kb, map[string]string{"b": "B"})
	for _, d := range docs {
		if got := d.Mentions[0].Type; got != d.ID {
			t.Errorf("type %q, want %q", cmp.Or(got, "none"), d.ID)
		}
	}
}
