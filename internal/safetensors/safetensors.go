// Package safetensors reads and writes the file format of that name: a header of JSON that says of every tensor its type, its shape and where its bytes are,
// and the bytes. Source: the format's description in github.com/huggingface/safetensors.
package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/unroll-ml/unroll/internal/wire"
)

// The bounds of the format: of the header, and, ours, of axes.
const (
	maxHeader = 100 << 20
	maxRank   = 32
)

// metadata is the name that is no tensor's.
const metadata = "__metadata__"

// Tensor is one of a file.
type Tensor struct {
	Name  string
	DType string // "F32"
	Shape []int

	at, size int64
	src      io.ReaderAt
}

// header is a tensor in the JSON.
type header struct {
	DType   string  `json:"dtype"`
	Shape   []int64 `json:"shape"`
	Offsets []int64 `json:"data_offsets"`
}

// File is an open file: what its header says. Tensors come in the order of their bytes.
type File struct {
	Metadata map[string]string // of the writer; nil where there is none
	Tensors  []Tensor
}

// Open reads the header of a file of size bytes, and no number. Tensors fill the file without gaps, as the format asks, so that together they are no larger
// than it. One of a type that is not known here is no error before its numbers are asked for.
func Open(r io.ReaderAt, size int64) (*File, error) {
	var length [8]byte
	if _, err := r.ReadAt(length[:], 0); err != nil {
		return nil, fmt.Errorf("safetensors: expected a file that begins with the length of its header: %w", short(err))
	}
	n := binary.LittleEndian.Uint64(length[:])
	if most := min(maxHeader, size-8); n > uint64(most) {
		return nil, fmt.Errorf("safetensors: expected a header of at most %d bytes in a file of %d, got %d", most, size, n)
	}
	text := make([]byte, n)
	if _, err := r.ReadAt(text, 8); err != nil {
		return nil, fmt.Errorf("safetensors: header: %w", short(err))
	}
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, fmt.Errorf("safetensors: header: expected JSON: %w", err)
	}
	f := &File{}
	if raw, ok := entries[metadata]; ok {
		if err := json.Unmarshal(raw, &f.Metadata); err != nil {
			return nil, fmt.Errorf("safetensors: %s: expected texts under their names: %w", metadata, err)
		}
		delete(entries, metadata)
	}
	data := size - 8 - int64(n)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		var h header
		if err := json.Unmarshal(entries[name], &h); err != nil {
			return nil, fmt.Errorf("safetensors: %.80q: expected dtype, shape and data_offsets: %w", name, err)
		}
		t, err := h.tensor(name, data)
		if err != nil {
			return nil, fmt.Errorf("safetensors: %.80q: %w", name, err)
		}
		t.at, t.src = t.at+8+int64(n), r
		f.Tensors = append(f.Tensors, t)
	}
	slices.SortStableFunc(f.Tensors, func(a, b Tensor) int { return cmp.Compare(a.at, b.at) })
	at := 8 + int64(n)
	for _, t := range f.Tensors {
		if t.at != at {
			return nil, fmt.Errorf("safetensors: %.80q: expected its bytes behind those of the tensor before it, at %d, got %d", t.Name, at, t.at)
		}
		at += t.size
	}
	if at != size {
		return nil, fmt.Errorf("safetensors: expected a file that ends with its tensors, at byte %d, got %d bytes", at, size)
	}
	return f, nil
}

func (h *header) tensor(name string, data int64) (Tensor, error) {
	t := Tensor{Name: name, DType: h.DType, Shape: []int{}}
	if len(h.Offsets) != 2 || h.Offsets[0] < 0 || h.Offsets[1] < h.Offsets[0] || h.Offsets[1] > data {
		return t, fmt.Errorf("expected data_offsets within %d bytes, got %v", data, h.Offsets)
	}
	if len(h.Shape) > maxRank {
		return t, fmt.Errorf("expected at most %d axes, got %d", maxRank, len(h.Shape))
	}
	t.at, t.size = h.Offsets[0], h.Offsets[1]-h.Offsets[0]
	most := 8 * t.size // elements: no type has less than a bit
	count, empty := int64(1), false
	for _, n := range h.Shape {
		if n < 0 || n > math.MaxInt32 {
			return t, fmt.Errorf("expected axes from 0 to %d, got %v", math.MaxInt32, h.Shape)
		}
		t.Shape = append(t.Shape, int(n))
		empty = empty || n == 0
		if n > 0 && count > data/n+1 && count > most/n+1 {
			return t, fmt.Errorf("expected a shape that fits %d bytes, got %v", data, h.Shape)
		}
		count *= max(n, 1)
	}
	if empty {
		count = 0
	}
	switch w := int64(wire.Width(h.DType)); {
	case w > 0 && count*w != t.size:
		return t, fmt.Errorf("expected %d bytes for shape %v of %s, got %d", count*w, h.Shape, h.DType, t.size)
	case count > most:
		return t, fmt.Errorf("expected a shape that fits %d bytes, got %v", t.size, h.Shape)
	}
	return t, nil
}

// Float32 is the tensor's numbers, row-major; see wire.Decode.
func (t *Tensor) Float32() ([]float32, error) { return decode[float32](t) }

// Float64 is the same without rounding.
func (t *Tensor) Float64() ([]float64, error) { return decode[float64](t) }

func decode[T float32 | float64](t *Tensor) ([]T, error) {
	raw := make([]byte, t.size)
	if _, err := t.src.ReadAt(raw, t.at); err != nil && t.size > 0 {
		return nil, fmt.Errorf("safetensors: %.80q: %w", t.Name, short(err))
	}
	values, err := wire.Decode[T](t.DType, raw)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %.80q: %w", t.Name, err)
	}
	return values, nil
}

// Values are a tensor to write.
type Values struct {
	Name  string
	Shape []int
	Data  []float32
}

// Write writes tensors of float32, sorted by name as the package safetensors does. The same arguments give the same bytes.
func Write(w io.Writer, tensors []Values) error {
	sorted := slices.Clone(tensors)
	slices.SortFunc(sorted, func(a, b Values) int { return cmp.Compare(a.Name, b.Name) })
	var text bytes.Buffer
	text.WriteString(`{"` + metadata + `":{"format":"pt"}`)
	at := 0
	for i, t := range sorted {
		count := 1
		for _, n := range t.Shape {
			count *= n
		}
		if count != len(t.Data) {
			return fmt.Errorf("safetensors: %s: expected %d values for shape %v, got %d", t.Name, count, t.Shape, len(t.Data))
		}
		if t.Name == metadata || i > 0 && t.Name == sorted[i-1].Name {
			return fmt.Errorf("safetensors: expected a name of its own for every tensor, got %q", t.Name)
		}
		name, err := json.Marshal(t.Name)
		if err != nil {
			return fmt.Errorf("safetensors: %w", err)
		}
		shape, err := json.Marshal(append([]int{}, t.Shape...))
		if err != nil {
			return fmt.Errorf("safetensors: %w", err)
		}
		fmt.Fprintf(&text, `,%s:{"dtype":"F32","shape":%s,"data_offsets":[%d,%d]}`, name, shape, at, at+4*count)
		at += 4 * count
	}
	text.WriteByte('}')
	for text.Len()%8 != 0 {
		text.WriteByte(' ')
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(text.Len()))
	if _, err := w.Write(append(out, text.Bytes()...)); err != nil {
		return err
	}
	for _, t := range sorted {
		raw := make([]byte, 0, 4*len(t.Data))
		for _, v := range t.Data {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
		if _, err := w.Write(raw); err != nil {
			return err
		}
	}
	return nil
}

// short says what an early end of a file is.
func short(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
