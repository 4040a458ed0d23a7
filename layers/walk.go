package layers

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/engine"
)

// Walk is what a recurrent layer tells a model that wants to walk with it: which rows take part in which steps, what they have in
// common and where their inputs repeat is known to the model alone.
type Walk struct {
	Cell       *engine.Cell // without dropout
	Weights    []*Weight
	Sequences  bool
	Backwards  bool
	ZeroMasked bool // the output of a masked step is zero
	Drops      bool // in training values are dropped, other ones in every row: there Cell is not what the layer computes
	Width      int
}

// WalksOf are the walks of a recurrent layer: one, or the two of a Bidirectional, whose outputs merge puts together. Of every other layer
// there are none, nor of one whose states come from elsewhere, or go there: initial states, return_state and stateful, or of a stack of cells.
func WalksOf(l Layer) (walks []Walk, merge Merge) {
	switch l := l.(type) {
	case *recurrent:
		if l.apart() == "" {
			return []Walk{l.walk()}, Merge{}
		}
	case *bidirectional:
		if l.apart() == "" {
			return []Walk{l.dirs[0].walk(), l.dirs[1].walk()}, l.merge
		}
	}
	return nil, Merge{}
}

// WalksApart is why a recurrent layer has no walks for a model; "" for every other layer.
func WalksApart(l Layer) string {
	switch l := l.(type) {
	case *recurrent:
		return l.apart()
	case *bidirectional:
		return l.apart()
	}
	return ""
}

func (r *recurrent) apart() string {
	switch {
	case r.given:
		return "begins with given states (initial_state)"
	case r.memory != nil:
		return "begins where the batch before ended (stateful)"
	case r.spec.ReturnState:
		return "returns its states (return_state)"
	case len(r.stages) > 1:
		return "is a stack of cells (RNN)"
	}
	return ""
}

// CellsOf are the cells of a recurrent layer, each with what is said before it where there are several: "forward layer, ", "cell 1, ".
func CellsOf(l Layer) (cells []*engine.Cell, of []string) {
	add := func(r *recurrent, direction string) {
		for i, g := range r.stages {
			which := ""
			if len(r.stages) > 1 {
				which = fmt.Sprintf("cell %d, ", i)
			}
			cells, of = append(cells, g.cell), append(of, direction+which)
		}
	}
	switch l := l.(type) {
	case *recurrent:
		add(l, "")
	case *bidirectional:
		add(l.dirs[0], "forward layer, ")
		add(l.dirs[1], "backward layer, ")
	}
	return cells, of
}

func (r *recurrent) walk() Walk {
	return Walk{Cell: r.stages[0].cell, Weights: r.weights, Sequences: r.spec.ReturnSequences, Backwards: r.spec.GoBackwards,
		ZeroMasked: r.spec.ZeroOutputForMask, Drops: r.HasDropout(), Width: r.width}
}

// NoiseOf reports whether training changes what the layer hands on, for a layer that does nothing besides, such as Dropout; false for every other
// layer.
func NoiseOf(l Layer) (changes, ok bool) {
	d, ok := l.(*noise)
	return ok && !d.off, ok
}

// TableOf is the table of an Embedding, and whether id 0 is masked; false for every other layer.
func TableOf(l Layer) (table *Weight, maskZero, ok bool) {
	e, ok := l.(*embedding)
	if !ok {
		return nil, false, false
	}
	return e.table, e.spec.MaskZero, true
}
