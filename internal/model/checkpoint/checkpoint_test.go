package checkpoint

import (
	"os"
	"path/filepath"
	"slices"
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
	f.Add([]byte(`{"model_type":"llama","vocab_size":40,"hidden_size":64,"intermediate_size":16777216,"num_hidden_layers":16777216,"num_attention_heads":4,"hidden_act":"silu"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, configName), b, 0o644); err != nil {
			t.Fatal(err)
		}
		_, _ = Load(dir)
	})
}
