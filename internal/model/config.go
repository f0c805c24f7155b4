package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// A Config is the part of a Hugging Face config.json that decides what the network computes, under its names there.
type Config struct {
	ModelType             string       `json:"model_type"` // llama, qwen2, qwen3, mistral
	Architectures         []string     `json:"architectures,omitempty"`
	VocabSize             int          `json:"vocab_size"`          // V
	HiddenSize            int          `json:"hidden_size"`         // C
	IntermediateSize      int          `json:"intermediate_size"`   // F
	NumHiddenLayers       int          `json:"num_hidden_layers"`   // L
	NumAttentionHeads     int          `json:"num_attention_heads"` // H
	NumKeyValueHeads      int          `json:"num_key_value_heads,omitempty"`
	HeadDim               int          `json:"head_dim,omitempty"` // D; 0 means C/H
	MaxPositionEmbeddings int          `json:"max_position_embeddings"`
	RMSNormEps            float64      `json:"rms_norm_eps"`
	RopeTheta             float64      `json:"rope_theta,omitempty"`
	RopeScaling           *RopeScaling `json:"rope_scaling,omitempty"`
	TieWordEmbeddings     bool         `json:"tie_word_embeddings"`
	AttentionBias         bool         `json:"attention_bias,omitempty"`
	MLPBias               bool         `json:"mlp_bias,omitempty"`
	SlidingWindow         int          `json:"sliding_window,omitempty"` // 0: none
	UseSlidingWindow      *bool        `json:"use_sliding_window,omitempty"`
	MaxWindowLayers       *int         `json:"max_window_layers,omitempty"`
	LayerTypes            []string     `json:"layer_types,omitempty"`
	HiddenAct             string       `json:"hidden_act"`
	InitializerRange      float64      `json:"initializer_range,omitempty"`
	BOSTokenID            *int32       `json:"bos_token_id,omitempty"`
	EOSTokenID            TokenIDs     `json:"eos_token_id,omitempty"`
	PadTokenID            *int32       `json:"pad_token_id,omitempty"`
	DType                 string       `json:"torch_dtype,omitempty"`

	// Init is how New draws parameters of a model trained from scratch. It is not part of config.json.
	Init Init `json:"-"`
}

// Init holds the scales at which a small model with tied embeddings starts. The published recipe multiplies embeddings by
// 8 and logits by a learnt factor that starts at 3; a plain Llama has neither, but drawing the embeddings 8 times larger
// and starting the last norm at 3/8 computes the same function, and training them at LR times the learning rate (that
// factor again) makes Adam walk the same path, because its step does not depend on the gradient's scale.
type Init struct {
	Embedding   float64 // standard deviation of the embeddings; 0: initializer_range
	LastNorm    float64 // start of model.norm.weight; 0: 1
	EmbeddingLR float64 // factor on the learning rate of the embeddings; 0: 1
	LastNormLR  float64 // factor on the learning rate of the last norm; 0: 1
}

func (i Init) lastNorm() float32 {
	if i.LastNorm == 0 {
		return 1
	}
	return float32(i.LastNorm)
}

// RopeScaling changes the rotary frequencies. Type is "llama3" or "linear"; "default" is none.
type RopeScaling struct {
	Type           string  `json:"rope_type"`
	Factor         float64 `json:"factor,omitempty"`
	LowFreqFactor  float64 `json:"low_freq_factor,omitempty"`
	HighFreqFactor float64 `json:"high_freq_factor,omitempty"`
	OriginalMaxPos int     `json:"original_max_position_embeddings,omitempty"`
	RopeTheta      float64 `json:"rope_theta,omitempty"`            // transformers 5 keeps it here
	PartialRotary  float64 `json:"partial_rotary_factor,omitempty"` // refused unless 0 or 1
}

// TokenIDs is one token id or a list of them, as eos_token_id may be.
type TokenIDs []int32

// UnmarshalJSON accepts a number, a list or null.
func (t *TokenIDs) UnmarshalJSON(b []byte) error {
	var one int32
	if string(b) == "null" {
		return nil
	}
	if err := json.Unmarshal(b, &one); err == nil {
		*t = TokenIDs{one}
		return nil
	}
	var many []int32
	if err := json.Unmarshal(b, &many); err != nil {
		return errors.New("a token id must be a number or a list of numbers")
	}
	*t = many
	return nil
}

// MarshalJSON writes a single id as a number.
func (t TokenIDs) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]int32(t))
}

// Tiny is the demo's model: 2 layers less than Small and half as wide, for seconds of training.
func Tiny(vocab int) Config { return llama(vocab, 64, 4, 4) }

// Small is the model for a real knowledge base on a laptop: d 128, 4 layers, 4 heads, 1.29 M parameters at V=4000.
func Small(vocab int) Config { return llama(vocab, 128, 4, 4) }

// Medium is the larger model from scratch: d 256, 6 layers, 4 heads, 5.8 M parameters at V=4096.
func Medium(vocab int) Config { return llama(vocab, 256, 6, 4) }

// llama returns a plain Llama configuration: F = 8C/3 rounded down to 16, tied embeddings, theta 10000.
func llama(vocab, c, layers, heads int) Config {
	std := 0.02 * math.Sqrt(256/float64(c))
	return Config{
		ModelType: "llama", Architectures: []string{"LlamaForCausalLM"}, VocabSize: vocab, HiddenSize: c,
		IntermediateSize: 8 * c / 3 / 16 * 16, NumHiddenLayers: layers, NumAttentionHeads: heads, NumKeyValueHeads: heads,
		HeadDim: c / heads, MaxPositionEmbeddings: 2048, RMSNormEps: 1e-5, RopeTheta: 10000, TieWordEmbeddings: true,
		HiddenAct: "silu", InitializerRange: std, DType: "float32",
		Init: Init{Embedding: 8 * std, LastNorm: 3.0 / 8, EmbeddingLR: 8, LastNormLR: 3.0 / 8},
	}
}

// ParseConfig reads a config.json, in the form of transformers 4 or 5, and checks that this package computes exactly what
// it asks for.
func ParseConfig(b []byte) (Config, error) {
	aux := struct {
		Config
		Window     *int         `json:"sliding_window"`
		Rope       *RopeScaling `json:"rope_parameters"`
		DType5     string       `json:"dtype"`
		OldScaling struct {
			Type string `json:"type"`
		} `json:"-"`
	}{}
	if err := json.Unmarshal(b, &aux); err != nil {
		return Config{}, fmt.Errorf("parsing config.json: %w", err)
	}
	cfg := aux.Config
	if aux.Window != nil {
		cfg.SlidingWindow = *aux.Window
	}
	if aux.DType5 != "" {
		cfg.DType = aux.DType5
	}
	if aux.Rope != nil {
		cfg.RopeScaling = aux.Rope
	}
	if err := oldScaling(b, &cfg); err != nil {
		return Config{}, err
	}
	if s := cfg.RopeScaling; s != nil && s.RopeTheta != 0 {
		cfg.RopeTheta = s.RopeTheta
	}
	if cfg.RopeTheta == 0 {
		cfg.RopeTheta = 10000
	}
	if s := cfg.RopeScaling; s != nil && (s.Type == "default" || s.Type == "") && (s.PartialRotary == 0 || s.PartialRotary == 1) {
		cfg.RopeScaling = nil
	}
	return cfg, cfg.Validate()
}

// oldScaling reads the key "type" of rope_scaling, which transformers called rope_type later.
func oldScaling(b []byte, cfg *Config) error {
	if cfg.RopeScaling == nil || cfg.RopeScaling.Type != "" {
		return nil
	}
	var old struct {
		RopeScaling struct {
			Type string `json:"type"`
		} `json:"rope_scaling"`
	}
	if err := json.Unmarshal(b, &old); err != nil {
		return fmt.Errorf("parsing rope_scaling of config.json: %w", err)
	}
	cfg.RopeScaling.Type = old.RopeScaling.Type
	return nil
}

// maxDim bounds every dimension of a configuration, so that a hostile file cannot make a size overflow.
const maxDim = 1 << 24

// Validate checks that the configuration is complete and one that this package computes exactly.
func (c Config) Validate() error {
	if err := c.supported(); err != nil {
		return err
	}
	for _, d := range []struct {
		name string
		v    int
	}{{"vocab_size", c.VocabSize}, {"hidden_size", c.HiddenSize}, {"intermediate_size", c.IntermediateSize},
		{"num_hidden_layers", c.NumHiddenLayers}, {"num_attention_heads", c.NumAttentionHeads}, {"num_key_value_heads", c.kvHeads()}} {
		if d.v < 1 || d.v > maxDim {
			return fmt.Errorf("config.json: %s is %d, must be 1 to %d", d.name, d.v, maxDim)
		}
	}
	switch d := c.headDim(); {
	case c.NumHiddenLayers > 4096 || c.NumAttentionHeads > 65536:
		return fmt.Errorf("config.json: %d layers of %d heads are more than any model has", c.NumHiddenLayers, c.NumAttentionHeads)
	case d < 2 || d%2 != 0 || d > 65536:
		return fmt.Errorf("config.json: head_dim is %d, must be even and positive", d)
	case c.NumAttentionHeads%c.kvHeads() != 0:
		return fmt.Errorf("config.json: %d attention heads are not a multiple of %d key-value heads", c.NumAttentionHeads, c.kvHeads())
	case c.SlidingWindow < 0:
		return fmt.Errorf("config.json: sliding_window is %d", c.SlidingWindow)
	case len(c.LayerTypes) != 0 && len(c.LayerTypes) != c.NumHiddenLayers:
		return fmt.Errorf("config.json: layer_types has %d entries for %d layers", len(c.LayerTypes), c.NumHiddenLayers)
	case !(c.RMSNormEps > 0 && c.RMSNormEps < 1):
		return fmt.Errorf("config.json: rms_norm_eps is %g, must be between 0 and 1", c.RMSNormEps)
	case !(c.RopeTheta > 1):
		return fmt.Errorf("config.json: rope_theta is %g, must be above 1", c.RopeTheta)
	}
	return nil
}

// supported refuses by name what is not computed.
func (c Config) supported() error {
	if !slices.Contains([]string{"llama", "qwen2", "qwen3", "mistral"}, c.ModelType) {
		return fmt.Errorf("config.json: model_type %q is not supported: have llama (also SmolLM), qwen2, qwen3, mistral", c.ModelType)
	}
	if c.HiddenAct != "silu" && c.HiddenAct != "swish" && c.HiddenAct != "" {
		return fmt.Errorf("config.json: hidden_act %q is not supported: have silu", c.HiddenAct)
	}
	if c.MLPBias {
		return errors.New("config.json: mlp_bias is not supported")
	}
	for _, t := range c.LayerTypes {
		if t != "full_attention" && t != "sliding_attention" {
			return fmt.Errorf("config.json: layer type %q is not supported: have full_attention, sliding_attention", t)
		}
	}
	s := c.RopeScaling
	switch {
	case s == nil:
	case s.PartialRotary != 0 && s.PartialRotary != 1:
		return fmt.Errorf("config.json: partial_rotary_factor %g is not supported", s.PartialRotary)
	case s.Type == "llama3":
		if !(s.Factor > 0) || !(s.LowFreqFactor > 0) || !(s.HighFreqFactor > s.LowFreqFactor) || s.OriginalMaxPos < 1 {
			return errors.New("config.json: rope_scaling llama3 lacks factor, low_freq_factor < high_freq_factor or original_max_position_embeddings")
		}
	case s.Type == "linear":
		if !(s.Factor > 0) {
			return errors.New("config.json: rope_scaling linear lacks its factor")
		}
	default:
		return fmt.Errorf("config.json: rope_scaling %q is not supported: have llama3, linear", s.Type)
	}
	return nil
}

func (c Config) kvHeads() int {
	if c.NumKeyValueHeads == 0 {
		return c.NumAttentionHeads
	}
	return c.NumKeyValueHeads
}

func (c Config) headDim() int {
	if c.HeadDim != 0 {
		return c.HeadDim
	}
	if c.NumAttentionHeads < 1 {
		return 0
	}
	return c.HiddenSize / c.NumAttentionHeads
}

func (c Config) qkvBias() bool {
	return c.ModelType == "qwen2" || (c.ModelType != "mistral" && c.AttentionBias)
}
func (c Config) outBias() bool {
	return (c.ModelType == "llama" || c.ModelType == "qwen3") && c.AttentionBias
}
func (c Config) qkNorm() bool { return c.ModelType == "qwen3" }

// window returns how many positions layer l sees, its own counted; 0 means all.
func (c Config) window(l int) int {
	if c.SlidingWindow == 0 || c.ModelType == "llama" {
		return 0
	}
	if len(c.LayerTypes) > 0 {
		if c.LayerTypes[l] == "sliding_attention" {
			return c.SlidingWindow
		}
		return 0
	}
	if c.ModelType == "mistral" {
		return c.SlidingWindow
	}
	if c.UseSlidingWindow == nil || !*c.UseSlidingWindow || (c.MaxWindowLayers != nil && l < *c.MaxWindowLayers) {
		return 0
	}
	return c.SlidingWindow
}
