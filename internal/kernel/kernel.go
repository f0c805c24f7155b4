// Package kernel holds the float32 loops that training and linking spend their time in: matrix products, normalisation,
// rotary positions, attention, the gated activation, the loss and the optimizer. It knows slices and shapes, no model.
//
// Every kernel's comment is the loop it computes. The loop in Go is the truth; assembly is chosen at run time where the
// processor has it and must give the same bits for the same variant whatever the batch size and the number of threads:
// the sum over k always runs in the same order (blocks of the variant's kc, ascending inside), and reductions that feed training are
// made by row block, never by worker. Build tag noasm leaves only Go.
package kernel
