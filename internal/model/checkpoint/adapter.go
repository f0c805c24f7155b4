package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"syncabel/internal/model"
)

// Files of an adapter, in PEFT's layout.
const (
	adapterConfig  = "adapter_config.json"
	adapterWeights = "adapter_model.safetensors"
)

// peftConfig is adapter_config.json.
type peftConfig struct {
	Type        string   `json:"peft_type"`
	Task        string   `json:"task_type"`
	Base        string   `json:"base_model_name_or_path"`
	Rank        int      `json:"r"`
	Alpha       float64  `json:"lora_alpha"`
	Dropout     float64  `json:"lora_dropout"`
	Targets     []string `json:"target_modules"`
	Bias        string   `json:"bias"`
	FanInFanOut bool     `json:"fan_in_fan_out"`
	Inference   bool     `json:"inference_mode"`
	Init        any      `json:"init_lora_weights"`

	// Variants that are not supported, refused by name.
	RSLoRA   bool            `json:"use_rslora"`
	DoRA     bool            `json:"use_dora"`
	LoRABias bool            `json:"lora_bias"`
	Save     []string        `json:"modules_to_save"`
	Layers   json.RawMessage `json:"layers_to_transform"`
	Ranks    map[string]any  `json:"rank_pattern"`
	Alphas   map[string]any  `json:"alpha_pattern"`
}

// SaveAdapter writes adapters as PEFT does, so that PeftModel.from_pretrained(base, dir) loads them. base is the name or folder of
// the model they belong to.
func SaveAdapter(dir string, l *model.LoRA, base string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("writing adapter: %w", err)
	}
	c := peftConfig{Type: "LORA", Task: "CAUSAL_LM", Base: base, Rank: l.Rank, Alpha: l.Alpha, Targets: l.Targets, Bias: "none", Inference: true,
		Init: true, Ranks: map[string]any{}, Alphas: map[string]any{}}
	if err := writeJSON(filepath.Join(dir, adapterConfig), c); err != nil {
		return err
	}
	return WriteTensors(filepath.Join(dir, adapterWeights), tensors(l.Tensors()), map[string]string{"format": "pt"})
}

// LoadAdapter reads adapters and merges them into the model they belong to.
func LoadAdapter(dir string, m *model.Model) (*model.LoRA, error) {
	path := filepath.Join(dir, adapterConfig)
	b, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	var c peftConfig
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	l, err := model.NewLoRA(m, model.LoRAOptions{Rank: c.Rank, Alpha: c.Alpha, Targets: c.Targets})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	f, err := OpenTensors(filepath.Join(dir, adapterWeights))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	known := map[string]bool{}
	for _, t := range l.Tensors() {
		known[t.Name] = true
		if err := f.Read(t.Name, t.Shape, t.Data); err != nil {
			return nil, err
		}
	}
	for _, name := range f.Names() {
		if !known[name] {
			return nil, fmt.Errorf("weights %s: tensor %q has no place in the adapters of %s", f.path, name, strings.Join(c.Targets, ", "))
		}
	}
	l.Merge()
	return l, nil
}

func (c *peftConfig) check() error {
	switch {
	case c.Type != "LORA":
		return fmt.Errorf("peft_type %q is not supported", c.Type)
	case c.Rank <= 0 || !(c.Alpha > 0):
		return fmt.Errorf("r = %d, lora_alpha = %g are out of range", c.Rank, c.Alpha)
	case c.Bias != "" && c.Bias != "none":
		return fmt.Errorf("bias %q is not supported", c.Bias)
	case c.RSLoRA:
		return errors.New("use_rslora is not supported")
	case c.DoRA:
		return errors.New("use_dora is not supported")
	case c.LoRABias:
		return errors.New("lora_bias is not supported")
	case c.FanInFanOut:
		return errors.New("fan_in_fan_out is not supported")
	case len(c.Save) > 0:
		return fmt.Errorf("modules_to_save %q is not supported", c.Save)
	case len(c.Ranks) > 0 || len(c.Alphas) > 0:
		return errors.New("rank_pattern and alpha_pattern are not supported")
	case len(c.Layers) > 0 && string(c.Layers) != "null":
		return errors.New("layers_to_transform is not supported")
	}
	return nil
}
