package npy

import (
	"bytes"
	"fmt"
	"io"
	"slices"
)

// ReadNPY reads one array. It allocates as the bytes come, so that a header that promises more than there is costs nothing.
// What follows the array is not read, except after an object array, whose pickle is everything to the end.
func ReadNPY(r io.Reader) (*Array, error) {
	h, err := ReadHeader(r)
	if err != nil {
		return nil, err
	}
	return readBody(r, h)
}

func readBody(r io.Reader, h *Header) (*Array, error) {
	a := &Array{Shape: h.Shape, Dtype: h.Dtype}
	if h.Dtype == "|O" {
		var err error
		if a.raw, err = io.ReadAll(r); err != nil {
			return nil, fmt.Errorf("npy: reading an object array: %w", err)
		}
		return a, nil
	}
	want := h.count() * h.size
	var err error
	if a.raw, err = readBounded(r, want); err != nil {
		return nil, fmt.Errorf("npy: expected %d bytes for shape %v of dtype %s, got %d: %w", want, h.Shape, h.Dtype, len(a.raw), err)
	}
	if h.swap {
		swapBytes(a.raw, h)
	}
	if h.FortranOrder && len(h.Shape) > 1 {
		a.raw = rowMajor(a.raw, h.Shape, h.size)
	}
	return a, nil
}

// readBounded reads exactly n bytes into a slice that is never more than twice as long as what has already come, plus a
// first piece of 1 MiB.
func readBounded(r io.Reader, n int) ([]byte, error) {
	buf := make([]byte, 0, min(n, 1<<20))
	for len(buf) < n {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, min(n-len(buf), len(buf)))
		}
		m, err := io.ReadFull(r, buf[len(buf):min(cap(buf), n)])
		buf = buf[:len(buf)+m]
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return buf, err
		}
	}
	return buf, nil
}

// swapBytes turns big-endian elements into little-endian ones, in place; text is units of four bytes.
func swapBytes(raw []byte, h *Header) {
	unit := h.size
	if h.Dtype[1] == 'U' {
		unit = 4
	}
	for at := 0; at < len(raw); at += unit {
		slices.Reverse(raw[at : at+unit])
	}
}

// rowMajor copies elements whose first axis varies fastest into an order where the last one does.
func rowMajor(raw []byte, shape []int, size int) []byte {
	dst := make([]byte, 0, len(raw))
	if len(raw) == 0 {
		return dst
	}
	stride := make([]int, len(shape)) // in raw, in bytes
	step := size
	for i, d := range shape {
		stride[i] = step
		step *= d
	}
	index := make([]int, len(shape))
	at := 0
	for {
		dst = append(dst, raw[at:at+size]...)
		axis := len(shape) - 1
		for ; axis >= 0; axis-- {
			index[axis]++
			at += stride[axis]
			if index[axis] < shape[axis] {
				break
			}
			at -= stride[axis] * shape[axis]
			index[axis] = 0
		}
		if axis < 0 {
			return dst
		}
	}
}

// WriteNPY writes one array as format version 1, little-endian, in C order. Object arrays cannot be written.
func WriteNPY(w io.Writer, a *Array) error {
	if a.Kind() == 'O' {
		return fmt.Errorf("npy: expected an array of numbers or text to write, got dtype %s", a.Dtype)
	}
	if _, err := io.Copy(w, io.MultiReader(bytes.NewReader(appendHeader(nil, a)), bytes.NewReader(a.raw))); err != nil {
		return fmt.Errorf("npy: writing an array: %w", err)
	}
	return nil
}
