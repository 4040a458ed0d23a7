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

// classes are the recurrent layers of a model, the backward one of a Bidirectional not among them, an Embedding or Masking layer that makes a mask, and what it has been asked for
// besides.
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
			again, err := readONNX(written(t, m))
			if err != nil {
				t.Logf("what is written of it is not all read again: %v", err)
				return
			}
			for i, o := range predictAll(t, again, in) {
				golden.Compare(t, fmt.Sprintf("output %d, written and read again", i), o.Data, out[i].Data, golden.Abs(1e-6))
			}
		})
	}
}

var _ = format.Float
