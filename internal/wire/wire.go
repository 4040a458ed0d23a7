// Package wire turns the bytes of a file into numbers: of the types that several formats share, little-endian, one after the other. They go by the names that
// safetensors gives them: F32, BF16, I64.
package wire

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Width is the bytes of a number; 0 for a type that is not known.
func Width(dtype string) int {
	switch dtype {
	case "BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3":
		return 1
	case "I16", "U16", "F16", "BF16":
		return 2
	case "I32", "U32", "F32":
		return 4
	case "I64", "U64", "F64":
		return 8
	}
	return 0
}

// Decode is the numbers in raw by the conversions of Go: F32 as they are, F64 rounded to a float32, F16 and BF16 widened, a BOOL 0 or 1. Floats of 8 bits are an error.
func Decode[T float32 | float64 | int32 | int64](dtype string, raw []byte) ([]T, error) {
	w := Width(dtype)
	if w == 0 || len(raw)%w != 0 {
		return nil, fmt.Errorf("expected numbers of a type such as F32, got %d bytes of %.20q", len(raw), dtype)
	}
	le := binary.LittleEndian
	var at func(b []byte) T
	switch dtype {
	case "F32":
		at = func(b []byte) T { return T(math.Float32frombits(le.Uint32(b))) }
	case "F64":
		at = func(b []byte) T { return T(math.Float64frombits(le.Uint64(b))) }
	case "BF16":
		at = func(b []byte) T { return T(math.Float32frombits(uint32(le.Uint16(b)) << 16)) }
	case "F16":
		at = func(b []byte) T { return T(Half(le.Uint16(b))) }
	case "I64":
		at = func(b []byte) T { return T(int64(le.Uint64(b))) }
	case "U64":
		at = func(b []byte) T { return T(le.Uint64(b)) }
	case "I32":
		at = func(b []byte) T { return T(int32(le.Uint32(b))) }
	case "U32":
		at = func(b []byte) T { return T(le.Uint32(b)) }
	case "I16":
		at = func(b []byte) T { return T(int16(le.Uint16(b))) }
	case "U16":
		at = func(b []byte) T { return T(le.Uint16(b)) }
	case "I8":
		at = func(b []byte) T { return T(int8(b[0])) }
	case "U8":
		at = func(b []byte) T { return T(b[0]) }
	case "BOOL":
		at = func(b []byte) T { return T(min(b[0], 1)) }
	default:
		return nil, fmt.Errorf("expected numbers of 16 bits at least, got %s", dtype)
	}
	values := make([]T, len(raw)/w)
	for i := range values {
		values[i] = at(raw[i*w:])
	}
	return values, nil
}

// Half is the number that 16 bits of IEEE 754 mean: sign, 5 bits of exponent (bias 15), 10 of fraction.
func Half(bits uint16) float32 {
	sign, exponent, fraction := uint32(bits>>15)<<31, uint32(bits>>10&31), uint32(bits&1023)
	switch exponent {
	case 0: // zero, or a number below the smallest normal one
		v := float32(fraction) / (1 << 24)
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31:
		return math.Float32frombits(sign | 255<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}
