package torchrun

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"syncabel/internal/train"
)

// Kinds of events.
const (
	started = "start"
	stepped = "step"
	saved   = "saved"
	stopped = "stopped"
	done    = "done"
)

// An Event is one line of metrics.jsonl.
type Event struct {
	Event string `json:"event"` // start, step, saved, stopped, done
	Step  int    `json:"step"`  // steps made

	// Of start.
	Steps        int    `json:"steps,omitempty"`
	Processes    int    `json:"processes,omitempty"`
	Device       string `json:"device,omitempty"` // "cpu", or the GPU's name
	Torch        string `json:"torch,omitempty"`
	Transformers string `json:"transformers,omitempty"`
	Parameters   int64  `json:"parameters,omitempty"`
	Trainable    int64  `json:"trainable,omitempty"`
	PIDs         []int  `json:"pids,omitempty"` // of the processes

	// Of step.
	Loss      float64 `json:"loss,omitempty"` // mean negative log-likelihood of a target, in nats
	LR        float64 `json:"lr,omitempty"`
	GradNorm  float64 `json:"grad_norm,omitempty"` // before clipping
	Tokens    int64   `json:"tokens,omitempty"`
	Targets   int64   `json:"targets,omitempty"`
	Seconds   float64 `json:"seconds,omitempty"`
	Rate      float64 `json:"tokens_per_second,omitempty"` // of one process
	TFLOPS    float64 `json:"tflops,omitempty"`            // of one process, by 6 (adapters: 4) operations a weight and token
	MFU       float64 `json:"mfu,omitempty"`               // that by peak_tflops
	MemoryGiB float64 `json:"memory_gib,omitempty"`        // the first process's GPU at its fullest

	Files map[string]string `json:"files,omitempty"` // of done: SHA-256 of each file of the model
}

// note is what people want to see of a step.
func (e *Event) note() string {
	s := fmt.Sprintf("loss %.3f  %.0f tokens/s a process", e.Loss, e.Rate)
	if e.MemoryGiB > 0 {
		s += fmt.Sprintf("  %.0f GiB", e.MemoryGiB)
	}
	if e.MFU > 0 {
		s += fmt.Sprintf("  %.0f %% of the peak", 100*e.MFU)
	}
	return s
}

// tail reads the events that were appended to a file since the last time.
type tail struct {
	path string
	at   int64
}

// maxRead bounds what one read takes in; the rest is for the next.
const maxRead = 16 << 20

func (t *tail) read(each func(*Event)) error {
	f, err := os.Open(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, t.at, maxRead))
	if err != nil {
		return err
	}
	b = b[:bytes.LastIndexByte(b, '\n')+1]
	t.at += int64(len(b))
	for line := range bytes.Lines(b) {
		var e Event
		if json.Unmarshal(line, &e) == nil { // a killed trainer leaves a torn line
			each(&e)
		}
	}
	return nil
}

// all reads what there is to the end.
func (t *tail) all(each func(*Event)) error {
	for {
		from := t.at
		if err := t.read(each); err != nil || t.at == from {
			return err
		}
	}
}

// A Result is train's, and how fast it went.
type Result struct {
	train.Result
	Losses          []float64 // of every step
	TokensPerSecond float64   // of all processes
	MemoryGiB       float64
	Started         Event // the last start
}

// logEvery is after how many steps package train writes a record, too.
const logEvery = 50

// result tells the whole training from its events. Steps that were made again after a kill count once, the last time.
func (j *Job) result(d *data) (*Result, error) {
	steps := make([]Event, d.Steps)
	r := &Result{Result: train.Result{Steps: d.Steps, Tokens: d.Tokens, Examples: d.Origins, TooLong: d.TooLong}}
	err := (&tail{path: filepath.Join(j.Dir, metricsName)}).all(func(e *Event) {
		switch {
		case e.Event == started:
			r.Started, r.Resumed = *e, e.Step
		case e.Event == stepped && e.Step >= 1 && e.Step <= d.Steps:
			steps[e.Step-1] = *e
		}
	})
	if err != nil {
		return nil, err
	}
	var spent, sum float64
	var tokens int64
	for i, e := range steps {
		r.Losses = append(r.Losses, e.Loss)
		sum, spent, tokens, r.MemoryGiB = sum+e.Loss, spent+e.Seconds, tokens+e.Tokens, max(r.MemoryGiB, e.MemoryGiB)
		if n := i + 1; n%logEvery == 0 || n == d.Steps {
			over := n - (n-1)/logEvery*logEvery
			r.Log = append(r.Log, train.Record{Step: n, Tokens: tokens, Loss: sum / float64(over), LR: e.LR})
			sum = 0
		}
	}
	r.TokensPerSecond = float64(tokens) / max(spent, 1e-9)
	return r, nil
}

// poll is how often the trainer's events are looked for.
const poll = 200 * time.Millisecond
