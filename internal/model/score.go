package model

import (
	"fmt"

	"syncabel/internal/kernel"
)

// sessionHead computes logits for the rows that are asked for, a chunk at a time, and remembers the last chunk.
type sessionHead struct {
	chunk  int       // rows whose logits are held at once
	slot   []int32   // by row of the last Run: its place in the chunk, -1 for none
	held   []int32   // rows in the chunk
	x      []float32 // (chunk,C) after the last norm
	logits []float32 // (chunk,V)
	lse    []float64 // (chunk)
}

// grow makes room for n rows per Run. The chunk holds at most 2^22 logits (16 MB), at least 12 rows.
func (h *sessionHead) grow(cfg Config, n int) {
	want := min(n, max(12, (1<<22)/cfg.VocabSize))
	if want > h.chunk {
		h.chunk = want
		h.held = make([]int32, 0, want)
		h.x, h.logits = alignedFloats(want*cfg.HiddenSize), alignedFloats(want*cfg.VocabSize)
		h.lse = make([]float64, want)
	}
	if n > cap(h.slot) {
		h.slot = make([]int32, n)
	}
}

func (h *sessionHead) reset(rows int) {
	h.slot = h.slot[:rows]
	for i := range h.slot {
		h.slot[i] = -1
	}
	h.held = h.held[:0]
}

// clear forgets the chunk.
func (h *sessionHead) clear() {
	for _, r := range h.held {
		h.slot[r] = -1
	}
	h.held = h.held[:0]
}

// add puts a row into the chunk that will be computed next.
func (h *sessionHead) add(row int) {
	h.slot[row] = int32(len(h.held))
	h.held = append(h.held, int32(row))
}

// compute fills the chunk's logits and their log Z.
func (s *Session) compute() {
	h, c, v := &s.head, s.m.Config.HiddenSize, s.m.Config.VocabSize
	n := len(h.held)
	s.p.Begin()
	defer s.p.End()
	for i, r := range h.held {
		x := s.x[int(r)*c : (int(r)+1)*c]
		kernel.RMSNorm(h.x[i*c:(i+1)*c], x, s.m.norm, nil, c, float32(s.m.Config.RMSNormEps))
	}
	kernel.GemmPacked(s.p, n, h.x, c, s.w.head, h.logits, v)
	s.p.For(n, s.loop.lse)
}

func (s *Session) lseRow(i int) {
	v := s.m.Config.VocabSize
	s.head.lse[i] = kernel.LogSumExp(s.head.logits[i*v : (i+1)*v])
}

// ensure returns the logits (V) and log Z of one row.
func (s *Session) ensure(row int) ([]float32, float64, error) {
	h := &s.head
	if row < 0 || row >= len(h.slot) {
		return nil, 0, fmt.Errorf("row %d was not in the last run of %d", row, len(h.slot))
	}
	if h.slot[row] < 0 {
		h.clear()
		h.add(row)
		s.compute()
	}
	v, i := s.m.Config.VocabSize, int(h.slot[row])
	return h.logits[i*v : (i+1)*v], h.lse[i], nil
}

// Logits writes the V logits after row of the last Run into dst (V).
func (s *Session) Logits(row int, dst []float32) error {
	logits, _, err := s.ensure(row)
	copy(dst, logits)
	return err
}

// LogSumExp returns log Z over the whole vocabulary after row.
func (s *Session) LogSumExp(row int) (float64, error) {
	_, z, err := s.ensure(row)
	return z, err
}

// LogProbs writes the log-probabilities of ids after row into dst, under the softmax over the whole vocabulary. For many
// rows use Score.
func (s *Session) LogProbs(row int, ids []int32, dst []float32) error {
	logits, z, err := s.ensure(row)
	if err != nil {
		return err
	}
	return pick(logits, z, ids, dst)
}

func pick(logits []float32, z float64, ids []int32, dst []float32) error {
	if len(dst) < len(ids) {
		return fmt.Errorf("room for %d scores of %d tokens", len(dst), len(ids))
	}
	for i, id := range ids {
		if uint32(id) >= uint32(len(logits)) {
			return fmt.Errorf("token %d is outside the vocabulary of %d", id, len(logits))
		}
		dst[i] = float32(float64(logits[id]) - z)
	}
	return nil
}

// Score is LogProbs for many rows at once: the output matrix is read once per chunk of rows. A row may occur several
// times.
func (s *Session) Score(wants []Want) error {
	h := &s.head
	for lo := 0; lo < len(wants); {
		if r := wants[lo].Row; r < 0 || r >= len(h.slot) {
			return fmt.Errorf("row %d was not in the last run of %d", r, len(h.slot))
		}
		hi := s.fillChunk(wants, lo)
		for _, w := range wants[lo:hi] {
			logits, z, err := s.ensure(w.Row)
			if err == nil {
				err = pick(logits, z, w.IDs, w.Dst)
			}
			if err != nil {
				return err
			}
		}
		lo = hi
	}
	return nil
}

// fillChunk makes sure that the rows of wants[lo:hi] are held, as many as the chunk has room for, and returns hi.
func (s *Session) fillChunk(wants []Want, lo int) (hi int) {
	h := &s.head
	if h.slot[wants[lo].Row] < 0 {
		h.clear()
	}
	computed := len(h.held)
	for hi = lo; hi < len(wants); hi++ {
		r := wants[hi].Row
		if r < 0 || r >= len(h.slot) {
			break
		}
		if h.slot[r] >= 0 {
			continue
		}
		if computed > 0 || len(h.held) == h.chunk {
			break
		}
		h.add(r)
	}
	if computed == 0 {
		s.compute()
	}
	return hi
}
