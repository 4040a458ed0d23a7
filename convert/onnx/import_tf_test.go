package onnx_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/golden"
	format "github.com/unroll-ml/unroll/internal/onnx"
	"github.com/unroll-ml/unroll/layers"
)

// classes are the recurrent layers of a model, the backward one of a Bidirectional not among them, an Embedding or Masking layer that makes a mask, and what it has
// been asked for besides.
func classes(m *unroll.Model, also ...string) string {
	var all []string
	var name func(s layers.Spec) string
	name = func(s layers.Spec) string {
		switch l := s.(type) {
		case layers.Bidirectional:
			return "Bidirectional(" + name(l.Layer) + ")"
		case layers.GRU:
			if l.NoResetAfter {
				return "GRU before"
			}
		}
		return s.Class()
	}
	for _, n := range m.Structure().Nodes {
		switch l := n.Spec.(type) {
		case layers.Embedding:
			if l.MaskZero {
				all = append(all, "mask")
			}
		case layers.Masking, layers.SimpleRNN, layers.LSTM, layers.GRU, layers.Recurrent, layers.Bidirectional:
			all = append(all, name(n.Spec))
		default:
			for _, c := range also {
				if n.Spec.Class() == c {
					all = append(all, c)
				}
			}
		}
	}
	return strings.Join(all, " ")
}

// Models of Keras, as tf2onnx writes them, predict here what Keras predicts, and are made of the layers that Keras has for them.
func TestTensorFlowModels(t *testing.T) {
	want := map[string]string{
		"activations": "SimpleRNN", "both_modes": "Bidirectional(SimpleRNN) Bidirectional(GRU before)", "masked_hard": "mask LSTM", "masked_residual": "mask GRU LSTM",
		"flat": "SimpleRNN", "masked_decoder": "mask mask SimpleRNN SimpleRNN GRU",
		"autoencoder": "LSTM LSTM", "backwards": "LSTM", "backwards_sequences": "GRU SimpleRNN", "both": "Bidirectional(LSTM)", "both_sequences": "Bidirectional(GRU)",
		"both_simple": "Bidirectional(SimpleRNN) Bidirectional(SimpleRNN)", "both_sum": "Bidirectional(LSTM)", "causal": "SimpleRNN", "cell_joined": "mask Recurrent",
		"cell_leaky": "Recurrent", "cell_minimal": "MinimalGatedUnit", "convolution": "GRU", "decoder": "LSTM", "gru": "GRU", "gru_before": "GRU before", "lecture": "SimpleRNN",
		"lstm": "LSTM", "masked_backwards": "mask SimpleRNN", "masked_beside": "mask GRU Bidirectional(SimpleRNN)",
		"masked_both": "mask Bidirectional(LSTM) Bidirectional(SimpleRNN)", "masked_gru": "mask GRU GRU before", "masked_lstm": "mask LSTM",
		"masked_mean": "mask LSTM GlobalAveragePooling1D", "masked_states": "mask LSTM", "masked_values": "Masking SimpleRNN GRU", "normalized": "LSTM LayerNormalization",
		"normalized_fine": "GRU LayerNormalization LSTM", "pooled": "SimpleRNN GlobalAveragePooling1D", "residual": "LSTM GRU LayerNormalization", "simple_decoder": "SimpleRNN",
		"simple_linear": "SimpleRNN SimpleRNN", "timed": "SimpleRNN", "translator": "LSTM LSTM", "two": "LSTM LSTM",
	}
	for path, arrays := range files(t, "tf_") {
		name := strings.TrimPrefix(filepath.Base(path), "tf_")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(path + ".onnx")
			if err != nil {
				t.Fatal(err)
			}
			m, err := readONNX(data)
			if err != nil {
				t.Fatal(err)
			}
			if got := classes(m, "LayerNormalization", "GlobalAveragePooling1D"); got != want[name] {
				t.Errorf("expected the layers %s, got %s", want[name], got)
			}
			var in []layers.Value
			for _, a := range numbered(arrays, "in") {
				in = append(in, valueOf(t, a))
			}
			out := predictAll(t, m, in)
			all := numbered(arrays, "out")
			if len(out) != len(all) {
				t.Fatalf("expected %d outputs, got %d", len(all), len(out))
			}
			for i, w := range all {
				if !out[i].Shape.Equal(w.Shape) {
					t.Fatalf("output %d: expected shape %v, got %v", i, w.Shape, out[i].Shape)
				}
				golden.Compare(t, fmt.Sprintf("output %d", i), out[i].Data, w.Float32(), golden.Abs(1e-5))
			}
			compareAgain(t, m, in, out)
		})
	}
}

// Loops, masks and shapes that are not quite those of layers are refused, with what was expected.
func TestTensorFlowRefusals(t *testing.T) {
	find := func(t *testing.T, g *format.Graph, op string) *format.Node {
		for _, n := range g.Nodes {
			if n.Op == op {
				return n
			}
		}
		t.Fatalf("expected a node %s, got none", op)
		return nil
	}
	loop := func(t *testing.T, g *format.Graph) (n *format.Node, body *format.Graph) {
		n = find(t, g, "Loop")
		return n, n.Attribute("body").Graph
	}
	scalar := func(g *format.Graph, v float32) string {
		name := fmt.Sprintf("number%d", len(g.Initializers))
		g.Initializers = append(g.Initializers, format.FloatTensor(name, nil, []float32{v}))
		return name
	}
	whole := func(g *format.Graph, v ...int64) string {
		name := fmt.Sprintf("whole%d", len(g.Initializers))
		shape := []int64{int64(len(v))}
		if len(v) == 1 {
			shape = nil
		}
		g.Initializers = append(g.Initializers, format.IntTensor(name, shape, v))
		return name
	}
	for _, c := range []struct {
		name, model string
		edit        func(t *testing.T, g *format.Graph)
		want        string
	}{
		{"a state from ones", "lecture", func(t *testing.T, g *format.Graph) {
			find(t, g, "Expand").Inputs[0] = scalar(g, 1)
		}, "(Loop): expected zeros or what layers compute, (N, 5), as an initial state"},
		{"a counter from 1", "lecture", func(t *testing.T, g *format.Graph) {
			n, _ := loop(t, g)
			n.Inputs[2] = whole(g, 1)
		}, "(Loop): expected a counter that begins with 0"},
		{"a counter by 2", "lecture", func(t *testing.T, g *format.Graph) {
			_, body := loop(t, g)
			for _, n := range body.Nodes {
				if n.Op == "Add" && strings.Contains(n.Inputs[1], "add/y") {
					n.Inputs[1] = whole(body, 2)
				}
			}
		}, "(Loop): expected a loop that goes on while there are steps"},
		{"other steps", "lecture", func(t *testing.T, g *format.Graph) {
			_, body := loop(t, g)
			find(t, body, "Less").Inputs[1] = whole(body, 5)
		}, "(Loop): expected a loop that goes on while there are steps"},
		{"fewer rounds", "lecture", func(t *testing.T, g *format.Graph) {
			n, _ := loop(t, g)
			n.Inputs[0] = whole(g, 3)
		}, "(Loop): expected as many rounds as there are steps"},
		{"an operator that no cell has", "lecture", func(t *testing.T, g *format.Graph) {
			_, body := loop(t, g)
			find(t, body, "Tanh").Op = "Erf"
		}, "(Erf): no cell computes the operator Erf"},
		{"no body", "lecture", func(t *testing.T, g *format.Graph) {
			n, _ := loop(t, g)
			n.Attributes = nil
		}, "(Loop): expected a body"},
		{"a mask of another id", "masked_lstm", func(t *testing.T, g *format.Graph) {
			n := find(t, g, "Equal")
			n.Inputs[1] = whole(g, 3)
		}, "(Equal): expected a comparison of ids with 0, for a mask"},
		{"the other steps' mask", "masked_lstm", func(t *testing.T, g *format.Graph) {
			find(t, g, "Not").Op = "Identity"
		}, "(Loop): expected the mask of the steps"},
		{"a mask that is no mask of the walk", "masked_lstm", func(t *testing.T, g *format.Graph) {
			_, body := loop(t, g)
			for _, n := range body.Nodes {
				if n.Op == "Not" {
					n.Op = "Identity"
				}
			}
		}, "(Loop): expected"},
		{"steps turned around in part", "backwards", func(t *testing.T, g *format.Graph) {
			find(t, g, "ReverseSequence").Inputs[1] = whole(g, 1, 1, 1, 1)
		}, "(ReverseSequence): expected all"},
		{"rows of another shape", "two", func(t *testing.T, g *format.Graph) {
			var last *format.Node
			for _, n := range g.Nodes {
				if n.Op == "Reshape" {
					last = n
				}
			}
			last.Inputs[1] = whole(g, 7, -1, 2)
		}, "(Reshape): expected as many values as (N·"},
	} {
		t.Run(c.name, func(t *testing.T) {
			data, err := os.ReadFile("../../testdata/onnx/tf_" + c.model + ".onnx")
			if err != nil {
				t.Fatal(err)
			}
			f, err := format.Read(data)
			if err != nil {
				t.Fatal(err)
			}
			c.edit(t, f.Graph)
			if _, err := readONNX(f.Append(nil)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("expected an error with %q, got %v", c.want, err)
			}
		})
	}
}
