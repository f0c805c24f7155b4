// Package checkpoint reads and writes model folders in the form of Hugging Face: config.json, model.safetensors and
// tokenizer.json. A folder written here loads in transformers with AutoModelForCausalLM; a folder of the family loads here.
// It also keeps the state of a training run for exact resume, in the same safe format: nothing here executes what it reads.
package checkpoint

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"unsafe"

	"syncabel/internal/artifact"
	"syncabel/internal/kernel"
)

// maxHeader bounds the JSON header of a safetensors file; the format itself allows 100 MB.
const maxHeader = 100 << 20

// A Tensor is one entry of a safetensors file.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32
}

type entry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// WriteTensors writes float32 tensors as a safetensors file, atomically.
func WriteTensors(path string, tensors []Tensor, metadata map[string]string) error {
	return writeTensors(path, tensors, metadata, "F32")
}

// writeTensors writes tensors as F32 or BF16.
func writeTensors(path string, tensors []Tensor, metadata map[string]string, dtype string) error {
	head := map[string]any{}
	if metadata != nil {
		head["__metadata__"] = metadata
	}
	var at int64
	for _, t := range tensors {
		n := widths[dtype] * int64(len(t.Data))
		head[t.Name] = entry{dtype, t.Shape, [2]int64{at, at + n}}
		at += n
	}
	b, err := json.Marshal(head)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	for len(b)%8 != 0 {
		b = append(b, ' ')
	}
	return artifact.WriteWith(path, func(w io.Writer) error {
		buf := bufio.NewWriterSize(w, 1<<20)
		buf.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(b))))
		buf.Write(b)
		for _, t := range tensors {
			if dtype == "BF16" {
				writeBF16(buf, t.Data)
			} else if len(t.Data) > 0 {
				buf.Write(unsafe.Slice((*byte)(unsafe.Pointer(&t.Data[0])), 4*len(t.Data)))
			}
		}
		return buf.Flush()
	})
}

// writeBF16 writes the upper halves of weights, rounded to nearest, ties to even. An error stays in buf until Flush.
func writeBF16(buf *bufio.Writer, x []float32) {
	for _, v := range x {
		b := math.Float32bits(v)
		if v == v { // rounding would carry a NaN's payload into its sign
			b += 0x7fff + b>>16&1
		}
		buf.WriteByte(byte(b >> 16))
		buf.WriteByte(byte(b >> 24))
	}
}

// A File is a mapped safetensors file.
type File struct {
	path    string
	data    []byte
	entries map[string]entry
	unmap   func() error
}

// OpenTensors maps a safetensors file and checks its header: every tensor inside the file, of the size its shape says, none
// overlapping another.
func OpenTensors(path string) (*File, error) {
	data, unmap, err := artifact.Map(path)
	if err != nil {
		return nil, fmt.Errorf("opening weights: %w", err)
	}
	f := &File{path: path, unmap: unmap}
	if err := f.parse(data); err != nil {
		unmap()
		return nil, fmt.Errorf("opening weights %s: %w", path, err)
	}
	return f, nil
}

// Close unmaps the file.
func (f *File) Close() error { return f.unmap() }

func (f *File) parse(data []byte) error {
	if len(data) < 8 {
		return fmt.Errorf("%d bytes are no safetensors file: %w", len(data), artifact.ErrDamaged)
	}
	n := binary.LittleEndian.Uint64(data)
	if n > maxHeader || n > uint64(len(data)-8) {
		return fmt.Errorf("header of %d bytes in a file of %d: %w", n, len(data), artifact.ErrDamaged)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data[8:8+n], &raw); err != nil {
		return fmt.Errorf("header: %w (%v)", artifact.ErrDamaged, err)
	}
	f.data = data[8+n:]
	f.entries = map[string]entry{}
	var spans [][2]int64
	for name, r := range raw {
		if name == "__metadata__" {
			continue
		}
		var e entry
		if err := json.Unmarshal(r, &e); err != nil {
			return fmt.Errorf("tensor %q: %w (%v)", name, artifact.ErrDamaged, err)
		}
		if err := e.check(int64(len(f.data))); err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		f.entries[name] = e
		spans = append(spans, e.Offsets)
	}
	slices.SortFunc(spans, func(a, b [2]int64) int { return int(min(max(a[0]-b[0], -1), 1)) })
	for i := 1; i < len(spans); i++ {
		if spans[i][0] < spans[i-1][1] {
			return fmt.Errorf("tensors overlap at byte %d: %w", spans[i][0], artifact.ErrDamaged)
		}
	}
	return nil
}

// dtypes are the stored types of weights.
var dtypes = map[string]kernel.DType{"F32": kernel.F32, "F16": kernel.F16, "BF16": kernel.BF16}

// widths are the bytes of an element of every dtype of the format; tensors of other types than weights and I32 may lie in a
// file, they cannot be read.
var widths = map[string]int64{"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
	"I32": 4, "U32": 4, "F32": 4, "F64": 8, "I64": 8, "U64": 8}

func (e entry) check(size int64) error {
	want := widths[e.DType]
	if want == 0 {
		return fmt.Errorf("dtype %q is not supported", e.DType)
	}
	for _, d := range e.Shape {
		if d < 0 || d > 1<<31 || want > 1<<50 {
			return fmt.Errorf("shape %v: %w", e.Shape, artifact.ErrDamaged)
		}
		want *= int64(d)
	}
	if e.Offsets[0] < 0 || e.Offsets[1] > size || e.Offsets[1]-e.Offsets[0] != want {
		return fmt.Errorf("bytes %d-%d do not hold shape %v of %s: %w", e.Offsets[0], e.Offsets[1], e.Shape, e.DType, artifact.ErrDamaged)
	}
	return nil
}

// Names returns the tensors of the file, sorted.
func (f *File) Names() []string {
	var out []string
	for n := range f.entries {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// Read copies a tensor into dst as float32 and checks its shape.
func (f *File) Read(name string, shape []int, dst []float32) error {
	e, ok := f.entries[name]
	if !ok {
		return fmt.Errorf("weights %s: tensor %q is missing", f.path, name)
	}
	if !slices.Equal(e.Shape, shape) {
		return fmt.Errorf("weights %s: tensor %q has shape %v, the configuration asks for %v", f.path, name, e.Shape, shape)
	}
	b := f.data[e.Offsets[0]:e.Offsets[1]]
	if e.DType == "I32" { // exact below 2**24
		for i := range dst {
			dst[i] = float32(int32(binary.LittleEndian.Uint32(b[4*i:])))
		}
		return nil
	}
	t, ok := dtypes[e.DType]
	if !ok {
		return fmt.Errorf("weights %s: tensor %q: dtype %q is not supported: have F32, F16, BF16", f.path, name, e.DType)
	}
	if len(dst) == 0 {
		return nil
	}
	m, err := kernel.NewMatrix(t, 1, len(dst), b)
	if err != nil {
		return fmt.Errorf("weights %s: tensor %q: %w", f.path, name, err)
	}
	m.Row(dst, 0)
	return nil
}
