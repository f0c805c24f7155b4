package model

import (
	"syncabel/internal/kernel"
)

// A Frozen is a model whose weights are only read: matrices lie wherever the caller keeps them, in a mapped file or in a
// Model, in whatever type they are stored; the few vectors are float32.
type Frozen struct {
	Config Config
	embed  kernel.Matrix // (V,C)
	layers []frozenLayer
	norm   []float32     // (C)
	head   kernel.Matrix // (V,C)
	bytes  int
}

// frozenLayer is a layer with its matrices as they are stored, each for itself.
type frozenLayer struct {
	layer       // its vectors only
	qkv, gateUp []kernel.Matrix
	outW, downW []kernel.Matrix
}

// NewFrozen builds a model from its tensors, which get finds by name with the shape (a vector is one row) that the
// configuration asks for.
func NewFrozen(c Config, get func(name string, rows, cols int) (kernel.Matrix, error)) (*Frozen, error) {
	f := &Frozen{Config: c, layers: make([]frozenLayer, c.Layers)}
	at := map[string]kernel.Matrix{}
	for _, t := range c.Shapes() {
		rows, cols := 1, t.Shape[len(t.Shape)-1]
		if len(t.Shape) == 2 {
			rows = t.Shape[0]
		}
		m, err := get(t.Name, rows, cols)
		if err != nil {
			return nil, err
		}
		at[t.Name] = m
		f.bytes += m.Bytes()
	}
	f.embed, f.norm = at[embedName], vector(at, "model.norm.weight")
	f.head = f.embed
	if !c.Tied {
		f.head = at[headName]
	}
	for i := range f.layers {
		f.layers[i] = c.frozenLayer(at, layerName(i))
	}
	return f, nil
}

func (c *Config) frozenLayer(at map[string]kernel.Matrix, p string) frozenLayer {
	list := func(names ...string) (out []kernel.Matrix) {
		for _, n := range names {
			out = append(out, at[p+n+".weight"])
		}
		return out
	}
	l := frozenLayer{qkv: list("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"), gateUp: list("mlp.gate_proj", "mlp.up_proj"),
		outW: list("self_attn.o_proj"), downW: list("mlp.down_proj")}
	l.norm1, l.norm2 = vector(at, p+"input_layernorm.weight"), vector(at, p+"post_attention_layernorm.weight")
	if c.bias() {
		for _, n := range []string{"q", "k", "v"} {
			l.bias = append(l.bias, vector(at, p+"self_attn."+n+"_proj.bias")...)
		}
	}
	if c.qkNorm() {
		l.qNorm, l.kNorm = vector(at, p+"self_attn.q_norm.weight"), vector(at, p+"self_attn.k_norm.weight")
	}
	return l
}

func vector(at map[string]kernel.Matrix, name string) []float32 {
	m := at[name]
	v := make([]float32, m.Cols)
	m.Row(v, 0)
	return v
}

// Bytes returns the size of the weights as they are stored.
func (f *Frozen) Bytes() int { return f.bytes }

// Frozen returns a view of the model, which must not be trained while the view is in use.
func (m *Model) Frozen() *Frozen {
	at := map[string]Tensor{}
	for _, t := range m.tensor {
		at[t.Name] = t
	}
	f, err := NewFrozen(m.Config, func(name string, rows, cols int) (kernel.Matrix, error) {
		return kernel.MatrixOf(at[name].Data, rows, cols), nil
	})
	if err != nil {
		panic(err) // get above has no error
	}
	return f
}

// A projection is a product with one or more matrices on top of each other. Small ones are packed, which is fastest; large
// ones are used where they lie, which takes no memory.
type projection struct {
	parts  []kernel.Matrix
	packed *kernel.Packed
}

// packBelow is the size of weights in bytes up to which a session packs them: there a copy costs nothing that matters.
const packBelow = 64 << 20

func newProjection(pack bool, parts ...kernel.Matrix) projection {
	p := projection{parts: parts}
	if !pack {
		return p
	}
	rows, cols := 0, parts[0].Cols
	for _, m := range parts {
		rows += m.Rows
	}
	w, at := make([]float32, rows*cols), 0
	for _, m := range parts {
		for i := range m.Rows {
			m.Row(w[at:at+cols], i)
			at += cols
		}
	}
	p.packed = kernel.PackNT(w, rows, cols)
	return p
}

// mul computes y (t, rows) = x (t, cols) times the transposed matrix.
func (p *projection) mul(pool *kernel.Pool, t int, x []float32, y []float32, ldy int) {
	cols := p.parts[0].Cols
	if p.packed != nil {
		kernel.GemmPacked(pool, t, x, cols, p.packed, y, ldy)
		return
	}
	at := 0
	for _, m := range p.parts {
		kernel.MulT(pool, t, x, cols, m, y[at:], ldy)
		at += m.Rows
	}
}
