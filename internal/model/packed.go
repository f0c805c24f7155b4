package model

import "syncabel/internal/kernel"

// packedLayer holds the matrices of a layer in the panels that inference multiplies with. q, k, v and gate, up write side
// by side into one row each.
type packedLayer struct {
	qkv, gateUp []column
	o, down     column
}

// A column is one packed matrix whose outputs start at column `at` of a wider row.
type column struct {
	w  *kernel.Packed
	at int
}

// packed is a model's matrices as of a version.
type packed struct {
	layers []packedLayer
	head   *kernel.Packed
}

// pack copies the matrices into panels, layer by layer; pages of a mapped file are released after each.
func (m *Model) pack() *packed {
	out := &packed{layers: make([]packedLayer, len(m.layers))}
	for l := range m.layers {
		y := &m.layers[l]
		out.layers[l] = packedLayer{qkv: columns(y.q, y.k, y.v), gateUp: columns(y.gate, y.up), o: columns(y.o)[0], down: columns(y.down)[0]}
		if m.release != nil {
			m.release()
		}
	}
	out.head = packMatrix(m.head)
	if m.release != nil {
		m.release()
	}
	return out
}

func columns(ms ...Matrix) []column {
	var out []column
	at := 0
	for _, a := range ms {
		out = append(out, column{packMatrix(a), at})
		at += a.Rows
	}
	return out
}

func packMatrix(a Matrix) *kernel.Packed { return kernel.PackNT(a.Float32(), a.Rows, a.Cols) }

// multiply computes y = x·Wᵀ for n rows of x (n,in), where the columns of W write into rows of y (n,width).
func multiply(p *kernel.Pool, cols []column, n int, x []float32, in int, y []float32, width int) {
	for _, c := range cols {
		kernel.GemmPacked(p, n, x, in, c.w, y[c.at:], width)
	}
}

// packedNow returns the packed matrices of the model's present version; sessions share them.
func (m *Model) packedNow() *packed {
	m.packing.Lock()
	defer m.packing.Unlock()
	if m.packed == nil || m.packedAt != m.version {
		m.packed, m.packedAt = m.pack(), m.version
	}
	return m.packed
}
