package npy

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/unroll-ml/unroll/internal/durable"
)

// maxRatio is how much deflate can shrink at most: 258 bytes by two bits. An entry that claims more is lying.
const maxRatio = 1032

// NPZ is an open .npz file, whose arrays are read one at a time. It keeps no array.
type NPZ struct {
	names   []string
	entries map[string]*zip.File
}

// OpenNPZ reads the directory of a .npz file of size bytes.
func OpenNPZ(r io.ReaderAt, size int64) (*NPZ, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("npy: npz: %w", err)
	}
	n := &NPZ{entries: make(map[string]*zip.File, len(z.File))}
	held := uint64(0)
	for _, f := range z.File {
		name, isArray := strings.CutSuffix(f.Name, ".npy")
		if !isArray {
			return nil, fmt.Errorf("npy: npz: expected entries that end in .npy, got %q", f.Name)
		}
		if n.entries[name] != nil {
			return nil, fmt.Errorf("npy: npz: expected every name once, got %q twice", name)
		}
		if f.UncompressedSize64/maxRatio > f.CompressedSize64+1 || f.CompressedSize64 > uint64(size) {
			return nil, fmt.Errorf("npy: npz: %q: expected sizes that a file of %d bytes can hold, got %d bytes from %d",
				name, size, f.UncompressedSize64, f.CompressedSize64)
		}
		// Entries that share their bytes could make a small file declare much.
		if held += f.CompressedSize64; held > uint64(size) {
			return nil, fmt.Errorf("npy: npz: expected entries that a file of %d bytes can hold side by side, got %d bytes up to %q", size, held, name)
		}
		n.entries[name] = f
		n.names = append(n.names, name)
	}
	return n, nil
}

// Names are the arrays' names in the order of the file.
func (n *NPZ) Names() []string { return append([]string(nil), n.names...) }

// Has reports whether there is an array of this name.
func (n *NPZ) Has(name string) bool { return n.entries[name] != nil }

// Open reads an array's header and leaves the reader, which the caller closes, at its first data byte: for object arrays,
// whose pickle is read as a stream, and for arrays larger than memory.
func (n *NPZ) Open(name string) (*Header, io.ReadCloser, error) {
	f := n.entries[name]
	if f == nil {
		return nil, nil, fmt.Errorf("npy: npz: expected an array %q, got a file of %s", name, strings.Join(n.names, ", "))
	}
	r, err := f.Open()
	if err != nil {
		return nil, nil, fmt.Errorf("npy: npz: %q: %w", name, err)
	}
	h, err := ReadHeader(r)
	if err != nil {
		r.Close()
		return nil, nil, fmt.Errorf("npy: npz: %q: %w", name, err)
	}
	return h, r, nil
}

// Array reads one array whole, and checks its sum.
func (n *NPZ) Array(name string) (*Array, error) {
	h, r, err := n.Open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	a, err := readBody(r, h)
	if err != nil {
		return nil, fmt.Errorf("npy: npz: %q: %w", name, err)
	}
	// The sum of the entry is compared at its end, which the last byte of the array is not.
	extra, err := io.Copy(io.Discard, io.LimitReader(r, 1))
	if err != nil {
		return nil, fmt.Errorf("npy: npz: %q: %w", name, err)
	}
	if extra > 0 {
		return nil, fmt.Errorf("npy: npz: %q: expected the entry to end with its array of shape %v, got more bytes", name, a.Shape)
	}
	return a, nil
}

// ReadNPZ reads every array of the file at path. An object array comes as its pickle: see Array.Bytes.
func ReadNPZ(path string) (map[string]*Array, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("npy: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("npy: %w", err)
	}
	n, err := OpenNPZ(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", err, path)
	}
	arrays := make(map[string]*Array, len(n.names))
	for _, name := range n.names {
		if arrays[name], err = n.Array(name); err != nil {
			return nil, fmt.Errorf("%w (%s)", err, path)
		}
	}
	return arrays, nil
}

// Writer writes a .npz file array by array, as numpy.savez does: stored, not compressed. The same arrays give the same bytes.
type Writer struct {
	z    *zip.Writer
	seen map[string]bool
}

// NewWriter begins a file.
func NewWriter(w io.Writer) *Writer { return &Writer{zip.NewWriter(w), map[string]bool{}} }

// Add writes an array.
func (w *Writer) Add(name string, a *Array) error {
	if w.seen[name] {
		return fmt.Errorf("npy: npz: expected every name once, got %q twice", name)
	}
	w.seen[name] = true
	e, err := w.z.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Store})
	if err != nil {
		return fmt.Errorf("npy: npz: %q: %w", name, err)
	}
	if err := WriteNPY(e, a); err != nil {
		return fmt.Errorf("npy: npz: %q: %w", name, err)
	}
	return nil
}

// Close ends the file. It does not close the writer below.
func (w *Writer) Close() error {
	if err := w.z.Close(); err != nil {
		return fmt.Errorf("npy: npz: %w", err)
	}
	return nil
}

// WriteNPZ writes the named arrays in the order of the names; see Writer.
func WriteNPZ(w io.Writer, names []string, arrays map[string]*Array) error {
	z := NewWriter(w)
	for _, name := range names {
		a := arrays[name]
		if a == nil {
			return fmt.Errorf("npy: npz: expected an array for the name %q, got none", name)
		}
		if err := z.Add(name, a); err != nil {
			return err
		}
	}
	return z.Close()
}

// SaveNPZ is WriteNPZ to a file, which is there whole or not at all.
func SaveNPZ(path string, names []string, arrays map[string]*Array) error {
	if err := durable.Write(path, func(w io.Writer) error { return WriteNPZ(w, names, arrays) }); err != nil {
		return fmt.Errorf("npy: npz: %s: %w", path, err)
	}
	return nil
}
