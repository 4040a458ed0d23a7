package wire

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		dtype string
		raw   []byte
		want  []float64
	}{
		{"F32", []byte{0, 0, 0x20, 0x40, 0, 0, 0x80, 0xbf}, []float64{2.5, -1}},
		{"F64", []byte{0, 0, 0, 0, 0, 0, 0xe0, 0x3f}, []float64{0.5}},
		{"F16", []byte{0, 0x3c, 1, 0}, []float64{1, 1.0 / (1 << 24)}},
		{"BF16", []byte{0x20, 0xc0}, []float64{-2.5}},
		{"I64", []byte{1, 0, 0, 0, 0, 1, 0, 0}, []float64{1<<40 + 1}},
		{"U64", []byte{255, 255, 255, 255, 255, 255, 255, 255}, []float64{1 << 64}},
		{"I32", []byte{254, 255, 255, 255}, []float64{-2}},
		{"U32", []byte{254, 255, 255, 255}, []float64{1<<32 - 2}},
		{"I16", []byte{254, 255}, []float64{-2}},
		{"U16", []byte{254, 255}, []float64{1<<16 - 2}},
		{"I8", []byte{254, 3}, []float64{-2, 3}},
		{"U8", []byte{254}, []float64{254}},
		{"BOOL", []byte{0, 1}, []float64{0, 1}},
		{"F32", nil, nil},
	} {
		got, err := Decode[float64](c.dtype, c.raw)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: expected %v, got %v, %v", c.dtype, c.want, got, err)
		}
	}
	if ids, err := Decode[int64]("I64", []byte{1, 0, 0, 0, 0, 0, 0, 0x40}); err != nil || ids[0] != 1<<62+1 {
		t.Errorf("expected whole numbers as they are, got %v, %v", ids, err)
	}
	for dtype, want := range map[string]string{"F31": "expected numbers of a type such as F32", "F32": "got 3 bytes", "F8_E5M2": "16 bits at least"} {
		if _, err := Decode[float32](dtype, []byte{1, 2, 3}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected an error with %q, got %v", dtype, want, err)
		}
	}
}

// Every binary16 against its definition (-1)^s · 2^(e-15) · (1 + m/1024), or 2^-14 · m/1024 for e = 0.
func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		s, e, m := h>>15, h>>10&31, h&1023
		want := math.Ldexp(1+float64(m)/1024, e-15)
		switch {
		case e == 0:
			want = math.Ldexp(float64(m)/1024, -14)
		case e == 31 && m == 0:
			want = math.Inf(1)
		case e == 31:
			want = math.NaN()
		}
		want = math.Copysign(want, 1-2*float64(s))
		got := float64(Half(uint16(h)))
		if math.Float64bits(got) != math.Float64bits(want) && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Fatalf("%#04x: got %g, want %g", h, got, want)
		}
	}
}
