// Package npy reads and writes NumPy's array files: .npy, one array, and .npz, a zip of named arrays.
//
// The dtypes are f2 f4 f8, i1 to i8, u1 to u8, b1, S (bytes) and U (text), in both byte orders, in C and Fortran order, in
// format versions 1, 2 and 3. An object array (dtype O) is a pickle: its bytes are handed on, for internal/pickle to read.
//
// Source: NumPy's documentation of numpy.lib.format, and the files that NumPy 1 and 2 write.
package npy

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/unroll-ml/unroll/internal/wire"
)

// Array is one array in memory, always little-endian and in C order, whatever its file was.
type Array struct {
	Shape []int  // empty for a single number
	Dtype string // as NumPy writes it: "<f4", "|b1", "|S5", "<U3", "|O"
	raw   []byte
}

// Number is what a Go slice may hold to become an Array.
type Number interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | bool
}

// From is an array of these numbers, copied. It panics when the shape does not fit the data. A call without a shape is one
// axis of all the data.
func From[T Number](data []T, shape ...int) *Array {
	var dtype string
	switch any(data).(type) {
	case []float32:
		dtype = "<f4"
	case []float64:
		dtype = "<f8"
	case []int8:
		dtype = "|i1"
	case []int16:
		dtype = "<i2"
	case []int32:
		dtype = "<i4"
	case []int64:
		dtype = "<i8"
	case []uint8:
		dtype = "|u1"
	case []uint16:
		dtype = "<u2"
	case []uint32:
		dtype = "<u4"
	case []uint64:
		dtype = "<u8"
	case []bool:
		dtype = "|b1"
	}
	raw, err := binary.Append(nil, binary.LittleEndian, data)
	if err != nil {
		panic("npy: " + err.Error())
	}
	return &Array{Shape: fitted(len(data), shape), Dtype: dtype, raw: raw}
}

// FromStrings is an array of text, dtype U as wide as the longest. NumPy pads with zero characters, so trailing ones are
// lost. It panics when the shape does not fit the data.
func FromStrings(data []string, shape ...int) *Array {
	width := 1
	for _, s := range data {
		width = max(width, utf8.RuneCountInString(s))
	}
	raw := make([]byte, 4*width*len(data))
	for i, s := range data {
		at := 4 * width * i
		for _, r := range s {
			binary.LittleEndian.PutUint32(raw[at:], uint32(r))
			at += 4
		}
	}
	return &Array{Shape: fitted(len(data), shape), Dtype: fmt.Sprintf("<U%d", width), raw: raw}
}

func fitted(n int, shape []int) []int {
	if len(shape) == 0 {
		return []int{n}
	}
	size := 1
	for _, d := range shape {
		size *= d
	}
	if size != n {
		panic(fmt.Sprintf("npy: shape %v needs %d values, got %d", shape, size, n))
	}
	return append([]int(nil), shape...)
}

// Scalar is an array without axes that holds one number.
func Scalar[T Number](v T) *Array {
	a := From([]T{v})
	a.Shape = []int{}
	return a
}

// Len is the number of elements: the product of the axes, 1 without axes.
func (a *Array) Len() int {
	n := 1
	for _, d := range a.Shape {
		n *= d
	}
	return n
}

// Kind is the letter of the dtype: 'f', 'i', 'u', 'b', 'S', 'U' or 'O'.
func (a *Array) Kind() byte { return a.Dtype[1] }

// Bytes is the array as it lies in memory, little-endian in C order, not copied; of an object array the pickle.
func (a *Array) Bytes() []byte { return a.raw }

// Float64 is every element as a float64, in C order; nil unless the kind is f, i, u or b.
func (a *Array) Float64() []float64 { return convert[float64](a) }

// Float32 is every element as a float32, rounded to nearest, in C order; nil unless the kind is f, i, u or b.
func (a *Array) Float32() []float32 { return convert[float32](a) }

// Int64 is every element as an int64, in C order; nil unless the kind is i, u or b. A u8 above the largest int64 becomes
// negative, as in Go's conversion.
func (a *Array) Int64() []int64 {
	if a.Kind() == 'f' {
		return nil
	}
	return convert[int64](a)
}

// Int32 is every element as an int32, in C order. It fails when the kind is not i, u or b, and when a value does not fit.
func (a *Array) Int32() ([]int32, error) {
	switch a.Kind() {
	case 'i', 'u', 'b':
	default:
		return nil, fmt.Errorf("npy: expected an array of integers, got dtype %s", a.Dtype)
	}
	if a.Dtype == "<i4" {
		return convert[int32](a), nil
	}
	dst := make([]int32, a.Len())
	for i, v := range a.Int64() {
		if v != int64(int32(v)) || v < 0 && a.Kind() == 'u' {
			return nil, fmt.Errorf("npy: expected integers that fit 32 bits, got %d at element %d of dtype %s", v, i, a.Dtype)
		}
		dst[i] = int32(v)
	}
	return dst, nil
}

// Strings is every element of kind S or U as a string without its padding, in C order; nil for other kinds. What is not a
// character of Unicode becomes U+FFFD; bytes are handed on as they are.
func (a *Array) Strings() []string {
	n := a.Len()
	switch a.Kind() {
	case 'S':
		dst := make([]string, n)
		for i := range dst {
			size := len(a.raw) / n
			dst[i] = strings.TrimRight(string(a.raw[i*size:(i+1)*size]), "\x00")
		}
		return dst
	case 'U':
		dst := make([]string, n)
		var b strings.Builder
		for i := range dst {
			size := len(a.raw) / n
			b.Reset()
			zeros := 0 // held back until a character follows: padding, or part of the text
			for at := i * size; at < (i+1)*size; at += 4 {
				r := binary.LittleEndian.Uint32(a.raw[at:])
				if r == 0 {
					zeros++
					continue
				}
				for ; zeros > 0; zeros-- {
					b.WriteByte(0)
				}
				b.WriteRune(rune(min(r, utf8.MaxRune+1)))
			}
			dst[i] = b.String()
		}
		return dst
	}
	return nil
}

// types are the names of numeric dtypes in package wire.
var types = map[string]string{"f2": "F16", "f4": "F32", "f8": "F64", "i1": "I8", "i2": "I16", "i4": "I32", "i8": "I64", "u1": "U8", "u2": "U16", "u4": "U32", "u8": "U64", "b1": "BOOL"}

// convert converts from every numeric dtype by the conversion of Go; a bool is 0 or 1. Nil for other dtypes.
func convert[D float32 | float64 | int32 | int64](a *Array) []D {
	values, err := wire.Decode[D](types[a.Dtype[1:]], a.raw)
	if err != nil {
		return nil
	}
	return values
}
