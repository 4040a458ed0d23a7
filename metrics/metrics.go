// Package metrics counts how good predictions are. A metric is a quotient of sums, so shards of a batch and batches of an epoch are
// counted apart and added.
//
// Legend: n items, which are rows of a batch or their time steps; m values of the prediction for each.
package metrics

import (
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/tensor"
)

// Target is what predictions are compared with.
type Target = losses.Target

// Metric is a Spec: plain data that says what to count. Resolve makes the Meter that counts.
type Metric interface {
	// Class is the name of the class in Keras, or "" for a name that Keras resolves by shapes and writes as a string.
	Class() string
	// Config is what Keras's class is made with, as Keras writes it into a file.
	Config() map[string]any
	// Resolve chooses by the shapes of predictions and targets, batch axis included; axes may be tensor.None. It fails when
	// they do not fit each other.
	Resolve(pred, target tensor.Shape) (Meter, error)
}

// Meter counts. It has no state of its own: the sums belong to the caller, who may keep several, add them with Merge, and save them.
type Meter interface {
	// Name is the key in the history; validation puts val_ before it.
	Name() string
	// Sums is the length of the state, all zeros at the start.
	Sums() int
	// Update adds n items to the state: pred has n*m values, target is laid out as the shapes given to Resolve say. weights has a weight
	// for each item (0 for a masked step), or is nil for 1. Sums run in the order of the items.
	Update(state []float64, pred []float32, target Target, weights []float32, n, m int)
	// Result is the value of the metric; 0 before any item, as in Keras.
	Result(state []float64) float64
}

// Merge adds the sums of a later part to those of an earlier one.
func Merge(state, later []float64) {
	for i, v := range later[:len(state)] {
		state[i] += v
	}
}

// Mean is a weighted mean: of the losses of an epoch's batches, each weighted by its number of rows, which is the loss that
// Keras reports. The zero value is ready.
type Mean struct {
	Sum, Weight float64
}

// Add counts a value with a weight.
func (a *Mean) Add(value, weight float64) {
	a.Sum += value * weight
	a.Weight += weight
}

// Merge adds what a later part counted.
func (a *Mean) Merge(later Mean) {
	a.Sum += later.Sum
	a.Weight += later.Weight
}

// Result is the mean; 0 before anything was added, as in Keras.
func (a Mean) Result() float64 { return quotient(a.Sum, a.Weight) }

func quotient(sum, weight float64) float64 {
	if weight == 0 {
		return 0
	}
	return sum / weight
}
