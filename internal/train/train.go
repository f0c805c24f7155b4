// Package train is the loop that turns examples into a trained model: data order by seed, packing into batches of a token
// budget, learning-rate schedule, checkpoints and exact resume, evaluation and progress callbacks. It sits on model and
// model/checkpoint; dataset supplies the examples, pipeline and study call it.
package train

// A Source supplies examples. Example i of an epoch must depend only on the source's own seed, epoch and i, so that a
// resumed run sees the same data; augmentation draws from exactly these.
type Source interface {
	Len() int
	// Example returns the tokens of example i and, for each position, the token to predict there or -1. The slices are
	// read before the next call.
	Example(epoch, i int) (tokens, targets []int32)
}
