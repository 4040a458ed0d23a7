package unroll

import (
	"fmt"
	"maps"

	"github.com/unroll-ml/unroll/layers"
)

// ResetStates lets the rows of the next batch begin with zeros in the layers that keep their states from batch to batch (stateful). Between
// two resets every batch of Fit, Evaluate and Predict goes on where the same row of the batch before ended, whichever of them it was of, and all
// have as many rows as the first. Fit resets nothing, not between epochs either, and validates with the states that it is in; Shuffle and a last
// batch of fewer rows are the caller's to avoid. Source: keras/src/layers/rnn/rnn.py, reset_state.
//
// A model with such a layer works on one batch at a time: neither predictions nor resets may run beside anything else.
func (m *Model) ResetStates() {
	for _, s := range m.stateful() {
		s.ResetStates()
	}
}

// stateful are the layers that keep states, those of models within included, by their parts.
func (g *graph) stateful() map[*part]layers.Stateful {
	all := map[*part]layers.Stateful{}
	for _, p := range g.parts {
		if s, ok := layers.StatefulOf(p.layer); ok {
			all[p] = s
		}
		if l, ok := p.layer.(*modelLayer); ok {
			maps.Copy(all, l.model.stateful())
		}
	}
	return all
}

// checkStates fails where a batch of n rows cannot go on where the one before ended.
func (g *graph) checkStates(n int) error {
	for _, p := range g.parts {
		if l, ok := p.layer.(*modelLayer); ok {
			if err := l.model.checkStates(n); err != nil {
				return err
			}
		}
		if s, ok := layers.StatefulOf(p.layer); ok {
			if err := s.CheckBatch(n); err != nil {
				return fmt.Errorf("unroll: layer %q: %w", p.name, err)
			}
		}
	}
	return nil
}

// states are what layers keep from batch to batch, layer by layer; nil of a layer that keeps nothing yet.
func (g *graph) states() (all [][][]float32) {
	for _, p := range g.parts {
		if s, ok := layers.StatefulOf(p.layer); ok {
			all = append(all, s.States())
		}
		if l, ok := p.layer.(*modelLayer); ok {
			all = append(all, l.model.states()...)
		}
	}
	return all
}

// setStates gives layers the states that states returned, and returns those that are left.
func (g *graph) setStates(all [][][]float32) (left [][][]float32, err error) {
	for _, p := range g.parts {
		if s, ok := layers.StatefulOf(p.layer); ok {
			if len(all) == 0 {
				return nil, fmt.Errorf("layer %q: expected states, got none", p.name)
			}
			if err := s.SetStates(all[0]); err != nil {
				return nil, fmt.Errorf("layer %q: %w", p.name, err)
			}
			all = all[1:]
		}
		if l, ok := p.layer.(*modelLayer); ok {
			if all, err = l.model.setStates(all); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}
