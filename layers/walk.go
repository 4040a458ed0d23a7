package layers

import "github.com/unroll-ml/unroll/internal/engine"

// Walk is what a recurrent layer tells a model that wants to walk with it: which rows take part in which steps, what they have in
// common and where their inputs repeat is known to the model alone.
type Walk struct {
	Cell      *engine.Cell
	Weights   []*Weight
	Sequences bool
	Backwards bool
	Width     int
}

// WalkOf is the walk of a layer that computes the same for a row whatever the other rows are; false for every other layer.
func WalkOf(l Layer) (Walk, bool) {
	r, ok := l.(*recurrent)
	if !ok || r.HasDropout() || r.spec.ZeroOutputForMask { // masks by row; an output that a walk without the masked steps does not have
		return Walk{}, false
	}
	return Walk{r.cell, r.weights, r.spec.ReturnSequences, r.spec.GoBackwards, r.width}, true
}

// TableOf is the table of an Embedding, and whether id 0 is masked; false for every other layer.
func TableOf(l Layer) (table *Weight, maskZero, ok bool) {
	e, ok := l.(*embedding)
	if !ok {
		return nil, false, false
	}
	return e.table, e.spec.MaskZero, true
}
