package main

import (
	"fmt"

	"github.com/unroll-ml/unroll/datasets"
	"github.com/unroll-ml/unroll/datasets/imdb"
	"github.com/unroll-ml/unroll/internal/npy"
	"github.com/unroll-ml/unroll/internal/pickle"
	"github.com/unroll-ml/unroll/tensor"
)

// loadNPZ reads arrays x_train, y_train, x_test and y_test, or x and y. Where x_train is an object array the file is of the form of
// imdb.npz: lists of word ranks, which become ids, in an order of the rows, as Keras's imdb.load_data makes them. An object array x has
// sequences of ids, which are taken as they are.
func (d *dataSet) loadNPZ(r dataRequest) error {
	f, size, err := open(r.name)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := npy.OpenNPZ(f, size)
	if err != nil {
		return fmt.Errorf("--data: %s: %w", r.name, err)
	}
	if !z.Has("x_train") {
		d.train, err = readRows(z, r.name, "x", "y")
		return err
	}
	h, body, err := z.Open("x_train")
	if err != nil {
		return fmt.Errorf("--data: %s: %w", r.name, err)
	}
	body.Close()
	if h.Dtype == "|O" {
		return d.split(imdb.Load(r.name, datasets.Options{NumWords: r.numWords}))
	}
	if d.train, err = readRows(z, r.name, "x_train", "y_train"); err == nil && z.Has("x_test") {
		d.test, err = readRows(z, r.name, "x_test", "y_test")
	}
	return err
}

// readRows reads one part; the targets may be absent.
func readRows(z *npy.NPZ, file, xName, yName string) (*rows, error) {
	r := &rows{}
	h, body, err := z.Open(xName)
	if err != nil {
		return nil, hint(fmt.Errorf("--data: %s: %w", file, err), "a set has x and y, or x_train, y_train, x_test and y_test")
	}
	defer body.Close()
	n := 0
	if h.Dtype == "|O" {
		if r.seqs, err = pickle.ReadSequences(body, 0); err != nil {
			return nil, fmt.Errorf("--data: %s: %s: %w", file, xName, err)
		}
		n = len(r.seqs)
	} else {
		a, err := z.Array(xName)
		if err == nil {
			err = r.setX(a)
		}
		if err != nil {
			return nil, fmt.Errorf("--data: %s: %s: %w", file, xName, err)
		}
		n = a.Shape[0]
	}
	if !z.Has(yName) {
		return r, nil
	}
	a, err := z.Array(yName)
	if err == nil {
		r.y, err = numbers(a)
	}
	if err != nil {
		return nil, fmt.Errorf("--data: %s: %s: %w", file, yName, err)
	}
	if len(a.Shape) == 0 || a.Shape[0] != n {
		return nil, fmt.Errorf("--data: %s: expected as many rows in %s as in %s, got %v and %d", file, yName, xName, a.Shape, n)
	}
	return r, nil
}

func loadNPY(path string) (*rows, error) {
	f, _, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	a, err := npy.ReadNPY(f)
	r := &rows{}
	if err == nil {
		err = r.setX(a)
	}
	if err != nil {
		return nil, fmt.Errorf("--data: %s: %w", path, err)
	}
	return r, nil
}

// setX takes an array as inputs.
func (r *rows) setX(a *npy.Array) error {
	if len(a.Shape) < 2 {
		return fmt.Errorf("expected rows of numbers, two axes or more, got shape %v", a.Shape)
	}
	v, err := numbers(a)
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case *tensor.IDs:
		r.ids = v
	case *tensor.Tensor:
		r.floats = v
	}
	return nil
}

// numbers is an array as ids when it is of integers, otherwise of floats.
func numbers(a *npy.Array) (any, error) {
	shape := tensor.Shape(a.Shape)
	switch a.Kind() {
	case 'i', 'u', 'b':
		ids, err := a.Int32()
		return &tensor.IDs{Shape: shape, Data: ids}, err
	case 'f':
		return &tensor.Tensor{Shape: shape, Data: a.Float32()}, nil
	}
	return nil, fmt.Errorf("expected numbers, got dtype %s", a.Dtype)
}
