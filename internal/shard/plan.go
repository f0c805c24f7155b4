// Package shard divides a large input among workers that know nothing of each other. A plan cuts files of lines into ranges of
// bytes; a worker answers one shard, in chunks that survive it, and leaves a part with a marker of its hash; merging puts
// the parts together in the order of the input. Any worker may die at any moment, and two may do the same shard. It
// stands beside the chain and knows no linking: what a line becomes is the caller's.
package shard

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"syncabel/internal/artifact"
)

// version of the plan's format.
const version = 1

// A Plan says what every worker does. N is fixed in it, however many workers there are.
type Plan struct {
	Version  int               `json:"version"`
	Program  string            `json:"program"`  // version that made it
	Settings map[string]string `json:"settings"` // a worker with others would answer otherwise
	Chunk    int               `json:"chunk"`    // lines answered and kept at a time
	Inputs   []Input           `json:"inputs"`
	Shards   []Shard           `json:"shards"`
}

// An Input is one file of lines.
type Input struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	Lines  int    `json:"lines"`
	SHA256 string `json:"sha256"`
}

// A Shard is a contiguous piece of the inputs, so that merging is concatenation and neighbours share an engine's cache.
type Shard struct {
	ID     int     `json:"id"`
	Ranges []Range `json:"ranges"`
}

// A Range is whole lines of one input.
type Range struct {
	Input  int   `json:"input"` // index
	Offset int64 `json:"offset"`
	Length int64 `json:"length"`
	Line   int   `json:"line"` // number of its first, from 1
}

// Limits of a plan.
const (
	MaxShards    = 100_000
	DefaultChunk = 200 // lines: seconds to minutes of work, what a killed worker loses at most
	maxPlan      = 256 << 20
	maxLine      = 16 << 20
)

// ErrMismatch: a worker, its plan and its inputs do not belong together. Trying again does not help.
var ErrMismatch = errors.New("this is not what was planned")

// Make reads inputs once and cuts them into n shards of about equally many bytes.
func Make(paths []string, n, chunk int, settings map[string]string, program string) (*Plan, error) {
	if n < 1 || n > MaxShards || chunk < 1 {
		return nil, fmt.Errorf("planning: %d shards with chunks of %d lines: 1 to %d shards and at least one line are possible", n, chunk, MaxShards)
	}
	p := &Plan{Version: version, Program: program, Settings: settings, Chunk: chunk, Shards: make([]Shard, n)}
	var total int64
	for _, path := range paths {
		if ext := filepath.Ext(path); ext == ".gz" || ext == ".zst" || ext == ".zip" {
			return nil, fmt.Errorf("planning: %s is compressed and cannot be cut: unpack it first", path)
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("planning: %w", err)
		}
		p.Inputs = append(p.Inputs, Input{Path: path, Size: info.Size()})
		total += info.Size()
	}
	if total == 0 {
		return nil, errors.New("planning: the inputs are empty")
	}
	for i := range p.Shards {
		p.Shards[i].ID = i
	}
	c := cutter{plan: p, total: total}
	for i := range p.Inputs {
		if err := c.file(i); err != nil {
			return nil, fmt.Errorf("planning: %w", err)
		}
	}
	return p, nil
}

// cutter gives lines to shards: a line belongs to the shard in whose share of all bytes it begins.
type cutter struct {
	plan  *Plan
	total int64
	done  int64 // bytes of the inputs before
}

func (c *cutter) file(input int) error {
	in := &c.plan.Inputs[input]
	f, err := os.Open(in.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	r := bufio.NewReaderSize(io.TeeReader(f, h), 1<<20)
	var at int64
	for {
		n, err := skipLine(r)
		if n > maxLine {
			return fmt.Errorf("%s:%d: a line of more than %d MB", in.Path, in.Lines+1, maxLine>>20)
		}
		if n > 0 {
			in.Lines++
			c.add(input, at, int64(n), in.Lines)
			at += int64(n)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", in.Path, err)
		}
	}
	if at != in.Size {
		return fmt.Errorf("%s grew while it was read", in.Path)
	}
	in.SHA256 = hex.EncodeToString(h.Sum(nil))
	c.done += in.Size
	return nil
}

// skipLine returns the length of the next line with its end.
func skipLine(r *bufio.Reader) (n int, err error) {
	for {
		b, err := r.ReadSlice('\n')
		n += len(b)
		if err != bufio.ErrBufferFull {
			return n, err
		}
	}
}

func (c *cutter) add(input int, offset, length int64, line int) {
	n := int64(len(c.plan.Shards))
	s := &c.plan.Shards[(c.done+offset)*n/c.total]
	if k := len(s.Ranges); k > 0 && s.Ranges[k-1].Input == input {
		s.Ranges[k-1].Length += length
		return
	}
	s.Ranges = append(s.Ranges, Range{input, offset, length, line})
}

// Write writes the plan.
func (p *Plan) Write(path string) error {
	b, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return err
	}
	return artifact.WriteFile(path, append(b, '\n'))
}

// Read reads a plan and checks that it holds together.
func Read(path string) (*Plan, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading plan: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPlan+1))
	if err != nil {
		return nil, fmt.Errorf("reading plan: %w", err)
	}
	p, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("reading plan %s: %w", path, err)
	}
	return p, nil
}

func parse(b []byte) (*Plan, error) {
	if len(b) > maxPlan {
		return nil, fmt.Errorf("larger than %d MB", maxPlan>>20)
	}
	var p Plan
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return nil, err
	}
	if p.Version != version || p.Chunk < 1 || len(p.Shards) == 0 || len(p.Shards) > MaxShards {
		return nil, fmt.Errorf("version %d with %d shards and chunks of %d lines: make it again", p.Version, len(p.Shards), p.Chunk)
	}
	return &p, p.covers()
}

// covers checks that the ranges, in order, are the inputs: nothing twice, nothing missing.
func (p *Plan) covers() error {
	input, at := 0, int64(0)
	next := func() {
		for input < len(p.Inputs) && at == p.Inputs[input].Size {
			input, at = input+1, 0
		}
	}
	next()
	for i, s := range p.Shards {
		if s.ID != i {
			return fmt.Errorf("shard %d stands at place %d", s.ID, i)
		}
		for _, r := range s.Ranges {
			if r.Input != input || r.Offset != at || r.Length <= 0 || r.Line < 1 || input == len(p.Inputs) || r.Length > p.Inputs[input].Size-at {
				return fmt.Errorf("shard %d: its ranges leave a gap or overlap", i)
			}
			at += r.Length
			next()
		}
	}
	if input != len(p.Inputs) {
		return fmt.Errorf("%s is not covered to its end", p.Inputs[input].Path)
	}
	return nil
}

// Sum identifies the plan: what markers and chunks carry.
func (p *Plan) Sum() string {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings and numbers only
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// Check refuses a worker with other settings.
func (p *Plan) Check(settings map[string]string) error {
	var wrong []string
	for _, k := range sortedKeys(p.Settings, settings) {
		if p.Settings[k] != settings[k] {
			wrong = append(wrong, fmt.Sprintf("%s is %q, planned was %q", k, settings[k], p.Settings[k]))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%w: %s", ErrMismatch, strings.Join(wrong, "; "))
	}
	return nil
}
