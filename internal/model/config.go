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
	"fmt"
	"math"
)

// A Config is the part of config.json that defines the network.
type Config struct {
	Architectures []string `json:"architectures,omitempty"`
	ModelType     string   `json:"model_type"`
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
	BOS           int32    `json:"bos_token_id"`
	EOS           int32    `json:"eos_token_id"`
	AttentionBias bool     `json:"attention_bias"`
	MLPBias       bool     `json:"mlp_bias"`
	Scaling       *Scaling `json:"rope_scaling"`
	Rope          *Rope    `json:"rope_parameters,omitempty"` // how transformers 5 writes RopeTheta and Scaling; Check folds it in
}

// Rope is rope_parameters of transformers 5.
type Rope struct {
	Theta float64 `json:"rope_theta"`
	Scaling
}

// Scaling is the frequency scaling of Llama 3.1.
type Scaling struct {
	Type     string  `json:"rope_type"`
	Factor   float64 `json:"factor"`
	Low      float64 `json:"low_freq_factor"`
	High     float64 `json:"high_freq_factor"`
	Original int     `json:"original_max_position_embeddings"`
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

// maxDim bounds every dimension that a config.json may ask for, so that a hostile file cannot ask for the whole memory.
const maxDim = 1 << 24

// Check completes c with defaults and reports what this engine cannot honour, by the feature's name.
func (c *Config) Check() error {
	if c.KVHeads == 0 {
		c.KVHeads = c.Heads
	}
	if c.HeadWidth == 0 && c.Heads > 0 {
		c.HeadWidth = c.Width / c.Heads
	}
	if r := c.Rope; r != nil {
		c.RopeTheta, c.Scaling, c.Rope = r.Theta, nil, nil
		if r.Type != "default" && r.Type != "" {
			c.Scaling = &r.Scaling
		}
	}
	if c.RopeTheta == 0 {
		c.RopeTheta = 10000
	}
	for _, d := range []struct {
		name string
		v    int
	}{{"vocab_size", c.Vocab}, {"hidden_size", c.Width}, {"intermediate_size", c.Hidden}, {"num_hidden_layers", c.Layers},
		{"num_attention_heads", c.Heads}, {"num_key_value_heads", c.KVHeads}, {"head_dim", c.HeadWidth}} {
		if d.v <= 0 || d.v > maxDim {
			return fmt.Errorf("%s = %d is out of range", d.name, d.v)
		}
	}
	switch {
	case c.ModelType != "llama":
		return fmt.Errorf("model_type %q is not supported", c.ModelType)
	case c.Activation != "silu":
		return fmt.Errorf("hidden_act %q is not supported", c.Activation)
	case c.AttentionBias || c.MLPBias:
		return fmt.Errorf("attention_bias and mlp_bias are not supported")
	case c.Heads%c.KVHeads != 0:
		return fmt.Errorf("%d attention heads cannot share %d key-value heads", c.Heads, c.KVHeads)
	case c.HeadWidth%2 != 0:
		return fmt.Errorf("head_dim %d is odd", c.HeadWidth)
	case c.Scaling != nil && c.Scaling.Type != "llama3":
		return fmt.Errorf("rope_type %q is not supported", c.Scaling.Type)
	}
	return nil
}

// frequencies returns the angular frequency of each of the D/2 rotary pairs.
func (c *Config) frequencies() []float64 {
	f := make([]float64, c.HeadWidth/2)
	for i := range f {
		f[i] = math.Pow(c.RopeTheta, -2*float64(i)/float64(c.HeadWidth))
		if s := c.Scaling; s != nil {
			f[i] = s.scale(f[i])
		}
	}
	return f
}

// scale slows down the low frequencies and leaves the high ones, smoothly in between (Llama 3.1's rule).
func (s *Scaling) scale(f float64) float64 {
	wave := 2 * math.Pi / f
	low, high := float64(s.Original)/s.Low, float64(s.Original)/s.High
	switch {
	case wave < high:
		return f
	case wave > low:
		return f / s.Factor
	}
	smooth := (float64(s.Original)/wave - s.Low) / (s.High - s.Low)
	return (1-smooth)*f/s.Factor + smooth*f
}

// rope returns cos and sin (positions, D/2) of positions [0,n).
func (c *Config) rope(n int) (cos, sin []float32) {
	f := c.frequencies()
	cos, sin = make([]float32, n*len(f)), make([]float32, n*len(f))
	for p := range n {
		for i, w := range f {
			s, co := math.Sincos(float64(p) * w)
			cos[p*len(f)+i], sin[p*len(f)+i] = float32(co), float32(s)
		}
	}
	return cos, sin
}
