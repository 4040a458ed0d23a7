package layers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/tensor"
)

// Config implements Spec.
func (l RNN) Config() map[string]any {
	c := config(l)
	walkConfig(c, l.walk())
	activityConfig(c, l.ActivityRegularizer)
	var cells []any
	for i, s := range l.all() {
		if s != nil { // Build refuses it
			cells = append(cells, l.cellObject(i))
		}
	}
	switch {
	case l.Cell != nil:
		c["cell"] = cells[0]
	default:
		if cells == nil {
			cells = []any{}
		}
		c["cell"] = &keras.Object{Module: "keras.layers", Class: "StackedRNNCells",
			Config: map[string]any{"name": l.stack(), "trainable": true, "dtype": keras.Float32Policy(), "cells": cells}}
	}
	return c
}

// ofLayer are the arguments that a recurrent layer has and its cell has not.
var ofLayer = [...]string{"return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask", "activity_regularizer"}

// cellObject is cell i as Keras has it. Its build_config is setBuild's.
func (l RNN) cellObject(i int) *keras.Object {
	s := l.all()[i]
	o := &keras.Object{Module: "keras.layers", Class: cellClass(s), Config: s.Config()}
	if _, ok := s.(Recurrent); ok {
		o.Module, o.RegisteredName = "unroll", "unroll>RecurrentCell"
	}
	o.Config["name"] = l.cellName(i)
	for _, key := range ofLayer {
		delete(o.Config, key)
	}
	if c, ok := s.(recurrentSpec); ok {
		r, _ := c.recurrent()
		o.Config["seed"] = seedConfig(r.Seed)
	}
	return o
}

func readRNN(r *keras.Reader) Spec {
	w := readWalk(r)
	l := RNN{Name: base(r), ReturnSequences: w.ReturnSequences, ReturnState: w.ReturnState, GoBackwards: w.GoBackwards, Stateful: w.Stateful,
		Unroll: w.Unroll, ZeroOutputForMask: w.ZeroOutputForMask, ActivityRegularizer: regularizer(r, "activity_regularizer")}
	trainable := r.Bool("trainable", true)
	o := r.Object("cell")
	if o == nil {
		if r.Err() == nil {
			r.Fail("cell", "a cell")
		}
		return l
	}
	if o.Class != "StackedRNNCells" {
		l.Cell = readCell(r, r.Path("cell"), o, trainable)
	} else {
		stack := keras.Read(r.Path("cell")+".config", o.Config)
		if l.StackName = base(stack); l.StackName == "stacked_rnn_cells" {
			l.StackName = ""
		}
		checkTrainable(r, stack, trainable, "RNN")
		for i, c := range stack.Objects("cells") {
			l.Cells = append(l.Cells, readCell(r, fmt.Sprintf("%s[%d]", stack.Path("cells"), i), c, trainable))
		}
		r.Keep(stack.Done())
	}
	if r.Err() != nil {
		return l
	}
	if err := l.check(); err != nil {
		r.Keep(fmt.Errorf("keras: %s: %w", strings.TrimSuffix(r.Path(""), ".config."), err))
	}
	return l
}

// readCell reads a cell at path.
func readCell(r *keras.Reader, path string, o *keras.Object, trainable bool) Spec {
	class, own := o.Class, o.RegisteredName
	if own == "unroll>RecurrentCell" {
		class, own = "RecurrentCell", ""
	}
	known := []string{"SimpleRNNCell", "LSTMCell", "GRUCell", "RecurrentCell"}
	if own != "" || !slices.Contains(known, class) {
		if own != "" {
			class = own
		}
		r.Keep(fmt.Errorf("layers: %s: expected a cell that is offered here, one of %s, got %q", path, strings.Join(known, ", "), class))
		return nil
	}
	c := keras.Read(path+".config", o.Config)
	for _, key := range ofLayer {
		if c.Has(key) {
			r.Keep(fmt.Errorf("keras: %s: unknown key %q", strings.TrimSuffix(c.Path(""), "."), key))
			return nil
		}
	}
	checkTrainable(r, c, trainable, "RNN")
	s, err := FromConfig(path, &keras.Object{Class: strings.TrimSuffix(class, "Cell"), Config: o.Config})
	r.Keep(err)
	return s
}

// checkTrainable fails where a part of a layer is frozen and the layer is not, or the other way round.
func checkTrainable(r, part *keras.Reader, trainable bool, class string) {
	if part.Bool("trainable", true) != trainable {
		r.Keep(fmt.Errorf("keras: %s: expected %v as of the %s, got %v", part.Path("trainable"), trainable, class, !trainable))
	}
}

// NestStates is the initial states of a recurrent layer as Keras's argument initial_state has them: one list, but those of a stack of cells in a
// list for each cell.
func NestStates(s Spec, states []any) []any {
	l, ok := s.(RNN)
	if !ok || l.Cell != nil {
		return states
	}
	var nested []any
	for _, c := range l.Cells {
		n := min(len(states), statesOf(c))
		nested, states = append(nested, append([]any{}, states[:n]...)), states[n:]
	}
	return nested
}

// statesOf is how many states a cell has; 0 where that is not to be said.
func statesOf(s Spec) int {
	c, ok := s.(recurrentSpec)
	if !ok {
		return 0
	}
	l, _ := c.recurrent()
	parsed, err := cell.Parse(l.Cell)
	if err != nil {
		return 0
	}
	return len(parsed.States)
}

// setBuild writes the shapes that Keras builds the cells with, below o, the layer's object. Each reads what the one before puts out.
func (l RNN) setBuild(o *keras.Object, in Signature) {
	part, ok := o.Config["cell"].(*keras.Object)
	if !ok || len(in.Shape) != 3 {
		return
	}
	shape := stepShape(in.Shape)
	part.Build = inputShape(shape)
	cells, _ := part.Config["cells"].([]any)
	for i, c := range cells {
		c.(*keras.Object).Build = inputShape(shape)
		if r, ok := l.Cells[i].(recurrentSpec); ok {
			width, _ := r.recurrent()
			shape = tensor.Shape{shape[0], width.Units}
		}
	}
}
