// Package torch reads the files that torch.save writes since PyTorch 1.6: a zip archive with a pickle, data.pkl, and beside it, in data/, the storages whose numbers
// its tensors are views of. Nothing in a file runs: the pickle is read by a reader that knows tensors and plain values alone.
package torch

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strings"

	"github.com/unroll-ml/unroll/internal/pickle"
	"github.com/unroll-ml/unroll/internal/wire"
)

// File is an open file. What is read of it together is no larger than the file.
type File struct {
	Root any // what was saved: see pickle.ReadTorch

	members map[string]*zip.File
	root    string
	size    int64
	room    int64             // bytes that members may still take
	values  int64             // that were read, of all tensors
	read    map[string][]byte // storages by their key
}

// Open reads the pickle in a file of size bytes, and no storage.
func Open(r io.ReaderAt, size int64) (*File, error) {
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, fmt.Errorf("expected a file of torch.save, a zip archive (not the form before PyTorch 1.6): %w", err)
	}
	f := &File{members: map[string]*zip.File{}, size: size, room: size, read: map[string][]byte{}}
	for _, m := range z.File {
		f.members[m.Name] = m
		if strings.HasSuffix(m.Name, "/data.pkl") {
			f.root = path.Dir(m.Name)
		}
	}
	program := f.members[f.root+"/data.pkl"]
	if program == nil {
		return nil, fmt.Errorf("expected a file of torch.save, an archive with data.pkl, got none")
	}
	if order, ok := f.members[f.root+"/byteorder"]; ok {
		text, err := f.member(order)
		if err != nil {
			return nil, err
		}
		if string(text) != "little" {
			return nil, fmt.Errorf("byteorder: expected little, got %.20q", text)
		}
	}
	raw, err := f.member(program)
	if err != nil {
		return nil, err
	}
	f.Root, err = pickle.ReadTorch(strings.NewReader(string(raw)))
	return f, err
}

// member reads one whole; PyTorch stores them as they are.
func (f *File) member(m *zip.File) ([]byte, error) {
	if m.Method != zip.Store {
		return nil, fmt.Errorf("%s: expected a member that is stored as it is, got a packed one", m.Name)
	}
	if m.UncompressedSize64 > uint64(f.room) {
		return nil, fmt.Errorf("%s: expected members that a file of %d bytes can hold, got %d more", m.Name, f.size, m.UncompressedSize64)
	}
	f.room -= int64(m.UncompressedSize64)
	r, err := m.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	defer r.Close()
	raw := make([]byte, m.UncompressedSize64)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	if _, err := r.Read(make([]byte, 1)); err != io.EOF { // where the checksum is compared
		return nil, fmt.Errorf("%s: expected its end, got %v", m.Name, err)
	}
	return raw, nil
}

// kinds are the storages that have numbers: PyTorch's dtype, and the type in package wire.
var kinds = map[string]struct{ dtype, wire string }{
	"Float": {"float32", "F32"}, "Double": {"float64", "F64"}, "Half": {"float16", "F16"}, "BFloat16": {"bfloat16", "BF16"}, "Long": {"int64", "I64"},
	"Int": {"int32", "I32"}, "Short": {"int16", "I16"}, "Char": {"int8", "I8"}, "Byte": {"uint8", "U8"}, "Bool": {"bool", "BOOL"},
}

// DType is what PyTorch calls the type of a tensor's numbers: float32.
func DType(t *pickle.Tensor) string { return kinds[t.Storage.Kind].dtype }

// Shape is a tensor's, as far as a file could hold it.
func (f *File) Shape(t *pickle.Tensor) ([]int, error) {
	shape := make([]int, 0, len(t.Shape))
	count := int64(1)
	for _, n := range t.Shape {
		if n > math.MaxInt32 || n > 0 && count > f.size/n+1 {
			return nil, fmt.Errorf("expected a shape that fits the file, got %v", t.Shape)
		}
		count *= max(n, 1)
		shape = append(shape, int(n))
	}
	return shape, nil
}

// Values reads a tensor of the file, row-major; see wire.Decode.
func Values[T float32 | float64](f *File, t *pickle.Tensor) ([]T, error) {
	raw, err := f.view(t)
	if err != nil {
		return nil, err
	}
	return wire.Decode[T](kinds[t.Storage.Kind].wire, raw)
}

// view is the bytes of a tensor's numbers, one after the other.
func (f *File) view(t *pickle.Tensor) ([]byte, error) {
	storage, err := f.storage(t.Storage)
	if err != nil {
		return nil, err
	}
	shape, err := f.Shape(t)
	if err != nil {
		return nil, err
	}
	width := wire.Width(kinds[t.Storage.Kind].wire)
	there := int64(len(storage) / width)
	count, last := int64(1), t.Offset
	for i, n := range shape {
		count *= int64(n)
		if n > 0 {
			if t.Stride[i] > there {
				return nil, fmt.Errorf("expected strides within %d values, got %v", there, t.Stride)
			}
			last += int64(n-1) * t.Stride[i]
		}
	}
	if f.values += count; f.values > f.size {
		return nil, fmt.Errorf("expected tensors that a file of %d bytes can hold, got more", f.size)
	}
	if count > 0 && last >= there {
		return nil, fmt.Errorf("expected a view within %d values, got shape %v with strides %v at %d", there, t.Shape, t.Stride, t.Offset)
	}
	raw := make([]byte, 0, int(count)*width)
	index := make([]int64, len(shape))
	at := t.Offset
	for range count {
		raw = append(raw, storage[int(at)*width:][:width]...)
		for k := len(index) - 1; k >= 0; k-- {
			index[k]++
			at += t.Stride[k]
			if index[k] < t.Shape[k] {
				break
			}
			at -= t.Stride[k] * t.Shape[k]
			index[k] = 0
		}
	}
	return raw, nil
}

// storage reads the numbers of one whole.
func (f *File) storage(s *pickle.Storage) ([]byte, error) {
	m := f.members[f.root+"/data/"+s.Key]
	kind, ok := kinds[s.Kind]
	if !ok || m == nil {
		return nil, fmt.Errorf("expected a storage in the archive, got %sStorage %.40q", s.Kind, s.Key)
	}
	raw, ok := f.read[m.Name]
	if !ok {
		var err error
		if raw, err = f.member(m); err != nil {
			return nil, err
		}
		f.read[m.Name] = raw
	}
	if w := wire.Width(kind.wire); len(raw)%w != 0 {
		return nil, fmt.Errorf("expected %sStorage %.40q of numbers of %d bytes, got %d", s.Kind, s.Key, w, len(raw))
	}
	return raw, nil
}
