package onnx

import (
	"fmt"
	"math"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/onnx"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// moments is a part of a normalization of rows, (x - mean) / √(variance + ε), written in single operators. It is what becomes of x's rows so far.
type moments struct {
	of    *source // x
	stage stage
	terms [6][]float64 // linear: by what is each basis multiplied, numbers along the row or one; nil: not at all
	times float64      // squares: the variance is so many times larger
	eps   float64      // what is added to the variance
}

type stage int

const (
	linear    stage = iota // a sum of the bases below
	squares                // (x - mean)², place by place
	variance               // and ε
	deviation              // its root
)

// The bases: x, the mean, one over the deviation, and their products.
const (
	theX = iota
	theMean
	theXScaled
	theMeanScaled
	theScale
	theOne
)

// linearOf is a source as a sum of bases of another.
func linearOf(s *source) *moments {
	if s.moments != nil {
		return s.moments
	}
	l := &moments{of: s}
	l.terms[theX] = []float64{1}
	return l
}

// only reports whether it is a sum of these bases alone.
func (p *moments) only(bases ...int) bool {
	for i, t := range p.terms {
		if t != nil && !slices.Contains(bases, i) {
			return false
		}
	}
	return p.stage == linear
}

// isNumbers reports whether all numbers are v.
func isNumbers(x []float64, v float64) bool {
	return len(x) > 0 && !slices.ContainsFunc(x, func(f float64) bool { return f != v })
}

// centred reports whether it is x - mean.
func (p *moments) centred() bool {
	return p.only(theX, theMean) && isNumbers(p.terms[theX], 1) && isNumbers(p.terms[theMean], -1)
}

// setMoments sets a node's value to a part of a normalization of the source of v.
func (m *importer) setMoments(n *onnx.Node, v *view, p *moments, err error) error {
	if err != nil {
		return err
	}
	s := &source{lengths: p.of.lengths, moments: p, hidden: p.of.hidden}
	if p.only(theMean, theMeanScaled, theScale, theOne) || p.stage == variance || p.stage == deviation {
		s.lengths = slices.Clone(s.lengths)
		s.lengths[len(s.lengths)-1] = one
	}
	s.make = func() (unroll.Symbol, error) { return m.normalized(n, p) }
	return m.set(n, v.with(s))
}

// complete reports whether it is a whole normalization.
func (p *moments) complete() bool {
	gain, shift := p.terms[theXScaled], p.terms[theMeanScaled]
	return p.only(theXScaled, theMeanScaled, theOne) && gain != nil && shift != nil && isNumbers(plus(gain, shift), 0)
}

// normalized is the layer that a complete normalization is.
func (m *importer) normalized(n *onnx.Node, p *moments) (unroll.Symbol, error) {
	gain := p.terms[theXScaled]
	if !p.complete() {
		return unroll.Symbol{}, fmt.Errorf("expected a normalization of rows, (x - mean) / √(variance + ε), got a part of one")
	}
	x, err := p.of.get()
	if err != nil {
		return x, err
	}
	width := p.of.width()
	if err := m.spend(2 * width); err != nil {
		return x, err
	}
	full := func(numbers []float64) []float32 {
		list := make([]float32, width)
		for i := range list {
			list[i] = float32(numbers[i%len(numbers)])
		}
		return list
	}
	name := m.nameOf(n)
	spec := layers.LayerNormalization{Name: name, Epsilon: tensor.F(p.eps), NoCenter: p.terms[theOne] == nil}
	weights := [][]float32{full(gain)}
	if p.terms[theOne] != nil {
		weights = append(weights, full(p.terms[theOne]))
	}
	return m.apply(name, spec, weights, x)
}

// overRow is the mean, or the sum of squares, over the last axis of the source; nil where a node is neither.
func (m *importer) overRow(op string, s *source) *moments {
	p := linearOf(s)
	width := float64(p.of.width())
	switch {
	case width == 0:
	case (op == "ReduceMean" || op == "GlobalAveragePool") && p.only(theX) && isNumbers(p.terms[theX], 1):
		r := &moments{of: p.of}
		r.terms[theMean] = []float64{1}
		return r
	case (op == "ReduceMean" || op == "GlobalAveragePool") && p.stage == squares:
		return &moments{of: p.of, stage: variance, times: 1}
	case op == "ReduceSum" && p.stage == squares, op == "ReduceSumSquare" && p.centred():
		return &moments{of: p.of, stage: variance, times: width}
	}
	return nil
}

// momentsWith is arithmetic of a part and numbers; nil where it is none that leads to a normalization.
func (m *importer) momentsWith(op string, p *moments, v []float64, swapped bool) (*moments, error) {
	r := *p
	inverse := func() []float64 {
		list := make([]float64, len(v))
		for i, x := range v {
			list[i] = 1 / x
		}
		return list
	}
	switch {
	case p.stage == variance && len(v) == 1 && !swapped && p.eps == 0 && (op == "Div" || op == "Mul"):
		if r.times *= v[0]; op == "Div" {
			r.times = p.times / v[0]
		}
		return &r, nil
	case p.stage == variance && len(v) == 1 && op == "Add" && p.times == 1 && v[0] > 0:
		r.eps += v[0]
		return &r, nil
	case p.stage == deviation && op == "Div" && swapped && len(v) == 1:
		return p.reciprocal(v), nil
	case p.stage != linear:
		return nil, fmt.Errorf("expected a normalization of rows, (x - mean) / √(variance + ε), got another use of a part of one")
	}
	by := func(f []float64) *moments {
		for i, t := range p.terms {
			if r.terms[i] = nil; t != nil {
				r.terms[i] = scaled(t, f)
			}
		}
		return &r
	}
	add := func(f []float64) *moments {
		r.terms[theOne] = plus(r.terms[theOne], f)
		return &r
	}
	switch {
	case op == "Mul":
		return by(v), nil
	case op == "Div" && !swapped:
		return by(inverse()), nil
	case op == "Add":
		return add(v), nil
	case op == "Sub" && swapped:
		by([]float64{-1})
		return add(v), nil
	case op == "Sub":
		return add(scaled(v, []float64{-1})), nil
	}
	return nil, fmt.Errorf("expected a normalization of rows, (x - mean) / √(variance + ε), got another use of a part of one")
}

// reciprocal is numbers over a deviation.
func (p *moments) reciprocal(v []float64) *moments {
	r := &moments{of: p.of, eps: p.eps}
	r.terms[theScale] = v
	return r
}

// betweenMoments is arithmetic of two parts of one normalization; nil where neither is one.
func (m *importer) betweenMoments(op string, x, y *view) (*moments, error) {
	a, b := x.parts[0], y.parts[0]
	if a.moments == nil && b.moments == nil {
		return nil, nil
	}
	p, q := linearOf(a), linearOf(b)
	if p.complete() || q.complete() || p.of != q.of || !sameAxes(rowAxes(x, p.of), rowAxes(y, p.of)) {
		for _, s := range []*source{a, b} { // they are values, or fail
			if s.moments != nil {
				if _, err := s.get(); err != nil {
					return nil, err
				}
			}
		}
		return nil, nil
	}
	combined := func(sign float64) *moments {
		r := &moments{of: p.of, eps: max(p.eps, q.eps)}
		for i := range r.terms {
			r.terms[i] = p.terms[i]
			if t := q.terms[i]; t != nil {
				r.terms[i] = plus(r.terms[i], scaled(t, []float64{sign}))
			}
		}
		return r
	}
	switch {
	case p.stage == linear && q.stage == linear && (p.eps == q.eps || p.eps == 0 || q.eps == 0) && op == "Add":
		return combined(1), nil
	case p.stage == linear && q.stage == linear && (p.eps == q.eps || p.eps == 0 || q.eps == 0) && op == "Sub":
		return combined(-1), nil
	case op == "Mul" && p.centred() && q.centred():
		return &moments{of: p.of, stage: squares}, nil
	case op == "Mul" && p.only(theScale) && q.only(theX, theMean, theOne):
		return q.overDeviation(p), nil
	case op == "Mul" && q.only(theScale) && p.only(theX, theMean, theOne):
		return p.overDeviation(q), nil
	case op == "Div" && q.stage == deviation && p.only(theX, theMean, theOne):
		return p.overDeviation(q.reciprocal([]float64{1})), nil
	}
	return nil, fmt.Errorf("expected a normalization of rows, (x - mean) / √(variance + ε), got another use of a part of one")
}

// overDeviation is a sum times numbers over the deviation.
func (p *moments) overDeviation(scale *moments) *moments {
	r := &moments{of: p.of, eps: scale.eps}
	for from, to := range map[int]int{theX: theXScaled, theMean: theMeanScaled, theOne: theScale} {
		if p.terms[from] != nil {
			r.terms[to] = scaled(p.terms[from], scale.terms[theScale])
		}
	}
	return r
}

// rowAxes are a view's axes without the one along the rows of s.
func rowAxes(v *view, s *source) []axis {
	axes := make([]axis, len(v.axes))
	for i, a := range v.axes {
		axes[i] = axis{of: slices.DeleteFunc(slices.Clone(a.of), func(of int) bool { return of == len(s.lengths)-1 })}
	}
	return axes
}

// powerOf is a power of a part, as its square or root; ok: the value is a part.
func (m *importer) powerOf(n *onnx.Node, v *view, power float64) (ok bool, err error) {
	s, err := v.single()
	if err != nil || s.moments == nil {
		return false, err
	}
	p := s.moments
	var r *moments
	switch {
	case power == 2 && p.centred():
		r = &moments{of: p.of, stage: squares}
	case power == 0.5 && p.stage == variance && math.Abs(p.times-1) < 1e-6:
		r = &moments{of: p.of, stage: deviation, eps: p.eps}
	case power == -0.5 && p.stage == variance && math.Abs(p.times-1) < 1e-6, power == -1 && p.stage == deviation:
		r = p.reciprocal([]float64{1})
	default:
		return true, fmt.Errorf("expected a normalization of rows, (x - mean) / √(variance + ε), got another use of a part of one")
	}
	return true, m.setMoments(n, v, r, nil)
}

// standardized is a BatchNormalization by the mean and variance of each row, as which a LayerNormalization can be written.
func (m *importer) standardized(n *onnx.Node, x *view) error {
	s, err := x.single()
	if err != nil {
		return err
	}
	scale, offset, mean, spread := m.arg(n, 1), m.arg(n, 2), m.arg(n, 3), m.arg(n, 4)
	ok := scale != nil && scale.array != nil && scale.isAll(1) && offset != nil && offset.array != nil && offset.isAll(0) && mean != nil && spread != nil && len(x.axes) > 1
	for _, t := range []*term{mean, spread} {
		ok = ok && t.view != nil && len(t.parts) == 1 && t.parts[0].moments != nil && t.parts[0].moments.of == s && len(t.axes) == 1 &&
			sameAxes(rowAxes(t.view, s), rowAxes(x, s)[1:2])
	}
	if !ok {
		return fmt.Errorf("expected known arrays, or the mean and variance of each row with scale 1 and offset 0")
	}
	p, q := mean.parts[0].moments, spread.parts[0].moments
	if !p.only(theMean) || !isNumbers(p.terms[theMean], 1) || q.stage != variance || math.Abs(q.times-1) > 1e-6 || q.eps != 0 {
		return fmt.Errorf("expected the mean and variance of each row, got others")
	}
	r := &moments{of: s, eps: float64(floatOf(n, "epsilon", 1e-5))}
	r.terms[theXScaled], r.terms[theMeanScaled] = []float64{1}, []float64{-1}
	return m.setMoments(n, x, r, nil)
}

func (m *importer) layerNormalization(n *onnx.Node) error {
	x, gamma, beta := m.arg(n, 0), m.arg(n, 1), m.arg(n, 2)
	if x == nil || x.view == nil || gamma == nil || gamma.array == nil || len(gamma.shape) != 1 ||
		beta != nil && (beta.array == nil || len(beta.floats) != len(gamma.floats)) {
		return fmt.Errorf("expected what layers compute, with known scale and bias over the last axis")
	}
	if a := intOf(n, "axis", -1); a != -1 && a != len(x.axes)-1 {
		return fmt.Errorf("expected the last axis, got %d", a)
	}
	if s, err := x.single(); err != nil || s.width() != len(gamma.floats) {
		return fmt.Errorf("expected a value of width %d, got shape %s", len(gamma.floats), shown(x.parts[0].lengths))
	}
	name := m.nameOf(n)
	s := layers.LayerNormalization{Name: name, Epsilon: tensor.F(float64(floatOf(n, "epsilon", 1e-5))), NoCenter: beta == nil}
	weights := [][]float32{gamma.floats}
	if beta != nil {
		weights = append(weights, beta.floats)
	}
	return m.pointwise(n, x.view, name, s, weights...)
}
