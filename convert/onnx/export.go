// Package onnx writes models as ONNX files, and reads those that are made of layers that are offered here.
package onnx

import (
	"fmt"
	"io"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/durable"
	"github.com/unroll-ml/unroll/internal/onnx"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// What files say of themselves: operators as of ONNX 1.13, which onnxruntime knows since 1.14.
const (
	irVersion = 8
	opset     = 18
)

// Write writes the model as ONNX has it: what it predicts, not how it is trained. The batch and every axis that the model leaves open stay open; inputs have the names of
// the model's inputs, ids are int32, and outputs those of the layers that return them.
//
// SimpleRNN, LSTM and GRU become the operators RNN, LSTM and GRU where those have their activations, every other cell a Scan over its equations. A mask is kept exactly,
// wherever it hides steps: those operators skip ends of sequences alone, so that valid steps are moved to the front before them and back behind them.
//
// A layer with stateful is refused, since a graph keeps nothing from one batch to the next.
func Write(w io.Writer, m *unroll.Model) error {
	f, err := exported(m)
	if err != nil {
		return err
	}
	_, err = w.Write(f.Append(nil))
	return err
}

// WriteFile writes the model to path, which ends in .onnx. The file appears under its name when it is whole.
func WriteFile(path string, m *unroll.Model) error {
	if !strings.HasSuffix(path, ".onnx") {
		return fmt.Errorf("onnx: expected a file name that ends in .onnx, got %q", path)
	}
	if err := durable.Write(path, func(w io.Writer) error { return Write(w, m) }); err != nil {
		return fmt.Errorf("%s: %w", path, durable.Cause(err))
	}
	return nil
}

// exported is the model as a file.
func exported(m *unroll.Model) (*onnx.Model, error) {
	s := m.Structure()
	if s == nil {
		return nil, fmt.Errorf("onnx: the model is not built yet: build it for a shape, or fit it")
	}
	e := &exporter{graph: &onnx.Graph{Name: m.Name()}, taken: map[string]bool{}, constants: map[string]string{}, arrays: map[*layers.Weight]string{}, compact: map[string]compacted{}}
	b := &builder{exporter: e, graph: e.graph}
	var in []val
	for _, input := range s.Inputs {
		v := val{name: e.unique(input.Name), sig: input.Signature()}
		in = append(in, v)
		kind := onnx.Float
		if input.IDs {
			kind = onnx.Int32
		}
		e.graph.Inputs = append(e.graph.Inputs, valueInfo(v.name, kind, v.sig.Shape))
	}
	var names []string // before the nodes take them
	for _, name := range s.Names {
		names = append(names, e.unique(name))
	}
	out, err := b.structure(s, in)
	if err != nil {
		return nil, err
	}
	for i, v := range out {
		b.graph.Nodes = append(b.graph.Nodes, &onnx.Node{Name: names[i], Op: "Identity", Inputs: []string{v.name}, Outputs: []string{names[i]}})
		e.graph.Outputs = append(e.graph.Outputs, valueInfo(names[i], onnx.Float, v.sig.Shape))
	}
	return &onnx.Model{IRVersion: irVersion, Producer: "unroll", Opsets: []onnx.Opset{{Version: opset}}, Graph: e.graph}, nil
}

// valueInfo says what comes in or out. The batch is one axis in all values; others that are open are each one of their own.
func valueInfo(name string, kind onnx.Type, shape tensor.Shape) *onnx.Value {
	v := &onnx.Value{Name: name, Type: kind, Ranked: true}
	for i, n := range shape {
		d := onnx.Dim{Length: int64(n)}
		if n == tensor.None {
			d = onnx.Dim{Length: -1, Name: fmt.Sprintf("%s_axis_%d", name, i)}
		}
		if i == 0 {
			d = onnx.Dim{Length: -1, Name: "batch"}
		}
		v.Shape = append(v.Shape, d)
	}
	return v
}

// val is a value of the graph, rows outermost.
type val struct {
	name string
	sig  layers.Signature
	mask string // the value of its mask, (N, T) booleans; "": none
}

// rank is the number of axes.
func (v val) rank() int { return len(v.sig.Shape) }

// structure writes a model's layers.
func (b *builder) structure(s *unroll.Structure, in []val) ([]val, error) {
	values := append([]val(nil), in...)
	for _, n := range s.Nodes {
		from := make([]val, len(n.In))
		for i, v := range n.In {
			from[i] = values[v]
		}
		inner := b.in(n.Name)
		if n.Model != nil {
			out, err := inner.structure(n.Model.Structure(), from)
			if err != nil {
				return nil, err
			}
			values = append(values, out...)
			continue
		}
		mask := from[0].mask
		if n.Deaf {
			from[0].mask, from[0].sig.Masked = "", false
		}
		out, err := inner.layer(n.Spec, n.Layer, from)
		if err != nil {
			return nil, fmt.Errorf("onnx: layer %q: %w", n.Name, err)
		}
		if d, _ := layers.DirectionsOf(n.Layer); n.Deaf && mask != "" && d != nil && d[0].Sequences {
			out[0].mask, out[0].sig.Masked = mask, true
		}
		values = append(values, out...)
	}
	out := make([]val, len(s.Outputs))
	for i, v := range s.Outputs {
		out[i] = values[v]
	}
	return out, nil
}
