package torchrun

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"syncabel/internal/artifact"
	"syncabel/internal/dataset"
	"syncabel/internal/model"
	"syncabel/internal/train"
)

// data is data.json: what the arrays beside it hold.
type data struct {
	Format      int            `json:"format"`
	MicroTokens int            `json:"micro_tokens"` // a sequence holds at most
	Steps       int            `json:"steps"`
	Sequences   int            `json:"sequences"`
	Examples    int            `json:"examples"`
	Tokens      int64          `json:"tokens"`
	Longest     int            `json:"longest"` // example, in tokens
	Origins     map[string]int `json:"origins"` // examples drawn, by origin
	TooLong     int            `json:"too_long"`
}

// prepare writes the arrays, or finds them complete from an earlier start.
func (j *Job) prepare(ctx context.Context) (*data, error) {
	dir := filepath.Join(j.Dir, dataName)
	var d data
	b, err := os.ReadFile(filepath.Join(dir, "data.json"))
	if err == nil && json.Unmarshal(b, &d) == nil && d.Format == format && d.MicroTokens == j.MicroTokens {
		return &d, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	tmp := dir + ".writing"
	if err := errors.Join(os.RemoveAll(dir), os.RemoveAll(tmp), os.MkdirAll(tmp, 0o755)); err != nil {
		return nil, err
	}
	if err := j.arrays(ctx, tmp, &d); err != nil {
		return nil, err
	}
	if b, err = json.MarshalIndent(d, "", " "); err != nil {
		return nil, err
	}
	if err := artifact.WriteFile(filepath.Join(tmp, "data.json"), append(b, '\n')); err != nil {
		return nil, err
	}
	return &d, os.Rename(tmp, dir)
}

// arrays writes the batches of all steps into dir and counts them in d.
func (j *Job) arrays(ctx context.Context, dir string, d *data) error {
	*d = data{Format: format, MicroTokens: j.MicroTokens, Steps: j.Train.Steps()}
	w := arrayWriter{dir: dir, files: map[string]*array{}}
	batches := train.NewBatches(j.Model, j.Tokenizer, j.Source, j.Train)
	var b model.Batch
	for i := range d.Steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := batches.Next(&b); err != nil {
			return errors.Join(err, w.close())
		}
		w.step(&b, j.MicroTokens, d)
		w.put("rates.f64", j.Train.Rate(i))
		if j.Prepared != nil {
			j.Prepared(int64(i+1), int64(d.Steps))
		}
	}
	d.Origins, d.TooLong = batches.Examples, batches.TooLong
	return w.close()
}

// step packs a batch into sequences that a process can hold.
func (w *arrayWriter) step(b *model.Batch, limit int, d *data) {
	lengths := make([]int, len(b.Starts))
	for i, s := range b.Starts {
		end := len(b.Tokens)
		if i+1 < len(b.Starts) {
			end = int(b.Starts[i+1])
		}
		lengths[i] = end - int(s)
		d.Longest = max(d.Longest, lengths[i])
	}
	sequences, _ := dataset.Pack(lengths, limit) // limit is no less than the longest example
	for _, s := range sequences {
		for _, i := range s {
			lo, hi := b.Starts[i], int(b.Starts[i])+lengths[i]
			w.put("tokens.i32", b.Tokens[lo:hi])
			w.put("targets.i32", b.Targets[lo:hi])
			w.put("lengths.i32", int32(lengths[i]))
		}
		w.put("sequences.i32", int32(len(s)))
	}
	w.put("steps.i32", int32(len(sequences)))
	d.Sequences, d.Examples, d.Tokens = d.Sequences+len(sequences), d.Examples+len(lengths), d.Tokens+int64(len(b.Tokens))
}

// arrayWriter appends to little-endian arrays, one file each. The first error is kept until close.
type arrayWriter struct {
	dir   string
	files map[string]*array
	err   error
}

type array struct {
	f *os.File
	*bufio.Writer
}

func (w *arrayWriter) put(name string, values any) {
	a := w.files[name]
	if a == nil && w.err == nil {
		f, err := os.Create(filepath.Join(w.dir, name))
		if err != nil {
			w.err = err
			return
		}
		a = &array{f, bufio.NewWriterSize(f, 1<<18)}
		w.files[name] = a
	}
	if w.err == nil {
		w.err = binary.Write(a, binary.LittleEndian, values)
	}
}

func (w *arrayWriter) close() error {
	for _, a := range w.files {
		w.err = errors.Join(w.err, a.Flush(), a.f.Sync(), a.f.Close())
	}
	if w.err != nil {
		return fmt.Errorf("writing %s: %w", w.dir, w.err)
	}
	return nil
}
