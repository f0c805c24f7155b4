package shard

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"syncabel/internal/llm"
)

// An Asking answers lines by what language models say: its Do is a Worker's. A row is the llm.Entry of a request, in the order of the
// lines, so that merged parts are a journal; one without an answer is a fault besides. Every answer goes into the shard's own
// journal at once, so a killed worker pays for nothing twice, and the journal's lock sends a twin away.
type Asking struct {
	Run      llm.Run                            // Client, Accept, limits; its Journal is opened by the first chunk
	Journal  string                             // path, see JournalPath
	Requests func(Line) ([]*llm.Request, error) // of a line; none where it asks nothing. An error is a fault
	Opened   func(*llm.Journal)                 // may be nil
}

// JournalPath is where a shard's journal lies. It stays when the shard is done: it says what was paid.
func JournalPath(dir string, id int) string {
	return filepath.Join(dir, fmt.Sprintf("part-%05d.journal.jsonl", id))
}

// asked is a request with the line it belongs to.
type asked struct {
	line Line
	req  *llm.Request
}

// Do answers a chunk.
func (a *Asking) Do(ctx context.Context, lines []Line) ([]byte, []Fault, error) {
	if a.Run.Journal == nil {
		j, err := llm.OpenJournal(a.Journal)
		if err != nil {
			return nil, nil, err
		}
		if a.Run.Journal = j; a.Opened != nil {
			a.Opened(j)
		}
	}
	var list []asked
	var faults []Fault
	for _, l := range lines {
		reqs, err := a.Requests(l)
		if err != nil {
			faults = append(faults, l.Fault(err.Error()))
		}
		for _, r := range reqs {
			list = append(list, asked{l, r})
		}
	}
	run := a.Run
	run.Total = len(list)
	if _, err := run.Do(ctx, requests(list)); err != nil {
		return nil, nil, err
	}
	rows, missing, err := a.read(list)
	return rows, append(faults, missing...), err
}

func requests(list []asked) llm.Requests {
	return func(yield func(*llm.Request, error) bool) {
		for _, q := range list {
			if !yield(q.req, nil) {
				return
			}
		}
	}
}

// read takes the entries of requests from the journal. Who answered is left out: workers' servers have addresses of their own.
func (a *Asking) read(list []asked) (rows []byte, missing []Fault, err error) {
	x := llm.NewIndex()
	defer x.Close()
	if _, _, err := x.Add(a.Journal); err != nil {
		return nil, nil, err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for _, q := range list {
		e, ok, err := x.Get(q.req.Key())
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			return nil, nil, fmt.Errorf("%s lacks what was written into it: do two programs write there?", a.Journal)
		}
		if e.Error != "" {
			missing = append(missing, q.line.Fault(e.Error))
		}
		e.Detail = strings.TrimPrefix(e.Detail, e.Endpoint+": ")
		e.Endpoint = ""
		if err := enc.Encode(&e); err != nil {
			return nil, nil, err
		}
	}
	return out.Bytes(), missing, nil
}

// Close closes the journal.
func (a *Asking) Close() error {
	if a.Run.Journal == nil {
		return nil
	}
	return a.Run.Journal.Close()
}
