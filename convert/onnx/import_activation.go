package onnx

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/internal/onnx"
	"github.com/unroll-ml/unroll/layers"
)

// activationOf is the activation that a node is; ok is false for other operators.
func activationOf(m *importer, n *onnx.Node) (a activations.Activation, ok bool, err error) {
	plain := map[string]activations.Activation{"Relu": activations.ReLU, "Tanh": activations.Tanh, "Sigmoid": activations.Sigmoid, "Softplus": activations.Softplus,
		"Softsign": activations.Softsign, "Exp": activations.Exponential, "Mish": activations.Mish, "HardSwish": activations.HardSiLU}
	if a, ok := plain[n.Op]; ok {
		return a, true, nil
	}
	near := func(name string, otherwise, want float32) bool {
		return math.Abs(float64(floatOf(n, name, otherwise)-want)) < 1e-6
	}
	switch n.Op {
	case "Softmax", "LogSoftmax":
		rank := 2 // of rows within a loop
		if x := m.arg(n, 0); x != nil && x.view != nil {
			rank = len(x.axes)
		}
		if at := intOf(n, "axis", -1); at != -1 && at != rank-1 || m.file.Version() < 13 && rank > 2 {
			return "", true, fmt.Errorf("expected the last axis, got %d", at)
		}
		return map[string]activations.Activation{"Softmax": activations.Softmax, "LogSoftmax": activations.LogSoftmax}[n.Op], true, nil
	case "Elu", "Celu":
		if near("alpha", 1, 1) {
			return activations.ELU, true, nil
		}
	case "Selu":
		if near("alpha", seluAlpha, seluAlpha) && near("gamma", seluScale, seluScale) {
			return activations.SELU, true, nil
		}
	case "LeakyRelu":
		if near("alpha", 0.01, 0.2) {
			return activations.LeakyReLU, true, nil
		}
	case "HardSigmoid":
		if a := hardSigmoid(floatOf(n, "alpha", 0.2), floatOf(n, "beta", 0.5)); a != "" {
			return a, true, nil
		}
	case "Gelu":
		if s := n.Attribute("approximate"); s == nil || s.String == "none" {
			return activations.GELU, true, nil
		}
	default:
		return "", false, nil
	}
	return "", true, fmt.Errorf("expected the arguments of an activation that layers have, got others")
}

// bounds of a Clip; NaN where one is not known.
func (m *importer) bounds(n *onnx.Node) (lo, hi float64) {
	bound := func(name string, i int, otherwise float64) float64 {
		if a := n.Attribute(name); a != nil {
			return float64(a.Float)
		}
		switch t := m.arg(n, i); {
		case t == nil:
			return otherwise
		case t.array != nil && len(t.floats) == 1:
			return float64(t.floats[0])
		}
		return math.NaN()
	}
	return bound("min", 1, math.Inf(-1)), bound("max", 2, math.Inf(1))
}

// between is an activation that holds scale x + offset between bounds; "" where none does.
func between(lo, hi, scale, offset float64) activations.Activation {
	switch {
	case lo == 0 && hi == 1:
		return hardSigmoid(float32(scale), float32(offset))
	case scale != 1 || offset != 0:
	case lo == 0 && math.IsInf(hi, 1):
		return activations.ReLU
	case lo == 0 && hi == 6:
		return activations.ReLU6
	case lo == -1 && hi == 1:
		return activations.HardTanh
	}
	return ""
}

// clamp is a source held between bounds, until it is an activation.
type clamp struct {
	of     *source
	lo, hi float64
}

// clamped holds a view between bounds.
func (m *importer) clamped(n *onnx.Node, v *view, lo, hi float64) error {
	s, err := v.single()
	if err != nil {
		return err
	}
	if c := s.clamp; c != nil && max(lo, c.lo) <= min(hi, c.hi) {
		s, lo, hi = c.of, max(lo, c.lo), min(hi, c.hi)
	}
	y := &source{lengths: s.lengths, hidden: s.hidden, clamp: &clamp{s, lo, hi}}
	y.make = func() (unroll.Symbol, error) {
		of := s
		a := between(lo, hi, 1, 0)
		if r := s.rescaling; a == "" && r != nil && len(r.scale) == 1 && len(r.offset) == 1 {
			of, a = r.of, between(lo, hi, r.scale[0], r.offset[0])
		}
		if a == "" {
			return unroll.Symbol{}, fmt.Errorf("expected bounds that an activation has, got %v and %v", lo, hi)
		}
		symbol, err := of.get()
		if err != nil {
			return symbol, err
		}
		name := m.nameOf(n)
		return m.apply(name, layers.Activation{Name: name, Activation: a}, nil, symbol)
	}
	return m.set(n, v.with(y))
}
