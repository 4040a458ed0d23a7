package npy

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Stored is an array that goes straight into the caller's slice.
type Stored struct {
	name string
	h    *Header
	file *NPZ
}

// Stored is the array of this name; its numbers stay in the file until they are read.
func (n *NPZ) Stored(name string) (*Stored, error) {
	h, r, err := n.Open(name)
	if err != nil {
		return nil, err
	}
	r.Close()
	return &Stored{name, h, n}, nil
}

// Path is the array's name.
func (s *Stored) Path() string { return s.name }

// Shape is the length of every axis. The caller owns it.
func (s *Stored) Shape() []int { return slices.Clone(s.h.Shape) }

// Dtype is the type of the elements, as in Array.
func (s *Stored) Dtype() string { return s.h.Dtype }

// ReadFloat32 fills dst, whose length must be the product of the shape, with numbers of any dtype, converted.
func (s *Stored) ReadFloat32(dst []float32) error {
	if s.h.Dtype != "<f4" || s.h.swap || s.h.FortranOrder && len(s.h.Shape) > 1 {
		a, err := s.array(len(dst), "fiub")
		if err == nil {
			copy(dst, a.Float32())
		}
		return err
	}
	return s.read(len(dst), func(r io.Reader) error {
		block := make([]byte, min(4*len(dst), 1<<16))
		for len(dst) > 0 {
			part := block[:min(len(block), 4*len(dst))]
			if _, err := io.ReadFull(r, part); err != nil {
				return err
			}
			n := len(part) / 4
			for i := range dst[:n] {
				dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(part[4*i:]))
			}
			dst = dst[n:]
		}
		return nil
	})
}

// ReadInt64 fills dst, whose length must be the product of the shape, with integers or booleans.
func (s *Stored) ReadInt64(dst []int64) error {
	a, err := s.array(len(dst), "iub")
	if err == nil {
		copy(dst, a.Int64())
	}
	return err
}

// array reads an array whose kind is one of these.
func (s *Stored) array(n int, kinds string) (a *Array, err error) {
	if kind := s.h.Dtype[1:2]; !strings.Contains(kinds, kind) {
		return nil, fmt.Errorf("npy: %s: expected an array of kind %s, got dtype %s", s.name, kinds, s.h.Dtype)
	}
	err = s.read(n, func(r io.Reader) error {
		a, err = readBody(r, s.h)
		return err
	})
	return a, err
}

// read opens the array, of n elements, and has it read to its end, where the sum of an entry is compared.
func (s *Stored) read(n int, body func(io.Reader) error) error {
	if want := s.h.count(); n != want {
		return fmt.Errorf("npy: %s: expected a destination of %d elements for shape %v, got %d", s.name, want, s.h.Shape, n)
	}
	_, r, err := s.file.Open(s.name)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := body(r); err != nil {
		return fmt.Errorf("npy: %s: %w", s.name, err)
	}
	extra, err := io.Copy(io.Discard, io.LimitReader(r, 1))
	if err == nil && extra > 0 {
		err = fmt.Errorf("expected the entry to end with its array of shape %v, got more bytes", s.h.Shape)
	}
	if err != nil {
		return fmt.Errorf("npy: %s: %w", s.name, err)
	}
	return nil
}
