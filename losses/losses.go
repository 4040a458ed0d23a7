// Package losses measures how far predictions are from targets, and gives the gradients that training descends.
//
// Legend: n items, which are rows of a batch or their time steps; m values of the prediction for each. Every item has one loss; the
// loss of a batch is the sum of item losses times weights over a divisor (see Reduction). So shards of a batch are computed apart.
package losses

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/tensor"
)

// Loss is a Spec: plain data, whose zero value is Keras's default. Items says what n and m are.
type Loss interface {
	// Class is the name of the class in Keras.
	Class() string
	// Config is what Keras's class is made with, as Keras writes it into a file.
	Config() map[string]any
	// Check fails when an argument is wrong, or when predictions and targets of these shapes do not fit each other. Batch axes are
	// included; axes may be tensor.None. The error says what was expected.
	Check(pred, target tensor.Shape) error
	// CheckTarget fails when a target of n items is no value that this loss takes: a class id out of range.
	CheckTarget(target Target, n, m int) error
	// Value writes the loss of each of n items to dst (n values). It trusts what the checks have passed.
	Value(dst, pred []float32, target Target, n, m int)
	// Grad writes to dpred (n*m values, may be pred) the derivative of the sum of scale[i] times the loss of item i. scale has the
	// weight of each item over the batch's divisor.
	Grad(dpred, pred []float32, target Target, scale []float32, n, m int)
	// Reduce says what the batch's sum is divided by.
	Reduce() Reduction
	// AsLogits is the loss that is on the argument of an activation what this one is on its value, and whether there is one: for the
	// crossentropies sigmoid or softmax. It has no logarithm of a rounded probability, so a model that ends in that activation is
	// trained on it, as under Keras's TensorFlow backend.
	AsLogits(activation string) (Loss, bool)
}

// Hider is a loss by which some targets hide their items: as if masked, they count neither in the sum nor in the divisor.
type Hider interface {
	// Hiding reports whether any target may.
	Hiding() bool
	// Hides reports whether item i does not count.
	Hides(target Target, i int) bool
}

// Whole is a loss that is one number for a whole batch, whose rows it mixes: every item has that number, and a batch cannot be cut.
type Whole interface{ Whole() bool }

// Reduction says what the sum of a batch's weighted item losses is divided by. Sample weights do not enter the divisor, except
// where the name says so.
type Reduction string

// The reductions. Where a mask is attached, the first two count the items that it leaves.
const (
	SumOverBatchSize     Reduction = "sum_over_batch_size"     // the number of items; the default
	Mean                 Reduction = "mean"                    // the same
	Sum                  Reduction = "sum"                     // 1
	MeanWithSampleWeight Reduction = "mean_with_sample_weight" // the sum of the weights
)

// Divisor is what the sum is divided by: items counts the items that no mask hides, weights sums their weights. An empty batch has
// the divisor 1, so that its loss is 0.
func (r Reduction) Divisor(items int, weights float64) float64 {
	d := float64(items)
	switch r {
	case Sum:
		return 1
	case MeanWithSampleWeight:
		d = weights
	}
	if d == 0 {
		return 1
	}
	return d
}

func (r Reduction) or() Reduction {
	if r == "" {
		return SumOverBatchSize
	}
	return r
}

func checkReduction(class string, r Reduction) error {
	switch r.or() {
	case SumOverBatchSize, Mean, Sum, MeanWithSampleWeight:
		return nil
	}
	return fmt.Errorf("losses: %s: reduction must be sum_over_batch_size, mean, sum or mean_with_sample_weight, got %q", class, r)
}

func checkSmoothing(class string, s float64) error {
	if !(s >= 0 && s <= 1) {
		return fmt.Errorf("losses: %s: label_smoothing must be in [0, 1], got %v", class, s)
	}
	return nil
}

func misfit(class, expected string, pred, target tensor.Shape) error {
	return fmt.Errorf("losses: %s: expected %s, got predictions %v and targets %v", class, expected, pred, target)
}

func named(name, class string) string {
	if name == "" {
		return keras.Snake(class)
	}
	return name
}

// The bounds of a probability in a logarithm: Keras's epsilon() and what is left of 1 less it in float32.
const (
	epsilon  float32 = 1e-7
	complete float32 = 1 - 1e-7
)

// clip keeps a probability within the bounds and reports whether it was there; NaN stays NaN.
func clip(p float32) (float32, bool) {
	switch {
	case p < epsilon:
		return epsilon, false
	case p > complete:
		return complete, false
	}
	return p, true
}
