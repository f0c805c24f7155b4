package demo

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"syncabel/internal/corpus"
	"syncabel/internal/eval"
	"syncabel/internal/lexical"
	"syncabel/internal/link"
	"syncabel/internal/pipeline"
	"syncabel/internal/prediction"
	"syncabel/internal/synth"
	"syncabel/internal/terminology"
)

var update = flag.Bool("update", false, "rewrite golden files")

func load(t *testing.T) (*terminology.KB, []corpus.Document) {
	t.Helper()
	dir := t.TempDir()
	cfg, err := Config(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := func(p string) string { return filepath.Join(cfg.Data, p) }
	kb, warnings, err := pipeline.ReadKB(cfg.KB, at)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	var docs []corpus.Document
	for _, c := range cfg.Corpus {
		d, warnings, err := pipeline.ReadCorpus(c, at)
		if err != nil || len(warnings) > 0 {
			t.Fatal(err, warnings)
		}
		docs = append(docs, d...)
	}
	return kb, docs
}

// The example is what the README says it is.
func TestExample(t *testing.T) {
	kb, docs := load(t)
	languages := map[string]int{}
	for i := range kb.Len() {
		c := kb.Concept(i)
		if len(c.Definitions) == 0 {
			t.Errorf("%s has no definition", c.ID)
		}
		for _, l := range []string{"en", "fr", "es"} {
			if slices.ContainsFunc(c.Names, func(n terminology.Name) bool { return n.Language == l }) {
				languages[l]++
			}
		}
	}
	if kb.Len() < 400 || len(kb.Groups()) < 4 || languages["fr"] < 150 || languages["es"] < 150 || kb.Stats().Relations < 200 || kb.Stats().AmbiguousNames < 20 {
		t.Errorf("knowledge base: %+v, concepts by language %v", kb.Stats(), languages)
	}
	n := map[string]int{}
	train := map[string]bool{}
	unseen, linked := 0, 0
	for _, d := range docs {
		n[d.Language+" "+d.Split]++
		for _, m := range d.Mentions {
			if m.NIL() {
				n["nil "+d.Split]++
				continue
			}
			if len(m.Gold[0]) > 1 {
				n["composite "+d.Split]++
			}
			for _, id := range m.Gold[0] {
				if !kb.Has(id) {
					t.Errorf("%s: unknown code %s", d.ID, id)
				}
				train[id] = train[id] || d.Split == "train"
			}
		}
	}
	for _, d := range corpus.Split(docs, "test") {
		for _, m := range d.Mentions {
			if !m.NIL() {
				linked++
				if !train[m.Gold[0][0]] {
					unseen++
				}
			}
		}
	}
	for key, least := range map[string]int{"en train": 120, "en dev": 40, "en test": 80, "fr train": 40, "fr dev": 15, "fr test": 30, "es train": 40, "es dev": 15, "es test": 30,
		"nil test": 12, "composite test": 6} {
		if n[key] < least {
			t.Errorf("%s: %d, want at least %d", key, n[key], least)
		}
	}
	if share := float64(unseen) / float64(linked); share < 0.3 {
		t.Errorf("%.2f of the test mentions are of unseen concepts", share)
	}
}

// Every concept has three sentences in each of its languages, and nearly all pass the gates.
func TestJournal(t *testing.T) {
	kb, docs := load(t)
	f, err := Files().Open("journal.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, warnings, err := synth.ReadJournal(f, "journal.jsonl")
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	have := map[string]int{}
	for _, r := range records {
		have[r.Concept+" "+r.Language] = strings.Count(r.Answer, "\n")
	}
	for i := range kb.Len() {
		for _, n := range kb.Concept(i).Names {
			if have[kb.Concept(i).ID+" "+n.Language] < 3 {
				t.Errorf("%s has %d sentences in %s", kb.Concept(i).ID, have[kb.Concept(i).ID+" "+n.Language], n.Language)
			}
		}
	}
	checked := synth.Check(kb, records, append(corpus.Split(docs, "dev"), corpus.Split(docs, "test")...), synth.Options{Mention: synth.MentionPlausible})
	if rejected := checked.Sentences - len(checked.Documents); rejected > 20 {
		t.Errorf("%d of %d sentences rejected: %v", rejected, checked.Sentences, checked.Rejected)
	}
}

// TestRankingGolden freezes what stage 0 makes of the English test documents: the rank of the gold of every mention, and
// the figures. Run with -update after a change that is meant to move it.
func TestRankingGolden(t *testing.T) {
	kb, docs := load(t)
	var obs []lexical.Observation
	for _, d := range corpus.Split(docs, "train") {
		for _, m := range d.Mentions {
			if i, ok := index(kb, m); ok {
				obs = append(obs, lexical.Observation{Surface: m.Text, Concept: i, Group: m.Type})
			}
		}
	}
	linker, err := link.New(link.Parts{KB: kb, Stage0: lexical.NewRetriever(kb, lexical.Options{Names: true, Training: obs})},
		link.Options{Mode: link.Lexical, Expand: true})
	if err != nil {
		t.Fatal(err)
	}
	test := slices.DeleteFunc(corpus.Split(docs, "test"), func(d corpus.Document) bool { return d.Language != "en" })
	preds, err := linker.Link(t.Context(), test)
	if err != nil {
		t.Fatal(err)
	}
	got := golden{Ranks: map[string]int{}}
	for _, p := range preds {
		if len(p.Gold) > 0 {
			got.Ranks[p.Mention] = rank(p)
		}
	}
	res, err := eval.Evaluate(preds, eval.Options{Samples: 1})
	if err != nil {
		t.Fatal(err)
	}
	got.Recall1, got.Recall5, got.MRR = res.Overall.Recall1.Value, res.Overall.Recall5.Value, res.Overall.MRR.Value
	compare(t, got)
}

type golden struct {
	Recall1, Recall5, MRR float64
	Ranks                 map[string]int
}

func index(kb *terminology.KB, m corpus.Mention) (int, bool) {
	if m.NIL() || len(m.Gold[0]) != 1 {
		return 0, false
	}
	return kb.Index(m.Gold[0][0])
}

func rank(p prediction.Prediction) int {
	return 1 + slices.IndexFunc(p.Candidates, func(c prediction.Candidate) bool { return slices.Contains(p.Gold[0], c.Code) })
}

func compare(t *testing.T, got golden) {
	t.Helper()
	const path = "testdata/ranking.json"
	b, err := json.MarshalIndent(got, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(b)+"\n" {
		t.Errorf("ranks changed: Recall@1 %.4f, Recall@5 %.4f, MRR %.4f; look at the difference with -update and git diff", got.Recall1, got.Recall5, got.MRR)
	}
}

// configs/demo.toml is the embedded config but for the place of its files.
func TestShippedConfigIsTheEmbeddedOne(t *testing.T) {
	shipped, err := os.ReadFile("../../configs/demo.toml")
	if err != nil {
		t.Fatal(err)
	}
	embedded, err := os.ReadFile("data/" + ConfigName)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Replace(string(shipped), "data = \"../internal/demo/data\"\n", "", 1); got != string(embedded) {
		t.Error("configs/demo.toml differs from internal/demo/data/demo.toml")
	}
}
