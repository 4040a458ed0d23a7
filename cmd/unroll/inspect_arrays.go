package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/internal/npy"
	"github.com/unroll-ml/unroll/internal/safetensors"
)

// npz reads a .npz file. Pickles in it are left alone.
func (r *fileReport) npz(f io.ReaderAt, size int64) error {
	r.Format = "npz"
	z, err := npy.OpenNPZ(f, size)
	if err != nil {
		return err
	}
	for _, name := range z.Names() {
		h, body, err := z.Open(name)
		if err != nil {
			return err
		}
		body.Close()
		a := arrayReport{Path: name, Type: typeName(h.Dtype), Shape: h.Shape}
		if strings.ContainsAny(h.Dtype[1:2], "fiub") {
			array, err := z.Array(name)
			if err != nil {
				return err
			}
			a.measure(array.Float64())
		} else {
			a.Note = unread(h)
		}
		r.Arrays = append(r.Arrays, a)
		if name == "optimizer/vars/0" {
			r.Optimizer = &optimizerReport{}
		}
	}
	r.progress()
	return nil
}

// typeName is how NumPy prints a dtype: float32 for <f4.
func typeName(dtype string) string {
	kinds := map[byte]string{'f': "float", 'i': "int", 'u': "uint"}
	if dtype == "|b1" {
		return "bool"
	}
	if kind, ok := kinds[dtype[1]]; ok {
		return fmt.Sprintf("%s%d", kind, 8*int(dtype[2]-'0'))
	}
	return strings.TrimLeft(dtype, "<|")
}

// unread says why an array has no statistics.
func unread(h *npy.Header) string {
	if h.Dtype == "|O" {
		return "objects: a pickle, which is not run"
	}
	return "not numbers"
}

// npy reads a .npy file.
func (r *fileReport) npy(f io.ReaderAt, size int64) error {
	r.Format = "npy"
	s := io.NewSectionReader(f, 0, size)
	h, err := npy.ReadHeader(s)
	if err != nil {
		return err
	}
	a := arrayReport{Path: "", Type: typeName(h.Dtype), Shape: h.Shape, Note: unread(h)}
	if strings.ContainsAny(h.Dtype[1:2], "fiub") {
		if _, err := s.Seek(0, io.SeekStart); err != nil {
			return err
		}
		array, err := npy.ReadNPY(s)
		if err != nil {
			return err
		}
		a.Note = ""
		a.measure(array.Float64())
	}
	r.Arrays = append(r.Arrays, a)
	return nil
}

// safetensors reads a .safetensors file.
func (r *fileReport) safetensors(f io.ReaderAt, size int64) error {
	r.Format = "safetensors"
	file, err := safetensors.Open(f, size)
	if err != nil {
		return err
	}
	r.Metadata = map[string]any{}
	for key, text := range file.Metadata {
		r.Metadata[key] = text
	}
	for _, t := range file.Tensors {
		a := arrayReport{Path: t.Name, Type: t.DType, Shape: t.Shape}
		a.read(t.Float64())
		r.Arrays = append(r.Arrays, a)
	}
	slices.SortFunc(r.Arrays, func(a, b arrayReport) int { return strings.Compare(a.Path, b.Path) })
	return nil
}
