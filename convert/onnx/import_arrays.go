package onnx

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/internal/onnx"
)

// onArrays computes a node of numbers and lengths alone; ok: it is one.
func (m *importer) onArrays(n *onnx.Node) (ok bool, err error) {
	x, y := m.arg(n, 0), m.arg(n, 1)
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
	case "ConstantOfShape":
		filled := &array{filled: true}
		if v := n.Attribute("value"); v != nil && v.Tensor != nil {
			c, err := arrayOf(v.Tensor)
			if err != nil {
				return true, err
			}
			if filled, err = c.spread(); err != nil {
				return true, err
			}
		}
		return true, m.set(n, &term{array: filled})
	case "Expand":
		if x == nil || x.array == nil {
			return false, nil
		}
		filled, err := x.array.spread()
		if err != nil {
			return true, err
		}
		return true, m.set(n, &term{array: filled})
	}
	if x == nil || x.array == nil {
		return false, nil
	}
	if x.filled { // of any shape; what moves its axes gives the same
		switch n.Op {
		case "Unsqueeze", "Squeeze", "Transpose", "Slice", "Reshape", "Identity", "Cast":
			return true, m.set(n, x)
		case "Concat":
			for i := range n.Inputs {
				if t := m.arg(n, i); t == nil || t.array == nil || !t.filled || t.value != x.value || t.long != x.long || t.whole != x.whole {
					return true, fmt.Errorf("expected parts filled with one number, got others")
				}
			}
			return true, m.set(n, x)
		}
		return false, nil
	}
	switch n.Op {
	case "Cast":
		a, err := x.array.cast(intOf(n, "to", 0))
		if err != nil {
			return true, err
		}
		return true, m.set(n, &term{array: a})
	case "Identity":
		return true, m.set(n, x)
	case "Unsqueeze", "Squeeze":
		a, err := m.squeezedArray(n, x.array)
		if err != nil {
			return true, err
		}
		return true, m.set(n, &term{array: a})
	case "Reshape":
		a, err := m.reshapedArray(n, x.array)
		if err != nil {
			return true, err
		}
		return true, m.set(n, &term{array: a})
	case "Gather":
		if y == nil || y.array == nil {
			return false, nil
		}
		return true, m.gathered(n, x.array, y.array)
	case "Slice":
		return true, m.slicedArray(n, x.array)
	case "Split":
		return true, m.splitArray(n, x.array)
	case "Concat":
		return m.joinedLengths(n)
	case "ReduceProd":
		if !x.whole {
			return false, nil
		}
		p, err := product(x.ints)
		if err != nil {
			return true, err
		}
		a := list([]length{p})
		if intOf(n, "keepdims", 1) == 0 {
			a.shape = nil
		}
		return true, m.set(n, &term{array: a})
	case "Transpose":
		perm, err := m.intsOf(n, "perm", 9)
		if len(x.shape) != 2 || x.floats == nil || err != nil || perm != nil && !slices.Equal(perm, []int64{1, 0}) {
			return true, fmt.Errorf("expected a matrix or what layers compute, got numbers of shape %v", x.shape)
		}
		if err := m.spend(len(x.floats)); err != nil {
			return true, err
		}
		return true, m.set(n, &term{array: &array{shape: []int{x.shape[1], x.shape[0]}, floats: turnedMatrix(x.floats, x.shape[0], x.shape[1])}})
	case "Less":
		if y == nil || y.array == nil {
			return false, nil
		}
		a, okA := x.array.scalar()
		b, okB := y.array.scalar()
		if !okA || !okB {
			return true, fmt.Errorf("expected two lengths, got others")
		}
		return true, m.set(n, &term{less: &less{a, b}})
	case "Add", "Sub", "Mul", "Div":
		if y == nil || y.array == nil || !x.whole || !y.whole {
			return false, nil
		}
		return true, m.lengthArithmetic(n, x.array, y.array)
	}
	return false, nil
}

// lengthSize is how many numbers are as large as a length.
const lengthSize = 6

// spread is the single number of an array, everywhere.
func (a *array) spread() (*array, error) {
	switch {
	case a.filled:
		return a, nil
	case len(a.ints) == 1:
		return &array{filled: true, whole: true, long: a.ints[0]}, nil
	case len(a.floats) > 0 && a.isAll(a.floats[0]):
		return &array{filled: true, value: a.floats[0]}, nil
	}
	return nil, fmt.Errorf("expected one number to fill a shape with, got numbers of shape %v", a.shape)
}

// isFloat reports whether a type of ONNX, as its number, is one of floats.
func isFloat(to int) bool {
	return to == int(onnx.Float) || to == int(onnx.Double) || to == int(onnx.Float16)
}

// cast are the numbers as those of another type. Whole ones stay whole, so that lengths stay lengths.
func (a *array) cast(to int) (*array, error) {
	if a.whole || isFloat(to) {
		return a, nil
	}
	c := &array{shape: a.shape, whole: true}
	for _, f := range a.floats {
		if f != float32(int32(f)) || len(c.ints) == maxInts {
			return nil, fmt.Errorf("expected at most %d whole numbers where they become such, got others", maxInts)
		}
		c.ints = append(c.ints, lengthOf(int64(f)))
	}
	return c, nil
}

// scalar is an array's only number as a length.
func (a *array) scalar() (length, bool) {
	switch {
	case a.filled:
	case len(a.ints) == 1:
		return a.ints[0], true
	case len(a.floats) == 1 && a.floats[0] == float32(int32(a.floats[0])):
		return lengthOf(int64(a.floats[0])), true
	}
	return length{}, false
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

// normal are axes as they count from 0, in order; false where they are none of rank.
func normal(axes []int64, rank int) ([]int, bool) {
	list := make([]int, len(axes))
	for i, a := range axes {
		if a < 0 {
			a += int64(rank)
		}
		if a < 0 || a >= int64(rank) {
			return nil, false
		}
		list[i] = int(a)
	}
	slices.Sort(list)
	return slices.Compact(list), true
}

// maxRank bounds the axes of a value.
const maxRank = 16

// squeezedAxes are the axes that a Squeeze takes from a value, or those that an Unsqueeze adds, as they count in the larger one.
func (m *importer) squeezedAxes(n *onnx.Node, rank int) ([]int, error) {
	given, err := m.intsOf(n, "axes", 1)
	if err != nil {
		return nil, err
	}
	if n.Op == "Unsqueeze" {
		rank += len(given)
	}
	axes, ok := normal(given, rank)
	if !ok || rank > maxRank || n.Op == "Unsqueeze" && len(axes) != len(given) {
		return nil, fmt.Errorf("expected some of %d axes, got %v", rank, given)
	}
	return axes, nil
}

func (m *importer) squeezedArray(n *onnx.Node, x *array) (*array, error) {
	axes, err := m.squeezedAxes(n, len(x.shape))
	if err != nil {
		return nil, err
	}
	a := *x
	a.shape = slices.Clone(x.shape)
	if n.Op == "Unsqueeze" {
		for _, i := range axes {
			a.shape = slices.Insert(a.shape, i, 1)
		}
		return &a, nil
	}
	if len(n.Inputs) < 2 && n.Attribute("axes") == nil {
		a.shape = slices.DeleteFunc(a.shape, func(d int) bool { return d == 1 })
		return &a, nil
	}
	slices.Reverse(axes)
	for _, i := range axes {
		if a.shape[i] != 1 {
			return nil, fmt.Errorf("expected axes of length 1, got %v of shape %v", axes, x.shape)
		}
		a.shape = slices.Delete(a.shape, i, i+1)
	}
	return &a, nil
}

func (m *importer) reshapedArray(n *onnx.Node, x *array) (*array, error) {
	shape, err := m.intsOf(n, "shape", 1)
	if err != nil {
		return nil, err
	}
	a := *x
	a.shape = nil
	total := len(x.floats) + len(x.ints)
	rest, open := 1, -1
	for i, d := range shape {
		if d == 0 && i < len(x.shape) {
			d = int64(x.shape[i])
		}
		switch {
		case d == -1 && open < 0:
			open, d = i, 1
		case d < 1 || d > int64(total):
			return nil, fmt.Errorf("expected a shape of %d numbers, got %v", total, shape)
		}
		if rest *= int(d); rest > total || i > maxRank {
			return nil, fmt.Errorf("expected a shape of %d numbers, got %v", total, shape)
		}
		a.shape = append(a.shape, int(d))
	}
	if open >= 0 && rest > 0 {
		a.shape[open] = total / rest
		rest *= a.shape[open]
	}
	if rest != total {
		return nil, fmt.Errorf("expected a shape of %d numbers, got %v", total, shape)
	}
	return &a, nil
}

// gathered picks along the first axis.
func (m *importer) gathered(n *onnx.Node, x, index *array) error {
	at, ok := wholes(index.ints)
	if !ok || !index.whole || len(index.shape) > 1 || len(x.shape) != 1 || !x.whole || intOf(n, "axis", 0) != 0 && intOf(n, "axis", 0) != -1 {
		return fmt.Errorf("expected known indices into a list of lengths")
	}
	if err := m.spend(lengthSize * len(at)); err != nil {
		return err
	}
	var ints []length
	for _, i := range at {
		if i < 0 {
			i += int64(len(x.ints))
		}
		if i < 0 || i >= int64(len(x.ints)) {
			return fmt.Errorf("expected an index into a list of %d lengths, got %d", len(x.ints), i)
		}
		ints = append(ints, x.ints[i])
	}
	a := list(ints)
	if len(index.shape) == 0 {
		a.shape = nil
	}
	return m.set(n, &term{array: a})
}

// joinedLengths is a Concat of lists of lengths.
func (m *importer) joinedLengths(n *onnx.Node) (ok bool, err error) {
	a := &array{whole: true}
	for i := range n.Inputs {
		t := m.arg(n, i)
		if t == nil || t.array == nil {
			return false, nil
		}
		if !t.whole || t.filled || len(t.shape) > 1 {
			return true, fmt.Errorf("expected lengths or what layers compute, got other numbers")
		}
		if a.ints = append(a.ints, t.ints...); len(a.ints) > maxInts {
			return true, fmt.Errorf("expected at most %d lengths, got more", maxInts)
		}
	}
	a.shape = []int{len(a.ints)}
	if err := m.spend(lengthSize * len(a.ints)); err != nil {
		return true, err
	}
	return true, m.set(n, &term{array: a})
}

// lengthArithmetic is between single lengths.
func (m *importer) lengthArithmetic(n *onnx.Node, x, y *array) error {
	a, okA := x.scalar()
	b, okB := y.scalar()
	ok := okA && okB
	if !ok {
		return fmt.Errorf("expected two lengths, got lists of them")
	}
	known := a.known() && b.known() && max(a.n, -a.n, b.n, -b.n) < 1<<31
	var c length
	switch n.Op {
	case "Mul":
		c, ok = a.times(b)
	case "Div":
		c, ok = a.over(b)
	case "Add":
		c, ok = lengthOf(a.n+b.n), known
	case "Sub":
		c, ok = lengthOf(a.n-b.n), known
	}
	if !ok {
		return fmt.Errorf("expected lengths whose result is known for every batch, got %v and %v", a, b)
	}
	r := list([]length{c})
	if len(x.shape) == 0 && len(y.shape) == 0 {
		r.shape = nil
	}
	return m.set(n, &term{array: r})
}
