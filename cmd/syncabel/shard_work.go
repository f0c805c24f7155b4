package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"syncabel/internal/corpus"
	"syncabel/internal/llm"
	"syncabel/internal/oracle/remote"
	"syncabel/internal/prediction"
	"syncabel/internal/shard"
)

// workerFlags make a verb answer one shard of a plan instead of a file.
type workerFlags struct {
	Plan  string `help:"Plan of syncabel shard plan; with --shard and --out." type:"path" placeholder:"FILE"`
	Shard string `help:"Answer one shard of the plan, counted from 0; --out is then the folder of the parts." placeholder:"I/N"`
}

// worker reports whether a shard is asked for; what is given besides must go with that.
func (f *workerFlags) worker(out string, inputs ...string) (bool, error) {
	if f.Plan == "" && f.Shard == "" {
		return false, nil
	}
	if f.Plan == "" || f.Shard == "" || out == "" || slices.ContainsFunc(inputs, func(s string) bool { return s != "" }) {
		return true, &usageError{"a shard needs --plan, --shard and --out, and names no input: the plan does"}
	}
	return true, nil
}

// part reads I/N.
func part(s string) (i, n int, err error) {
	id, of, ok := strings.Cut(s, "/")
	i, err1 := strconv.Atoi(id)
	n, err2 := strconv.Atoi(of)
	if !ok || err1 != nil || err2 != nil || i < 0 || i >= n {
		return 0, 0, &usageError{fmt.Sprintf("%q: i/N with i from 0 is expected", s)}
	}
	return i, n, nil
}

// id is the number of the shard that is asked for.
func (f *workerFlags) id(p *shard.Plan) (int, error) {
	i, n, err := part(f.Shard)
	if err != nil || n != len(p.Shards) {
		return 0, &usageError{fmt.Sprintf("--shard %q: the plan has %d shards, so i/%d with i from 0 is expected", f.Shard, len(p.Shards), len(p.Shards))}
	}
	return i, nil
}

// errRetry marks what ends a worker that should be started again.
var errRetry = errors.New("start the worker again: it goes on where it stopped")

// retry marks a signal and a shard that another worker is at.
func retry(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, llm.ErrLocked) {
		return fmt.Errorf("%w: %v", errRetry, err)
	}
	return err
}

// work answers the shard.
func (f *workerFlags) work(a *app, w *shard.Worker, id int) error {
	d, err := w.Run(a.ctx, id)
	if err != nil {
		return retry(err)
	}
	a.meter.end()
	a.meter.log("shard %s is done: %d lines, %d rows, %d faults", f.Shard, d.Lines, d.Rows, d.Faults)
	return nil
}

// work answers the shard that link was asked for.
func (c *linkCmd) work(a *app, w *linkWriter) error {
	p, err := openPlanned(c.Plan, c.planned)
	if err != nil {
		return err
	}
	id, err := c.id(p)
	if err != nil {
		return err
	}
	return c.workerFlags.work(a, &shard.Worker{Plan: p, Dir: c.Out, Do: w.shard, Note: w.probe,
		Progress: func(done, total int64) { a.meter.progress("shard "+c.Shard, done, total) }}, id)
}

// askedFaults: a shard of which more than half stays without an answer has a wrong model, prompt or limit of tokens.
const askedFaults = 0.5

// ask answers a shard by language models. run says how they are asked, requests what.
func (f *workerFlags) ask(a *app, p *shard.Plan, out string, run llm.Run, requests func(shard.Line) ([]*llm.Request, error)) error {
	id, err := f.id(p)
	if err != nil {
		return err
	}
	run.Progress = a.spending("shard " + f.Shard)
	asking := &shard.Asking{Run: run, Journal: shard.JournalPath(out, id), Requests: requests, Opened: a.torn}
	err = f.work(a, &shard.Worker{Plan: p, Dir: out, Do: asking.Do, MaxFaults: askedFaults}, id)
	return errors.Join(err, asking.Close())
}

// shard answers the lines of a chunk. A document that cannot be linked is a fault of its own; an engine that is lost ends the worker.
func (w *linkWriter) shard(ctx context.Context, lines []shard.Line) ([]byte, []shard.Fault, error) {
	var docs []corpus.Document
	var from []shard.Line
	var faults []shard.Fault
	for _, l := range lines {
		if len(bytes.TrimSpace(l.Text)) == 0 {
			continue
		}
		one, err := w.parse(l.Text, l.Number)
		if err != nil {
			faults = append(faults, l.Fault(err.Error()))
			continue
		}
		docs, from = append(docs, one), append(from, l)
	}
	if err := w.prepare(docs); err != nil {
		return nil, nil, err
	}
	preds, err := w.linker.Link(ctx, docs)
	if err != nil && !ends(ctx, err) { // some document is at fault: which?
		preds = nil
		for i := range docs {
			p, err := w.linker.Link(ctx, docs[i:i+1])
			if err != nil && ends(ctx, err) {
				return nil, nil, err
			}
			if err != nil {
				faults = append(faults, from[i].Fault(err.Error()))
			}
			preds = append(preds, p...)
		}
	} else if err != nil {
		return nil, nil, err
	}
	slices.SortStableFunc(faults, func(a, b shard.Fault) int { return cmp.Compare(a.Line, b.Line) })
	var out bytes.Buffer
	err = prediction.Write(&out, preds)
	return out.Bytes(), faults, err
}

// ends reports whether an error is the engine's or a signal's, not a document's.
func ends(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, remote.ErrUnavailable) || errors.Is(err, remote.ErrRefused) || errors.Is(err, remote.ErrProtocol)
}
