package detect

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"slices"

	"syncabel/internal/artifact"
	"syncabel/internal/terminology"
)

// A Model is what training found. It is immutable afterwards.
type Model struct {
	Groups  []string            // semantic groups, in the order of their tags
	Words   map[string]wordInfo // of the names
	Weights []float32           // (features, tags)
	Moves   []float32           // (tags, tags): from, to; outside stands before the first word
	at      map[feature]int32
}

func (m *Model) tags() int     { return 1 + 2*len(m.Groups) }
func (m *Model) trained() bool { return len(m.Moves) > 0 }

// Features returns the number of features that have weights.
func (m *Model) Features() int { return len(m.at) }

// prune forgets features whose weights decide nothing.
func (m *Model) prune() {
	k := m.tags()
	keep := m.sorted()
	keep = slices.DeleteFunc(keep, func(f feature) bool {
		return !slices.ContainsFunc(m.Weights[int(m.at[f])*k:(int(m.at[f])+1)*k], func(w float32) bool { return w > leastWeight || w < -leastWeight })
	})
	weights := make([]float32, 0, len(keep)*k)
	at := make(map[feature]int32, len(keep))
	for i, f := range keep {
		weights = append(weights, m.Weights[int(m.at[f])*k:(int(m.at[f])+1)*k]...)
		at[f] = int32(i)
	}
	m.Weights, m.at = weights, at
}

// leastWeight is below the differences that decide between tags: dozens of features add up to several units.
const leastWeight = 0.01

func (m *Model) sorted() []feature {
	out := make([]feature, 0, len(m.at))
	for f := range m.at {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b feature) int { return cmp.Compare(m.at[a], m.at[b]) })
	return out
}

// FileName is the model inside its run folder.
const FileName = "mentions.detector"

// Version is the version of the file.
//
//	1  2026-11: first
const Version = 1

const fileMagic = "SYNDETE\n"

type fileHeader struct {
	Version  int
	Groups   []string
	Words    int
	Features int
	Moves    int
	CRC      uint32 // of all that follows
}

// WriteFile writes m to path atomically: magic (8), length of the header (8, little endian), header as JSON, then words (length
// byte, bytes, wordInfo as four bytes), features (8 each), weights and moves (float32).
func (m *Model) WriteFile(path string) error {
	var body bytes.Buffer
	words := make([]string, 0, len(m.Words))
	for w := range m.Words {
		if len(w) < 256 {
			words = append(words, w)
		}
	}
	slices.Sort(words)
	for _, w := range words {
		i := m.Words[w]
		body.WriteByte(byte(len(w)))
		body.WriteString(w)
		body.Write([]byte{i.Longest, i.Any, i.Last, i.Group})
	}
	features := m.sorted()
	for _, part := range []any{features, m.Weights, m.Moves} {
		if err := binary.Write(&body, binary.LittleEndian, part); err != nil {
			return fmt.Errorf("writing detector: %w", err)
		}
	}
	head, err := json.Marshal(fileHeader{Version, m.Groups, len(words), len(features), len(m.Moves), crc32.ChecksumIEEE(body.Bytes())})
	if err != nil {
		return fmt.Errorf("writing detector: %w", err)
	}
	return artifact.WriteWith(path, func(w io.Writer) error {
		pre := binary.LittleEndian.AppendUint64([]byte(fileMagic), uint64(len(head)))
		for _, b := range [][]byte{pre, head, body.Bytes()} {
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
		return nil
	})
}

// Open reads a model and joins it with its knowledge base.
func Open(path string, kb *terminology.KB) (*Detector, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening detector: %w", err)
	}
	defer f.Close()
	m, err := read(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("opening detector %s: %w: run the stage detect again", path, err)
	}
	if !slices.Equal(m.Groups, kb.Groups()) {
		return nil, fmt.Errorf("opening detector %s: it knows the groups %q, the knowledge base has %q: it was made for another one", path, m.Groups, kb.Groups())
	}
	return New(kb, m), nil
}

// Bounds of what a file may ask for.
const (
	maxHeader   = 1 << 20
	maxFeatures = 1 << 26
	maxWords    = 1 << 25
)

func read(r io.Reader) (*Model, error) {
	pre := make([]byte, 16)
	if _, err := io.ReadFull(r, pre); err != nil || string(pre[:8]) != fileMagic {
		return nil, fmt.Errorf("not a detector: %w", artifact.ErrDamaged)
	}
	n := binary.LittleEndian.Uint64(pre[8:])
	if n > maxHeader {
		return nil, fmt.Errorf("header of %d bytes: %w", n, artifact.ErrDamaged)
	}
	head := make([]byte, n)
	var h fileHeader
	if _, err := io.ReadFull(r, head); err != nil || json.Unmarshal(head, &h) != nil {
		return nil, fmt.Errorf("header: %w", artifact.ErrDamaged)
	}
	if h.Version != Version {
		return nil, fmt.Errorf("format %d, this program reads %d", h.Version, Version)
	}
	k := 1 + 2*len(h.Groups)
	if len(h.Groups) > maxGroups || h.Words < 0 || h.Words > maxWords || h.Features < 0 || h.Features > maxFeatures || h.Moves != 0 && h.Moves != k*k || h.Moves == 0 && h.Features > 0 {
		return nil, fmt.Errorf("header with impossible counts: %w", artifact.ErrDamaged)
	}
	sum := crc32.NewIEEE()
	m, err := readBody(io.TeeReader(r, sum), h)
	if err != nil {
		return nil, errors.Join(artifact.ErrDamaged, err)
	}
	if sum.Sum32() != h.CRC {
		return nil, fmt.Errorf("wrong checksum: %w", artifact.ErrDamaged)
	}
	return m, nil
}

func readBody(r io.Reader, h fileHeader) (*Model, error) {
	k := 1 + 2*len(h.Groups)
	m := &Model{Groups: h.Groups, Words: map[string]wordInfo{}, at: map[feature]int32{}}
	buf := make([]byte, 256+4)
	for range h.Words {
		if _, err := io.ReadFull(r, buf[:1]); err != nil {
			return nil, err
		}
		n := int(buf[0])
		if _, err := io.ReadFull(r, buf[:n+4]); err != nil {
			return nil, err
		}
		m.Words[string(buf[:n])] = wordInfo{buf[n], buf[n+1], buf[n+2], buf[n+3]}
	}
	var eight [8]byte
	for i := range h.Features {
		if _, err := io.ReadFull(r, eight[:]); err != nil {
			return nil, err
		}
		m.at[feature(binary.LittleEndian.Uint64(eight[:]))] = int32(i)
	}
	var err error
	if m.Weights, err = readFloats(r, h.Features*k); err != nil {
		return nil, err
	}
	m.Moves, err = readFloats(r, h.Moves)
	return m, err
}

// readFloats reads n numbers, growing as they come, so that a false count cannot ask for more memory than the file fills.
func readFloats(r io.Reader, n int) ([]float32, error) {
	out := make([]float32, 0, min(n, 1<<16))
	var four [4]byte
	for range n {
		if _, err := io.ReadFull(r, four[:]); err != nil {
			return nil, err
		}
		out = append(out, math.Float32frombits(binary.LittleEndian.Uint32(four[:])))
	}
	return out, nil
}
