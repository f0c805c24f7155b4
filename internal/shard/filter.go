package shard

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
)

// A Filter answers a stream of lines without a plan: what a system that divides the work itself (Spark's pipe, Beam, GNU parallel) puts
// between its own input and output. Lines are answered as they come, at most Chunk together, and rows keep their order; memory
// does not grow with the stream. It keeps nothing: whoever started it starts it again.
type Filter struct {
	Do        Do
	Chunk     int       // lines answered together at most; default DefaultChunk
	Faults    io.Writer // of faults, one JSON object a line
	MaxFaults float64   // as a Worker's
	Part, Of  int       // answer lines whose ID is in this part of Of, by hash; Of 0: all
	ID        func(line []byte) string
}

// Run reads in to its end. Lines that nobody has to wait for are not waited for: a chunk ends where the input pauses.
func (f *Filter) Run(ctx context.Context, in io.Reader, name string, out io.Writer) (lines, faults int, err error) {
	r := bufio.NewReaderSize(in, 1<<20)
	var chunk []Line
	flush := func() error {
		if len(chunk) == 0 {
			return nil
		}
		n, err := f.answer(ctx, chunk, out)
		lines, faults = lines+len(chunk), faults+n
		chunk = chunk[:0]
		if err == nil && tooMany(faults, lines, f.MaxFaults) {
			err = fmt.Errorf("%w: %d of %d", ErrFaults, faults, lines)
		}
		return err
	}
	for number := 1; ; number++ {
		text, err := readLine(r)
		if err != nil && err != io.EOF {
			return lines, faults, fmt.Errorf("reading %s:%d: %w", name, number, err)
		}
		if len(text) > 0 && f.mine(text) {
			chunk = append(chunk, Line{name, number, text})
		}
		if err == io.EOF || len(chunk) >= cmp.Or(f.Chunk, DefaultChunk) || r.Buffered() == 0 {
			if err := flush(); err != nil {
				return lines, faults, err
			}
		}
		if err == io.EOF {
			return lines, faults, nil
		}
	}
}

// readLine returns a copy of the next line without its end.
func readLine(r *bufio.Reader) ([]byte, error) {
	var b []byte
	for {
		piece, err := r.ReadSlice('\n')
		if b = append(b, piece...); len(b) > maxLine {
			return nil, fmt.Errorf("a line of more than %d MB", maxLine>>20)
		}
		if err != bufio.ErrBufferFull {
			return bytes.TrimRight(b, "\r\n"), err
		}
	}
}

// mine reports whether a line is this part's.
func (f *Filter) mine(line []byte) bool {
	if f.Of == 0 {
		return true
	}
	h := fnv.New64a()
	io.WriteString(h, f.ID(line))
	return int(h.Sum64()%uint64(f.Of)) == f.Part
}

// answer writes the rows of a chunk, and its faults, and returns how many those are.
func (f *Filter) answer(ctx context.Context, lines []Line, out io.Writer) (int, error) {
	rows, faults, err := f.Do(ctx, lines)
	if err != nil {
		return 0, err
	}
	enc := json.NewEncoder(f.Faults)
	for i := range faults {
		if err := enc.Encode(&faults[i]); err != nil {
			return 0, fmt.Errorf("writing faults: %w", err)
		}
	}
	if _, err := out.Write(rows); err != nil {
		return 0, fmt.Errorf("writing rows: %w", err)
	}
	return len(faults), nil
}
