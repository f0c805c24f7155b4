package main

import (
	"encoding/json"
	"fmt"
	"os"

	"syncabel/internal/shard"
)

type shardFilterCmd struct {
	linkSettings
	oracleFlags
	Chunk  int    `help:"Lines answered together at most; fewer where the input pauses." default:"200"`
	Only   string `help:"Answer only documents whose ID falls into this part, by hash, counted from 0: for streams that nobody divides." placeholder:"I/N"`
	Faults string `help:"File for the lines that could not be answered; default: standard error." type:"path" placeholder:"FILE"`
}

// Help shows examples.
func (shardFilterCmd) Help() string {
	return `Standard input to standard output, one process a partition, in memory that does not grow: for Spark's pipe, Beam, xargs and GNU parallel, which divide
the work themselves. A line is a document, as for link; a line of output is a mention. A faulty line is told and passed over, until more
than one in twenty is faulty (exit code 42). 75: start it again with the same input.

Example:
  parallel --pipe -k --block 10M syncabel shard filter -q --run R < notes.jsonl > linked.jsonl
  zcat notes.jsonl.gz | syncabel shard filter --run R --only 3/16 > part-3.jsonl`
}

// Run filters.
func (c *shardFilterCmd) Run(a *app) error {
	f := shard.Filter{Chunk: c.Chunk, Faults: a.err, ID: documentID}
	var err error
	if c.Only != "" {
		if f.Part, f.Of, err = part(c.Only); err != nil {
			return err
		}
	}
	w, done, err := c.linkWriter(a, &c.oracleFlags)
	if err != nil {
		return err
	}
	defer done()
	f.Do = w.shard
	if c.Faults != "" {
		file, err := os.Create(c.Faults)
		if err != nil {
			return fmt.Errorf("writing faults: %w", err)
		}
		defer file.Close()
		f.Faults = file
	}
	lines, faults, err := f.Run(a.ctx, a.in, "standard input", a.out)
	a.warnings += faults
	a.meter.log("%d lines, %d faults", lines, faults)
	return retry(err)
}

// documentID is what a line's part is found by: the ID of its document, or the line where it has none.
func documentID(line []byte) string {
	var d struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(line, &d) != nil || d.ID == "" {
		return string(line)
	}
	return d.ID
}
