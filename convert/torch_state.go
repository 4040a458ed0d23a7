package convert

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/internal/durable"
	"github.com/unroll-ml/unroll/internal/pickle"
	"github.com/unroll-ml/unroll/internal/safetensors"
	"github.com/unroll-ml/unroll/tensor"
)

// state is a state_dict: arrays under their names. inOrder: they come in the order of the module, not of the alphabet.
type state struct {
	arrays  []array
	inOrder bool
}

// readState reads a .safetensors file, or one of torch.save: .pt, .pth, .bin.
func readState(path string) (*state, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, durable.Cause(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, durable.Cause(err)
	}
	if strings.ToLower(filepath.Ext(path)) == ".safetensors" {
		return readSafetensors(f, info.Size())
	}
	return readTorch(f, info.Size())
}

func readSafetensors(r io.ReaderAt, size int64) (*state, error) {
	tensors, err := safetensors.Open(r, size)
	if err != nil {
		return nil, err
	}
	s := &state{}
	for _, t := range tensors {
		data, err := t.Float32()
		if err != nil {
			return nil, err
		}
		s.arrays = append(s.arrays, array{t.Name, t.Shape, data})
	}
	return s, nil
}

// readTorch reads what torch.save writes since version 1.6: a zip archive with a pickle, data.pkl, and the storages beside it, in data/, as they are.
func readTorch(r io.ReaderAt, size int64) (*state, error) {
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, fmt.Errorf("expected a file of torch.save, a zip archive (not the form before PyTorch 1.6): %w", err)
	}
	members := map[string]*zip.File{}
	var root string
	for _, f := range z.File {
		members[f.Name] = f
		if strings.HasSuffix(f.Name, "/data.pkl") {
			root = path.Dir(f.Name)
		}
	}
	program := members[root+"/data.pkl"]
	if program == nil {
		return nil, fmt.Errorf("expected a file of torch.save, an archive with data.pkl, got none")
	}
	p := &parts{members: members, root: root, size: size, room: size, read: map[string][]byte{}, order: binary.LittleEndian}
	if order, ok := members[root+"/byteorder"]; ok {
		text, err := p.member(order)
		if err != nil {
			return nil, err
		}
		if string(text) != "little" {
			return nil, fmt.Errorf("byteorder: expected little, got %.20q", text)
		}
	}
	raw, err := p.member(program)
	if err != nil {
		return nil, err
	}
	v, err := pickle.ReadTorch(strings.NewReader(string(raw)))
	if err != nil {
		return nil, err
	}
	d, ok := v.(*pickle.Dict)
	if !ok {
		return nil, fmt.Errorf("expected a state_dict, got %T", v)
	}
	if d, err = stateDict(d); err != nil {
		return nil, err
	}
	s := &state{inOrder: true}
	for i, k := range d.Keys {
		name, is := k.(string)
		t, ok := d.Values[i].(*pickle.Tensor)
		if !is || !ok {
			continue // a checkpoint's numbers beside the tensors
		}
		a, err := p.tensor(name, t)
		if err != nil {
			return nil, err
		}
		s.arrays = append(s.arrays, a)
	}
	return s, nil
}

// stateDict is the dict that has the tensors: the file's own, or one that a checkpoint has under one of the usual names.
func stateDict(d *pickle.Dict) (*pickle.Dict, error) {
	if slices.ContainsFunc(d.Values, func(v any) bool { _, is := v.(*pickle.Tensor); return is }) {
		return d, nil
	}
	var keys []string
	for i, k := range d.Keys {
		name, _ := k.(string)
		keys = append(keys, fmt.Sprintf("%.40q", name))
		inner, is := d.Values[i].(*pickle.Dict)
		if is && slices.Contains([]string{"state_dict", "model_state_dict", "model", "module", "net", "network"}, name) {
			return stateDict(inner)
		}
	}
	return nil, fmt.Errorf("expected tensors, or a state_dict under state_dict, model_state_dict or model, got the keys %s", strings.Join(keys[:min(20, len(keys))], ", "))
}

// parts are the members of an archive. Together no more is read of them than the file has.
type parts struct {
	members map[string]*zip.File
	root    string
	size    int64
	room    int64
	read    map[string][]byte
	order   binary.ByteOrder
	values  int64 // of all tensors
}

// member reads one whole; PyTorch stores them as they are.
func (p *parts) member(f *zip.File) ([]byte, error) {
	if f.Method != zip.Store {
		return nil, fmt.Errorf("%s: expected a member that is stored as it is, got a packed one", f.Name)
	}
	if f.UncompressedSize64 > uint64(p.room) {
		return nil, fmt.Errorf("%s: expected members that a file of %d bytes can hold, got %d more", f.Name, p.size, f.UncompressedSize64)
	}
	p.room -= int64(f.UncompressedSize64)
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	defer r.Close()
	raw := make([]byte, f.UncompressedSize64)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	if _, err := r.Read(make([]byte, 1)); err != io.EOF { // where the checksum is compared
		return nil, fmt.Errorf("%s: expected its end, got %v", f.Name, err)
	}
	return raw, nil
}

// tensor reads a view of a storage, row-major.
func (p *parts) tensor(name string, t *pickle.Tensor) (array, error) {
	a := array{path: name}
	dtype, ok := map[string]string{"Float": "F32", "Double": "F64", "Half": "F16", "BFloat16": "BF16", "Long": "I64", "Int": "I32", "Short": "I16", "Char": "I8",
		"Byte": "U8", "Bool": "BOOL"}[t.Storage.Kind]
	f := p.members[p.root+"/data/"+t.Storage.Key]
	if !ok || f == nil {
		return a, fmt.Errorf("%.80q: expected a storage in the archive, got %sStorage %.40q", name, t.Storage.Kind, t.Storage.Key)
	}
	raw, ok := p.read[f.Name]
	if !ok {
		var err error
		if raw, err = p.member(f); err != nil {
			return a, err
		}
		p.read[f.Name] = raw
	}
	flat, err := safetensors.Decode(dtype, raw)
	if err != nil {
		return a, fmt.Errorf("%.80q: %w", name, err)
	}
	count, last := int64(1), t.Offset
	for i, n := range t.Shape {
		if n > math.MaxInt32 || n > 0 && count > p.size/n+1 {
			return a, fmt.Errorf("%.80q: expected a shape that fits the file, got %v", name, t.Shape)
		}
		count *= n
		if n > 0 {
			if t.Stride[i] > int64(len(flat)) {
				return a, fmt.Errorf("%.80q: expected strides within %d values, got %v", name, len(flat), t.Stride)
			}
			last += (n - 1) * t.Stride[i]
		}
		a.shape = append(a.shape, int(n))
	}
	if p.values += count; p.values > p.size {
		return a, fmt.Errorf("%.80q: expected tensors that a file of %d bytes can hold, got more", name, p.size)
	}
	if count > 0 && last >= int64(len(flat)) {
		return a, fmt.Errorf("%.80q: expected a view within %d values, got shape %v with strides %v at %d", name, len(flat), t.Shape, t.Stride, t.Offset)
	}
	a.data = make([]float32, count)
	index := make([]int64, len(t.Shape))
	at := t.Offset
	for i := range a.data {
		a.data[i] = flat[at]
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
	return a, nil
}

// shapeOf is a shape as errors show it.
func shapeOf(s tensor.Shape) string { return fmt.Sprint([]int(s)) }
