package safetensors

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"
)

func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	var b bytes.Buffer
	in := []Values{{"b", []int{2, 1}, []float32{1, -2.5}}, {"a", nil, []float32{7}}, {"é\"", []int{0, 3}, nil}}
	if err := Write(&b, in); err != nil {
		t.Fatal(err)
	}
	got, err := Open(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(in) {
		t.Fatalf("expected %d tensors, got %d", len(in), len(got))
	}
	for _, g := range got {
		for _, w := range in {
			if w.Name != g.Name {
				continue
			}
			values, err := g.Float32()
			if err != nil || len(values) != len(w.Data) || len(g.Shape) != len(w.Shape) {
				t.Fatalf("%s: %v, %v, %v", g.Name, values, g.Shape, err)
			}
			for i := range values {
				if values[i] != w.Data[i] {
					t.Errorf("%s[%d]: expected %v, got %v", g.Name, i, w.Data[i], values[i])
				}
			}
		}
	}
}

func TestWrongFiles(t *testing.T) {
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":     {nil, "length of its header"},
		"header":    {binary.LittleEndian.AppendUint64(nil, 1<<40), "expected a header that fits"},
		"json":      {file(`{"a":`, 0), "expected JSON"},
		"type":      {file(`{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}`, 4), "expected a type such as F32"},
		"outside":   {file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 4), "expected data_offsets within 4 bytes"},
		"shape":     {file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4), "expected 8 bytes for shape [2]"},
		"huge":      {file(`{"a":{"dtype":"F32","shape":[65536,65536,65536,65536,65536],"data_offsets":[0,4]}}`, 4), "expected a shape that fits"},
		"negative":  {file(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4), "expected axes from 0"},
		"overlap":   {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), "behind those of the tensor before"},
		"left over": {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 8), "ends with its tensors"},
	} {
		if _, err := Open(bytes.NewReader(c.file), int64(len(c.file))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected an error with %q, got %v", name, c.want, err)
		}
	}
}

// Numbers of 16 bits: the ends of their range, and what lies below the normal ones.
func TestHalf(t *testing.T) {
	for bits, want := range map[uint16]float32{0: 0, 0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 0x0001: 1. / (1 << 24), 0x0400: 1. / (1 << 14), 0x3555: 0.33325195, 0x7c00: float32(math.Inf(1))} {
		if got := half(bits); got != want {
			t.Errorf("%#04x: expected %v, got %v", bits, want, got)
		}
	}
	if v := half(0x7e00); v == v {
		t.Errorf("expected NaN, got %v", v)
	}
	if v := half(0x8000); !math.Signbit(float64(v)) || v != 0 {
		t.Errorf("expected -0, got %v", v)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4))
	f.Add(file(`{"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[2,1],"data_offsets":[0,4]},"b":{"dtype":"I64","shape":[],"data_offsets":[4,12]}}`, 12))
	f.Fuzz(func(t *testing.T, b []byte) {
		tensors, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		total := 0
		for _, one := range tensors {
			n := 1
			for _, axis := range one.Shape {
				n *= axis
			}
			if values, err := one.Float32(); err == nil && len(values) != n {
				t.Errorf("%s: expected %d values for shape %v, got %d", one.Name, n, one.Shape, len(values))
			}
			total += int(one.size)
		}
		if total > len(b) {
			t.Errorf("expected at most %d bytes, got %d", len(b), total)
		}
	})
}
