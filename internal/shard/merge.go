package shard

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"syncabel/internal/artifact"
)

// A Status counts what is done.
type Status struct {
	Shards  int     `json:"shards"`
	Done    int     `json:"done"`
	Begun   []int   `json:"begun"`   // not done, but with answered chunks
	Missing []int   `json:"missing"` // neither
	Lines   int     `json:"lines"`
	Rows    int     `json:"rows"`
	Faults  int     `json:"faults"`
	Seconds float64 `json:"seconds"` // of all workers together, what was lost with killed ones not counted
}

// Look counts the shards of a folder, by their markers.
func (p *Plan) Look(dir string) (*Status, error) {
	s := &Status{Shards: len(p.Shards), Begun: []int{}, Missing: []int{}}
	w := Worker{Plan: p, Dir: dir}
	sum := p.Sum()
	for id := range p.Shards {
		d, err := readMarker(dir, id, sum)
		if err != nil {
			return nil, err
		}
		if d == nil {
			if _, err := os.Stat(w.chunks(id)); err == nil {
				s.Begun = append(s.Begun, id)
			} else {
				s.Missing = append(s.Missing, id)
			}
			continue
		}
		s.Done++
		s.Lines, s.Rows, s.Faults, s.Seconds = s.Lines+d.Lines, s.Rows+d.Rows, s.Faults+d.Faults, s.Seconds+d.Seconds
	}
	return s, nil
}

// ErrIncomplete: shards are missing.
var ErrIncomplete = errors.New("not every shard is done")

// Verify checks that every shard is done, that every part is what its marker says, and that the inputs are those of the plan.
func (p *Plan) Verify(dir string) (*Status, error) {
	for _, in := range p.Inputs {
		f, err := artifact.HashFile(in.Path)
		if err != nil {
			return nil, fmt.Errorf("verifying: %w", err)
		}
		if f.SHA256 != in.SHA256 {
			return nil, fmt.Errorf("verifying: %w: %s has changed since", ErrMismatch, in.Path)
		}
	}
	s, err := p.complete(dir)
	if err != nil {
		return s, err
	}
	return s, p.copy(dir, part, io.Discard)
}

// complete is Look with an error where shards are missing.
func (p *Plan) complete(dir string) (*Status, error) {
	s, err := p.Look(dir)
	if err == nil && s.Done < s.Shards {
		err = fmt.Errorf("%w: %d of %d; begun %v, missing %v", ErrIncomplete, s.Done, s.Shards, s.Begun, s.Missing)
	}
	return s, err
}

// Merge writes the parts of a folder, in the order of the inputs, into one file, and their faults into another, "" for none. Every
// part is checked while it is copied; a file appears whole or not at all.
func (p *Plan) Merge(dir, out, faults string) (*Status, error) {
	s, err := p.complete(dir)
	if err != nil {
		return s, err
	}
	if err := artifact.WriteWith(out, func(w io.Writer) error { return p.copy(dir, part, w) }); err != nil {
		return s, err
	}
	if faults == "" || s.Faults == 0 {
		return s, nil
	}
	return s, artifact.WriteWith(faults, func(w io.Writer) error { return p.copy(dir, errorsOf, w) })
}

// copy copies every shard's file of a kind and checks its hash.
func (p *Plan) copy(dir string, name func(string, int) string, to io.Writer) error {
	sum := p.Sum()
	for id := range p.Shards {
		d, err := readMarker(dir, id, sum)
		if err != nil || d == nil {
			return errors.Join(err, ErrIncomplete)
		}
		want := d.SHA256
		if name(dir, id) == errorsOf(dir, id) {
			want = d.ErrorsHash
		}
		if err := copyChecked(name(dir, id), want, to); err != nil {
			return err
		}
	}
	return nil
}

func copyChecked(path, want string, to io.Writer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(to, h), f); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("%w: %s is not what its worker wrote: delete it with its marker and run the shard again", ErrMismatch, path)
	}
	return nil
}
