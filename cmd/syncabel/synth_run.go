package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"syncabel/internal/llm"
	"syncabel/internal/shard"
	"syncabel/internal/synth"
)

type synthRunCmd struct {
	endpointFlags
	workerFlags
	Out    string  `help:"Folder of the parts that shards are answered into." type:"path" placeholder:"DIR"`
	Asks   int     `help:"Answers asked for before a request counts as missing." default:"3"`
	Again  bool    `help:"Also ask again what failed for good before."`
	Budget float64 `help:"Stop before more is spent, earlier runs included, of a shard by itself; in the currency of the prices." placeholder:"MONEY"`
	JSON   bool    `name:"json" help:"Print the result as JSON."`
	Dir    string  `arg:"" optional:"" help:"Folder of the plan." type:"path"`
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
	switch sharded, err := c.worker(c.Out, c.Dir); {
	case err != nil:
		return err
	case sharded:
		return c.shard(a)
	case c.Dir == "" || c.Out != "":
		return &usageError{"synth run needs the folder of a plan, or --plan, --shard and --out"}
	}
	plan, err := synth.OpenPlan(filepath.Join(c.Dir, planName))
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	j, err := a.journal(c.Dir)
	if err != nil {
		return err
	}
	run := c.run(client)
	run.Journal, run.Total, run.Progress = j, int(plan.Totals.Requests), a.spending("requests")
	started := time.Now()
	st, err := run.Do(a.ctx, plan.Requests())
	a.meter.end()
	return errors.Join(c.print(a, st, j.Ledger(), time.Since(started)), err, j.Close())
}

// run says how servers are asked.
func (c *synthRunCmd) run(client *llm.Client) llm.Run {
	return llm.Run{Client: client, Accept: synth.Accept, Asks: c.Asks, Again: c.Again, Budget: c.Budget}
}

// shard sends the requests of one shard.
func (c *synthRunCmd) shard(a *app) error {
	p, err := openPlanned(c.Plan, synthPlanned)
	if err != nil {
		return err
	}
	plan, err := synth.OpenPlan(p.Inputs[0].Path)
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	return c.ask(a, p, c.Out, c.run(client), func(l shard.Line) ([]*llm.Request, error) {
		r, err := plan.RequestOf(l.Text, l.Number)
		if r == nil {
			return nil, err
		}
		return []*llm.Request{r}, nil
	})
}

// journal opens the journal of a folder.
func (a *app) journal(dir string) (*llm.Journal, error) {
	j, err := llm.OpenJournal(filepath.Join(dir, journalName))
	if err == nil {
		a.torn(j)
	}
	return j, err
}

// torn tells of a journal that was repaired.
func (a *app) torn(j *llm.Journal) {
	if j.Torn > 0 {
		a.meter.log("the journal's last line was half written (%d bytes) and was cut off; its request is sent again", j.Torn)
	}
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
