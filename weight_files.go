package unroll

import (
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/internal/hdf5"
	"github.com/unroll-ml/unroll/internal/npy"
	"github.com/unroll-ml/unroll/tensor"
)

// keptGroup is a group of variables 0, 1 … as a file keeps them: at a path such as "layers/dense/vars", with the name of the part.
type keptGroup struct {
	vars string
	name any
	kept []kept
	idf  []float32 // of a TextVectorization, under idfDataset; nil in all others
}

// kept is a variable: []float32 or []int64.
type kept struct {
	shape tensor.Shape
	data  any
}

// kept lists the weights and, of a compiled model, the optimizer's state.
func (m *Model) kept() []keptGroup {
	var all []keptGroup
	for _, g := range m.groups() {
		k := keptGroup{vars: g.vars(), name: g.name, idf: g.idf()}
		for _, w := range g.weights {
			if w.Integer {
				k.kept = append(k.kept, kept{w.Shape, integers(w.Data)})
				continue
			}
			k.kept = append(k.kept, kept{w.Shape, w.Data})
		}
		all = append(all, k)
	}
	if m.compiled == nil {
		return all
	}
	c := *m.compiled // with arrays even before the first step, as Keras has them; the model keeps its own
	c.start(m)
	k := keptGroup{vars: "optimizer/vars", name: c.optimizer.Config()["name"], kept: []kept{{nil, []int64{c.iteration}}}}
	if _, schedule := c.optimizer.Rate(); schedule == nil {
		k.kept = append(k.kept, kept{nil, []float32{float32(c.rate)}})
	}
	for _, v := range c.optimizerState(m) {
		k.kept = append(k.kept, kept{v.shape, v.values})
	}
	return append(all, k)
}

// hdf5 is the tree of the weights and of the optimizer's state.
func (m *Model) hdf5() *hdf5.GroupBuilder {
	root := hdf5.NewGroup()
	for _, g := range m.kept() {
		vars := root.Group(g.vars)
		vars.SetAttr("name", g.name)
		for i, v := range g.kept {
			vars.Dataset(strconv.Itoa(i), v.shape, v.data)
		}
		if g.idf != nil {
			vars.Dataset(idfDataset, []int{len(g.idf)}, g.idf)
		}
	}
	return root
}

// writeNPZ writes the same as arrays whose names are the paths, such as "layers/dense/vars/0".
func (m *Model) writeNPZ(w io.Writer) error {
	z := npy.NewWriter(w)
	for _, g := range m.kept() {
		for i, v := range g.kept {
			var a *npy.Array
			switch data := v.data.(type) {
			case []float32:
				a = npy.From(data)
			case []int64:
				a = npy.From(data)
			}
			a.Shape = v.shape
			if err := z.Add(g.vars+"/"+strconv.Itoa(i), a); err != nil {
				return err
			}
		}
		if g.idf != nil {
			if err := z.Add(g.vars+"/"+idfDataset, npy.From(g.idf, len(g.idf))); err != nil {
				return err
			}
		}
	}
	return z.Close()
}

// weightFile is an open file of weights: groups of variables at paths.
type weightFile interface {
	has(vars string) bool
	hasArray(path string) bool
	group(vars string) (variables, error)
}

// variables are those of a group, numbered from 0.
type variables struct {
	path  string
	count int
	open  func(name string) (stored, error)
}

// stored is an array of a file, which goes straight into its place.
type stored interface {
	Path() string
	Shape() []int
	ReadFloat32(dst []float32) error
	ReadInt64(dst []int64) error
}

// shaped opens a variable that must have the shape.
func (v variables) shaped(n int, shape tensor.Shape) (stored, error) {
	d, err := v.open(strconv.Itoa(n))
	if err != nil {
		return nil, err
	}
	if got := tensor.Shape(d.Shape()); !got.Equal(shape) {
		return nil, fmt.Errorf("%s: expected shape %v, got %v", d.Path(), shape, got)
	}
	return d, nil
}

func (v variables) floats(n int, shape tensor.Shape, dst []float32) error {
	d, err := v.shaped(n, shape)
	if err != nil {
		return err
	}
	return d.ReadFloat32(dst)
}

// integers reads whole numbers, which the model keeps as float32.
func (v variables) integers(n int, shape tensor.Shape, dst []float32) error {
	d, err := v.shaped(n, shape)
	if err != nil {
		return err
	}
	whole := make([]int64, len(dst))
	if err := d.ReadInt64(whole); err != nil {
		return err
	}
	for i, v := range whole {
		dst[i] = float32(v)
	}
	return nil
}

// openWeights opens a file that is called so: .npz, or else HDF5.
func openWeights(name string, r io.ReaderAt, size int64) (weightFile, error) {
	if strings.HasSuffix(name, ".npz") {
		z, err := npy.OpenNPZ(r, size)
		return npzWeights{z}, err
	}
	f, err := hdf5.Open(r, size)
	if err != nil {
		return nil, err
	}
	return hdf5Weights{f.Root()}, nil
}

// hdf5Weights are those of a .weights.h5 file.
type hdf5Weights struct{ root *hdf5.Group }

func (f hdf5Weights) has(vars string) bool      { return f.root.Has(vars) }
func (f hdf5Weights) hasArray(path string) bool { return f.root.Has(path) }

func (f hdf5Weights) group(vars string) (variables, error) {
	g, err := f.root.Group(vars)
	if err != nil {
		return variables{}, err
	}
	return variables{g.Path(), len(g.Keys()), func(name string) (stored, error) { return g.Dataset(name) }}, nil
}

// npzWeights are those of a .npz file, whose arrays have the paths in HDF5 as names: "layers/dense/vars/0".
type npzWeights struct{ *npy.NPZ }

func (f npzWeights) has(vars string) bool      { return f.Has(vars + "/0") }
func (f npzWeights) hasArray(path string) bool { return f.Has(path) }

func (f npzWeights) group(vars string) (variables, error) {
	v := variables{path: vars}
	for _, name := range f.Names() {
		if path.Dir(name) == vars {
			v.count++
		}
	}
	v.open = func(name string) (stored, error) { return f.Stored(vars + "/" + name) }
	return v, nil
}

// isWeights reports whether a path names a kind of file that weights are kept in.
func isWeights(path string) bool {
	return strings.HasSuffix(path, ".weights.h5") || strings.HasSuffix(path, ".npz")
}

// openRegular opens a file that is not a folder or a device, and tells its size.
func openRegular(path string) (*os.File, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("expected a file, got %v", info.Mode().Type())
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}
