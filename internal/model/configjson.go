package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Values of layer_types.
const (
	fullAttention    = "full_attention"
	slidingAttention = "sliding_attention"
)

// maxDim bounds every dimension that a config.json may ask for, so that a hostile file cannot ask for the whole memory.
const maxDim = 1 << 24

// maxLayers bounds num_hidden_layers: the deepest models in use have 126.
const maxLayers = 4096

// inert are keys of config.json that have no bearing on the network: bookkeeping, defaults of generation, weights before
// training, numerics of other frameworks. They are kept for writing.
var inert = strings.Fields(`_name_or_path transformers_version transformers.js_config use_cache initializer_range pretraining_tp pad_token_id
	sep_token_id tokenizer_class max_length min_length temperature top_k top_p typical_p num_beams num_beam_groups
	num_return_sequences repetition_penalty length_penalty return_dict chunk_size_feed_forward id2label label2id is_llama_config
	attn_implementation unsloth_version unsloth_fixed _attn_implementation_autoset is_decoder torch_dtype dtype`)

// ParseConfig reads a config.json. A key that it does not know and whose value asks for something is refused by name: a
// feature that is left out changes every score.
func ParseConfig(b []byte) (*Config, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(b, &keys); err != nil {
		return nil, err
	}
	c := &Config{passThrough: map[string]json.RawMessage{}}
	if err := c.familyDefaults(keys); err != nil {
		return nil, err
	}
	known := configKeys()
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		switch {
		case slices.Contains(inert, k) || asksNothing(keys[k]) && !known[k]:
			c.passThrough[k] = keys[k]
		case !known[k]:
			return nil, fmt.Errorf("%s = %.60s is not supported", k, keys[k])
		}
	}
	for _, k := range []string{"bos_token_id", "eos_token_id"} {
		id, err := firstID(keys[k])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		keys[k] = fmt.Appendf(nil, "%d", id)
	}
	if d, ok := keys["dtype"]; ok {
		keys["torch_dtype"] = d
	}
	b, err := json.Marshal(keys)
	if err == nil {
		err = json.Unmarshal(b, (*plainConfig)(c))
	}
	if err != nil {
		return nil, err
	}
	for _, k := range []string{"dtype", "torch_dtype"} {
		delete(c.passThrough, k)
	}
	return c, c.Check()
}

// familyDefaults sets what transformers takes for a key that is not there, where it differs from family to family, and refuses files
// that leave out what nobody leaves out.
func (c *Config) familyDefaults(keys map[string]json.RawMessage) error {
	var family string
	_ = json.Unmarshal(keys["model_type"], &family) // Check names what is wrong with it
	need := []string{"rms_norm_eps", "max_position_embeddings"}
	switch family {
	case "mistral":
		c.Window = 4096 // null means none
		need = append(need, "num_key_value_heads")
	case "qwen2":
		c.FullLayers = 28
		need = append(need, "num_key_value_heads")
	case "qwen3":
		c.FullLayers = 28
		need = append(need, "num_key_value_heads", "head_dim")
	}
	for _, k := range need {
		if _, ok := keys[k]; !ok {
			return fmt.Errorf("%s is missing", k)
		}
	}
	if string(keys["sliding_window"]) == "null" {
		c.Window = 0
	}
	return nil
}

// plainConfig is a Config without methods, so that encoding/json does not call them again.
type plainConfig Config

// MarshalJSON writes what ParseConfig reads, with the inert keys that were read.
func (c Config) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(plainConfig(c))
	if err != nil {
		return nil, err
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(b, &keys); err != nil {
		return nil, err
	}
	for k, id := range map[string]int32{"bos_token_id": c.BOS, "eos_token_id": c.EOS} {
		if id < 0 {
			keys[k] = json.RawMessage("null")
		}
	}
	if c.ModelType != "llama" && c.Window == 0 { // left out, it would mean the family's default
		keys["sliding_window"] = json.RawMessage("null")
	}
	if strings.HasPrefix(c.ModelType, "qwen") {
		keys["max_window_layers"] = fmt.Appendf(nil, "%d", c.FullLayers)
	}
	maps.Copy(keys, c.passThrough)
	return json.Marshal(keys)
}

func configKeys() map[string]bool {
	known := map[string]bool{}
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		known[name] = true
	}
	return known
}

// asksNothing reports values by which a key says that its feature is off.
func asksNothing(v json.RawMessage) bool {
	switch strings.TrimSpace(string(v)) {
	case "null", "false", "0", "0.0", `""`, "[]", "{}":
		return true
	}
	return false
}

// firstID reads a token id that may be null (-1) or a list.
func firstID(v json.RawMessage) (int32, error) {
	if len(v) == 0 || string(v) == "null" {
		return -1, nil
	}
	var list []int32
	if v[0] != '[' {
		v = append(append([]byte("["), v...), ']')
	}
	if err := json.Unmarshal(v, &list); err != nil {
		return 0, err
	}
	if len(list) == 0 {
		return -1, nil
	}
	return list[0], nil
}

// Check completes c with defaults and reports what this engine cannot honour, by the feature's name.
func (c *Config) Check() error {
	if c.KVHeads == 0 {
		c.KVHeads = c.Heads
	}
	if c.HeadWidth == 0 && c.Heads > 0 {
		c.HeadWidth = c.Width / c.Heads
	}
	if err := c.checkDims(); err != nil {
		return err
	}
	if err := c.foldRope(); err != nil {
		return err
	}
	if err := c.checkWindow(); err != nil {
		return err
	}
	switch {
	case !slices.Contains([]string{"llama", "qwen2", "qwen3", "mistral"}, c.ModelType):
		return fmt.Errorf("model_type %q is not supported: have llama, qwen2, qwen3, mistral", c.ModelType)
	case len(c.Architectures) > 0 && !strings.HasSuffix(c.Architectures[0], "ForCausalLM"):
		return fmt.Errorf("architecture %q is not supported: it is no ...ForCausalLM", c.Architectures[0])
	case c.Activation != "silu":
		return fmt.Errorf("hidden_act %q is not supported", c.Activation)
	case c.AttentionBias || c.MLPBias:
		return fmt.Errorf("attention_bias and mlp_bias are not supported")
	}
	return nil
}

func (c *Config) checkDims() error {
	for _, d := range []struct {
		name   string
		v, max int
	}{{"vocab_size", c.Vocab, maxDim}, {"hidden_size", c.Width, maxDim}, {"intermediate_size", c.Hidden, maxDim},
		{"num_hidden_layers", c.Layers, maxLayers}, {"num_attention_heads", c.Heads, maxDim}, {"num_key_value_heads", c.KVHeads, maxDim},
		{"head_dim", c.HeadWidth, maxDim}, {"max_position_embeddings", c.Context, maxDim}} {
		if d.v <= 0 || d.v > d.max {
			return fmt.Errorf("%s = %d is out of range", d.name, d.v)
		}
	}
	switch {
	case c.Heads%c.KVHeads != 0:
		return fmt.Errorf("num_attention_heads: %d cannot share num_key_value_heads = %d", c.Heads, c.KVHeads)
	case c.HeadWidth%2 != 0:
		return fmt.Errorf("head_dim %d is odd", c.HeadWidth)
	case !(c.NormEps > 0):
		return fmt.Errorf("rms_norm_eps = %g is out of range", c.NormEps)
	}
	return nil
}

func (c *Config) checkWindow() error {
	if c.Window < 0 || c.Window > maxDim {
		return fmt.Errorf("sliding_window = %d is out of range", c.Window)
	}
	if len(c.LayerTypes) > 0 && len(c.LayerTypes) != c.Layers {
		return fmt.Errorf("layer_types has %d entries for %d layers", len(c.LayerTypes), c.Layers)
	}
	for _, t := range c.LayerTypes {
		if t != fullAttention && t != slidingAttention {
			return fmt.Errorf("layer_types: %q is not supported", t)
		}
		if t == slidingAttention && c.Window == 0 {
			return fmt.Errorf("layer_types asks for sliding attention, sliding_window is not set")
		}
	}
	if c.ModelType == "llama" && c.Window != 0 {
		return fmt.Errorf("sliding_window of model_type llama is not supported")
	}
	return nil
}
