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
	"math"
	"strings"
	"unicode/utf8"
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
func (a *Array) Float64() []float64 { return numbers[float64](a) }

// Float32 is every element as a float32, rounded to nearest, in C order; nil unless the kind is f, i, u or b.
func (a *Array) Float32() []float32 { return numbers[float32](a) }

// Int64 is every element as an int64, in C order; nil unless the kind is i, u or b. A u8 above the largest int64 becomes
// negative, as in Go's conversion.
func (a *Array) Int64() []int64 {
	if a.Kind() == 'f' {
		return nil
	}
	return numbers[int64](a)
}

// Int32 is every element as an int32, in C order. It fails when the kind is not i, u or b, and when a value does not fit.
func (a *Array) Int32() ([]int32, error) {
	switch a.Kind() {
	case 'i', 'u', 'b':
	default:
		return nil, fmt.Errorf("npy: expected an array of integers, got dtype %s", a.Dtype)
	}
	if a.Dtype == "<i4" {
		return numbers[int32](a), nil
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

// numbers converts from every numeric dtype by the conversion of Go; a bool is 0 or 1.
func numbers[D float32 | float64 | int32 | int64](a *Array) []D {
	le := binary.LittleEndian
	raw := a.raw
	var at func(i int) D
	switch a.Dtype[1:] {
	case "f2":
		at = func(i int) D { return D(half(le.Uint16(raw[2*i:]))) }
	case "f4":
		at = func(i int) D { return D(math.Float32frombits(le.Uint32(raw[4*i:]))) }
	case "f8":
		at = func(i int) D { return D(math.Float64frombits(le.Uint64(raw[8*i:]))) }
	case "i1":
		at = func(i int) D { return D(int8(raw[i])) }
	case "i2":
		at = func(i int) D { return D(int16(le.Uint16(raw[2*i:]))) }
	case "i4":
		at = func(i int) D { return D(int32(le.Uint32(raw[4*i:]))) }
	case "i8":
		at = func(i int) D { return D(int64(le.Uint64(raw[8*i:]))) }
	case "u1":
		at = func(i int) D { return D(raw[i]) }
	case "u2":
		at = func(i int) D { return D(le.Uint16(raw[2*i:])) }
	case "u4":
		at = func(i int) D { return D(le.Uint32(raw[4*i:])) }
	case "u8":
		at = func(i int) D { return D(le.Uint64(raw[8*i:])) }
	case "b1":
		at = func(i int) D { return D(min(raw[i], 1)) }
	default:
		return nil
	}
	dst := make([]D, a.Len())
	for i := range dst {
		dst[i] = at(i)
	}
	return dst
}

// half is the number that 16 bits of IEEE 754 binary16 mean: sign, 5 bits of exponent (bias 15), 10 bits of fraction.
func half(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exp, frac := uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch exp {
	case 0: // zero and subnormal: fraction times 2^-24
		return math.Float32frombits(sign | math.Float32bits(float32(frac)/(1<<24)))
	case 0x1f: // infinity and NaN
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
}
