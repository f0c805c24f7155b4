package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"syncabel/internal/corpus"
	"syncabel/internal/link"
	"syncabel/internal/prediction"
	"syncabel/internal/report"
	"syncabel/internal/text"
)

// With ranker.lexicons a run finds what texts write in words that no name has, the opened run too; another table is another ranker, and a row
// that is none is told.
func TestLexicons(t *testing.T) {
	table, out := filepath.Join(t.TempDir(), "basque.tsv"), t.TempDir()
	write := func(rows string) {
		if err := os.WriteFile(table, []byte(rows), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("gaixotasun\tdisease\n")
	if found := basqueLinks(t, out, table); slices.Contains(found, "DEMO:0002") {
		t.Errorf("nothing says what the words mean, yet %q is found", found)
	}
	write("bihotz\theart\nno row\nkolpe\tattack\t0.8\n")
	if found := basqueLinks(t, out, table); !slices.Contains(found, "DEMO:0002") {
		t.Errorf("heart attack is not among %q", found)
	}
	rankers, _ := filepath.Glob(filepath.Join(out, "work", "ranker", "*@*"))
	if len(rankers) != 2 {
		t.Errorf("%d rankers", len(rankers))
	}
	if err := os.Remove(table); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(context.Background(), lexiconConfig(t, table), Options{Out: out}); err == nil || !strings.Contains(err.Error(), "basque.tsv") || !strings.Contains(err.Error(), "fr-clinical") {
		t.Errorf("the table is gone: %v", err)
	}
}

func lexiconConfig(t *testing.T, table string) *Config {
	cfg, err := LoadConfig("../demo/data/demo.toml", []string{`train.preset="tiny"`, "train.tokens=500", "ranker.rounds=5", fmt.Sprintf(`ranker.lexicons=["en-clinical", %q]`, table),
		`link.modes=["ranked"]`, `link.split="dev"`, "eval.samples=20"})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Corpus, cfg.Models, cfg.Seeds = cfg.Corpus[:1], cfg.Models[:1], cfg.Seeds[:1]
	return cfg
}

// basqueLinks runs the demonstration with a lexicon and returns the candidates of a mention.
func basqueLinks(t *testing.T, out, table string) []string {
	var log []string
	opt := Options{Out: out, Log: func(format string, args ...any) { log = append(log, fmt.Sprintf(format, args...)) }}
	rep, err := Run(context.Background(), lexiconConfig(t, table), opt)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(slices.DeleteFunc(rep.Rows, func(x report.Row) bool { return x.Mode != link.Ranked })); n != 1 {
		t.Errorf("%d rows of mode ranked, which no model has a part in", n)
	}
	b, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	if warned := slices.ContainsFunc(log, func(l string) bool { return strings.Contains(l, "basque.tsv:2") }); warned != strings.Contains(string(b), "no row") {
		t.Errorf("warned of the second row: %v\n%s", warned, strings.Join(log, "\n"))
	}
	o, err := OpenRun(t.Context(), out, OpenOptions{Mode: link.Ranked, Keep: 50})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	fork, err := o.Fork(1)
	if err != nil {
		t.Fatal(err)
	}
	const note = "Izan zuen kolpe, bihotz."
	d := corpus.Document{ID: "d", Language: "en", Text: note, Mentions: []corpus.Mention{{ID: "m", Text: "kolpe, bihotz", Type: "Disorders", Spans: []text.Span{{Start: 10, End: 23}}}}}
	got, err := fork.Link(context.Background(), []corpus.Document{d})
	if err != nil {
		t.Fatal(err)
	}
	return codes(got)
}

func codes(list []prediction.Prediction) (out []string) {
	for _, c := range list[0].Candidates {
		out = append(out, c.Code)
	}
	return out
}
