package onnx

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/internal/onnx"
	"github.com/unroll-ml/unroll/layers"
)

// node makes what a node computes. An operator of another domain than ONNX's own is none of those that are known.
func (m *importer) node(n *onnx.Node) error {
	if err := m.check(n); err != nil {
		return err
	}
	if isRecurrent(n) {
		return m.recurrent(n)
	}
	if n.Op == "Loop" {
		return m.loop(n)
	}
	for _, kind := range []func(*onnx.Node) (bool, error){m.onArrays, m.tests, m.onAxes} {
		if ok, err := kind(n); ok {
			return err
		}
	}
	x := m.arg(n, 0)
	if a, ok, err := activationOf(m, n); err != nil {
		return err
	} else if ok {
		if x == nil || x.view == nil {
			return fmt.Errorf("expected what layers compute, got numbers")
		}
		name := m.nameOf(n)
		return m.pointwise(n, x.view, name, layers.Activation{Name: name, Activation: a})
	}
	switch n.Op {
	case "MatMul", "Gemm":
		return m.dense(n)
	case "Add", "Sub", "Mul", "Div", "Max", "Min", "Sum":
		if len(n.Inputs) > 2 {
			return fmt.Errorf("expected two values, got %d", len(n.Inputs))
		}
		return m.arithmetic(n)
	case "LayerNormalization":
		return m.layerNormalization(n)
	case "ReduceMean", "ReduceMax", "ReduceSum", "ReduceSumSquare", "GlobalAveragePool", "GlobalMaxPool":
		return m.reduced(n)
	case "Erf":
		if x != nil && x.view != nil {
			return m.erf(n, x.view)
		}
	case "Clip":
		if x == nil || x.view == nil {
			return fmt.Errorf("expected what layers compute, got numbers")
		}
		lo, hi := m.bounds(n)
		return m.clamped(n, x.view, lo, hi)
	case "Pad":
		return m.pad(n)
	case "BatchNormalization":
		if scale := m.arg(n, 3); x != nil && x.view != nil && scale != nil && scale.view != nil {
			return m.standardized(n, x.view)
		}
		return m.channels(n)
	case "Conv", "MaxPool", "AveragePool":
		return m.channels(n)
	case "Sqrt", "Reciprocal", "Pow":
		if ok, err := m.power(n); ok {
			return err
		}
	}
	return fmt.Errorf("no layer computes the operator %s: expected those of recurrent networks, from Gather and LSTM to Gemm and Softmax", n.Op)
}

// check fails on a node that no operator of ONNX can be.
func (m *importer) check(n *onnx.Node) error {
	if n.Domain != "" && n.Domain != "ai.onnx" {
		return fmt.Errorf("expected operators of ONNX, got one of the domain %q", n.Domain)
	}
	if len(n.Outputs) == 0 {
		return fmt.Errorf("expected an output, got none")
	}
	for _, in := range n.Inputs {
		if in != "" && m.value(in) == nil {
			return fmt.Errorf("expected an input that is known before, got %q", in)
		}
	}
	return nil
}

// power is a square, a root or one over it, of a part of a normalization.
func (m *importer) power(n *onnx.Node) (ok bool, err error) {
	x := m.arg(n, 0)
	if x == nil || x.view == nil {
		return false, nil
	}
	switch n.Op {
	case "Sqrt":
		return m.powerOf(n, x.view, 0.5)
	case "Reciprocal":
		return m.powerOf(n, x.view, -1)
	}
	y := m.arg(n, 1)
	if y == nil || y.array == nil || len(y.numbers()) != 1 {
		return false, nil
	}
	return m.powerOf(n, x.view, float64(y.numbers()[0]))
}

// reduced is the mean or the largest value over all steps, or over the values of a row a part of its normalization.
func (m *importer) reduced(n *onnx.Node) error {
	x := m.arg(n, 0)
	if x == nil || x.view == nil {
		return fmt.Errorf("expected what layers compute, got numbers")
	}
	s, err := x.single()
	if err != nil {
		return err
	}
	var axes []int
	keep := true
	if n.Op == "GlobalAveragePool" || n.Op == "GlobalMaxPool" {
		for i := 2; i < len(x.axes); i++ {
			axes = append(axes, i)
		}
	} else {
		given, err := m.intsOf(n, "axes", 1)
		if err != nil {
			return err
		}
		var ok bool
		if axes, ok = normal(given, len(x.axes)); !ok {
			return fmt.Errorf("expected some of %d axes, got %v", len(x.axes), given)
		}
		keep = intOf(n, "keepdims", 1) != 0
	}
	full := slices.DeleteFunc(slices.Clone(axes), func(i int) bool { return x.axes[i].unit() })
	if len(full) != 1 {
		return fmt.Errorf("expected the axis of the steps, got axes %v in the order %s", axes, x.order())
	}
	at := full[0]
	if p := m.overRow(n.Op, s); p != nil && x.axes[at].is(len(s.lengths)-1) {
		if err := m.setMoments(n, x.view, p, nil); err != nil || keep {
			return err
		}
		return m.set(n, without(m.value(n.Outputs[0]).view, axes))
	}
	name := m.nameOf(n)
	var spec layers.Spec
	switch n.Op {
	case "ReduceMean", "GlobalAveragePool":
		spec = layers.GlobalAveragePooling1D{Name: name}
	case "ReduceMax", "GlobalMaxPool":
		spec = layers.GlobalMaxPooling1D{Name: name}
	}
	if !x.axes[at].is(1) || len(s.lengths) != 3 || spec == nil || !slices.ContainsFunc(x.axes, func(a axis) bool { return a.is(2) }) {
		return fmt.Errorf("expected the axis of the steps, got axes %v in the order %s", axes, x.order())
	}
	if _, ok := spec.(layers.GlobalAveragePooling1D); ok {
		if err := m.walksUnder(s, nil); err != nil {
			return err
		}
	}
	y, err := m.layer(name, spec, nil, nil, s)
	if err != nil {
		return err
	}
	v := &view{parts: []*source{y}, axes: slices.Clone(x.axes)}
	for i, a := range v.axes {
		if a.is(2) {
			v.axes[i] = axis{of: []int{1}}
		}
	}
	v.axes[at] = axis{}
	if keep {
		return m.set(n, &term{view: v})
	}
	return m.set(n, without(v, axes))
}

// without is a view that lacks axes of length 1. One that the source has stays with its neighbour.
func without(v *view, axes []int) *term {
	all := slices.Clone(v.axes)
	for i := len(axes) - 1; i >= 0; i-- {
		at := axes[i]
		if gone := all[at].of; len(gone) > 0 && at > 0 {
			all[at-1] = axis{of: append(slices.Clone(all[at-1].of), gone...)}
		} else if len(gone) > 0 && at+1 < len(all) {
			all[at+1] = axis{of: append(slices.Clone(gone), all[at+1].of...)}
		}
		all = slices.Delete(all, at, at+1)
	}
	return &term{view: &view{parts: v.parts, axes: all}}
}
