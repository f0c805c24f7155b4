package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/link"
	"syncabel/internal/prediction"
	"syncabel/internal/report"
)

// With ranker.folds the hybrid of a run has a ranker that hears the model, made of models that have seen half of the documents each, and the
// opened run links with the same.
func TestRankerFolds(t *testing.T) {
	for members := range 2 {
		t.Run(fmt.Sprint(members+1), func(t *testing.T) { rankerFolds(t, members+1) })
	}
}

// rankerFolds: the same where models are the mean of several members.
func rankerFolds(t *testing.T, members int) {
	out := t.TempDir()
	cfg, err := LoadConfig("../demo/data/demo.toml", []string{fmt.Sprint("train.members=", members), `train.preset="tiny"`, "train.tokens=6000", "ranker.folds=2", "ranker.rounds=5",
		`link.modes=["hybrid"]`, `link.split="dev"`, "link.composites=true", "ablation.on=true", "eval.samples=50"})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Corpus, cfg.Models, cfg.Seeds = cfg.Corpus[:1], cfg.Models[:1], cfg.Seeds[:1]
	cfg.Ablation.Model = cfg.Models[0].Name
	rep, err := Run(context.Background(), cfg, Options{Out: out})
	if err != nil {
		t.Fatal(err)
	}
	checkAblation(t, rep)
	rec, err := ReadRun(out)
	if err != nil {
		t.Fatal(err)
	}
	if m := rec.Models[0]; m.Ranker == "" || m.Ranker == rec.Ranker || !strings.Contains(m.Ranker, "informed") {
		t.Errorf("ranker of the model: %q, of stage 0: %q", m.Ranker, rec.Ranker)
	}
	folds, _ := filepath.Glob(filepath.Join(out, "work", "model", "*fold-*-of-2*"))
	whole, _ := filepath.Glob(filepath.Join(out, "work", "model", "*@*"))
	if len(folds) != 2*members || len(whole) != 3*members {
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
	fork, err := o.Fork(1)
	if err != nil {
		t.Fatal(err)
	}
	got, err := fork.Link(context.Background(), corpus.Split(docs, "dev"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRun(t.Context(), out, OpenOptions{Oracle: Oracle{URLs: []string{"http://127.0.0.1:1"}}}); members > 1 && !errors.Is(err, errMembers) {
		t.Errorf("a server is asked for the mean of %d models: %v", members, err)
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

// checkAblation: one addition a row, each against the row before but for narrowing, and the last row is the run's own hybrid.
func checkAblation(t *testing.T, rep *report.Report) {
	t.Helper()
	const merged, coordinated = "+ names of a concept merged", "+ coordinations"
	before := map[string]string{merged: "guided, each name for itself", "+ abbreviations": merged, coordinated: "+ abbreviations",
		"+ narrowed to candidates of string comparison": coordinated, "+ these candidates beside the beams, weighed": coordinated,
		"+ training strings": "+ these candidates beside the beams, weighed", "+ ranker": "+ training strings", "+ the ranker hears the model": "+ ranker",
		"+ calibration": "+ the ranker hears the model", "+ several answers": "+ calibration"}
	rows := rep.Ablation.Rows
	if len(rows) != len(before)+1 {
		t.Fatalf("%d rows, want %d", len(rows), len(before)+1)
	}
	for _, x := range rows {
		if x.Against != before[x.Name] || x.Recall1.Value == 0 || len(x.Predictions) != 1 {
			t.Errorf("%+v", x)
		}
	}
	own, last := rep.Rows[len(rep.Rows)-1], rows[len(rows)-1]
	if last.Recall1 != own.Overall.Recall1 || math.Abs(last.ECE.Value-own.Selective.ECE) > 1e-9 {
		t.Errorf("the last row has %v and ECE %g, the run's hybrid %v and %g", last.Recall1, last.ECE.Value, own.Overall.Recall1, own.Selective.ECE)
	}
}
