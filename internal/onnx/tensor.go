package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Type is the type of a tensor's elements.
type Type int32

// The types that tensors are read as; others keep their number.
const (
	Float   Type = 1
	Int32   Type = 6
	Int64   Type = 7
	Bool    Type = 9
	Float16 Type = 10
	Double  Type = 11
)

// size is how many bytes an element takes in raw data; 0: not known here.
func (t Type) size() int {
	switch t {
	case Bool:
		return 1
	case Float16:
		return 2
	case Float, Int32:
		return 4
	case Int64, Double:
		return 8
	}
	return 0
}

// String is ONNX's name of the type.
func (t Type) String() string {
	names := map[Type]string{Float: "float", Int32: "int32", Int64: "int64", Bool: "bool", Float16: "float16", Double: "double"}
	if s, ok := names[t]; ok {
		return s
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
	Ints   []int64 // of int32_data and int64_data
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
		return 0, fmt.Errorf("onnx: tensor %q: expected elements of float, float16, double, int32, int64 or bool, got %v", t.Name, t.Type)
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

// Float32s are the elements of a tensor of floats.
func (t *Tensor) Float32s() ([]float32, error) {
	n, err := t.count()
	if err != nil {
		return nil, err
	}
	out := make([]float32, n)
	switch {
	case t.Type == Float && t.Raw == nil && len(t.Floats) == n:
		copy(out, t.Floats)
	case t.Type == Float && t.Raw != nil:
		for i := range out {
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.Raw[4*i:]))
		}
	case t.Type == Double && t.Raw == nil && len(t.Doubles) == n:
		for i, v := range t.Doubles {
			out[i] = float32(v)
		}
	case t.Type == Double && t.Raw != nil:
		for i := range out {
			out[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(t.Raw[8*i:])))
		}
	case t.Type == Float16 && t.Raw != nil:
		for i := range out {
			out[i] = half(binary.LittleEndian.Uint16(t.Raw[2*i:]))
		}
	case t.Type == Float16 && len(t.Ints) == n:
		for i, v := range t.Ints {
			out[i] = half(uint16(v))
		}
	default:
		return nil, fmt.Errorf("onnx: tensor %q: expected floats, got %v", t.Name, t.Type)
	}
	return out, nil
}

// half is the number that 16 bits of IEEE 754 mean.
func half(bits uint16) float32 {
	sign, exp, frac := float32(1), int(bits>>10&31), float64(bits&1023)
	if bits>>15 != 0 {
		sign = -1
	}
	switch exp {
	case 0:
		return sign * float32(math.Ldexp(frac, -24))
	case 31:
		if frac != 0 {
			return float32(math.NaN())
		}
		return sign * float32(math.Inf(1))
	}
	return sign * float32(math.Ldexp(1024+frac, exp-25))
}

// Int64s are the elements of a tensor of whole numbers, or of booleans as 0 and 1.
func (t *Tensor) Int64s() ([]int64, error) {
	n, err := t.count()
	if err != nil {
		return nil, err
	}
	out := make([]int64, n)
	switch {
	case (t.Type == Int64 || t.Type == Int32 || t.Type == Bool) && t.Raw == nil && len(t.Ints) == n:
		copy(out, t.Ints)
	case t.Type == Int64 && t.Raw != nil:
		for i := range out {
			out[i] = int64(binary.LittleEndian.Uint64(t.Raw[8*i:]))
		}
	case t.Type == Int32 && t.Raw != nil:
		for i := range out {
			out[i] = int64(int32(binary.LittleEndian.Uint32(t.Raw[4*i:])))
		}
	case t.Type == Bool && t.Raw != nil:
		for i := range out {
			out[i] = int64(t.Raw[i])
		}
	default:
		return nil, fmt.Errorf("onnx: tensor %q: expected whole numbers, got %v", t.Name, t.Type)
	}
	return out, nil
}
