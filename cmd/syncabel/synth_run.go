package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"syncabel/internal/llm"
	"syncabel/internal/synth"
)

type synthRunCmd struct {
	endpointFlags
	Asks   int     `help:"Answers asked for before a request counts as missing." default:"3"`
	Again  bool    `help:"Also ask again what failed for good before."`
	Budget float64 `help:"Stop before more is spent, earlier runs included; in the currency of the prices." placeholder:"MONEY"`
	JSON   bool    `name:"json" help:"Print the result as JSON."`
	Dir    string  `arg:"" help:"Folder of the plan." type:"path"`
}

// Help shows an example.
func (synthRunCmd) Help() string {
	return `Example:
  syncabel synth run --endpoint http://127.0.0.1:8000/v1 --in-flight 256 synth
  syncabel synth run --endpoints servers.toml synth

servers.toml has a section for each server:
  [[endpoint]]
  url = "https://api.example.org/v1"
  model = "llama-3.3-70b-instruct"
  key_env = "EXAMPLE_API_KEY"
  in_flight = 64
  per_second = 20
  price_in = 0.6
  price_out = 0.7

Ends with exit code 75 when no server answers (try again later) and 42 when all refuse (look at key, model and address).`
}

// Run sends the requests of a plan.
func (c *synthRunCmd) Run(a *app) error {
	plan, err := synth.OpenPlan(filepath.Join(c.Dir, planName))
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	j, err := llm.OpenJournal(filepath.Join(c.Dir, journalName))
	if err != nil {
		return err
	}
	if j.Torn > 0 {
		a.meter.log("the journal's last line was half written (%d bytes) and was cut off; its request is sent again", j.Torn)
	}
	run := llm.Run{Client: client, Journal: j, Total: int(plan.Totals.Requests), Accept: synth.Accept, Asks: c.Asks, Again: c.Again, Budget: c.Budget,
		Progress: a.spending("requests")}
	started := time.Now()
	st, err := run.Do(a.ctx, plan.Requests())
	a.meter.end()
	return errors.Join(c.print(a, st, j.Ledger(), time.Since(started)), err, j.Close())
}

// spending shows how far requests are and what they cost.
func (a *app) spending(stage string) func(llm.Status) {
	return func(s llm.Status) {
		note := fmt.Sprintf("%.1fM tokens", float64(s.Spent.Usage.In+s.Spent.Usage.Out)/1e6)
		if s.Spent.Cost > 0 {
			note += fmt.Sprintf(", %.2f spent", s.Spent.Cost)
		}
		if s.Failed > 0 {
			note += fmt.Sprintf(", %d missing", s.Failed)
		}
		a.meter.note(note)
		a.meter.progress(stage, s.Done+s.Failed+s.Before, s.Total)
	}
}

func (c *synthRunCmd) print(a *app, s llm.Status, ledger map[string]llm.Totals, took time.Duration) error {
	a.warnings += int(s.Failed)
	if c.JSON {
		return json.NewEncoder(a.out).Encode(map[string]any{"answered": s.Done, "before": s.Before, "missing": s.Failed, "reasons": s.Reasons, "total": s.Total,
			"usage": s.Spent.Usage, "cost": s.Spent.Cost, "ledger": ledger, "seconds": took.Seconds()})
	}
	fmt.Fprintf(a.out, "%d answered in %s (%.0f a second), %d before, %d missing, of %d\n", s.Done, took.Round(time.Second), float64(s.Done)/took.Seconds(), s.Before, s.Failed, s.Total)
	for _, why := range sortedKeys(s.Reasons) {
		fmt.Fprintf(a.out, "  missing: %s: %d\n", why, s.Reasons[why])
	}
	fmt.Fprintf(a.out, "spent, all runs together: %d tokens in, %d out, cost %.2f\n", s.Spent.Usage.In, s.Spent.Usage.Out, s.Spent.Cost)
	for _, name := range sortedKeys(ledger) {
		if t := ledger[name]; len(ledger) > 1 {
			fmt.Fprintf(a.out, "  %s: %d requests, %d tokens in, %d out, cost %.2f\n", cmp.Or(name, "no endpoint"), t.Requests, t.Usage.In, t.Usage.Out, t.Cost)
		}
	}
	return nil
}

type synthCollectCmd struct {
	JSON  bool     `name:"json" help:"Print the counts as JSON."`
	Dir   string   `arg:"" help:"Folder of the plan; its journal and fetched batches are taken." type:"path"`
	Files []string `arg:"" optional:"" help:"More result files: journals, or results of OpenAI, vllm run-batch, Anthropic or Gemini batches." type:"path"`
}

// Help shows an example.
func (synthCollectCmd) Help() string {
	return "Example:\n  syncabel synth collect synth other-machine/journal.jsonl run-batch-out-*.jsonl\n\n" +
		"Writes answers.jsonl, in the order of the plan, and missing.jsonl, with the reason of each."
}

// Run joins a plan with its results.
func (c *synthCollectCmd) Run(a *app) error {
	plan, err := synth.OpenPlan(filepath.Join(c.Dir, planName))
	if err != nil {
		return err
	}
	x, err := a.results(c.Dir, c.Files)
	if err != nil {
		return err
	}
	defer x.Close()
	got, err := synth.Collect(plan, x, filepath.Join(c.Dir, answersName), filepath.Join(c.Dir, missingName))
	if err != nil {
		return err
	}
	missing := got.Requests - got.Answered
	a.warnings += int(missing)
	if c.JSON {
		return json.NewEncoder(a.out).Encode(map[string]any{"requests": got.Requests, "answered": got.Answered, "missing": got.Missing, "usage": got.Usage, "cost": got.Cost})
	}
	fmt.Fprintf(a.out, "%d of %d requests answered, %d missing\n", got.Answered, got.Requests, missing)
	for _, why := range sortedKeys(got.Missing) {
		fmt.Fprintf(a.out, "  missing: %s: %d\n", why, got.Missing[why])
	}
	if missing > 0 {
		a.meter.log("%s lists them; synth run or synth batch submit asks again", filepath.Join(c.Dir, missingName))
	}
	return nil
}

// results indexes the journal and the fetched batches of a folder, and other files.
func (a *app) results(dir string, more []string) (*llm.Index, error) {
	batches, err := filepath.Glob(filepath.Join(dir, "batch-*", "results-*.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("looking for results: %w", err)
	}
	files := append(batches, more...)
	if _, err := os.Stat(filepath.Join(dir, journalName)); err == nil {
		files = append(files, filepath.Join(dir, journalName))
	}
	x := llm.NewIndex()
	for _, f := range files {
		_, warnings, err := x.Add(f)
		if err != nil {
			x.Close()
			return nil, err
		}
		a.report(warnings)
	}
	return x, nil
}

type synthBatchCmd struct {
	Submit synthSubmitCmd `cmd:"" help:"Write the unanswered requests as files and submit them."`
	Poll   synthPollCmd   `cmd:"" help:"Ask the provider how far the batches are."`
	Fetch  synthFetchCmd  `cmd:"" help:"Fetch the results that are ready."`
}

type synthSubmitCmd struct {
	endpointFlags
	FilesOnly bool   `help:"Only write the files, e.g. for vllm run-batch; no endpoint is needed."`
	Lines     int    `help:"Requests a file at most; 2000 lose little when a run-batch job is killed." default:"40000"`
	Again     bool   `help:"Submit also what an interrupted submission may have submitted."`
	Dir       string `arg:"" help:"Folder of the plan." type:"path"`
}

// Help shows an example.
func (synthSubmitCmd) Help() string {
	return `Example:
  syncabel synth batch submit --endpoint https://api.openai.com/v1 --key-env OPENAI_API_KEY synth
  syncabel synth batch submit --api anthropic --endpoint https://api.anthropic.com --key-file ~/.anthropic-key synth
  syncabel synth batch submit --files-only --lines 2000 synth
  vllm run-batch -i synth/batch-1/requests-0001.jsonl -o synth/batch-1/results-0001.jsonl --model MODEL

Requests that the journal or an earlier batch answered are left out.`
}

// Run writes and submits a batch.
func (c *synthSubmitCmd) Run(a *app) error {
	b, err := lastBatch(c.Dir)
	if err != nil {
		return err
	}
	if b == nil || finished(b) {
		if b, err = c.write(a); err != nil {
			return err
		}
	}
	if c.FilesOnly {
		return printBatch(a, b)
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	err = client.Submit(a.ctx, b, c.Again)
	return errors.Join(printBatch(a, b), err)
}

func (c *synthSubmitCmd) write(a *app) (*llm.Batch, error) {
	cfg := llm.Endpoint{API: c.API, Model: c.ServerName, Structured: c.Structured}
	if !c.FilesOnly {
		list, err := c.list()
		if err != nil {
			return nil, err
		}
		if len(list) != 1 {
			return nil, &usageError{"a batch goes to one endpoint"}
		}
		cfg = list[0]
	}
	plan, err := synth.OpenPlan(filepath.Join(c.Dir, planName))
	if err != nil {
		return nil, err
	}
	x, err := a.results(c.Dir, nil)
	if err != nil {
		return nil, err
	}
	defer x.Close()
	b, err := llm.WriteBatch(nextBatch(c.Dir), cfg, synth.Unanswered(plan, x), c.Lines, 0)
	if err == nil && len(b.Shards) == 0 {
		a.meter.log("every request is answered: there is nothing to submit")
	}
	return b, err
}

// finished reports whether nothing more will come of a batch.
func finished(b *llm.Batch) bool {
	for _, s := range b.Shards {
		if s.Results == "" && !s.Failed {
			return false
		}
	}
	return true
}

func batchDirs(dir string) []string {
	var out []string
	for i := 1; ; i++ {
		d := filepath.Join(dir, fmt.Sprintf("batch-%d", i))
		if _, err := os.Stat(d); err != nil {
			return out
		}
		out = append(out, d)
	}
}

func nextBatch(dir string) string {
	return filepath.Join(dir, fmt.Sprintf("batch-%d", len(batchDirs(dir))+1))
}

// lastBatch opens the newest batch of a folder; nil when there is none.
func lastBatch(dir string) (*llm.Batch, error) {
	list := batchDirs(dir)
	if len(list) == 0 {
		return nil, nil
	}
	return llm.OpenBatch(list[len(list)-1])
}

func openBatch(dir string) (*llm.Batch, error) {
	b, err := lastBatch(dir)
	if err == nil && b == nil {
		err = fmt.Errorf("%s holds no batch: synth batch submit makes one", dir)
	}
	return b, err
}

func printBatch(a *app, b *llm.Batch) error {
	for _, s := range b.Shards {
		status := s.Status
		switch {
		case s.Results != "":
			status = "fetched to " + filepath.Join(b.Dir, s.Results)
		case s.Done:
			status += " (ready to fetch)"
		case s.Failed:
			status += " (failed)"
		case s.ID == "":
			status = "not submitted"
		case status == "":
			status = "submitted"
		}
		fmt.Fprintf(a.out, "%s  %d requests  %s  %s\n", filepath.Join(b.Dir, s.File), s.Requests, s.ID, strings.TrimSpace(status))
	}
	return nil
}

type synthPollCmd struct {
	endpointFlags
	Dir string `arg:"" help:"Folder of the plan." type:"path"`
}

// Help shows an example.
func (synthPollCmd) Help() string {
	return "Example:\n  syncabel synth batch poll --endpoint https://api.openai.com/v1 --key-env OPENAI_API_KEY synth"
}

// Run asks how far a batch is.
func (c *synthPollCmd) Run(a *app) error {
	return c.with(c.Dir, func(client *llm.Client, b *llm.Batch) error {
		err := client.Poll(a.ctx, b)
		return errors.Join(printBatch(a, b), err)
	})
}

type synthFetchCmd struct {
	endpointFlags
	Dir string `arg:"" help:"Folder of the plan." type:"path"`
}

// Help shows an example.
func (synthFetchCmd) Help() string {
	return "Example:\n  syncabel synth batch fetch --endpoint https://api.openai.com/v1 --key-env OPENAI_API_KEY synth\n\nThen: syncabel synth collect synth"
}

// Run fetches what is ready.
func (c *synthFetchCmd) Run(a *app) error {
	return c.with(c.Dir, func(client *llm.Client, b *llm.Batch) error {
		err := client.Poll(a.ctx, b)
		if err == nil {
			_, err = client.Fetch(a.ctx, b)
		}
		return errors.Join(printBatch(a, b), err)
	})
}

// with opens the newest batch and a client for it.
func (f *endpointFlags) with(dir string, do func(*llm.Client, *llm.Batch) error) error {
	b, err := openBatch(dir)
	if err != nil {
		return err
	}
	client, err := f.client()
	if err != nil {
		return err
	}
	defer client.Close()
	return do(client, b)
}
