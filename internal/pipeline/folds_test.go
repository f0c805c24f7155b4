package pipeline

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/link"
	"syncabel/internal/prediction"
)

// With ranker.folds the hybrid of a run has a ranker that hears the model, made of models that have seen half of the documents each, and the
// opened run links with the same.
func TestRankerFolds(t *testing.T) {
	out := t.TempDir()
	cfg, err := LoadConfig("../demo/data/demo.toml", []string{`train.preset="tiny"`, "train.tokens=6000", "ranker.folds=2", "ranker.rounds=5",
		`link.modes=["hybrid"]`, `link.split="dev"`})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Corpus, cfg.Models, cfg.Seeds = cfg.Corpus[:1], cfg.Models[:1], cfg.Seeds[:1]
	if _, err := Run(context.Background(), cfg, Options{Out: out}); err != nil {
		t.Fatal(err)
	}
	rec, err := ReadRun(out)
	if err != nil {
		t.Fatal(err)
	}
	if m := rec.Models[0]; m.Ranker == "" || m.Ranker == rec.Ranker || !strings.Contains(m.Ranker, "informed") {
		t.Errorf("ranker of the model: %q, of stage 0: %q", m.Ranker, rec.Ranker)
	}
	folds, _ := filepath.Glob(filepath.Join(out, "work", "model", "*fold-*-of-2*"))
	whole, _ := filepath.Glob(filepath.Join(out, "work", "model", "*@*"))
	if len(folds) != 2 || len(whole) != 3 {
		t.Errorf("%d models of folds among %d", len(folds), len(whole))
	}
	for _, f := range folds {
		if _, err := artifact.Open(f); err != nil {
			t.Error(err)
		}
	}
	o, err := OpenRun(t.Context(), out, OpenOptions{Mode: link.Hybrid, Keep: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	docs, err := corpus.ReadFile(filepath.Join(out, rec.Corpus, corpus.FileName))
	if err != nil {
		t.Fatal(err)
	}
	got, err := o.Linker.Link(context.Background(), corpus.Split(docs, "dev"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := prediction.ReadFile(filepath.Join(out, rec.Systems[len(rec.Systems)-1].Predictions, prediction.FileName))
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if got[i].Candidates[0].Code != want[i].Candidates[0].Code {
			t.Errorf("mention %d: %s after opening, %s in the run", i, got[i].Candidates[0].Code, want[i].Candidates[0].Code)
		}
	}
}
