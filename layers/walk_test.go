package layers

import (
	"testing"

	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// A model walks with a layer unless its states come from elsewhere, or go there, or it has more than one cell or output a direction.
func TestWalksApart(t *testing.T) {
	x, state := Signature{Shape: tensor.Shape{tensor.None, tensor.None, 4}}, Signature{Shape: tensor.Shape{tensor.None, 2}}
	one, two := GRU{Units: 2}, []Spec{GRU{Units: 2}, GRU{Units: 2}}
	for _, c := range []struct {
		spec Spec
		in   []Signature
		want string
	}{
		{one, []Signature{x}, ""},
		{RNN{Cell: one}, []Signature{x}, ""},
		{Bidirectional{Layer: one}, []Signature{x}, ""},
		{one, []Signature{x, state}, "begins with given states (initial_state)"},
		{GRU{Units: 2, ReturnState: true}, []Signature{x}, "returns its states (return_state)"},
		{GRU{Units: 2, Stateful: true}, []Signature{x}, "begins where the batch before ended (stateful)"},
		{RNN{Cells: two}, []Signature{x}, "is a stack of cells (RNN)"},
		{Bidirectional{Layer: one}, []Signature{x, state, state}, "begins with given states (initial_state)"},
		{Bidirectional{Layer: GRU{Units: 2, ReturnState: true}}, []Signature{x}, "returns its states (return_state)"},
		{Bidirectional{Layer: RNN{Cells: two}}, []Signature{x}, "is a stack of cells (RNN)"},
		{Bidirectional{Layer: one, MergeMode: "none"}, []Signature{x}, "has two outputs (merge_mode none)"},
		{Bidirectional{Layer: GRU{Units: 2, ActivityRegularizer: regularizers.L2{}}}, []Signature{x}, "has layers whose activity regularizer sees every value"},
	} {
		l, err := c.spec.Build(&Builder{Name: "x"}, c.in)
		if err != nil {
			t.Fatal(err)
		}
		if got := WalksApart(l); got != c.want {
			t.Errorf("%+v: expected %q, got %q", c.spec, c.want, got)
		}
		if walks, _ := WalksOf(l); (len(walks) == 0) != (c.want != "") {
			t.Errorf("%+v: got %d walks", c.spec, len(walks))
		}
	}
}
