package unroll

import (
	"fmt"

	"github.com/unroll-ml/unroll/layers"
)

// ResetStates lets the rows of the next batch begin with zeros in the layers that keep their states from batch to batch (stateful). Between
// two resets every batch of Fit, Evaluate and Predict goes on where the same row of the batch before ended, whichever of them it was of, and all
// have as many rows as the first. Fit resets nothing, not between epochs either, and validates with the states that it is in; Shuffle and a last
// batch of fewer rows are the caller's to avoid. Source: keras/src/layers/rnn/rnn.py, reset_state.
//
// A model with such a layer works on one batch at a time: neither predictions nor resets may run beside anything else.
func (m *Model) ResetStates() {
	for _, n := range m.nodes {
		if s, ok := layers.StatefulOf(n.layer); ok {
			s.ResetStates()
		}
	}
}

// checkStates fails where a batch of n rows cannot go on where the one before ended.
func (m *Model) checkStates(n int) error {
	for _, node := range m.nodes {
		if s, ok := layers.StatefulOf(node.layer); ok {
			if err := s.CheckBatch(n); err != nil {
				return fmt.Errorf("unroll: layer %q: %w", node.name, err)
			}
		}
	}
	return nil
}
