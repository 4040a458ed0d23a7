package convert

import (
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// What PyTorch keeps, and what becomes of it here (W' is W transposed; H units, P proj_size):
//
//	nn.Embedding    weight (V, D)                                   embeddings
//	nn.Linear       weight (out, in), bias (out)                    kernel = weight', bias
//	nn.LayerNorm    weight, bias                                    gamma, beta (eps is 1e-5 there where nothing is said, epsilon 1e-3 here)
//	nn.BatchNorm1d  weight, bias, running_mean, running_var         gamma, beta, moving_mean, moving_variance (likewise)
//	nn.Conv1d       weight (out, in, size), bias                    kernel = weight', all three axes
//	nn.RNN          weight_ih_l0 (H, in), weight_hh_l0 (H, H)       kernel, recurrent_kernel, transposed; bias = bias_ih + bias_hh
//	nn.LSTM         … (4H, …), gates i, f, g, o                     gates i, f, c, o: the same order; bias = bias_ih + bias_hh
//	  proj_size     weight_hr_l0 (P, H)                             projection = weight_hr'
//	nn.GRU          … (3H, …), gates r, z, n                        gates z, r, h; bias (2, 3H) has bias_ih and bias_hh as its rows
//
// A module of several layers (num_layers) is that many layers here, _l0 the first; with bidirectional (_reverse) each is a Bidirectional that concatenates, or returns both outputs.

// param is a parameter of a module, and how it goes in and out of our weights.
type param struct {
	name  string
	shape tensor.Shape
	// each calls at for every value: its place in PyTorch's array, and the place in our weight.
	weight *layers.Weight
	each   func(at func(theirs, ours int))
	adds   bool // to what another parameter has set: the second of two biases; it is zero when written
}

// want is what a layer of ours looks for in a state_dict.
type want struct {
	layer  string
	module string // what PyTorch calls such a layer
	params []param
}

func (p *param) fill(a array) {
	p.each(func(theirs, ours int) {
		if p.adds {
			p.weight.Data[ours] += a.data[theirs]
		} else {
			p.weight.Data[ours] = a.data[theirs]
		}
	})
}

func (p *param) values() []float32 {
	data := make([]float32, p.shape.Size())
	if !p.adds {
		p.each(func(theirs, ours int) { data[theirs] = p.weight.Data[ours] })
	}
	return data
}

// signature says which modules fit: the parameters' names and shapes.
func (w *want) signature() string {
	list := make([]string, len(w.params))
	for i, p := range w.params {
		list[i] = p.name + " " + shapeOf(p.shape)
	}
	return strings.Join(list, ", ")
}

// straight are values in the same order.
func straight(name string, w *layers.Weight) param {
	return param{name: name, shape: w.Shape, weight: w, each: func(at func(int, int)) {
		for i := range w.Data {
			at(i, i)
		}
	}}
}

// turned is a matrix, or an array of three axes, with its axes in the other order.
func turned(name string, w *layers.Weight) param {
	s := w.Shape
	a, b, c := s[0], s[1], 1
	shape := tensor.Shape{b, a}
	if len(s) == 3 {
		c = s[2]
		shape = tensor.Shape{c, b, a}
	}
	return param{name: name, shape: shape, weight: w, each: func(at func(int, int)) {
		for i := range a {
			for j := range b {
				for k := range c {
					at((k*b+j)*a+i, (i*b+j)*c+k)
				}
			}
		}
	}}
}

// gated is a matrix transposed, gates g of theirs being gate order[g] of ours.
func gated(name string, w *layers.Weight, order []int) param {
	rows, width := w.Shape[0], w.Shape[1]
	h := width / len(order)
	return param{name: name, shape: tensor.Shape{width, rows}, weight: w, each: func(at func(int, int)) {
		for g, to := range order {
			for u := range h {
				for r := range rows {
					at((g*h+u)*rows+r, r*width+to*h+u)
				}
			}
		}
	}}
}

// gatedBias is a bias, from value first of the weight on.
func gatedBias(name string, w *layers.Weight, order []int, first, width int, adds bool) param {
	h := width / len(order)
	return param{name: name, shape: tensor.Shape{width}, weight: w, adds: adds, each: func(at func(int, int)) {
		for g, to := range order {
			for u := range h {
				at(g*h+u, first+to*h+u)
			}
		}
	}}
}

// wants are what the layers of a model look for, in order.
func wants(m *unroll.Model) ([]want, error) {
	var all []want
	for _, l := range m.Layers() {
		if len(l.Weights) == 0 {
			continue
		}
		if l.Model != nil {
			inner, err := wants(l.Model)
			if err != nil {
				return nil, err
			}
			all = append(all, inner...)
			continue
		}
		w, err := wantOf(l.Spec, l.Weights)
		if err != nil {
			return nil, fmt.Errorf("layer %q: %w", l.Name, err)
		}
		w.layer = l.Name
		all = append(all, w)
	}
	return all, nil
}

// byName finds weights by their names.
func byName(weights []*layers.Weight) map[string]*layers.Weight {
	m := map[string]*layers.Weight{}
	for _, w := range weights {
		m[w.Name] = w
	}
	return m
}

func wantOf(s layers.Spec, weights []*layers.Weight) (want, error) {
	w := byName(weights)
	optional := func(params []param, name string, weight *layers.Weight) []param {
		if weight != nil {
			params = append(params, straight(name, weight))
		}
		return params
	}
	switch s := s.(type) {
	case layers.Embedding:
		return want{module: "Embedding", params: []param{straight("weight", w["embeddings"])}}, nil
	case layers.Dense:
		return want{module: "Linear", params: optional([]param{turned("weight", w["kernel"])}, "bias", w["bias"])}, nil
	case layers.Conv1D:
		return want{module: "Conv1d", params: optional([]param{turned("weight", w["kernel"])}, "bias", w["bias"])}, nil
	case layers.LayerNormalization:
		if w["gamma"] == nil {
			return want{}, fmt.Errorf("expected a LayerNormalization with scale, as LayerNorm has it, got one without")
		}
		return want{module: "LayerNorm", params: optional([]param{straight("weight", w["gamma"])}, "bias", w["beta"])}, nil
	case layers.BatchNormalization:
		if w["gamma"] == nil || w["beta"] == nil || len(weights) != 4 {
			return want{}, fmt.Errorf("expected a BatchNormalization with scale and center and without renorm, as BatchNorm1d has it")
		}
		return want{module: "BatchNorm1d", params: []param{straight("weight", w["gamma"]), straight("bias", w["beta"]), straight("running_mean", w["moving_mean"]),
			straight("running_var", w["moving_variance"])}}, nil
	case layers.TimeDistributed:
		return wantOf(s.Layer, weights)
	case layers.Bidirectional:
		return bothWays(s, weights)
	}
	return walked(s, weights, "_l0")
}

// bothWays is a module with bidirectional: of outputs that are concatenated, or stand apart for a layer behind that does it. A layer of its own for the way back, as
// graphs of ONNX become, must be of the same kind.
func bothWays(s layers.Bidirectional, weights []*layers.Weight) (want, error) {
	if s.MergeMode != "" && s.MergeMode != "concat" && s.MergeMode != "none" {
		return want{}, fmt.Errorf("expected a Bidirectional that concatenates, as PyTorch's, got merge_mode %s", s.MergeMode)
	}
	back := s.BackwardLayer
	if back == nil {
		back = s.Layer
	}
	differ := fmt.Errorf("expected a Bidirectional of two layers alike, as PyTorch's, got a %s and a %s that differ", s.Layer.Class(), back.Class())
	if len(weights)%2 != 0 || s.Layer.Class() != back.Class() || rectified(s.Layer) != rectified(back) {
		return want{}, differ
	}
	half := len(weights) / 2
	forward, err := walked(s.Layer, weights[:half], "_l0")
	if err != nil {
		return want{}, err
	}
	backward, err := walked(back, weights[half:], "_l0_reverse")
	if err != nil {
		return want{}, err
	}
	if forward.signature() != strings.ReplaceAll(backward.signature(), "_l0_reverse", "_l0") {
		return want{}, differ
	}
	forward.module += ", bidirectional"
	forward.params = append(forward.params, backward.params...)
	return forward, nil
}

// rectified reports whether a layer is an RNN whose nonlinearity is relu.
func rectified(s layers.Spec) bool {
	r, ok := s.(layers.SimpleRNN)
	return ok && r.Activation == activations.ReLU
}

// walked is a recurrent module, one layer, one way.
func walked(s layers.Spec, weights []*layers.Weight, suffix string) (want, error) {
	w := byName(weights)
	gate, two := []int{0, 1, 2, 3}, false
	module := "LSTM"
	var activation, recurrent activations.Activation
	switch s := s.(type) {
	case layers.LSTM:
		activation, recurrent = s.Activation, s.RecurrentActivation
	case layers.GRU:
		if s.NoResetAfter {
			return want{}, fmt.Errorf("expected a GRU with reset_after, as PyTorch's, got one without")
		}
		activation, recurrent = s.Activation, s.RecurrentActivation
		module, gate, two = "GRU", []int{1, 0, 2}, true
	case layers.SimpleRNN:
		module, gate = "RNN", []int{0}
		if s.Activation != activations.ReLU {
			activation = s.Activation
		}
	case layers.Recurrent:
		if s.Class() != "ProjectedLSTM" {
			return want{}, fmt.Errorf("expected a layer that PyTorch has, got the equations of %s", s.Class())
		}
		activation, recurrent = s.Activation, s.RecurrentActivation
		module = "LSTM with proj_size"
	default:
		return want{}, fmt.Errorf("expected a layer whose weights PyTorch's modules have, got %s", s.Class())
	}
	if a := activation.Or(activations.Tanh); a != activations.Tanh {
		return want{}, fmt.Errorf("expected activation tanh, as PyTorch's %s has it, got %s", module, a.Name())
	}
	if a := recurrent.Or(activations.Sigmoid); a != activations.Sigmoid {
		return want{}, fmt.Errorf("expected recurrent_activation sigmoid, as PyTorch's %s has it, got %s", module, a.Name())
	}
	params := []param{gated("weight_ih"+suffix, w["kernel"], gate), gated("weight_hh"+suffix, w["recurrent_kernel"], gate)}
	if b := w["bias"]; b != nil {
		width := w["kernel"].Shape[1]
		second := 0
		if two {
			second = width
		}
		params = append(params, gatedBias("bias_ih"+suffix, b, gate, 0, width, false), gatedBias("bias_hh"+suffix, b, gate, second, width, !two))
	}
	if p := w["projection"]; p != nil {
		params = append(params, turned("weight_hr"+suffix, p))
	}
	return want{module: module, params: params}, nil
}
