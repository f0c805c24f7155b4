package model

import "errors"

var errNotYet = errors.New("not built yet")

// A Trainer holds gradients, AdamW moments and activations for a model.
type Trainer struct{ m *Model }

// NewTrainer returns a trainer of m, which must be trainable.
func NewTrainer(m *Model, o TrainerOptions) (*Trainer, error) { return &Trainer{m: m}, nil }

// Step runs forward, backward, clipping and AdamW on one batch.
func (t *Trainer) Step(b *Batch, lr float64) (StepStats, error) { return StepStats{}, errNotYet }

// Loss returns the mean loss of a batch without training, dropout off.
func (t *Trainer) Loss(b *Batch) (StepStats, error) { return StepStats{}, errNotYet }

// Close stops the threads of a trainer that made its own pool.
func (t *Trainer) Close() {}

// A Session runs tokens through a model.
type Session struct{ m *Model }

// NewSession returns a session on m.
func NewSession(m *Model, o SessionOptions) (*Session, error) { return &Session{m: m}, nil }

// Run computes the rows and stores their keys and values. All rows of a layer are stored before attention.
func (s *Session) Run(rows []Row) error { return errNotYet }

// Logits writes the V logits after row of the last Run into dst (V).
func (s *Session) Logits(row int, dst []float32) error { return errNotYet }

// LogProbs writes the log-probabilities of ids after row into dst, under the softmax over the whole vocabulary.
func (s *Session) LogProbs(row int, ids []int32, dst []float32) error { return errNotYet }

// Score is LogProbs for many rows at once: the output matrix is read once for all of them.
func (s *Session) Score(wants []Want) error { return errNotYet }

// LogSumExp returns log Z over the whole vocabulary after row.
func (s *Session) LogSumExp(row int) (float64, error) { return 0, errNotYet }

// Nodes returns how many nodes the session has places for.
func (s *Session) Nodes() int { return 0 }

// Close stops the threads of a session that made its own pool.
func (s *Session) Close() {}
