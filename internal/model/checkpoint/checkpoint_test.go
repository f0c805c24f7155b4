package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"syncabel/internal/model"
)

func small(t testing.TB) *model.Model {
	c, err := model.Preset("tiny", 40)
	if err != nil {
		t.Fatal(err)
	}
	return model.New(c, 1)
}

func TestSaveLoad(t *testing.T) {
	m, dir := small(t), t.TempDir()
	if err := Save(dir, m); err != nil {
		t.Fatal(err)
	}
	got, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range m.Tensors() {
		if g := got.Tensors()[i]; g.Name != w.Name || !slices.Equal(g.Data, w.Data) {
			t.Errorf("%s differs", w.Name)
		}
	}
}

// TestSaveBF16: weights are rounded to the nearest bfloat16 and read back as such.
func TestSaveBF16(t *testing.T) {
	m, dir := small(t), t.TempDir()
	m.Tensors()[0].Data[0], m.Tensors()[0].Data[1], m.Tensors()[0].Data[2] = 1+1.0/256, 1+3.0/256, 3.0e38
	if err := SaveAs(dir, m, "bfloat16"); err != nil {
		t.Fatal(err)
	}
	got, err := Load(dir)
	if err != nil || got.Config.DType != "bfloat16" {
		t.Fatal(got.Config.DType, err)
	}
	if x := got.Tensors()[0].Data; x[0] != 1 || x[1] != 1+1.0/64 {
		t.Errorf("ties: %v", x[:2])
	}
	for i, w := range m.Tensors() {
		for j, x := range w.Data {
			if y := got.Tensors()[i].Data[j]; math.Abs(float64(x-y)) > math.Abs(float64(x))/256 {
				t.Fatalf("%s: %v became %v", w.Name, x, y)
			}
		}
	}
	if err := SaveAs(dir, m, "int4"); err == nil {
		t.Error("int4 was accepted")
	}
}

func TestState(t *testing.T) {
	m, dir := small(t), t.TempDir()
	tr := model.NewTrainer(m, model.TrainerOptions{Threads: 1})
	defer tr.Close()
	if _, ok, err := LoadState(dir, tr); ok || err != nil {
		t.Errorf("state in an empty folder: %v %v", ok, err)
	}
	if err := SaveState(dir, tr, "seventeen"); err != nil {
		t.Fatal(err)
	}
	if progress, ok, err := LoadState(dir, tr); progress != "seventeen" || !ok || err != nil {
		t.Errorf("%q %v %v", progress, ok, err)
	}
}

// FuzzOpenTensors: a file of any content is an error or a set of tensors that can be read.
func FuzzOpenTensors(f *testing.F) {
	dir := f.TempDir()
	if err := WriteTensors(filepath.Join(dir, "seed"), []Tensor{{"a", []int{2}, []float32{1, 2}}}, map[string]string{"k": "v"}); err != nil {
		f.Fatal(err)
	}
	seed, err := os.ReadFile(filepath.Join(dir, "seed"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte("\x10\x00\x00\x00\x00\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, "x")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		file, err := OpenTensors(path)
		if err != nil {
			return
		}
		defer file.Close()
		for _, name := range file.Names() {
			_ = file.Read(name, []int{2}, make([]float32, 2))
		}
	})
}

// FuzzLoad: a hostile config.json cannot ask for more memory than its weights fill.
func FuzzLoad(f *testing.F) {
	dir := f.TempDir()
	if err := Save(dir, small(f)); err != nil {
		f.Fatal(err)
	}
	seed, err := os.ReadFile(filepath.Join(dir, configName))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"model_type":"llama","vocab_size":40,"hidden_size":64,"intermediate_size":16777216,"num_hidden_layers":16777216,"num_attention_heads":4,"hidden_act":"silu","rms_norm_eps":1e-5,"max_position_embeddings":9}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, configName), b, 0o644); err != nil {
			t.Fatal(err)
		}
		_, _ = Load(dir)
	})
}

// TestHostileFolders: a truncated, corrupt or hostile file is an error that names the file and says what is wrong.
func TestHostileFolders(t *testing.T) {
	tensors := func(header string, data int) []byte {
		b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
		return append(append(b, header...), make([]byte, data)...)
	}
	for name, c := range map[string]struct {
		file    string
		content []byte
		want    string
	}{
		"no header":         {weightsName, []byte("abc"), "no safetensors file"},
		"huge header":       {weightsName, binary.LittleEndian.AppendUint64(nil, 1<<60), "header of 1152921504606846976 bytes"},
		"header is no JSON": {weightsName, tensors(`{"a":`, 0), "header"},
		"deep JSON":         {weightsName, tensors(strings.Repeat(`{"a":`, 20000), 0), "header"},
		"unknown dtype":     {weightsName, tensors(`{"a":{"dtype":"Q4","shape":[1],"data_offsets":[0,4]}}`, 4), `dtype "Q4"`},
		"wrong size":        {weightsName, tensors(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,4]}}`, 4), "do not hold shape [3]"},
		"past the end":      {weightsName, tensors(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 4), "do not hold shape [2]"},
		"negative":          {weightsName, tensors(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}`, 4), "do not hold"},
		"huge shape":        {weightsName, tensors(`{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,4]}}`, 4), "shape"},
		"overlap": {weightsName, tensors(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12),
			"overlap"},
		"other tensors":     {weightsName, tensors(`{"a":{"dtype":"F32","shape":[50000],"data_offsets":[0,200000]}}`, 200000), ""},
		"config truncated":  {configName, []byte(`{"model_type":"llama",`), "JSON"},
		"config of 2 MB":    {configName, bytes.Repeat([]byte(" "), 2<<20), "larger than"},
		"config deep":       {configName, []byte(strings.Repeat(`{"a":`, 20000)), "depth"},
		"config asks much":  {configName, []byte(`{"model_type":"llama","vocab_size":40,"hidden_size":16777216,"intermediate_size":16777216,"num_hidden_layers":4000,"num_attention_heads":4,"hidden_act":"silu","rms_norm_eps":1e-5,"max_position_embeddings":9}`), "too few"},
		"index of nothing":  {indexName, []byte(`{"weight_map":{}}`), "0 shards"},
		"index elsewhere":   {indexName, []byte(`{"weight_map":{"a":"../../etc/passwd"}}`), "no safetensors file of the folder"},
		"index is no JSON":  {indexName, []byte(`[`), "JSON"},
		"index without it":  {indexName, []byte(`{"weight_map":{"a":"model.safetensors"}}`), "is missing"},
		"index to nowhere":  {indexName, []byte(`{"weight_map":{"a":"other.safetensors"}}`), "other.safetensors"},
		"index of the same": {indexName, []byte(`{"weight_map":{"model.norm.weight":"model.safetensors"}}`), "is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := Save(dir, small(t)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, c.file), c.content, 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Load(dir)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("%v", err)
			}
			if _, err := Open(dir); err == nil {
				t.Error("Open succeeds")
			}
		})
	}
	dir := t.TempDir() // every truncation
	if err := Save(dir, small(t)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, weightsName)
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := st.Size() - 1; size > 0; size = size * 2 / 3 {
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%d of %d bytes: %v", size, st.Size(), err)
		}
	}
}

// TestHostileAdapters: adapters whose features are not supported are refused by name.
func TestHostileAdapters(t *testing.T) {
	m, dir := small(t), t.TempDir()
	l, err := model.NewLoRA(m, model.LoRAOptions{Rank: 2, Targets: []string{"q_proj"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := SaveAdapter(dir, l, "base"); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(dir, adapterConfig))
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{"use_dora": "true", "use_rslora": "true", "modules_to_save": `["lm_head"]`, "bias": `"all"`, "peft_type": `"IA3"`, "r": "0",
		"rank_pattern": `{"x":1}`, "target_modules": `["q_proj","k_proj"]`, "fan_in_fan_out": "true", "lora_bias": "true", "layers_to_transform": "[1]"} {
		var c map[string]json.RawMessage
		if err := json.Unmarshal(good, &c); err != nil {
			t.Fatal(err)
		}
		c[key] = json.RawMessage(value)
		b, _ := json.Marshal(c)
		if err := os.WriteFile(filepath.Join(dir, adapterConfig), b, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadAdapter(dir, small(t)); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s = %s: %v", key, value, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, adapterConfig), good, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadAdapter(dir, small(t)); err != nil {
		t.Error(err)
	}
}

// FuzzOpenIndex: an index of any content is an error or a set of tensors of the folder.
func FuzzOpenIndex(f *testing.F) {
	dir := f.TempDir()
	if err := Save(dir, small(f)); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"metadata":{"total_size":1},"weight_map":{"model.norm.weight":"model.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"a":"../x.safetensors"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, indexName), b, 0o644); err != nil {
			t.Fatal(err)
		}
		if m, err := Open(dir); err == nil {
			m.Close()
		}
	})
}
