package safetensors

import (
	"bytes"
	"encoding/binary"
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
	f, err := Open(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	got := f.Tensors
	if f.Metadata["format"] != "pt" {
		t.Errorf("expected the format pt, got %v", f.Metadata)
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
		"header":    {binary.LittleEndian.AppendUint64(nil, 1<<40), "expected a header of at most 0 bytes in a file of 8, got 1099511627776"},
		"json":      {file(`{"a":`, 0), "expected JSON"},
		"metadata":  {file(`{"__metadata__":{"format":1}}`, 0), "expected texts under their names"},
		"unknown":   {file(`{"a":{"dtype":"F31","shape":[33],"data_offsets":[0,4]}}`, 4), "expected a shape that fits 4 bytes"},
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

// A type that is not known here hides nothing but its numbers.
func TestUnknownType(t *testing.T) {
	b := file(`{"a":{"dtype":"F4","shape":[2,4],"data_offsets":[0,4]}}`, 4)
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil || len(f.Tensors) != 1 || f.Tensors[0].DType != "F4" || len(f.Tensors[0].Shape) != 2 {
		t.Fatalf("expected a tensor of F4, got %+v, %v", f, err)
	}
	if _, err := f.Tensors[0].Float32(); err == nil || !strings.Contains(err.Error(), `safetensors: "a": expected numbers of a type such as F32`) {
		t.Errorf("expected an error of the type, got %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4))
	f.Add(file(`{"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[2,1],"data_offsets":[0,4]},"b":{"dtype":"I64","shape":[],"data_offsets":[4,12]}}`, 12))
	f.Fuzz(func(t *testing.T, b []byte) {
		open, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		total := 0
		for _, one := range open.Tensors {
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
