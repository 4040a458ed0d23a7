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

// width is the bytes an element; 0 for a type that is not known.
func width(dtype string) int64 {
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

// Open reads the header of a file of size bytes. Tensors come in the order of their bytes; these fill the file without gaps, as the format asks, so that
// together they are no larger than it.
func Open(r io.ReaderAt, size int64) ([]Tensor, error) {
	var length [8]byte
	if _, err := r.ReadAt(length[:], 0); err != nil {
		return nil, fmt.Errorf("safetensors: expected a file that begins with the length of its header: %w", short(err))
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader || int64(n) > size-8 {
		return nil, fmt.Errorf("safetensors: expected a header that fits a file of %d bytes, got one of %d", size, n)
	}
	text := make([]byte, n)
	if _, err := r.ReadAt(text, 8); err != nil {
		return nil, fmt.Errorf("safetensors: header: %w", short(err))
	}
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, fmt.Errorf("safetensors: header: expected JSON: %w", err)
	}
	delete(entries, metadata)
	data := size - 8 - int64(n)
	var tensors []Tensor
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
		tensors = append(tensors, t)
	}
	slices.SortStableFunc(tensors, func(a, b Tensor) int { return cmp.Compare(a.at, b.at) })
	at := 8 + int64(n)
	for _, t := range tensors {
		if t.at != at {
			return nil, fmt.Errorf("safetensors: %.80q: expected its bytes behind those of the tensor before it, at %d, got %d", t.Name, at, t.at)
		}
		at += t.size
	}
	if at != size {
		return nil, fmt.Errorf("safetensors: expected a file that ends with its tensors, at byte %d, got %d bytes", at, size)
	}
	return tensors, nil
}

func (h *header) tensor(name string, data int64) (Tensor, error) {
	t := Tensor{Name: name, DType: h.DType}
	w := width(h.DType)
	if w == 0 {
		return t, fmt.Errorf("expected a type such as F32, got %.20q", h.DType)
	}
	if len(h.Offsets) != 2 || h.Offsets[0] < 0 || h.Offsets[1] < h.Offsets[0] || h.Offsets[1] > data {
		return t, fmt.Errorf("expected data_offsets within %d bytes, got %v", data, h.Offsets)
	}
	if len(h.Shape) > maxRank {
		return t, fmt.Errorf("expected at most %d axes, got %d", maxRank, len(h.Shape))
	}
	count, empty := int64(1), false
	for _, n := range h.Shape {
		if n < 0 || n > math.MaxInt32 {
			return t, fmt.Errorf("expected axes from 0 to %d, got %v", math.MaxInt32, h.Shape)
		}
		t.Shape = append(t.Shape, int(n))
		empty = empty || n == 0
		if n > 0 && count > data/n+1 {
			return t, fmt.Errorf("expected a shape that fits %d bytes, got %v", data, h.Shape)
		}
		count *= max(n, 1)
	}
	if empty {
		count = 0
	}
	t.at, t.size = h.Offsets[0], h.Offsets[1]-h.Offsets[0]
	if count*w != t.size {
		return t, fmt.Errorf("expected %d bytes for shape %v of %s, got %d", count*w, h.Shape, h.DType, t.size)
	}
	return t, nil
}

// Float32 reads the tensor's numbers, row-major: F32 as they are, F64, F16 and BF16 rounded or widened, whole numbers converted.
func (t *Tensor) Float32() ([]float32, error) {
	raw := make([]byte, t.size)
	if _, err := t.src.ReadAt(raw, t.at); err != nil && t.size > 0 {
		return nil, fmt.Errorf("safetensors: %.80q: %w", t.Name, short(err))
	}
	values, err := Decode(t.DType, raw)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %.80q: %w", t.Name, err)
	}
	return values, nil
}

// Decode is little-endian numbers of a type as floats.
func Decode(dtype string, raw []byte) ([]float32, error) {
	w := int(width(dtype))
	if w == 0 || len(raw)%w != 0 {
		return nil, fmt.Errorf("expected numbers of a type such as F32, got %d bytes of %.20q", len(raw), dtype)
	}
	values := make([]float32, len(raw)/w)
	le := binary.LittleEndian
	for i := range values {
		b := raw[i*w:]
		switch dtype {
		case "F32":
			values[i] = math.Float32frombits(le.Uint32(b))
		case "F64":
			values[i] = float32(math.Float64frombits(le.Uint64(b)))
		case "BF16":
			values[i] = math.Float32frombits(uint32(le.Uint16(b)) << 16)
		case "F16":
			values[i] = half(le.Uint16(b))
		case "I64":
			values[i] = float32(int64(le.Uint64(b)))
		case "U64":
			values[i] = float32(le.Uint64(b))
		case "I32":
			values[i] = float32(int32(le.Uint32(b)))
		case "U32":
			values[i] = float32(le.Uint32(b))
		case "I16":
			values[i] = float32(int16(le.Uint16(b)))
		case "U16":
			values[i] = float32(le.Uint16(b))
		case "I8":
			values[i] = float32(int8(b[0]))
		case "U8", "BOOL":
			values[i] = float32(b[0])
		default:
			return nil, fmt.Errorf("expected numbers of 16 bits at least, got %s", dtype)
		}
	}
	return values, nil
}

// half is a number of IEEE 754's 16 bits: sign, 5 bits of exponent, 10 of fraction.
func half(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch exponent {
	case 0: // zero, or a number below the smallest normal one
		v := float32(fraction) / (1 << 24)
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31:
		return math.Float32frombits(sign | 255<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
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
