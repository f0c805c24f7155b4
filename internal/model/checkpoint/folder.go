package checkpoint

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/model"
)

// Files of a model folder.
const (
	configName  = "config.json"
	weightsName = "model.safetensors"
	stateName   = "training.safetensors"
)

// IsWeights reports whether a file of a model folder holds weights, which are mapped where a model is opened.
func IsWeights(name string) bool { return strings.HasSuffix(name, ".safetensors") }

// maxConfig bounds config.json.
const maxConfig = 1 << 20

// DTypes are the types that SaveAs stores weights in.
var DTypes = []string{"float32", "bfloat16"}

// Save is SaveAs in float32.
func Save(dir string, m *model.Model) error { return SaveAs(dir, m, "float32") }

// SaveAs writes config.json, generation_config.json and model.safetensors, in float32 or, at half the size and with three digits
// less, in bfloat16. The tokenizer writes its own files.
func SaveAs(dir string, m *model.Model, dtype string) error {
	stored, ok := map[string]string{"float32": "F32", "bfloat16": "BF16"}[dtype]
	if !ok {
		return fmt.Errorf("weights cannot be stored as %q: have %s", dtype, strings.Join(DTypes, ", "))
	}
	c := m.Config
	c.DType = dtype
	generation := map[string]any{"do_sample": false}
	for k, id := range map[string]int32{"bos_token_id": c.BOS, "eos_token_id": c.EOS} {
		if id >= 0 {
			generation[k] = id
		}
	}
	if err := writeJSON(filepath.Join(dir, configName), c); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, "generation_config.json"), generation); err != nil {
		return err
	}
	return writeTensors(filepath.Join(dir, weightsName), tensors(m.Tensors()), map[string]string{"format": "pt"}, stored)
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return artifact.WriteFile(path, append(b, '\n'))
}

func tensors(list []model.Tensor) []Tensor {
	var out []Tensor
	for _, t := range list {
		out = append(out, Tensor{t.Name, t.Shape, t.Data})
	}
	return out
}

// Load reads a model folder into memory, as float32, for training.
func Load(dir string) (*model.Model, error) {
	c, w, err := openFolder(dir)
	if err != nil {
		return nil, err
	}
	defer w.close()
	m := model.NewEmpty(*c)
	for _, t := range m.Tensors() {
		if err := w.read(t.Name, t.Shape, t.Data); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Config reads the configuration of a model folder.
func Config(dir string) (*model.Config, error) { return loadConfig(filepath.Join(dir, configName)) }

func loadConfig(path string) (*model.Config, error) {
	b, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	c, err := model.ParseConfig(b)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return c, nil
}

// readBounded reads a small JSON file.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading model configuration: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(b) > maxConfig {
		return nil, fmt.Errorf("reading %s: larger than %d bytes", path, maxConfig)
	}
	return b, nil
}

// SaveState writes what training needs to go on as if it had not stopped: what is trained (weights or adapters), moments, the
// number of steps, and what the caller keeps beside them, as text.
func SaveState(dir string, t *model.Trainer, progress string) error {
	a, b := t.Moments()
	list := append(tensors(t.Trainable()), Tensor{"optimizer.first", []int{len(a)}, a}, Tensor{"optimizer.second", []int{len(b)}, b})
	return WriteTensors(filepath.Join(dir, stateName), list, map[string]string{
		"steps": strconv.Itoa(t.Steps()), "progress": progress})
}

// LoadState restores what SaveState wrote and returns the caller's text; false when there is no state.
func LoadState(dir string, t *model.Trainer) (string, bool, error) {
	path := filepath.Join(dir, stateName)
	if _, err := os.Stat(path); err != nil {
		return "", false, nil
	}
	f, err := OpenTensors(path)
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	for _, w := range t.Trainable() {
		if err := f.Read(w.Name, w.Shape, w.Data); err != nil {
			return "", false, err
		}
	}
	a, b := t.Moments()
	if err := f.Read("optimizer.first", []int{len(a)}, a); err != nil {
		return "", false, err
	}
	if err := f.Read("optimizer.second", []int{len(b)}, b); err != nil {
		return "", false, err
	}
	steps, progress, err := f.counters()
	t.Resume(steps)
	return progress, err == nil, err
}

func (f *File) counters() (steps int, progress string, err error) {
	data, unmap, err := artifact.Map(f.path)
	if err != nil {
		return 0, "", err
	}
	defer unmap()
	n := uint64(len(data) - len(f.data))
	var head struct {
		Meta map[string]string `json:"__metadata__"`
	}
	if err := json.Unmarshal(data[8:n], &head); err != nil {
		return 0, "", err
	}
	if steps, err = strconv.Atoi(head.Meta["steps"]); err != nil {
		return 0, "", fmt.Errorf("training state %s: steps: %w", f.path, err)
	}
	return steps, head.Meta["progress"], nil
}

// RemoveState deletes the training state of a finished run.
func RemoveState(dir string) error {
	err := os.Remove(filepath.Join(dir, stateName))
	if os.IsNotExist(err) {
		return nil
	}
	return err
}
