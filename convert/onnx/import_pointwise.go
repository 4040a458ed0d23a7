package onnx

import (
	"fmt"
	"math"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/onnx"
	"github.com/unroll-ml/unroll/layers"
)

// everywhere reports whether a layer treats all values alike, whatever their axes.
func everywhere(s layers.Spec) bool {
	switch s := s.(type) {
	case layers.Activation:
		return s.Activation.Elementwise()
	case layers.Rescaling:
		return len(s.Scale) == 1 && len(s.Offset) <= 1
	}
	return false
}

// rows is a view whose last axis is that of its source: as it stands, or made so.
func (m *importer) rows(n *onnx.Node, v *view) (*view, error) {
	s, err := v.single()
	if err != nil {
		return nil, err
	}
	if len(v.axes) > 0 && v.axes[len(v.axes)-1].is(len(s.lengths)-1) {
		return v, nil
	}
	if len(v.axes) < 2 || !v.axes[0].is(0) || s.moments != nil {
		return nil, fmt.Errorf("expected the values' axis %d to be the last, got axes in the order %s", len(s.lengths)-1, v.order())
	}
	if s, err = m.arranged(n.Name, v); err != nil {
		return nil, err
	}
	return of(s).view, nil
}

// pointwise applies a layer that treats rows and steps alike: the axes stay in the order that they have, the last at the end.
func (m *importer) pointwise(n *onnx.Node, v *view, name string, s layers.Spec, weights ...[]float32) error {
	in, err := v.single()
	if err != nil {
		return err
	}
	if !everywhere(s) {
		if v, err = m.rows(n, v); err != nil {
			return err
		}
		in = v.parts[0]
	}
	y, err := m.layer(name, s, weights, in.lengths, in)
	if err != nil {
		return err
	}
	return m.set(n, v.with(y))
}

// dense is a Gemm or MatMul. An Add behind it brings the bias.
func (m *importer) dense(n *onnx.Node) error {
	x, w := m.arg(n, 0), m.arg(n, 1)
	if x == nil || x.view == nil || w == nil || w.array == nil || len(w.shape) != 2 || w.floats == nil {
		return fmt.Errorf("expected what layers compute times a known matrix")
	}
	kernel, in, out := w.floats, w.shape[0], w.shape[1]
	var bias []float32
	if n.Op == "Gemm" {
		if floatOf(n, "alpha", 1) != 1 || floatOf(n, "beta", 1) != 1 || intOf(n, "transA", 0) != 0 {
			return fmt.Errorf("expected alpha and beta 1 and no transA")
		}
		if intOf(n, "transB", 0) != 0 {
			if err := m.spend(len(kernel)); err != nil {
				return err
			}
			kernel, in, out = turnedMatrix(kernel, in, out), out, in
		}
		if b := m.arg(n, 2); b != nil {
			if b.array == nil || len(b.floats) != out {
				return fmt.Errorf("expected a bias of %d known numbers", out)
			}
			bias = b.floats
		}
	}
	v, err := m.rows(n, x.view)
	if err != nil {
		return err
	}
	s := v.parts[0]
	if s.width() != in {
		return fmt.Errorf("expected a value of width %d, got shape %s", in, shown(s.lengths))
	}
	lengths := slices.Clone(s.lengths)
	lengths[len(lengths)-1] = lengthOf(int64(out))
	y := m.biased(bias, out, func(bias []float32) (unroll.Symbol, error) {
		symbol, err := s.get()
		if err != nil {
			return symbol, err
		}
		name, weights := m.nameOf(n), [][]float32{kernel}
		if bias != nil {
			weights = append(weights, bias)
		}
		return m.apply(name, layers.Dense{Name: name, Units: out, NoBias: bias == nil}, weights, symbol)
	})
	y.lengths, y.hidden = lengths, s.hidden
	return m.set(n, v.with(y))
}

// biased is a source whose layer takes a bias of a width, where it has none yet.
func (m *importer) biased(bias []float32, width int, apply func(bias []float32) (unroll.Symbol, error)) *source {
	s := &source{make: func() (unroll.Symbol, error) { return apply(bias) }}
	if bias != nil {
		return s
	}
	s.affine = func(scale, offset []float64) *source {
		if scale != nil || len(offset) != width || m.spend(width) != nil {
			return nil
		}
		b := make([]float32, width)
		for i, v := range offset {
			b[i] = float32(v)
		}
		with := m.biased(b, width, apply)
		with.lengths, with.hidden = s.lengths, s.hidden
		return with
	}
	return s
}

// rescaling is a Rescaling by numbers along the last axis, or of one number.
type rescaling struct {
	m             *importer
	n             *onnx.Node
	of            *source
	scale, offset []float64 // nil: 1 and 0
}

// source of it takes further numbers into the same layer.
func (r rescaling) source() *source {
	s := &source{lengths: r.of.lengths, hidden: r.of.hidden, rescaling: &r}
	s.make = func() (unroll.Symbol, error) {
		symbol, err := r.of.get()
		if err != nil {
			return symbol, err
		}
		name := r.m.nameOf(r.n)
		spec := layers.Rescaling{Name: name, Scale: r.scale, Offset: r.offset}
		if spec.Scale == nil {
			spec.Scale = []float64{1}
		}
		return r.m.apply(name, spec, nil, symbol)
	}
	s.affine = func(scale, offset []float64) *source {
		next := r
		next.scale, next.offset = scaled(r.scale, scale), plus(scaled(r.offset, scale), offset)
		if r.offset == nil {
			next.offset = offset
		}
		return next.source()
	}
	return s
}

// scaled is x times by, either of one number or of many, or nil for 1.
func scaled(x, by []float64) []float64 {
	if x == nil || by == nil {
		return slices.Concat(x, by)
	}
	return each(x, by, func(a, b float64) float64 { return a * b })
}

// plus is a sum likewise, nil for 0.
func plus(x, y []float64) []float64 {
	if x == nil || y == nil {
		return slices.Concat(x, y)
	}
	return each(x, y, func(a, b float64) float64 { return a + b })
}

func each(x, y []float64, f func(a, b float64) float64) []float64 {
	z := make([]float64, max(len(x), len(y)))
	for i := range z {
		z[i] = f(x[i%len(x)], y[i%len(y)])
	}
	return z
}

// along are an array's numbers where they are one, or one for every place of the last axis of a view's source, wherever that is.
func (m *importer) along(v *view, a *array) ([]float64, error) {
	s, err := v.single()
	if err != nil {
		return nil, err
	}
	if a.filled && !a.whole {
		return []float64{float64(a.value)}, nil
	}
	numbers := a.numbers()
	if len(numbers) == 0 {
		return nil, fmt.Errorf("expected known numbers, got others")
	}
	last := len(s.lengths) - 1
	for i, d := range a.shape {
		at := len(v.axes) - len(a.shape) + i
		if d != 1 && (at < 0 || !v.axes[at].is(last) || len(numbers) != d) || at < 0 {
			return nil, fmt.Errorf("expected one number, or one for every place of the last axis, got shape %v", a.shape)
		}
	}
	if len(numbers) != 1 && s.moments == nil && s.width() != len(numbers) {
		return nil, fmt.Errorf("expected %v numbers, got %d", s.lengths[last], len(numbers))
	}
	if err := m.spend(2 * len(numbers)); err != nil {
		return nil, err
	}
	list := make([]float64, len(numbers))
	for i, n := range numbers {
		list[i] = float64(n)
	}
	return list, nil
}

// arithmetic is between two values, or of one and numbers along its last axis.
func (m *importer) arithmetic(n *onnx.Node) error {
	x, y := m.arg(n, 0), m.arg(n, 1)
	switch {
	case x == nil || y == nil || x.view == nil && y.view == nil:
		return fmt.Errorf("expected at least one value that layers compute")
	case x.view != nil && y.view != nil:
		return m.ofTwo(n, x.view, y.view)
	}
	swapped := x.view == nil
	if swapped {
		x, y = y, x
	}
	if y.array == nil {
		return fmt.Errorf("expected known numbers, got others")
	}
	v := x.view
	var err error
	// Numbers along an axis that is several of the source, as behind a Flatten.
	if last := len(y.shape) - 1; last >= 0 && y.shape[last] != 1 && len(v.axes) > 0 && len(v.axes[len(v.axes)-1].of) > 1 {
		if v, err = m.rows(n, v); err != nil {
			return err
		}
	}
	values, err := m.along(v, y.array)
	if err != nil {
		return err
	}
	s := v.parts[0]
	if s.moments != nil {
		if r, err := m.momentsWith(n.Op, s.moments, values, swapped); r != nil || err != nil {
			return m.setMoments(n, v, r, err)
		}
	}
	if s.gelu != nil && len(values) == 1 {
		return m.geluWith(n, v, *s.gelu, values[0])
	}
	if n.Op == "Max" || n.Op == "Min" {
		if len(values) != 1 {
			return fmt.Errorf("expected one number as a bound, got %d", len(values))
		}
		lo, hi := math.Inf(-1), values[0]
		if n.Op == "Max" {
			lo, hi = values[0], math.Inf(1)
		}
		return m.clamped(n, v, lo, hi)
	}
	var scale, offset []float64
	change := func(f func(float64) float64) []float64 {
		list := make([]float64, len(values))
		for i, v := range values {
			list[i] = f(v)
		}
		return list
	}
	switch {
	case n.Op == "Add":
		offset = values
	case n.Op == "Mul":
		scale = values
	case n.Op == "Sub" && swapped:
		scale, offset = []float64{-1}, values
	case n.Op == "Sub":
		offset = change(func(v float64) float64 { return -v })
	case n.Op == "Div" && !swapped:
		scale = change(func(v float64) float64 { return 1 / v })
	default:
		return fmt.Errorf("expected a sum, difference or product with numbers, or a division by them, got another operation")
	}
	if s.affine != nil {
		if r := s.affine(scale, offset); r != nil {
			return m.set(n, v.with(r))
		}
	}
	return m.set(n, v.with(rescaling{m, n, s, scale, offset}.source()))
}

// ofTwo is arithmetic of two values of layers.
func (m *importer) ofTwo(n *onnx.Node, x, y *view) error {
	a, err := x.single()
	if err != nil {
		return err
	}
	b, err := y.single()
	if err != nil {
		return err
	}
	if r, err := m.betweenMoments(n.Op, x, y); r != nil || err != nil {
		if a.moments == nil {
			x = y
		}
		return m.setMoments(n, x, r, err)
	}
	for _, kind := range []func(*onnx.Node, *view, *view) (bool, error){m.underMask, m.betweenGelu} {
		if ok, err := kind(n, x, y); ok {
			return err
		}
	}
	spec := func(name string) layers.Spec {
		switch n.Op {
		case "Add", "Sum":
			return layers.Add{Name: name}
		case "Sub":
			return layers.Subtract{Name: name}
		case "Mul":
			return layers.Multiply{Name: name}
		case "Max":
			return layers.Maximum{Name: name}
		case "Min":
			return layers.Minimum{Name: name}
		}
		return nil
	}
	if spec("") == nil || !sameAxes(x.axes, y.axes) {
		return fmt.Errorf("expected a sum, difference or product of values with their axes in one order, got orders %s and %s", x.order(), y.order())
	}
	m.pair(a, b)
	name := m.nameOf(n)
	z, err := m.layer(name, spec(name), nil, a.lengths, a, b)
	if err != nil {
		return err
	}
	return m.set(n, x.with(z))
}
