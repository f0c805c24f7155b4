// Package kernel holds the float32 loops that training and linking spend their time in: matrix products, normalisation,
// rotary positions, attention, the gated activation, the loss and the optimizer. It knows slices and shapes, no model.
//
// Every kernel's comment is the loop it computes. The loop in Go is the truth; assembly is chosen at run time where the
// processor has it and must give the same bits for the same variant whatever the batch size and the number of threads:
// the sum over k always runs in the same order (blocks of KC, ascending inside), and reductions that feed training are
// made by row block, never by worker. Build tag noasm leaves only Go.
package kernel

// KC is the number of k steps that one micro-kernel call sums before it adds to C. It fixes the order of summation, so it
// is part of a variant's definition. 256 steps of a 32-column panel are 32 KB, the L1 cache of the machines measured.
const KC = 256
