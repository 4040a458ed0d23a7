package layers

import (
	"errors"
	"fmt"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/regularizers"
)

// RNN walks over time with a cell, or with a stack of them, each of which reads at every step what the one below it has just put out. The
// output is that of the last cell; states are those of the first cell, then of the next. Source: keras/src/layers/rnn/rnn.py,
// stacked_rnn_cells.py.
//
// A cell is a SimpleRNN, LSTM, GRU or Recurrent, of which the arguments of Keras's SimpleRNNCell, LSTMCell and GRUCell are read: those that say how
// a layer walks are the RNN's own.
type RNN struct {
	Name  string
	Cell  Spec   // one cell, or
	Cells []Spec // a stack of at least one: Keras's list of cells, StackedRNNCells
	// StackName is the name of the stack; unset: "stacked_rnn_cells".
	StackName string

	ReturnSequences   bool
	ReturnState       bool // adds the states after the last step to the outputs
	GoBackwards       bool
	Stateful          bool // see Stateful
	Unroll            bool // changes nothing here
	ZeroOutputForMask bool // a masked step's output is zero; otherwise it repeats the previous one

	ActivityRegularizer regularizers.Regularizer // of the output
}

// Class is "RNN".
func (RNN) Class() string { return "RNN" }

// GivenName is the name that the user gave.
func (l RNN) GivenName() string { return l.Name }

// Build checks the arguments and makes the cells' weights.
func (l RNN) Build(b *Builder, in []Signature) (Layer, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	return buildRecurrent(b, in, l)
}

// check refuses what is no cell.
func (l RNN) check() error {
	all := l.all()
	switch {
	case len(all) == 0:
		return errors.New("layers: RNN: expected a cell or a list of cells, got none")
	case l.Cell != nil && len(l.Cells) > 0:
		return errors.New("layers: RNN: expected a cell or a list of cells, got both")
	}
	names := map[string]bool{}
	if l.Cell == nil {
		names[l.stack()] = true
	}
	for i, s := range all {
		c, ok := s.(recurrentSpec)
		if !ok {
			got := "nothing"
			if s != nil {
				got = s.Class()
			}
			return fmt.Errorf("layers: RNN: cell %d: expected SimpleRNN, LSTM, GRU or Recurrent, got %s", i, got)
		}
		r, _ := c.recurrent()
		for _, a := range []struct {
			name string
			set  bool
		}{{"return_sequences", r.ReturnSequences}, {"return_state", r.ReturnState}, {"go_backwards", r.GoBackwards}, {"stateful", r.Stateful},
			{"unroll", r.Unroll}, {"zero_output_for_mask", r.ZeroOutputForMask}, {"activity_regularizer", r.ActivityRegularizer != nil}} {
			if a.set {
				return fmt.Errorf("layers: RNN: cell %d: %s is an argument of the RNN, expected a cell without it, got one of %s", i, a.name, s.Class())
			}
		}
		name := l.cellName(i)
		if names[name] {
			return fmt.Errorf("layers: RNN: cell %d: expected a name of its own, got %q again", i, name)
		}
		names[name] = true
	}
	return nil
}

// all are the cells in order.
func (l RNN) all() []Spec {
	if l.Cell != nil {
		return append([]Spec{l.Cell}, l.Cells...)
	}
	return l.Cells
}

func (l RNN) stack() string {
	if l.StackName != "" {
		return l.StackName
	}
	return "stacked_rnn_cells"
}

// cellClass is Keras's class of a cell.
func cellClass(s Spec) string { return s.Class() + "Cell" }

// cellName is the name of cell i: its own, or its class, numbered from the second of a class on.
func (l RNN) cellName(i int) string {
	all := l.all()
	if name := all[i].GivenName(); name != "" {
		return name
	}
	return keras.Numbered(cellClass(all[i]), l.before(i, func(s Spec) bool { return s.GivenName() == "" }))
}

// before is how many cells of the class of cell i that are meant stand before it.
func (l RNN) before(i int, meant func(Spec) bool) int {
	n := 0
	for _, s := range l.all()[:i] {
		if s != nil && s.Class() == l.all()[i].Class() && meant(s) {
			n++
		}
	}
	return n
}

// CellKey is where Keras's files keep the cell of this name, seen from the stack, or from the layer where there is none; false for the name of no
// cell.
func (l RNN) CellKey(name string) (key string, ok bool) {
	for i, s := range l.all() {
		if s == nil || l.cellName(i) != name {
			continue
		}
		if l.Cell != nil {
			return "cell", true
		}
		return "cells/" + keras.Numbered(cellClass(s), l.before(i, func(Spec) bool { return true })), true
	}
	return "", false
}

// walk is how the layer walks.
func (l RNN) walk() Recurrent {
	return Recurrent{ReturnSequences: l.ReturnSequences, ReturnState: l.ReturnState, GoBackwards: l.GoBackwards, Stateful: l.Stateful,
		Unroll: l.Unroll, ZeroOutputForMask: l.ZeroOutputForMask, ActivityRegularizer: l.ActivityRegularizer}
}

// cells are what the stages are built from.
func (l RNN) cells() (all []cellSpec) {
	for i, s := range l.all() {
		r, _ := s.(recurrentSpec).recurrent()
		c := cellSpec{class: "RNN: " + cellClass(s), l: r, path: []string{l.cellName(i)}, gated: isGated(s)}
		if l.Cell == nil {
			c.path = []string{l.stack(), l.cellName(i)}
		}
		all = append(all, c)
	}
	return all
}
