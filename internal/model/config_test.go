package model

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestPublishedConfigs: the keys that published models of the families have are understood.
func TestPublishedConfigs(t *testing.T) {
	const rest = `"attention_dropout":0.0,"hidden_act":"silu","initializer_range":0.02,"torch_dtype":"bfloat16","transformers_version":"4.40.1","use_cache":true,`
	for name, c := range map[string]struct {
		config string
		check  func(*Config) bool
	}{
		"Llama-3.1-8B": {`"architectures":["LlamaForCausalLM"],"attention_bias":false,"bos_token_id":128000,"eos_token_id":[128001,128008,128009],"hidden_size":4096,
			"intermediate_size":14336,"max_position_embeddings":131072,"mlp_bias":false,"model_type":"llama","num_attention_heads":32,"num_hidden_layers":32,
			"num_key_value_heads":8,"pretraining_tp":1,"rms_norm_eps":1e-05,"rope_scaling":{"factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,
			"original_max_position_embeddings":8192,"rope_type":"llama3"},"rope_theta":500000.0,"tie_word_embeddings":false,"vocab_size":128256`,
			func(c *Config) bool { return c.EOS == 128001 && c.Scaling.Factor == 8 && c.Weights() == 8030261248 }},
		"SmolLM2-135M": {`"architectures":["LlamaForCausalLM"],"attention_bias":false,"bos_token_id":0,"eos_token_id":0,"pad_token_id":2,"hidden_size":576,"intermediate_size":1536,
			"is_llama_config":true,"max_position_embeddings":8192,"model_type":"llama","num_attention_heads":9,"num_hidden_layers":30,"num_key_value_heads":3,
			"pretraining_tp":1,"rms_norm_eps":1e-05,"rope_interleaved":false,"rope_scaling":null,"rope_theta":100000,"tie_word_embeddings":true,"vocab_size":49152`,
			func(c *Config) bool { return c.HeadWidth == 64 && c.Weights() == 134515008 }},
		"Qwen2.5-0.5B": {`"architectures":["Qwen2ForCausalLM"],"bos_token_id":151643,"eos_token_id":151643,"hidden_size":896,"intermediate_size":4864,
			"max_position_embeddings":32768,"max_window_layers":24,"model_type":"qwen2","num_attention_heads":14,"num_hidden_layers":24,"num_key_value_heads":2,
			"rms_norm_eps":1e-06,"rope_theta":1000000.0,"sliding_window":32768,"tie_word_embeddings":true,"use_mrope":false,"use_sliding_window":false,"vocab_size":151936`,
			func(c *Config) bool { return c.window(23) == 0 && c.bias() && c.Weights() == 494032768 }},
		"Qwen3-0.6B": {`"architectures":["Qwen3ForCausalLM"],"attention_bias":false,"bos_token_id":151643,"eos_token_id":151645,"head_dim":128,"hidden_size":1024,
			"intermediate_size":3072,"max_position_embeddings":40960,"max_window_layers":28,"model_type":"qwen3","num_attention_heads":16,"num_hidden_layers":28,
			"num_key_value_heads":8,"rms_norm_eps":1e-06,"rope_scaling":null,"rope_theta":1000000,"sliding_window":null,"tie_word_embeddings":true,
			"use_sliding_window":false,"vocab_size":151936`,
			func(c *Config) bool { return c.qkNorm() && c.window(27) == 0 && c.Weights() == 596049920 }},
		"Mistral-7B": {`"architectures":["MistralForCausalLM"],"bos_token_id":1,"eos_token_id":2,"hidden_size":4096,"intermediate_size":14336,
			"max_position_embeddings":32768,"model_type":"mistral","num_attention_heads":32,"num_hidden_layers":32,"num_key_value_heads":8,"rms_norm_eps":1e-05,
			"rope_theta":10000.0,"sliding_window":4096,"tie_word_embeddings":false,"vocab_size":32000`,
			func(c *Config) bool { return c.window(0) == 4096 && c.Weights() == 7241732096 }},
	} {
		got, err := ParseConfig([]byte("{" + rest + c.config + "}"))
		if err != nil || !c.check(got) {
			t.Errorf("%s: %v %+v", name, err, got)
			continue
		}
		b, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParseConfig(b); err != nil || !c.check(again) || !strings.Contains(string(b), `"transformers_version":"4.40.1"`) {
			t.Errorf("%s: written and read again: %v %s", name, err, b)
		}
	}
}

// TestFamilyDefaults: a key that is not there means what transformers takes it to mean.
func TestFamilyDefaults(t *testing.T) {
	const rest = `"hidden_act":"silu","hidden_size":64,"intermediate_size":64,"max_position_embeddings":64,"num_attention_heads":4,"num_hidden_layers":30,"vocab_size":9`
	for config, want := range map[string]func(*Config, error) bool{
		`"model_type":"mistral","rms_norm_eps":1e-5,"num_key_value_heads":2`:                       func(c *Config, err error) bool { return err == nil && c.window(0) == 4096 },
		`"model_type":"mistral","rms_norm_eps":1e-5,"num_key_value_heads":2,"sliding_window":null`: func(c *Config, err error) bool { return err == nil && c.window(0) == 0 },
		`"model_type":"mistral","rms_norm_eps":1e-5`: func(c *Config, err error) bool {
			return err != nil && strings.Contains(err.Error(), "num_key_value_heads")
		},
		`"model_type":"qwen3","rms_norm_eps":1e-5,"num_key_value_heads":2`:                                              func(c *Config, err error) bool { return err != nil && strings.Contains(err.Error(), "head_dim") },
		`"model_type":"qwen2","rms_norm_eps":1e-5,"num_key_value_heads":2,"use_sliding_window":true,"sliding_window":8`: func(c *Config, err error) bool { return err == nil && c.window(27) == 0 && c.window(28) == 8 },
		`"model_type":"llama"`:                     func(c *Config, err error) bool { return err != nil && strings.Contains(err.Error(), "rms_norm_eps") },
		`"model_type":"llama","rms_norm_eps":1e-5`: func(c *Config, err error) bool { return err == nil && c.KVHeads == 4 && c.RopeTheta == 10000 },
	} {
		c, err := ParseConfig([]byte("{" + config + "," + rest + "}"))
		if !want(c, err) {
			t.Errorf("%s: %+v %v", config, c, err)
		}
		if err != nil {
			continue
		}
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if c, err = ParseConfig(b); !want(c, err) {
			t.Errorf("%s: written as %s", config, b)
		}
	}
}
