package onnx

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/internal/wire"
)

// Type is the type of a tensor's elements.
type Type int32

// The types that this program's own graphs have.
const (
	Float   Type = 1
	Int32   Type = 6
	Int64   Type = 7
	Bool    Type = 9
	Float16 Type = 10
	Double  Type = 11
)

// More types whose elements are read.
const (
	uint32Type Type = 12
	uint64Type Type = 13
	bfloat16   Type = 16
)

// types are ONNX's names, and of numbers of 8 bits at least those in package wire. Source: TensorProto.DataType in onnx.proto.
var types = map[Type]struct{ name, wire string }{
	Float: {"float", "F32"}, 2: {"uint8", "U8"}, 3: {"int8", "I8"}, 4: {"uint16", "U16"}, 5: {"int16", "I16"}, Int32: {"int32", "I32"}, Int64: {"int64", "I64"},
	8: {"string", ""}, Bool: {"bool", "BOOL"}, Float16: {"float16", "F16"}, Double: {"double", "F64"}, uint32Type: {"uint32", "U32"}, uint64Type: {"uint64", "U64"},
	14: {"complex64", ""}, 15: {"complex128", ""}, bfloat16: {"bfloat16", "BF16"}, 17: {"float8e4m3fn", ""}, 18: {"float8e4m3fnuz", ""}, 19: {"float8e5m2", ""},
	20: {"float8e5m2fnuz", ""}, 21: {"uint4", ""}, 22: {"int4", ""}, 23: {"float4e2m1", ""},
}

// size is how many bytes an element takes in raw data; 0: not known here.
func (t Type) size() int { return wire.Width(types[t].wire) }

// floating reports whether the numbers are not whole.
func (t Type) floating() bool { return t == Float || t == Double || t == Float16 || t == bfloat16 }

// String is ONNX's name of the type.
func (t Type) String() string {
	if known, ok := types[t]; ok {
		return known.name
	}
	return fmt.Sprintf("type %d", int32(t))
}

// Tensor is a TensorProto: row-major elements, the last axis innermost. A reader's tensor has one of the lists, or raw bytes in little-endian order.
type Tensor struct {
	Name   string
	Type   Type
	Shape  []int64
	Raw    []byte
	Floats []float32
	Ints   []int64 // of int32_data, int64_data and uint64_data
	// Doubles are those of double_data.
	Doubles []float64
	// External: the elements stand in another file.
	External bool
}

// FloatTensor is a tensor of float32; it keeps values.
func FloatTensor(name string, shape []int64, values []float32) *Tensor {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return &Tensor{Name: name, Type: Float, Shape: shape, Raw: raw}
}

// IntTensor is a tensor of int64.
func IntTensor(name string, shape []int64, values []int64) *Tensor {
	raw := make([]byte, 0, 8*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	return &Tensor{Name: name, Type: Int64, Shape: shape, Raw: raw}
}

// count is how many elements the shape has, which are there: so it is bounded by the file.
func (t *Tensor) count() (int, error) {
	if t.External {
		return 0, fmt.Errorf("onnx: tensor %q: its values stand in another file, which is not read", t.Name)
	}
	if t.Type.size() == 0 {
		return 0, fmt.Errorf("onnx: tensor %q: expected elements that are numbers of 8 bits at least, got %v", t.Name, t.Type)
	}
	there := max(len(t.Raw)/t.Type.size(), len(t.Floats), len(t.Ints), len(t.Doubles))
	n := 1
	for _, d := range t.Shape {
		if d < 0 || d > 0 && int64(n) > math.MaxInt64/d {
			return 0, fmt.Errorf("onnx: tensor %q: expected a shape of lengths from 0, got %v", t.Name, t.Shape)
		}
		n *= int(d)
	}
	if n != there || len(t.Raw) > 0 && len(t.Raw) != n*t.Type.size() {
		return 0, fmt.Errorf("onnx: tensor %q: expected %d elements for shape %v, got %d", t.Name, n, t.Shape, there)
	}
	return n, nil
}

// elements are those of a tensor of numbers.
func elements[T float32 | float64 | int64](t *Tensor) ([]T, error) {
	n, err := t.count()
	switch {
	case err != nil:
		return nil, err
	case t.Raw != nil:
		return wire.Decode[T](types[t.Type].wire, t.Raw)
	case t.Type == Float && len(t.Floats) == n:
		return converted[T](t.Floats), nil
	case t.Type == Double && len(t.Doubles) == n:
		return converted[T](t.Doubles), nil
	case t.Type.floating() && t.Type.size() == 2 && len(t.Ints) == n: // their bits
		raw := make([]byte, 0, 2*n)
		for _, v := range t.Ints {
			raw = binary.LittleEndian.AppendUint16(raw, uint16(v))
		}
		return wire.Decode[T](types[t.Type].wire, raw)
	case !t.Type.floating() && len(t.Ints) == n:
		return converted[T](t.Ints), nil
	}
	return nil, fmt.Errorf("onnx: tensor %q: expected its elements where those of %v stand, got %d elsewhere", t.Name, t.Type, n)
}

func converted[T, F float32 | float64 | int64](from []F) []T {
	to := make([]T, len(from))
	for i, v := range from {
		to[i] = T(v)
	}
	return to
}

// Float32s are the elements of a tensor of floats.
func (t *Tensor) Float32s() ([]float32, error) {
	if t.Type.size() > 0 && !t.Type.floating() {
		return nil, fmt.Errorf("onnx: tensor %q: expected floats, got %v", t.Name, t.Type)
	}
	return elements[float32](t)
}

// Int64s are the elements of a tensor of whole numbers, or of booleans as 0 and 1.
func (t *Tensor) Int64s() ([]int64, error) {
	if t.Type.floating() {
		return nil, fmt.Errorf("onnx: tensor %q: expected whole numbers, got %v", t.Name, t.Type)
	}
	return elements[int64](t)
}

// Float64s are the elements of a tensor of any numbers.
func (t *Tensor) Float64s() ([]float64, error) { return elements[float64](t) }
