package checkpoint

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/kernel"
	"syncabel/internal/model"
)

// indexName lists the shards of a model whose weights lie in several files.
const indexName = "model.safetensors.index.json"

// maxIndex bounds the index: the largest models in use have a few ten thousand tensors.
const maxIndex = 64 << 20

// maxShards bounds the number of files that are mapped.
const maxShards = 4096

// weights are the mapped files of a model folder.
type weights struct {
	path  string // what errors name: the file, or the index
	files []*File
	where map[string]*File // tensor -> its file
	bytes int64
}

// openWeights maps model.safetensors, or the shards that the index names.
func openWeights(dir string) (*weights, error) {
	w := &weights{path: filepath.Join(dir, weightsName), where: map[string]*File{}}
	names, err := readIndex(filepath.Join(dir, indexName))
	switch {
	case os.IsNotExist(err):
		if pickled, _ := filepath.Glob(filepath.Join(dir, "*.bin")); len(pickled) > 0 && !exists(w.path) {
			return nil, fmt.Errorf("opening weights: %s has %s but no safetensors: pickled weights are not read", dir, filepath.Base(pickled[0]))
		}
		return w, w.add(w.path, nil)
	case err != nil:
		return nil, err
	}
	w.path = filepath.Join(dir, indexName)
	shards := map[string][]string{}
	for tensor, file := range names {
		if file != filepath.Base(file) || !strings.HasSuffix(file, ".safetensors") {
			return nil, fmt.Errorf("reading %s: tensor %q is in %q, which is no safetensors file of the folder", w.path, tensor, file)
		}
		shards[file] = append(shards[file], tensor)
	}
	if len(shards) == 0 || len(shards) > maxShards {
		return nil, fmt.Errorf("reading %s: %d shards", w.path, len(shards))
	}
	for file, tensors := range shards {
		if err := w.add(filepath.Join(dir, file), tensors); err != nil {
			w.close()
			return nil, err
		}
	}
	return w, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// readIndex returns the weight_map of an index: tensor -> file.
func readIndex(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxIndex+1))
	if err == nil && len(b) > maxIndex {
		err = fmt.Errorf("larger than %d bytes", maxIndex)
	}
	var index struct {
		Map map[string]string `json:"weight_map"`
	}
	if err == nil {
		err = json.Unmarshal(b, &index)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return index.Map, nil
}

// add maps a file and takes the tensors that the index puts there; nil takes all.
func (w *weights) add(path string, tensors []string) error {
	f, err := OpenTensors(path)
	if err != nil {
		return err
	}
	w.files = append(w.files, f)
	w.bytes += int64(len(f.data))
	if tensors == nil {
		tensors = f.Names()
	}
	for _, name := range tensors {
		if _, ok := f.entries[name]; !ok {
			return fmt.Errorf("weights %s: tensor %q, which the index puts here, is missing: %w", path, name, artifact.ErrDamaged)
		}
		w.where[name] = f
	}
	return nil
}

func (w *weights) close() error {
	var first error
	for _, f := range w.files {
		if err := f.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// check reports weights that do not fit the configuration, before memory is taken for what a hostile one promises.
func (w *weights) check(c *model.Config) error {
	if 2*c.Weights() > float64(w.bytes) {
		return fmt.Errorf("weights %s: %d bytes are too few for the %.0f weights of config.json", w.path, w.bytes, c.Weights())
	}
	want := map[string]bool{}
	for _, t := range c.Shapes() {
		want[t.Name] = true
		if err := w.shape(t.Name, t.Shape); err != nil {
			return err
		}
	}
	for name := range w.where {
		if !want[name] && !strings.HasSuffix(name, ".rotary_emb.inv_freq") && !(c.Tied && name == "lm_head.weight") {
			return fmt.Errorf("weights %s: tensor %q has no place in a model of type %s", w.path, name, c.ModelType)
		}
	}
	return nil
}

func (w *weights) shape(name string, shape []int) error {
	f, ok := w.where[name]
	if !ok {
		return fmt.Errorf("weights %s: tensor %q is missing", w.path, name)
	}
	e := f.entries[name]
	if !slices.Equal(e.Shape, shape) {
		return fmt.Errorf("weights %s: tensor %q has shape %v, config.json asks for %v", f.path, name, e.Shape, shape)
	}
	if _, ok := dtypes[e.DType]; !ok {
		return fmt.Errorf("weights %s: tensor %q: dtype %q is not supported: have F32, F16, BF16", f.path, name, e.DType)
	}
	return nil
}

// read copies a tensor as float32.
func (w *weights) read(name string, shape []int, dst []float32) error {
	f, ok := w.where[name]
	if !ok {
		return fmt.Errorf("weights %s: tensor %q is missing", w.path, name)
	}
	return f.Read(name, shape, dst)
}

// matrix returns a tensor where it lies.
func (w *weights) matrix(name string, rows, cols int) (kernel.Matrix, error) {
	f := w.where[name]
	e := f.entries[name]
	m, err := kernel.NewMatrix(dtypes[e.DType], rows, cols, f.data[e.Offsets[0]:e.Offsets[1]])
	if err != nil {
		return m, fmt.Errorf("weights %s: tensor %q: %w", f.path, name, err)
	}
	return m, nil
}

// Mapped is a model whose weights stay in their files, mapped into memory: opening takes no time, and what is resident are
// the pages in use, shared with every process that has the same folder open.
type Mapped struct {
	*model.Frozen
	w *weights
}

// Open maps a model folder for decoding.
func Open(dir string) (*Mapped, error) {
	c, w, err := openFolder(dir)
	if err != nil {
		return nil, err
	}
	f, err := model.NewFrozen(*c, w.matrix)
	if err != nil {
		w.close()
		return nil, err
	}
	return &Mapped{f, w}, nil
}

// Close unmaps the weights, which nobody may use any more.
func (m *Mapped) Close() error { return m.w.close() }

// openFolder reads a folder's configuration and maps weights that fit it.
func openFolder(dir string) (*model.Config, *weights, error) {
	c, err := Config(dir)
	if err != nil {
		return nil, nil, err
	}
	w, err := openWeights(dir)
	if err != nil {
		return nil, nil, err
	}
	if err := w.check(c); err != nil {
		w.close()
		return nil, nil, err
	}
	return c, w, nil
}
