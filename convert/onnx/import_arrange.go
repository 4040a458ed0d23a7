package onnx

import (
	"fmt"
	"math"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/layers"
)

// arranged is a source whose axes are the view's, in their order, the batch first. Directions of recurrent nodes are left out. A Permute and a Reshape do what must be
// done.
func (m *importer) arranged(n string, v *view) (*source, error) {
	s, err := v.single()
	if err != nil {
		return nil, err
	}
	axes := slices.DeleteFunc(slices.Clone(v.axes), func(a axis) bool { return a.direction })
	if len(axes) == 0 || !axes[0].is(0) {
		return nil, fmt.Errorf("expected the batch on the first axis, got axes in the order %s", v.order())
	}
	var order []int // of the source's axes
	for _, a := range axes {
		order = append(order, a.of...)
	}
	if !slices.IsSorted(order) {
		name := m.unique(n + "_permute")
		if s, err = m.layer(name, layers.Permute{Name: name, Dims: order[1:]}, nil, nil, s); err != nil {
			return nil, err
		}
		for i, o := range order {
			s.lengths[i] = v.parts[0].lengths[o]
		}
	}
	if !slices.ContainsFunc(axes, func(a axis) bool { return len(a.of) != 1 }) {
		return s, nil
	}
	lengths := []length{batch}
	for i := range axes[1:] {
		l, err := (&view{parts: v.parts, axes: axes}).length(1 + i)
		if err != nil {
			return nil, err
		}
		lengths = append(lengths, l)
	}
	return m.reshape(m.unique(n+"_reshape"), s, lengths)
}

// reshape gives the rows of a source other axes.
func (m *importer) reshape(name string, s *source, lengths []length) (*source, error) {
	target := make([]int, len(lengths)-1)
	for i, l := range lengths[1:] {
		target[i] = -1
		if l.known() {
			if l.n < 1 || l.n > math.MaxInt32 {
				return nil, fmt.Errorf("expected lengths of at least 1, got %v", l)
			}
			target[i] = int(l.n)
		}
	}
	var spec layers.Spec = layers.Reshape{Name: name, TargetShape: target}
	if len(target) == 1 {
		spec = layers.Flatten{Name: name}
	}
	return m.layer(name, spec, nil, lengths, s)
}

// output are the symbols of an output: one, or those of the directions. Where the file has steps before the batch, they come behind it here.
func (m *importer) output(name string, v *view) ([]unroll.Symbol, error) {
	var all []unroll.Symbol
	for _, p := range v.parts {
		one := &view{parts: []*source{p}}
		for _, a := range v.axes {
			if a.stacked {
				a = axis{direction: true}
			}
			one.axes = append(one.axes, a)
		}
		s := p
		if !slices.ContainsFunc(one.axes, axis.isRows) || slices.IndexFunc(one.axes, func(a axis) bool { return !a.direction }) == slices.IndexFunc(one.axes, axis.isRows) {
			var err error
			if s, err = m.arranged(name, one); err != nil {
				return nil, err
			}
		}
		y, err := s.get()
		if err != nil {
			return nil, err
		}
		all = append(all, y)
	}
	return all, nil
}
