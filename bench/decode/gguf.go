package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"

	"syncabel/internal/model"
)

// writeGGUF writes a random model of a configuration for llama.cpp: float32, no vocabulary.
func writeGGUF(path string, c model.Config) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := &gguf{Writer: bufio.NewWriter(f)}
	w.tensors(c)
	w.WriteString("GGUF")
	w.u32(3)
	w.u64(uint64(len(w.names)))
	w.u64(11)
	w.text("general.architecture", "llama")
	w.text("tokenizer.ggml.model", "no_vocab")
	for _, kv := range []struct {
		key string
		v   int
	}{{"llama.block_count", c.Layers}, {"llama.context_length", c.Context}, {"llama.embedding_length", c.Width}, {"llama.feed_forward_length", c.Hidden},
		{"llama.attention.head_count", c.Heads}, {"llama.attention.head_count_kv", c.KVHeads}, {"llama.rope.dimension_count", c.HeadWidth}, {"llama.vocab_size", c.Vocab}} {
		w.str(kv.key)
		w.u32(4)
		w.u32(uint32(kv.v))
	}
	w.str("llama.attention.layer_norm_rms_epsilon")
	w.u32(6)
	w.u32(math.Float32bits(c.NormEps))
	at := uint64(0)
	for i, name := range w.names {
		w.str(name)
		w.u32(uint32(len(w.shapes[i])))
		n := 1
		for _, d := range w.shapes[i] {
			w.u64(uint64(d))
			n *= d
		}
		w.u32(0) // float32
		w.u64(at)
		at += uint64(n*4+31) / 32 * 32
	}
	w.align()
	for i := range w.names {
		n := 1
		for _, d := range w.shapes[i] {
			n *= d
		}
		for range n {
			binary.Write(w, binary.LittleEndian, (rand.Float32()-0.5)*0.1)
		}
		w.n += uint64(4 * n)
		w.align()
	}
	return w.Flush()
}

// gguf writes the format's primitives. n counts bytes, as data is aligned to 32.
type gguf struct {
	*bufio.Writer
	n      uint64
	names  []string
	shapes [][]int
}

func (w *gguf) tensors(c model.Config) {
	add := func(name string, shape ...int) { w.names, w.shapes = append(w.names, name), append(w.shapes, shape) }
	qd, kd := c.Heads*c.HeadWidth, c.KVHeads*c.HeadWidth
	add("token_embd.weight", c.Width, c.Vocab)
	for i := range c.Layers {
		p := fmt.Sprintf("blk.%d.", i)
		add(p+"attn_norm.weight", c.Width)
		add(p+"attn_q.weight", c.Width, qd)
		add(p+"attn_k.weight", c.Width, kd)
		add(p+"attn_v.weight", c.Width, kd)
		add(p+"attn_output.weight", qd, c.Width)
		add(p+"ffn_norm.weight", c.Width)
		add(p+"ffn_gate.weight", c.Width, c.Hidden)
		add(p+"ffn_up.weight", c.Width, c.Hidden)
		add(p+"ffn_down.weight", c.Hidden, c.Width)
	}
	add("output_norm.weight", c.Width)
}

func (w *gguf) WriteString(s string) { w.Writer.WriteString(s); w.n += uint64(len(s)) }
func (w *gguf) u32(v uint32)         { binary.Write(w, binary.LittleEndian, v); w.n += 4 }
func (w *gguf) u64(v uint64)         { binary.Write(w, binary.LittleEndian, v); w.n += 8 }
func (w *gguf) str(s string)         { w.u64(uint64(len(s))); w.WriteString(s) }
func (w *gguf) text(key, value string) {
	w.str(key)
	w.u32(8)
	w.str(value)
}

func (w *gguf) align() {
	for w.n%32 != 0 {
		w.WriteByte(0)
		w.n++
	}
}
