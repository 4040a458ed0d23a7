package onnx

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/onnx"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// shapes are the nodes that move axes, pick along them, and compute with lengths. ok: the operator is one of them.
func (m *importer) shapes(n *onnx.Node) (ok bool, err error) {
	x := m.arg(n, 0)
	switch n.Op {
	case "Constant":
		a := n.Attribute("value")
		if a == nil || a.Tensor == nil {
			return true, fmt.Errorf("expected a tensor as value")
		}
		c, err := arrayOf(a.Tensor)
		if err != nil {
			return true, err
		}
		return true, m.set(n, &term{array: c})
	case "Identity", "Cast", "Dropout":
		if x == nil {
			return true, fmt.Errorf("expected an input that is known, got none")
		}
		return true, m.set(n, x)
	case "Shape":
		if x == nil || x.view == nil {
			return true, fmt.Errorf("expected what layers compute, got numbers")
		}
		a := &array{shape: []int{len(x.axes)}, ints: make([]int64, len(x.axes))}
		s := x.parts[0].symbol().Shape()
		for i, axis := range x.axes {
			switch {
			case axis == unit:
				a.ints[i] = 1
			case axis == stacked:
				a.ints[i] = int64(len(x.parts))
			case s[axis] < 0:
				a.ints[i] = openLength
			default:
				a.ints[i] = int64(s[axis])
			}
		}
		return true, m.set(n, &term{array: a})
	case "ConstantOfShape":
		if v := n.Attribute("value"); v != nil && v.Tensor != nil {
			c, err := arrayOf(v.Tensor)
			if err != nil {
				return true, err
			}
			if slices.ContainsFunc(c.floats, func(f float32) bool { return f != 0 }) || c.ints != nil {
				return true, fmt.Errorf("expected zeros, for initial states, got other numbers")
			}
		}
		return true, m.set(n, &term{array: &array{zeros: true}})
	case "Transpose":
		return true, m.transposed(n, x)
	case "Squeeze", "Unsqueeze":
		return true, m.squeezed(n, x)
	case "Gather", "Slice":
		return true, m.picked(n, x)
	case "Concat":
		return true, m.concatenated(n)
	case "Reshape", "Flatten":
		return true, m.reshaped(n, x)
	case "Expand":
		if x != nil && x.array != nil && (x.zeros || len(x.floats) > 0 && !slices.ContainsFunc(x.floats, func(f float32) bool { return f != 0 })) {
			return true, m.set(n, &term{array: &array{zeros: true}})
		}
		return true, fmt.Errorf("expected zeros, for initial states, got other values")
	}
	return false, nil
}

func (m *importer) transposed(n *onnx.Node, x *term) error {
	perm, err := m.intsOf(n, "perm", 9)
	if err != nil {
		return err
	}
	switch {
	case x == nil:
		return fmt.Errorf("expected an input that is known, got none")
	case x.view != nil:
		v := *x.view
		if order := slices.Sorted(slices.Values(perm)); len(slices.Compact(order)) != len(x.axes) {
			return fmt.Errorf("expected an order of %d axes, got %v", len(x.axes), perm)
		}
		v.axes = make([]int, len(perm))
		for i, p := range perm {
			if len(perm) != len(x.axes) || p < 0 || int(p) >= len(perm) {
				return fmt.Errorf("expected an order of %d axes, got %v", len(x.axes), perm)
			}
			v.axes[i] = x.axes[p]
		}
		return m.set(n, &term{view: &v})
	case len(x.shape) == 2 && x.floats != nil && (perm == nil || slices.Equal(perm, []int64{1, 0})):
		return m.set(n, &term{array: &array{shape: []int{x.shape[1], x.shape[0]}, floats: turnedMatrix(x.floats, x.shape[0], x.shape[1])}})
	}
	return fmt.Errorf("expected a matrix or what layers compute, got numbers of shape %v", x.shape)
}

// turnedMatrix is the transpose of (rows, columns).
func turnedMatrix(a []float32, rows, columns int) []float32 {
	t := make([]float32, len(a))
	for i := range rows {
		for j := range columns {
			t[j*rows+i] = a[i*columns+j]
		}
	}
	return t
}

func (m *importer) squeezed(n *onnx.Node, x *term) error {
	axes, err := m.intsOf(n, "axes", 1)
	if err != nil {
		return err
	}
	switch {
	case x == nil:
		return fmt.Errorf("expected an input that is known, got none")
	case x.view == nil: // of lengths, where an axis more or less changes nothing
		a := *x.array
		return m.set(n, &term{array: &a})
	case n.Op == "Squeeze":
		v := *x.view
		v.axes = nil
		for i, axis := range x.axes {
			gone := slices.Contains(axes, int64(i)) || slices.Contains(axes, int64(i-len(x.axes)))
			if gone && axis != unit {
				return fmt.Errorf("expected axes of length 1 that count directions, got %v of %v", axes, x.axes)
			}
			if !gone {
				v.axes = append(v.axes, axis)
			}
		}
		return m.set(n, &term{view: &v})
	}
	v := *x.view
	v.axes = slices.Clone(x.axes)
	slices.Sort(axes)
	for _, a := range axes {
		if a < 0 || int(a) > len(v.axes) {
			return fmt.Errorf("expected axes from 0, got %v", axes)
		}
		v.axes = slices.Insert(v.axes, int(a), unit)
	}
	return m.set(n, &term{view: &v})
}

// picked is Gather, also of a table's rows, and Slice.
func (m *importer) picked(n *onnx.Node, x *term) error {
	if x == nil {
		return fmt.Errorf("expected an input that is known, got none")
	}
	index := m.arg(n, 1)
	if n.Op == "Gather" && x.view == nil && index != nil && index.view != nil {
		return m.embedding(n, x.array, index.view)
	}
	axis := 0
	var at int64
	keeps := n.Op == "Slice"
	if keeps {
		var all [4][]int64
		for i, name := range []string{"starts", "ends", "axes", "steps"} {
			var err error
			if all[i], err = m.intsOf(n, name, 1+i); err != nil {
				return err
			}
		}
		starts, ends, axes, steps := all[0], all[1], all[2], all[3]
		if x.view == nil && x.zeros {
			return m.set(n, x)
		}
		if len(starts) != 1 || len(ends) != 1 || len(axes) > 1 || len(steps) > 0 && steps[0] != 1 {
			return fmt.Errorf("expected a slice along one axis, got starts %v, axes %v, steps %v", starts, axes, steps)
		}
		if len(axes) == 1 {
			axis = int(axes[0])
		}
		at = starts[0]
		if x.view == nil {
			return m.set(n, &term{array: cut(x.array, at, ends[0])})
		}
		if at+1 != ends[0] && !(at == -1 && ends[0] > 1<<30) {
			return fmt.Errorf("expected a slice of one step or direction, got %d to %d", at, ends[0])
		}
	} else {
		axis = intOf(n, "axis", 0)
		if index == nil || index.array == nil || len(index.ints) != 1 {
			return fmt.Errorf("expected one index that is known")
		}
		at, keeps = index.ints[0], len(index.shape) > 0
	}
	if x.view == nil {
		if i := at; i < 0 {
			at = i + int64(len(x.ints))
		}
		if len(x.shape) != 1 || at < 0 || at >= int64(len(x.ints)) {
			return fmt.Errorf("expected an index into a list of lengths")
		}
		return m.set(n, &term{array: &array{ints: x.ints[at : at+1]}})
	}
	if axis < 0 {
		axis += len(x.axes)
	}
	if axis < 0 || axis >= len(x.axes) {
		return fmt.Errorf("expected one of %d axes, got %d", len(x.axes), axis)
	}
	v := &view{parts: x.parts, axes: slices.Clone(x.axes)}
	switch {
	case x.axes[axis] == unit && (at == 0 || at == -1):
	case x.axes[axis] == stacked && at >= -int64(len(x.parts)) && at < int64(len(x.parts)):
		if at < 0 {
			at += int64(len(x.parts))
		}
		v.parts = x.parts[at : at+1]
	case x.axes[axis] == 1 && at == -1 && len(x.parts) == 1 && x.parts[0].last != nil:
		v.parts = []source{{symbol: x.parts[0].last}}
		for i, a := range v.axes {
			if a > 1 {
				v.axes[i] = a - 1
			}
		}
	default:
		return fmt.Errorf("expected the last step of a layer that walks forwards, or a direction, got index %d of axis %d", at, axis)
	}
	v.axes[axis] = unit
	if !keeps {
		v.axes = slices.Delete(v.axes, axis, axis+1)
	}
	return m.set(n, &term{view: v})
}

// cut is a part of a list of lengths.
func cut(a *array, from, to int64) *array {
	n := int64(len(a.ints))
	if from < 0 {
		from += n
	}
	if to < 0 {
		to += n
	}
	from, to = max(0, min(from, n)), max(0, min(to, n))
	return &array{shape: []int{int(max(0, to-from))}, ints: a.ints[from:max(from, to)]}
}

func (m *importer) embedding(n *onnx.Node, table *array, ids *view) error {
	if len(table.shape) != 2 || table.floats == nil || intOf(n, "axis", 0) != 0 {
		return fmt.Errorf("expected a table (V, D) of floats along axis 0, got shape %v", table.shape)
	}
	in, err := ids.single()
	if err != nil {
		return err
	}
	name := m.nameOf(n)
	y, err := m.apply(name, layers.Embedding{Name: name, InputDim: table.shape[0], OutputDim: table.shape[1]}, [][]float32{table.floats}, in)
	if err != nil {
		return err
	}
	return m.set(n, &term{view: &view{parts: []source{known(y)}, axes: append(slices.Clone(ids.axes), len(ids.axes))}})
}

func (m *importer) concatenated(n *onnx.Node) error {
	axis := intOf(n, "axis", 0)
	var all []*term
	views := 0
	for i := range n.Inputs {
		t := m.arg(n, i)
		if t == nil {
			return fmt.Errorf("expected inputs that are known")
		}
		if t.view != nil {
			views++
		}
		all = append(all, t)
	}
	if views == 0 {
		a := &array{}
		for _, t := range all {
			if t.zeros || t.floats != nil {
				return fmt.Errorf("expected lengths or what layers compute, got floats")
			}
			a.ints = append(a.ints, t.ints...)
		}
		a.shape = []int{len(a.ints)}
		return m.set(n, &term{array: a})
	}
	if views != len(all) {
		return fmt.Errorf("expected what layers compute, got numbers among them")
	}
	first := all[0].view
	if axis < 0 {
		axis += len(first.axes)
	}
	if axis < 0 || axis >= len(first.axes) {
		return fmt.Errorf("expected one of %d axes, got %d", len(first.axes), axis)
	}
	stack := &view{axes: slices.Clone(first.axes)}
	var symbols []unroll.Symbol
	for _, t := range all {
		same := len(t.axes) == len(first.axes)
		for i := 0; same && i < len(t.axes); i++ {
			same = t.axes[i] == first.axes[i] || i == axis && t.axes[i] < 0 && first.axes[i] < 0
		}
		if !same {
			return fmt.Errorf("expected values with their axes in one order, got %v and %v", first.axes, t.axes)
		}
		if first.axes[axis] < 0 {
			stack.parts = append(stack.parts, t.parts...)
			continue
		}
		s, err := t.single()
		if err != nil {
			return err
		}
		symbols = append(symbols, s)
	}
	if first.axes[axis] < 0 {
		stack.axes[axis] = stacked
		return m.set(n, &term{view: stack})
	}
	name := m.nameOf(n)
	y, err := m.apply(name, layers.Concatenate{Name: name, Axis: tensor.F(float64(first.axes[axis]))}, nil, symbols...)
	if err != nil {
		return err
	}
	return m.set(n, &term{view: &view{parts: []source{known(y)}, axes: first.axes}})
}

// reshaped is a Reshape or Flatten: directions that become one axis with their values, or rows of another shape.
func (m *importer) reshaped(n *onnx.Node, x *term) error {
	if x == nil {
		return fmt.Errorf("expected an input that is known, got none")
	}
	shape := []int64{0, -1}
	if n.Op == "Flatten" {
		if intOf(n, "axis", 1) != 1 {
			return fmt.Errorf("expected axis 1, got %d", intOf(n, "axis", 1))
		}
	} else {
		var err error
		if shape, err = m.intsOf(n, "shape", 1); err != nil {
			return err
		}
	}
	if x.view == nil {
		if x.zeros {
			return m.set(n, x)
		}
		a := *x.array
		a.shape = nil
		for _, d := range shape {
			a.shape = append(a.shape, int(d))
		}
		if len(shape) == 1 && shape[0] == -1 {
			a.shape = []int{len(a.floats) + len(a.ints)}
		} else if slices.Contains(shape, -1) || slices.Contains(shape, 0) {
			return fmt.Errorf("expected a shape of known lengths for numbers, got %v", shape)
		}
		return m.set(n, &term{array: &a})
	}
	last := len(x.axes) - 1
	if last == len(shape) && last > 1 && x.axes[last-1] == stacked && x.axes[last] >= 0 && len(shape) > 0 { // (…, directions, H) becomes (…, directions·H)
		v := &view{axes: append(slices.Clone(x.axes[:last-1]), x.axes[last])}
		if x.merge != nil {
			v.parts = []source{{symbol: x.merge}}
		} else {
			var symbols []unroll.Symbol
			for _, p := range x.parts {
				symbols = append(symbols, p.symbol())
			}
			name := m.nameOf(n)
			y, err := m.apply(name, layers.Concatenate{Name: name}, nil, symbols...)
			if err != nil {
				return err
			}
			v.parts = []source{known(y)}
		}
		return m.set(n, &term{view: v})
	}
	if slices.Contains(x.axes, unit) && len(shape) == len(x.axes)-1 { // an axis of directions goes
		v := *x.view
		v.axes = slices.DeleteFunc(slices.Clone(x.axes), func(a int) bool { return a == unit })
		if len(v.axes) == len(shape) {
			return m.set(n, &term{view: &v})
		}
	}
	in, err := m.inOrder(n, x.view)
	if err != nil {
		return err
	}
	if len(shape) == 2 && shape[1] == -1 {
		name := m.nameOf(n)
		y, err := m.apply(name, layers.Flatten{Name: name}, nil, in)
		if err != nil {
			return err
		}
		return m.set(n, plain(y))
	}
	if len(shape) < 2 || shape[0] != 0 && shape[0] != openLength && (shape[0] != -1 || slices.Contains(shape[1:], -1)) {
		return fmt.Errorf("expected a shape that leaves the batch as it is, got %v", shape)
	}
	target := make([]int, len(shape)-1)
	for i, d := range shape[1:] {
		switch {
		case d == openLength:
			d = -1
		case d == 0 && i+1 < len(in.Shape()):
			d = int64(in.Shape()[i+1])
		}
		target[i] = int(d)
	}
	name := m.nameOf(n)
	y, err := m.apply(name, layers.Reshape{Name: name, TargetShape: target}, nil, in)
	if err != nil {
		return err
	}
	return m.set(n, plain(y))
}
