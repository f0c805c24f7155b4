package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"syncabel/internal/judge"
	"syncabel/internal/llm"
	"syncabel/internal/synth"
)

type synthBatchCmd struct {
	Submit synthSubmitCmd `cmd:"" help:"Write the unanswered requests as files and submit them."`
	Poll   batchPollCmd   `cmd:"" help:"Ask the provider how far the batches are."`
	Fetch  batchFetchCmd  `cmd:"" help:"Fetch the results that are ready."`
}

type judgeBatchCmd struct {
	Submit judgeSubmitCmd `cmd:"" help:"Write the unanswered questions as files and submit them."`
	Poll   batchPollCmd   `cmd:"" help:"Ask the provider how far the batches are."`
	Fetch  batchFetchCmd  `cmd:"" help:"Fetch the results that are ready."`
}

// submitFlags say how requests become a batch.
type submitFlags struct {
	endpointFlags
	FilesOnly bool `help:"Only write the files, e.g. for vllm run-batch; no endpoint is needed."`
	Lines     int  `help:"Requests a file at most; 2000 lose little when a run-batch job is killed." default:"40000"`
	Again     bool `help:"Submit also what an interrupted submission may have submitted."`
}

type synthSubmitCmd struct {
	submitFlags
	Dir string `arg:"" help:"Folder of the plan." type:"path"`
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
	return c.submit(a, c.Dir, func() (llm.Requests, llm.Accept, error) {
		plan, err := synth.OpenPlan(filepath.Join(c.Dir, planName))
		if err != nil {
			return nil, nil, err
		}
		return plan.Requests(), synth.Accept, nil
	})
}

type judgeSubmitCmd struct {
	submitFlags
	judgeSettings
	Out  string `required:"" help:"Folder for the batch, and later for the verdicts." type:"path"`
	File string `arg:"" help:"Predictions with gold answers, as for eval." type:"path"`
}

// Help shows an example.
func (judgeSubmitCmd) Help() string {
	return `Example:
  syncabel judge batch submit --kb ncbi --out judged --model gpt-x --blind --endpoint https://api.openai.com/v1 --key-env OPENAI_API_KEY predictions.jsonl
  syncabel judge batch poll --endpoint https://api.openai.com/v1 --key-env OPENAI_API_KEY judged
  syncabel judge batch fetch --endpoint https://api.openai.com/v1 --key-env OPENAI_API_KEY judged
  syncabel judge collect --kb ncbi --out judged --model gpt-x --blind predictions.jsonl

A batch is for one model: submit one after the other for several judges, and collect with all of them.`
}

// Run writes and submits a batch.
func (c *judgeSubmitCmd) Run(a *app) error {
	if len(c.Model) != 1 {
		return &usageError{"a batch is for one --model: submit one after the other, and collect with all"}
	}
	return c.submit(a, c.Out, func() (llm.Requests, llm.Accept, error) {
		preds, kb, err := c.read(a, c.File)
		if err != nil {
			return nil, nil, err
		}
		prompts, err := judge.LoadPrompts(c.Prompts)
		if err != nil {
			return nil, nil, err
		}
		return judge.Requests(prompts, kb, preds, c.options()), judge.Accept, nil
	})
}

// submit writes what is unanswered in a folder, unless its last batch is under way, and submits it.
func (c *submitFlags) submit(a *app, dir string, requests func() (llm.Requests, llm.Accept, error)) error {
	b, err := lastBatch(dir)
	if err != nil {
		return err
	}
	if b == nil || finished(b) {
		if b, err = c.write(a, dir, requests); err != nil {
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

func (c *submitFlags) write(a *app, dir string, requests func() (llm.Requests, llm.Accept, error)) (*llm.Batch, error) {
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
	seq, accept, err := requests()
	if err != nil {
		return nil, err
	}
	x, err := a.results(dir, nil)
	if err != nil {
		return nil, err
	}
	defer x.Close()
	b, err := llm.WriteBatch(nextBatch(dir), cfg, llm.Unanswered(seq, x, accept), c.Lines, 0)
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

type batchPollCmd struct {
	endpointFlags
	Dir string `arg:"" help:"Folder that the batch was written for." type:"path"`
}

// Help shows an example.
func (batchPollCmd) Help() string {
	return "Example:\n  syncabel synth batch poll --endpoint https://api.openai.com/v1 --key-env OPENAI_API_KEY synth"
}

// Run asks how far a batch is.
func (c *batchPollCmd) Run(a *app) error {
	return c.with(c.Dir, func(client *llm.Client, b *llm.Batch) error {
		err := client.Poll(a.ctx, b)
		return errors.Join(printBatch(a, b), err)
	})
}

type batchFetchCmd struct {
	endpointFlags
	Dir string `arg:"" help:"Folder that the batch was written for." type:"path"`
}

// Help shows an example.
func (batchFetchCmd) Help() string {
	return "Example:\n  syncabel synth batch fetch --endpoint https://api.openai.com/v1 --key-env OPENAI_API_KEY synth\n\nThen: synth collect, or judge collect"
}

// Run fetches what is ready.
func (c *batchFetchCmd) Run(a *app) error {
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
	b, err := lastBatch(dir)
	if err == nil && b == nil {
		err = fmt.Errorf("%s holds no batch: batch submit makes one", dir)
	}
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
