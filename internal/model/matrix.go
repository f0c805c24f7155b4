package model

import "math"

// A DType is the storage type of a matrix.
type DType uint8

const (
	F32 DType = iota
	F16
	BF16
)

// Size returns the bytes of one element.
func (t DType) Size() int {
	if t == F32 {
		return 4
	}
	return 2
}

// String returns the name used in config.json.
func (t DType) String() string {
	switch t {
	case F32:
		return "float32"
	case F16:
		return "float16"
	}
	return "bfloat16"
}

// A Matrix is a row-major matrix (Rows,Cols) in one of the storage types. A vector has one row. F holds the elements when
// Type is F32, Bits otherwise.
type Matrix struct {
	Rows, Cols int
	Type       DType
	F          []float32
	Bits       []uint16
}

// Len returns the number of elements.
func (a Matrix) Len() int { return a.Rows * a.Cols }

// Row writes row i into dst (Cols) as float32.
func (a Matrix) Row(i int, dst []float32) {
	lo, hi := i*a.Cols, (i+1)*a.Cols
	switch a.Type {
	case F32:
		copy(dst, a.F[lo:hi])
	case BF16:
		for j, b := range a.Bits[lo:hi] {
			dst[j] = math.Float32frombits(uint32(b) << 16)
		}
	case F16:
		for j, b := range a.Bits[lo:hi] {
			dst[j] = halfToFloat(b)
		}
	}
}

// Float32 returns the elements as float32: the matrix's own when it has that type, else a copy.
func (a Matrix) Float32() []float32 {
	if a.Type == F32 {
		return a.F
	}
	out := make([]float32, a.Len())
	for i := range a.Rows {
		a.Row(i, out[i*a.Cols:(i+1)*a.Cols])
	}
	return out
}

// halfToFloat converts IEEE binary16, subnormals, infinities and NaN included.
func halfToFloat(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp, frac := uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch {
	case exp == 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	case exp != 0:
		return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
	}
	f := float32(frac) / (1 << 24)
	return math.Float32frombits(math.Float32bits(f) | sign)
}

// FloatToHalf rounds to IEEE binary16, to nearest even; what is too large becomes infinite.
func FloatToHalf(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b>>16) & 0x8000
	abs := b & 0x7fffffff
	switch {
	case abs > 0x7f800000:
		return sign | 0x7e00
	case abs >= 0x477ff000:
		return sign | 0x7c00
	case abs < 0x38800000: // subnormal half: units of 2^-24
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(abs))*(1<<24)))
	}
	abs += 0xfff + (abs>>13)&1
	return sign | uint16((abs-(112<<23))>>13)
}

// FloatToBF16 rounds to bfloat16, to nearest even.
func FloatToBF16(f float32) uint16 {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + (b>>16)&1) >> 16)
}
