// Package model is the decoder-only transformer of the Llama family: configuration, parameters, forward and backward pass,
// and the session that decoding runs on. It knows tokens and logits, not names; train feeds it examples, oracle asks it
// for probabilities, checkpoint reads and writes it.
//
// Dimensions, everywhere the same:
//
//	T  tokens of a batch (all packed examples together)
//	C  width of the residual stream (hidden_size)
//	H  attention heads, KV key-value heads, D width of a head
//	F  width of the gated feed-forward (intermediate_size)
//	L  layers
//	V  vocabulary
//
// Every tensor is row-major float32; weights are in Hugging Face [out,in] order.
package model

import (
	"encoding/json"
	"fmt"
)

// A Config is the part of config.json that defines the network. ParseConfig reads it.
type Config struct {
	Architectures []string `json:"architectures,omitempty"`
	ModelType     string   `json:"model_type"`              // llama, qwen2, qwen3 or mistral
	Vocab         int      `json:"vocab_size"`              // V
	Width         int      `json:"hidden_size"`             // C
	Hidden        int      `json:"intermediate_size"`       // F
	Layers        int      `json:"num_hidden_layers"`       // L
	Heads         int      `json:"num_attention_heads"`     // H
	KVHeads       int      `json:"num_key_value_heads"`     // KV
	HeadWidth     int      `json:"head_dim,omitempty"`      // D; 0 means C/H
	Context       int      `json:"max_position_embeddings"` // longest sequence in tokens
	NormEps       float32  `json:"rms_norm_eps"`
	RopeTheta     float64  `json:"rope_theta"`
	Tied          bool     `json:"tie_word_embeddings"`
	Activation    string   `json:"hidden_act"`
	DType         string   `json:"torch_dtype,omitempty"`
	BOS           int32    `json:"bos_token_id"` // -1: none
	EOS           int32    `json:"eos_token_id"` // -1: none; the first where config.json lists several
	AttentionBias bool     `json:"attention_bias"`
	MLPBias       bool     `json:"mlp_bias"`
	Scaling       *Scaling `json:"rope_scaling"`
	Rope          *Rope    `json:"rope_parameters,omitempty"` // how transformers 5 writes RopeTheta and Scaling; Check folds it in

	// Sliding window of Mistral and Qwen: a token attends to itself and the Window-1 tokens before it.
	Window      int      `json:"sliding_window,omitempty"`
	UseWindow   *bool    `json:"use_sliding_window,omitempty"` // Qwen: the window counts only when true
	FullLayers  int      `json:"max_window_layers,omitempty"`  // Qwen: the first layers that attend to everything
	LayerTypes  []string `json:"layer_types,omitempty"`        // "full_attention" or "sliding_attention" a layer; overrides FullLayers
	passThrough map[string]json.RawMessage
}

// Preset returns a named from-scratch configuration for a vocabulary.
//
//	tiny   C 64, 4 layers: the demo and quick runs
//	small  C 128, 4 layers: a real knowledge base on a laptop
//	base   C 256, 6 layers
func Preset(name string, vocab int) (Config, error) {
	c := Config{Architectures: []string{"LlamaForCausalLM"}, ModelType: "llama", Vocab: vocab, Layers: 4, Heads: 4,
		Context: 512, NormEps: 1e-5, RopeTheta: 10000, Tied: true, Activation: "silu", DType: "float32"}
	switch name {
	case "tiny":
		c.Width = 64
	case "small":
		c.Width = 128
	case "base":
		c.Width, c.Layers = 256, 6
	default:
		return Config{}, fmt.Errorf("unknown model preset %q: have tiny, small, base", name)
	}
	c.KVHeads = c.Heads
	c.Hidden = c.Width * 8 / 3 / 16 * 16
	c.HeadWidth = c.Width / c.Heads
	return c, nil
}

// bias and qkNorm say what the families add to Llama: Qwen2 has biases on q, k and v, Qwen3 normalises every head of q and k.
func (c *Config) bias() bool   { return c.ModelType == "qwen2" }
func (c *Config) qkNorm() bool { return c.ModelType == "qwen3" }

// window returns the number of tokens that layer l attends to, itself included; 0 means all.
func (c *Config) window(l int) int {
	switch {
	case c.Window == 0 || c.ModelType == "llama":
		return 0
	case l < len(c.LayerTypes):
		if c.LayerTypes[l] == slidingAttention {
			return c.Window
		}
		return 0
	case c.ModelType == "mistral":
		return c.Window
	case c.UseWindow == nil || !*c.UseWindow || l < c.FullLayers:
		return 0
	}
	return c.Window
}
