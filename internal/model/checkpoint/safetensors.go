package checkpoint

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unsafe"

	"syncabel/internal/model"
)

// maxHeader bounds the JSON header of a safetensors file; the reference implementation has the same limit.
const maxHeader = 100_000_000

// A tensorInfo is one entry of the header.
type tensorInfo struct {
	DType   string   `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// A safetensors is a parsed file: the header and the bytes it points into.
type safetensors struct {
	file     string
	tensors  map[string]tensorInfo
	metadata map[string]string
	data     []byte
	copied   int // tensors that were not aligned in the file and had to be copied
}

// dtypeSizes are the bytes of an element of every dtype that the format knows.
var dtypeSizes = map[string]int64{"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
	"I32": 4, "U32": 4, "F32": 4, "F64": 8, "I64": 8, "U64": 8, "C64": 8}

// parseSafetensors reads the header of a file held in memory (mapped or read) and checks it: sizes agree with shapes,
// tensors neither overlap nor leave holes nor reach past the end. file names the file in errors.
func parseSafetensors(file string, b []byte) (*safetensors, error) {
	fail := func(format string, args ...any) (*safetensors, error) {
		return nil, fmt.Errorf("reading %s: %s", file, fmt.Sprintf(format, args...))
	}
	if len(b) < 8 {
		return fail("%d bytes are too few for a safetensors file", len(b))
	}
	n := binary.LittleEndian.Uint64(b)
	if n > maxHeader || n > uint64(len(b)-8) {
		return fail("header of %d bytes in a file of %d: truncated or not a safetensors file", n, len(b))
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b[8:8+n], &raw); err != nil {
		return fail("header is not a JSON object: %v", err)
	}
	s := &safetensors{file: file, tensors: make(map[string]tensorInfo, len(raw)), data: b[8+n:]}
	for name, msg := range raw {
		if name == "__metadata__" {
			if err := json.Unmarshal(msg, &s.metadata); err != nil {
				return fail("metadata is not a map of strings: %v", err)
			}
			continue
		}
		var t tensorInfo
		if err := json.Unmarshal(msg, &t); err != nil {
			return fail("entry of tensor %q: %v", name, err)
		}
		if err := checkTensor(t, int64(len(s.data))); err != nil {
			return fail("tensor %q: %v", name, err)
		}
		s.tensors[name] = t
	}
	if err := s.checkLayout(); err != nil {
		return fail("%v", err)
	}
	return s, nil
}

// checkTensor verifies one entry against the size of the data.
func checkTensor(t tensorInfo, size int64) error {
	elem, ok := dtypeSizes[t.DType]
	if !ok {
		return fmt.Errorf("unknown dtype %q", t.DType)
	}
	lo, hi := t.Offsets[0], t.Offsets[1]
	if lo < 0 || hi < lo || hi > size {
		return fmt.Errorf("bytes [%d,%d) are outside the %d bytes of data", lo, hi, size)
	}
	n := elem
	for _, d := range t.Shape {
		if d < 0 {
			return fmt.Errorf("negative dimension in shape %v", t.Shape)
		}
		if d != 0 && n > math.MaxInt64/d {
			return fmt.Errorf("shape %v is too large", t.Shape)
		}
		n *= d
	}
	if n != hi-lo {
		return fmt.Errorf("shape %v of %s needs %d bytes, the header gives it %d", t.Shape, t.DType, n, hi-lo)
	}
	return nil
}

// checkLayout verifies that the tensors lie side by side and fill the data.
func (s *safetensors) checkLayout() error {
	names := s.names()
	slices.SortFunc(names, func(a, b string) int {
		x, y := s.tensors[a].Offsets, s.tensors[b].Offsets
		if x[0] != y[0] {
			return int(max(-1, min(1, x[0]-y[0])))
		}
		return int(max(-1, min(1, x[1]-y[1])))
	})
	var at int64
	last := ""
	for _, name := range names {
		o := s.tensors[name].Offsets
		if o[0] < at {
			return fmt.Errorf("tensors %q and %q overlap at byte %d", last, name, o[0])
		}
		if o[0] > at {
			return fmt.Errorf("%d bytes before tensor %q belong to no tensor", o[0]-at, name)
		}
		at, last = o[1], name
	}
	if at != int64(len(s.data)) {
		return fmt.Errorf("%d bytes after the last tensor belong to no tensor", int64(len(s.data))-at)
	}
	return nil
}

// names returns the tensors' names, sorted.
func (s *safetensors) names() []string {
	names := make([]string, 0, len(s.tensors))
	for name := range s.tensors {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

var errNoTensor = errors.New("no such tensor")

// matrix returns a tensor of one or two dimensions as a matrix over the file's bytes, without copying where they are
// aligned.
func (s *safetensors) matrix(name string) (model.Matrix, error) {
	t, ok := s.tensors[name]
	if !ok {
		return model.Matrix{}, fmt.Errorf("reading %s: tensor %q: %w", s.file, name, errNoTensor)
	}
	m := model.Matrix{Rows: 1}
	switch len(t.Shape) {
	case 1:
		m.Cols = int(t.Shape[0])
	case 2:
		m.Rows, m.Cols = int(t.Shape[0]), int(t.Shape[1])
	default:
		return m, fmt.Errorf("reading %s: tensor %q has %d dimensions, not 1 or 2", s.file, name, len(t.Shape))
	}
	b := s.data[t.Offsets[0]:t.Offsets[1]]
	switch t.DType {
	case "F32":
		m.Type, m.F = model.F32, view[float32](s, b)
	case "F16":
		m.Type, m.Bits = model.F16, view[uint16](s, b)
	case "BF16":
		m.Type, m.Bits = model.BF16, view[uint16](s, b)
	default:
		return m, fmt.Errorf("reading %s: tensor %q is %s: have F32, F16, BF16", s.file, name, t.DType)
	}
	return m, nil
}

// view reinterprets little-endian bytes; unaligned ones are copied.
func view[T float32 | uint16 | int32](s *safetensors, b []byte) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	n := len(b) / size
	if n == 0 {
		return nil
	}
	if uintptr(unsafe.Pointer(&b[0]))%uintptr(size) == 0 {
		return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), n)
	}
	s.copied++
	out := make([]T, n)
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&out[0])), len(b)), b)
	return out
}

// An entry is a tensor to write.
type entry struct {
	name  string
	dtype string
	shape []int
	bytes []byte
}

// floatBytes returns x as little-endian bytes without copying.
func floatBytes(x []float32) []byte {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*len(x))
}

func bitsBytes(x []uint16) []byte {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 2*len(x))
}

// header builds the header of the entries in their order, padded with spaces so that the data start at a multiple of 64.
func header(entries []entry, metadata map[string]string) ([]byte, error) {
	var sb strings.Builder
	sb.WriteByte('{')
	put := func(name string, v any) error {
		if sb.Len() > 1 {
			sb.WriteByte(',')
		}
		k, _ := json.Marshal(name)
		b, err := json.Marshal(v)
		sb.Write(k)
		sb.WriteByte(':')
		sb.Write(b)
		return err
	}
	if len(metadata) > 0 {
		if err := put("__metadata__", metadata); err != nil {
			return nil, err
		}
	}
	var at int64
	for _, e := range entries {
		t := tensorInfo{DType: e.dtype, Shape: make([]int64, len(e.shape)), Offsets: [2]int64{at, at + int64(len(e.bytes))}}
		for i, d := range e.shape {
			t.Shape[i] = int64(d)
		}
		if err := put(e.name, t); err != nil {
			return nil, err
		}
		at += int64(len(e.bytes))
	}
	sb.WriteByte('}')
	for (8+sb.Len())%64 != 0 {
		sb.WriteByte(' ')
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(sb.Len()))
	return append(out, sb.String()...), nil
}
