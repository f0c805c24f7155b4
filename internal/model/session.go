package model

import "syncabel/internal/kernel"

// SessionOptions size a session. The zero value holds 4,096 nodes and uses all processors.
type SessionOptions struct {
	Nodes   int          // places for keys and values; 0: 4096. It grows when a row names a larger one
	Threads int          // 0: all processors
	Pool    *kernel.Pool // shared pool; nil: one of Threads threads of its own
	BF16    bool         // keep float32 weights as bfloat16: half the memory, scores change by the rounding of the weights
}

// A Row is one token to run. Its keys and values go to node Node; it attends to the nodes of Path, oldest first, and to
// itself, which Path does not contain. Rows of one call may attend to each other, so a prompt, a level of a beam or a
// whole tree of names runs in one call.
type Row struct {
	Token int32
	Pos   int32
	Node  int32
	Path  []int32
}

// A Want asks for scores after one row of the last Run.
type Want struct {
	Row int
	IDs []int32   // token ids
	Dst []float32 // len(IDs): receives log-probabilities under the softmax over the whole vocabulary
}
