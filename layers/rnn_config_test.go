package layers_test

import (
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// An RNN has a cell, or a stack of those that are offered; anything else is refused where it stands.
func TestRNNConfig(t *testing.T) {
	cellAt := func(c map[string]any, i int) *keras.Object {
		return inner(c, "cell")["cells"].([]any)[i].(*keras.Object)
	}
	for name, c := range map[string]struct {
		edit func(c map[string]any)
		want string
	}{
		"as it is":          {func(map[string]any) {}, ""},
		"no cell":           {func(c map[string]any) { delete(c, "cell") }, "layer.config.cell: expected a cell"},
		"no cells":          {func(c map[string]any) { inner(c, "cell")["cells"] = []any{} }, "keras: layer: layers: RNN: expected a cell or a list of cells, got none"},
		"a layer":           {func(c map[string]any) { cellAt(c, 0).Class = "LSTM" }, `layer.config.cell.config.cells[0]: expected a cell that is offered here, one of SimpleRNNCell, LSTMCell, GRUCell, RecurrentCell, got "LSTM"`},
		"somebody's cell":   {func(c map[string]any) { cellAt(c, 1).RegisteredName = "mine>GRUCell" }, `cells[1]: expected a cell that is offered here, one of SimpleRNNCell, LSTMCell, GRUCell, RecurrentCell, got "mine>GRUCell"`},
		"a layer's key":     {func(c map[string]any) { cellAt(c, 1).Config["return_sequences"] = true }, `layer.config.cell.config.cells[1].config: unknown key "return_sequences"`},
		"an unknown key":    {func(c map[string]any) { cellAt(c, 1).Config["zoneout"] = 0.1 }, `layer.config.cell.config.cells[1].config: unknown key "zoneout"`},
		"a key of a stack":  {func(c map[string]any) { inner(c, "cell")["residual"] = true }, `layer.config.cell.config: unknown key "residual"`},
		"no units":          {func(c map[string]any) { delete(cellAt(c, 0).Config, "units") }, "layer.config.cell.config.cells[0].config"},
		"one name":          {func(c map[string]any) { cellAt(c, 1).Config["name"] = "lstm_cell" }, `RNN: cell 1: expected a name of its own, got "lstm_cell" again`},
		"a frozen cell":     {func(c map[string]any) { cellAt(c, 1).Config["trainable"] = false }, "cells[1].config.trainable: expected true as of the RNN, got false"},
		"a frozen stack":    {func(c map[string]any) { inner(c, "cell")["trainable"] = false }, "layer.config.cell.config.trainable: expected true as of the RNN, got false"},
		"a stack of stacks": {func(c map[string]any) { cellAt(c, 1).Class = "StackedRNNCells" }, `got "StackedRNNCells"`},
	} {
		o := layers.Serialize(layers.RNN{Cells: []layers.Spec{layers.LSTM{Units: 2}, layers.GRU{Units: 3}}}, "r", layers.Signature{Shape: tensor.Shape{tensor.None, tensor.None, 4}}, true)
		c.edit(o.Config)
		text, err := keras.Encode(o)
		if err != nil {
			t.Fatal(err)
		}
		m, err := keras.Decode("layer", text)
		if err != nil {
			t.Fatal(err)
		}
		read, err := keras.ParseObject("layer", m)
		if err == nil {
			_, err = layers.FromConfig("layer", read)
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: expected error %q, got %v", name, c.want, err)
		}
	}
}
