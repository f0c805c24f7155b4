package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/judge"
	"syncabel/internal/llm"
	"syncabel/internal/prediction"
	"syncabel/internal/report"
	"syncabel/internal/shard"
	"syncabel/internal/terminology"
)

type judgeCmd struct {
	Run     judgeRunCmd     `cmd:"" help:"Ask language models whether wrong answers are clinically as good as the gold ones."`
	Batch   judgeBatchCmd   `cmd:"" help:"The same by files: a provider's batch API, or vllm run-batch."`
	Collect judgeCollectCmd `cmd:"" help:"Read the verdicts from the answers that are there; asks nobody."`
	Sheet   judgeSheetCmd   `cmd:"" help:"Write a blind audit sheet (CSV) for clinicians."`
	Agree   judgeAgreeCmd   `cmd:"" help:"Compare judges with the sheets that came back."`
}

// Files of a judged folder, beside the journal.
const (
	judgeVerdicts = "verdicts.jsonl"
	judgeSummary  = "judge.json"
)

// judgedFlags are what every verb of judge needs to know about the predictions.
type judgedFlags struct {
	KB       string `name:"kb" required:"" help:"Knowledge base: folder of import kb or of a run, or a table." type:"path"`
	Language string `default:"en" help:"Language of predictions that do not say: en, fr, es."`
	Seed     uint64 `default:"1" help:"Of the order of the two concepts in blind mode and on sheets; the same when a sheet comes back."`
}

// read reads the predictions and opens the knowledge base they speak of.
func (c *judgedFlags) read(a *app, file string) ([]prediction.Prediction, *terminology.KB, error) {
	preds, err := a.readPredictions(file)
	if err != nil {
		return nil, nil, err
	}
	kb, err := a.readKB(c.KB)
	return preds, kb, err
}

// judgeSettings change what is asked, or which answers count.
type judgeSettings struct {
	judgedFlags
	Model     []string `required:"" help:"A judge, as the servers call it; repeat it for several, of which the majority decides."`
	Blind     bool     `help:"The judge does not learn which concept is the gold one; their order is drawn."`
	Prompts   string   `help:"Folder with own prompts judge.LANG.txt." type:"path"`
	MaxTokens int      `default:"2000" help:"Of an answer, thinking included."`
}

func (s *judgeSettings) options() judge.Options {
	return judge.Options{Models: s.Model, Blind: s.Blind, Language: s.Language, Prompts: s.Prompts, MaxTokens: s.MaxTokens, Seed: s.Seed}
}

type judgeRunCmd struct {
	endpointFlags
	judgeSettings
	workerFlags
	Out     string   `required:"" help:"Folder for journal, verdicts and marked predictions. The same command goes on where it stopped." type:"path"`
	Budget  float64  `help:"Stop before spending more, at the endpoints' prices; 0: no limit."`
	Results []string `help:"Further files with answers: other journals, results of batches." type:"existingfile"`
	JSON    bool     `name:"json" help:"Print the counts as JSON."`
	File    string   `arg:"" optional:"" help:"Predictions with gold answers, as for eval." type:"path"`
}

// Help shows an example.
func (judgeRunCmd) Help() string {
	return `Equal answers (STRICT), parts of composites (PARTIAL) and missing answers need no call. A refused or unreadable verdict is missing, never
a label. The sentences go to the named server and nowhere else.

Example:
  syncabel judge run --kb ncbi --out judged --endpoint http://127.0.0.1:8000/v1 --model my-model --blind predictions.jsonl`
}

// Run asks and collects.
func (c *judgeRunCmd) Run(a *app) error {
	switch sharded, err := c.worker(c.Out, c.File); {
	case err != nil:
		return err
	case sharded:
		return c.shard(a)
	case c.File == "":
		return &usageError{"judge run needs a file of predictions"}
	}
	preds, kb, err := c.read(a, c.File)
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return fmt.Errorf("creating folder: %w", err)
	}
	journal, err := a.journal(c.Out)
	if err != nil {
		return err
	}
	opt := c.options()
	opt.Budget, opt.Progress = c.Budget, func(done, total int64) { a.meter.progress("judge", done, total) }
	_, err = judge.Run(a.ctx, kb, preds, client, journal, opt)
	if err := errors.Join(err, journal.Close()); err != nil {
		return err
	}
	return c.collect(a, c.Out, kb, preds, c.Results, c.JSON)
}

// shard asks about the predictions of one shard.
func (c *judgeRunCmd) shard(a *app) error {
	p, err := openPlanned(c.Plan, c.planned)
	if err != nil {
		return err
	}
	kb, err := a.readKB(c.KB)
	if err != nil {
		return err
	}
	prompts, err := judge.LoadPrompts(c.Prompts)
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	return c.ask(a, p, c.Out, llm.Run{Client: client, Accept: judge.Accept, Budget: c.Budget}, func(l shard.Line) (out []*llm.Request, err error) {
		preds, err := prediction.Read(bytes.NewReader(l.Text), filepath.Base(l.File))
		if err != nil {
			return nil, err
		}
		for r, err := range judge.Requests(prompts, kb, preds, c.options()) {
			if err != nil {
				return nil, err
			}
			out = append(out, r)
		}
		return out, nil
	})
}

type judgeCollectCmd struct {
	judgeSettings
	Out   string   `required:"" help:"Folder with the journal and the fetched batches, for verdicts and marked predictions." type:"path"`
	JSON  bool     `name:"json" help:"Print the counts as JSON."`
	File  string   `arg:"" help:"Predictions with gold answers, as for eval." type:"path"`
	Files []string `arg:"" optional:"" help:"More files with answers: other journals, results of batches." type:"existingfile"`
}

// Help shows an example.
func (judgeCollectCmd) Help() string {
	return "Knowledge base, judges and the other settings must be those of the questions.\n\nExample:\n  syncabel judge collect --kb ncbi --out judged --model my-model --blind predictions.jsonl"
}

// Run collects.
func (c *judgeCollectCmd) Run(a *app) error {
	preds, kb, err := c.read(a, c.File)
	if err != nil {
		return err
	}
	return c.collect(a, c.Out, kb, preds, c.Files, c.JSON)
}

// collect reads the verdicts from a folder's answers and writes them there.
func (s *judgeSettings) collect(a *app, dir string, kb *terminology.KB, preds []prediction.Prediction, more []string, asJSON bool) error {
	index, err := a.results(dir, more)
	if err != nil {
		return err
	}
	defer index.Close()
	res, err := judge.Collect(kb, preds, index, s.options())
	if err != nil {
		return err
	}
	if err := writeJudged(dir, preds, res); err != nil {
		return err
	}
	a.meter.end()
	if asJSON {
		return json.NewEncoder(a.out).Encode(res.Counts)
	}
	printJudged(a, &res.Counts)
	return nil
}

// writeJudged writes verdicts, marked predictions and counts.
func writeJudged(dir string, preds []prediction.Prediction, res *judge.Result) error {
	if err := judge.Mark(preds, res.Judged); err != nil {
		return err
	}
	summary, err := json.MarshalIndent(res.Counts, "", " ")
	if err != nil {
		return fmt.Errorf("encoding counts: %w", err)
	}
	if err := artifact.WriteLines(filepath.Join(dir, judgeVerdicts), res.Judged); err != nil {
		return err
	}
	if err := artifact.WriteFile(filepath.Join(dir, judgeSummary), append(summary, '\n')); err != nil {
		return err
	}
	return prediction.WriteFile(filepath.Join(dir, prediction.FileName), preds)
}

func printJudged(a *app, k *judge.Counts) {
	printCounts := func(title string, m map[string]int, n int) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			fmt.Fprintf(a.out, "  %-44s %d (%.1f %% of %d)\n", title+k, m[k], 100*float64(m[k])/float64(max(n, 1)), n)
		}
	}
	fmt.Fprintf(a.out, "%d mentions with a gold concept, %d decided without a call, %d without a verdict\n", k.N, k.Decided, k.Missing)
	printCounts("", k.Verdicts, k.N)
	printCounts("missing: ", k.Why, k.N)
	asked := k.N - k.Decided
	for _, j := range slices.Sorted(maps.Keys(k.Judges)) {
		printCounts(j+": ", k.Judges[j], asked)
	}
	for _, j := range slices.Sorted(maps.Keys(k.Failures)) {
		printCounts(j+", missing: ", k.Failures[j], asked)
	}
	printCounts("hierarchy: ", k.Hierarchy, asked)
	fmt.Fprintf(a.out, "  %-44s %d of %d\n", "gold itself found not EXACT", k.GoldWrong, asked)
}

type judgeSheetCmd struct {
	judgedFlags
	N    int    `short:"n" default:"150" help:"Rows, drawn at random; 0: all that need a judge."`
	Out  string `required:"" help:"CSV file to write." type:"path"`
	File string `arg:"" help:"Predictions with gold answers." type:"path"`
}

// Help shows an example.
func (judgeSheetCmd) Help() string {
	return `The sheet shows sentence, mention and two described concepts in drawn order; nothing says which is the gold one. The clinician writes EXACT,
BROAD, NARROW or NO_RELATION for each, in the file or on the page of ` + "`syncabel serve --audit sheet.csv`" + `, which gives the same file back.

Example:
  syncabel judge sheet --kb ncbi --n 100 --out sheet.csv predictions.jsonl`
}

// Run writes a sheet.
func (c *judgeSheetCmd) Run(a *app) error {
	preds, kb, err := c.read(a, c.File)
	if err != nil {
		return err
	}
	var b strings.Builder
	rows, left, err := judge.WriteSheet(&b, kb, preds, judge.SheetOptions{N: c.N, Seed: c.Seed, Language: c.Language})
	if err != nil {
		return err
	}
	if left > 0 {
		a.meter.log("%d mentions left out: a concept is not in the knowledge base", left)
	}
	if rows == 0 {
		return fmt.Errorf("no mention of %s needs a judge: every answer is right, a part of the gold, or missing", c.File)
	}
	if err := artifact.WriteFile(c.Out, []byte(b.String())); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "%d rows in %s\n", rows, c.Out)
	return err
}

type judgeAgreeCmd struct {
	Seed   uint64   `default:"1" help:"That the sheet was written with."`
	JSON   bool     `name:"json" help:"Print JSON, one comparison a line."`
	File   string   `arg:"" help:"Judged predictions: the folder of judge run, or any predictions with verdicts." type:"path"`
	Sheets []string `arg:"" help:"Sheets that came back, one a person." type:"path"`
}

// Help shows an example.
func (judgeAgreeCmd) Help() string {
	return `Every judge, their majority and, of several people, every other person is compared with each person.

Example:
  syncabel judge agree judged sheet-dr-a.csv sheet-dr-b.csv`
}

// Run compares judges with people.
func (c *judgeAgreeCmd) Run(a *app) error {
	preds, err := a.readPredictions(c.File)
	if err != nil {
		return err
	}
	names, raters, keys := ratersOf(preds)
	for _, path := range c.Sheets {
		human, err := c.sheet(a, path, preds)
		if err != nil {
			return err
		}
		for _, r := range names {
			if err := c.print(a, filepath.Base(path), judge.Agree(r, raters[r], human, keys)); err != nil {
				return err
			}
		}
		names, raters[filepath.Base(path)] = append(names, filepath.Base(path)), human
	}
	return nil
}

// ratersOf collects the verdicts on what needs a judge, by rater: together, and each judge.
func ratersOf(preds []prediction.Prediction) (names []string, raters map[string]map[string]string, keys []string) {
	const together = "all judges"
	raters = map[string]map[string]string{together: {}}
	for i := range preds {
		p := &preds[i]
		if !judge.Asked(p) {
			continue
		}
		k := judge.RowKey(p)
		keys = append(keys, k)
		raters[together][k] = p.Verdict
		for j, v := range p.Verdicts {
			if raters[j] == nil {
				raters[j] = map[string]string{}
			}
			raters[j][k] = v
		}
	}
	return slices.Sorted(maps.Keys(raters)), raters, keys
}

func (c *judgeAgreeCmd) sheet(a *app, path string, preds []prediction.Prediction) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading sheet: %w", err)
	}
	defer f.Close()
	s, err := judge.ReadSheet(f, path)
	if err != nil {
		return nil, err
	}
	human, unknown := s.Verdicts(preds, c.Seed)
	if len(human) == 0 {
		return nil, fmt.Errorf("no row of %s belongs to %s: the sheet was written from other predictions, or with another --seed", path, c.File)
	}
	if unknown+s.Empty > 0 {
		a.meter.log("%s: %d rows are not decided yet, %d belong to no prediction", path, s.Empty, unknown)
	}
	return human, nil
}

func (c *judgeAgreeCmd) print(a *app, person string, g judge.Agreement) error {
	if c.JSON {
		return json.NewEncoder(a.out).Encode(struct {
			Person string `json:"person"`
			judge.Agreement
		}{person, g})
	}
	fmt.Fprintf(a.out, "%s against %s: n %d, accuracy %.3f, kappa %.3f; %d that the person judged without a verdict\n", g.Rater, person, g.N, g.Accuracy, g.Kappa, g.Missing)
	t := report.Table{Head: append([]string{"person \\ rater"}, g.Confusion.Labels...)}
	t.Head = append(t.Head, "n", "precision", "recall", "F1")
	for i, l := range g.Confusion.Labels {
		row := []string{l}
		for _, n := range g.Confusion.Counts[i] {
			row = append(row, fmt.Sprint(n))
		}
		s := g.Labels[l]
		t.Rows = append(t.Rows, append(row, fmt.Sprint(s.N), fmt.Sprintf("%.2f", s.Precision), fmt.Sprintf("%.2f", s.Recall), fmt.Sprintf("%.2f", s.F1)))
	}
	text, err := t.Render("text")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.out, text)
	return err
}
