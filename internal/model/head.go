package model

import "syncabel/internal/kernel"

// headChunkState is the chunk of target rows that the loss loop works on.
type headChunkState struct {
	first, n int
	train    bool
}

// gather copies the rows that have a target out of the residual stream and normalises them: the head is computed for
// them only. It returns their number.
func (s *pass) gather(targets []int32) int {
	a, c := &s.act, s.m.Config.HiddenSize
	k := 0
	for i, t := range targets {
		if t < 0 {
			continue
		}
		a.rows[k], a.targets[k] = int32(i), t
		copy(a.hx[k*c:(k+1)*c], a.x[i*c:(i+1)*c])
		k++
	}
	return k
}

// headLoss returns the sum of -log p(target) over the target rows. When train is set it also leaves the gradient of the
// loss, scaled, in act.dx, and adds to grad.
func (s *pass) headLoss(targets []int32, train bool) float64 {
	a, cfg := &s.act, s.m.Config
	c, rows := cfg.HiddenSize, s.n
	k := s.gather(targets)
	s.n = k
	s.norm(a.hn, a.hx, s.m.norm, a.hinv, c)
	for lo := 0; lo < k; lo += a.headChunk {
		s.headRows(lo, min(a.headChunk, k-lo), train)
	}
	var loss float64
	for _, v := range a.losses[:k] {
		loss += float64(v)
	}
	if train {
		s.headBack(k, rows)
	}
	s.n = rows
	return loss
}

// headRows computes logits, losses and, when training, gradients of n target rows from lo on.
func (s *pass) headRows(lo, n int, train bool) {
	a, c, v := &s.act, s.m.Config.HiddenSize, s.m.Config.VocabSize
	x, head := a.hn[lo*c:(lo+n)*c], s.m.head.F
	kernel.Gemm(s.p, kernel.NT, false, n, v, c, x, c, head, c, a.logits, v)
	s.chunk = headChunkState{first: lo, n: n, train: train}
	s.p.For((n+7)/8, s.loop.loss)
	if !train {
		return
	}
	dw := s.gradient(s.headAt(), v*c)
	kernel.Gemm(s.p, kernel.TN, true, v, c, n, a.logits, v, x, c, dw, c)
	kernel.Gemm(s.p, kernel.NN, false, n, c, v, a.logits, v, head, c, a.dhn[lo*c:], c)
}

func (s *pass) headAt() int {
	if s.m.Config.TieWordEmbeddings {
		return s.m.arena.offset["model.embed_tokens.weight"]
	}
	return s.m.arena.offset["lm_head.weight"]
}

// lossRow computes the losses of eight rows of the chunk.
func (s *pass) lossRow(i int) {
	v := s.m.Config.VocabSize
	for r := i * 8; r < min(i*8+8, s.chunk.n); r++ {
		at := s.chunk.first + r
		row, target := s.act.logits[r*v:(r+1)*v], int(s.act.targets[at])
		if s.chunk.train {
			s.act.losses[at] = kernel.CrossEntropy(row, target, s.scale)
			continue
		}
		s.act.losses[at] = float32(kernel.LogSumExp(row) - float64(row[target]))
	}
}

// headBack takes the gradient of k target rows through the last norm to act.dx (rows,C), zero elsewhere.
func (s *pass) headBack(k, rows int) {
	a, c := &s.act, s.m.Config.HiddenSize
	clear(a.dn[:k*c])
	s.normBack(a.dn, a.dhn, a.hx, s.m.norm, a.hinv, s.m.arena.offset["model.norm.weight"], c)
	clear(a.dx[:rows*c])
	for i, r := range a.rows[:k] {
		copy(a.dx[int(r)*c:(int(r)+1)*c], a.dn[i*c:(i+1)*c])
	}
}
