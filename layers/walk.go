package layers

import "github.com/unroll-ml/unroll/internal/engine"

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
// there are none.
func WalksOf(l Layer) (walks []Walk, merge Merge) {
	switch l := l.(type) {
	case *recurrent:
		return []Walk{l.walk()}, Merge{}
	case *bidirectional:
		return []Walk{l.dirs[0].walk(), l.dirs[1].walk()}, l.merge
	}
	return nil, Merge{}
}

func (r *recurrent) walk() Walk {
	return Walk{Cell: r.cell, Weights: r.weights, Sequences: r.spec.ReturnSequences, Backwards: r.spec.GoBackwards,
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
