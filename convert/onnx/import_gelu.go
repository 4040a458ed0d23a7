package onnx

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/internal/onnx"
	"github.com/unroll-ml/unroll/layers"
)

// gelu is a part of x (1 + erf(x / √2)) / 2, as it is written in single operators.
type gelu struct {
	of      *source // x
	erf     bool    // without the factor x
	shifted bool    // 1 + erf, otherwise erf alone
	times   float64 // what is multiplied besides
}

// isScaled reports whether a source is another one times a number, and which.
func (s *source) isScaled() (of *source, by float64) {
	if r := s.rescaling; r != nil && len(r.scale) == 1 && r.offset == nil {
		return r.of, r.scale[0]
	}
	return s, 1
}

// erf is an Erf, for a gelu.
func (m *importer) erf(n *onnx.Node, v *view) error {
	s, err := v.single()
	if err != nil {
		return err
	}
	of, by := s.isScaled()
	if math.Abs(by-math.Sqrt2/2) > 1e-5 {
		return fmt.Errorf("no layer computes the operator Erf but for gelu, x (1 + erf(x / √2)) / 2: expected x / √2, got another argument")
	}
	return m.setGelu(n, v, gelu{of: of, erf: true, times: 1})
}

// setGelu sets a node's value to a part of a gelu.
func (m *importer) setGelu(n *onnx.Node, v *view, g gelu) error {
	s := &source{lengths: g.of.lengths, hidden: g.of.hidden, gelu: &g, make: never("expected gelu, x (1 + erf(x / √2)) / 2, got a part of it")}
	if !g.erf && math.Abs(g.times-0.5) < 1e-6 {
		s.gelu = nil
		s.make = func() (unroll.Symbol, error) {
			symbol, err := g.of.get()
			if err != nil {
				return symbol, err
			}
			name := m.nameOf(n)
			return m.apply(name, layers.Activation{Name: name, Activation: activations.GELU}, nil, symbol)
		}
	}
	return m.set(n, v.with(s))
}

// geluWith is a part of a gelu and a number.
func (m *importer) geluWith(n *onnx.Node, v *view, g gelu, by float64) error {
	switch {
	case n.Op == "Add" && g.erf && !g.shifted && g.times == 1 && by == 1:
		g.shifted = true
	case n.Op == "Mul" && g.shifted:
		g.times *= by
	default:
		return fmt.Errorf("expected gelu, x (1 + erf(x / √2)) / 2, got another use of a part of it")
	}
	return m.setGelu(n, v, g)
}

// betweenGelu is 1 + erf(x / √2) times x; ok: one of the values is a part of a gelu.
func (m *importer) betweenGelu(n *onnx.Node, x, y *view) (ok bool, err error) {
	a, b := x.parts[0], y.parts[0]
	if a.gelu == nil {
		x, y, a, b = y, x, b, a
	}
	if a.gelu == nil {
		return false, nil
	}
	of, by := b.isScaled()
	g := *a.gelu
	if n.Op != "Mul" || !g.erf || !g.shifted || of != g.of || !sameAxes(x.axes, y.axes) {
		return true, fmt.Errorf("expected gelu, x (1 + erf(x / √2)) / 2, got another use of a part of it")
	}
	g.erf = false
	g.times *= by
	return true, m.setGelu(n, x, g)
}
