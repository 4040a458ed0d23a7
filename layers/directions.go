package layers

import "github.com/unroll-ml/unroll/internal/cell"

// Direction is one way of a recurrent layer over its sequence, for those who write the layer down elsewhere.
type Direction struct {
	Stages     []Stage // one, or those of a stack
	Sequences  bool    // every step's output is returned, in processing order
	States     bool    // final states are returned
	Backwards  bool    // the last step comes first
	ZeroMasked bool    // the output of a masked step is zero
	Stateful   bool    // rows begin where those of the batch before ended
}

// Stage is a cell with what it computes with.
type Stage struct {
	Spec    Recurrent  // the equations' text, and the names of their activations; of the walk it says nothing
	Cell    *cell.Cell // the equations, resolved; behind those of the text stand nodes of their adjoint
	Weights []*Weight  // in the order of Cell.Weights
}

// DirectionsOf are the ways of a recurrent layer: one, or the two of a Bidirectional with the mode in which their outputs are merged, the second's in
// the order of the first; none of every other layer.
func DirectionsOf(l Layer) (all []Direction, mergeMode string) {
	switch l := l.(type) {
	case *recurrent:
		return []Direction{l.direction()}, ""
	case *bidirectional:
		return []Direction{l.dirs[0].direction(), l.dirs[1].direction()}, l.merge.mode
	}
	return nil, ""
}

func (r *recurrent) direction() Direction {
	d := Direction{Sequences: r.spec.ReturnSequences, States: r.spec.ReturnState, Backwards: r.spec.GoBackwards, ZeroMasked: r.spec.ZeroOutputForMask,
		Stateful: r.memory != nil}
	for _, g := range r.stages {
		d.Stages = append(d.Stages, Stage{Spec: g.spec, Cell: g.cell.Plan().Cell, Weights: g.weights})
	}
	return d
}
