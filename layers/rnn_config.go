package layers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/internal/keras"
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

// cellObject is cell i as Keras has it. It has no build_config: the RNN builds it.
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
		for i, cell := range stack.Objects("cells") {
			l.Cells = append(l.Cells, readCell(r, fmt.Sprintf("%s[%d]", stack.Path("cells"), i), cell, trainable))
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
