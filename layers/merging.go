package layers

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/tensor"
)

// The layers below merge inputs of floats value by value. Inputs of different shapes are broadcast, as in Keras: behind the batch, axes
// are matched from the last on, and one of length 1, or one that is not there, counts as often as the others need it.
//
// The result is masked where every input is, and a step is valid then where any input says so. Maximum, Minimum and Multiply leave out the
// values of masked steps; the others count them. Source: keras/src/layers/merging/base_merge.py.

// Add is the sum of its inputs. Source: keras/src/layers/merging/add.py.
type Add struct{ Name string }

// Subtract is the first of its two inputs less the second. Source: keras/src/layers/merging/subtract.py.
type Subtract struct{ Name string }

// Multiply is the product of its inputs. What an input masks is 1 in it; what all of them mask is 0 in the result. Source:
// keras/src/layers/merging/multiply.py.
type Multiply struct{ Name string }

// Average is the mean of its inputs. Source: keras/src/layers/merging/average.py.
type Average struct{ Name string }

// Maximum is the largest of its inputs' values, NaN where any is. An input that is masked at a step does not take part in it. Source:
// keras/src/layers/merging/maximum.py.
type Maximum struct{ Name string }

// Minimum is the smallest of its inputs' values, otherwise as Maximum. Source: keras/src/layers/merging/minimum.py.
type Minimum struct{ Name string }

// Class is "Add".
func (Add) Class() string { return "Add" }

// Class is "Subtract".
func (Subtract) Class() string { return "Subtract" }

// Class is "Multiply".
func (Multiply) Class() string { return "Multiply" }

// Class is "Average".
func (Average) Class() string { return "Average" }

// Class is "Maximum".
func (Maximum) Class() string { return "Maximum" }

// Class is "Minimum".
func (Minimum) Class() string { return "Minimum" }

// GivenName is the name that the user gave.
func (l Add) GivenName() string { return l.Name }

// GivenName is the name that the user gave.
func (l Subtract) GivenName() string { return l.Name }

// GivenName is the name that the user gave.
func (l Multiply) GivenName() string { return l.Name }

// GivenName is the name that the user gave.
func (l Average) GivenName() string { return l.Name }

// GivenName is the name that the user gave.
func (l Maximum) GivenName() string { return l.Name }

// GivenName is the name that the user gave.
func (l Minimum) GivenName() string { return l.Name }

// Config implements Spec.
func (l Add) Config() map[string]any { return config(l) }

// Config implements Spec.
func (l Subtract) Config() map[string]any { return config(l) }

// Config implements Spec.
func (l Multiply) Config() map[string]any { return config(l) }

// Config implements Spec.
func (l Average) Config() map[string]any { return config(l) }

// Config implements Spec.
func (l Maximum) Config() map[string]any { return config(l) }

// Config implements Spec.
func (l Minimum) Config() map[string]any { return config(l) }

// Build checks the inputs.
func (l Add) Build(_ *Builder, in []Signature) (Layer, error) { return newMerging(l, mergeSum, in) }

// Build checks the inputs.
func (l Subtract) Build(_ *Builder, in []Signature) (Layer, error) {
	return newMerging(l, mergeDifference, in)
}

// Build checks the inputs.
func (l Multiply) Build(_ *Builder, in []Signature) (Layer, error) {
	return newMerging(l, mergeProduct, in)
}

// Build checks the inputs.
func (l Average) Build(_ *Builder, in []Signature) (Layer, error) {
	return newMerging(l, mergeMean, in)
}

// Build checks the inputs.
func (l Maximum) Build(_ *Builder, in []Signature) (Layer, error) {
	return newMerging(l, mergeMost, in)
}

// Build checks the inputs.
func (l Minimum) Build(_ *Builder, in []Signature) (Layer, error) {
	return newMerging(l, mergeLeast, in)
}

// InputNames implements Several.
func (Add) InputNames() []string { return nil }

// InputNames implements Several.
func (Subtract) InputNames() []string { return nil }

// InputNames implements Several.
func (Multiply) InputNames() []string { return nil }

// InputNames implements Several.
func (Average) InputNames() []string { return nil }

// InputNames implements Several.
func (Maximum) InputNames() []string { return nil }

// InputNames implements Several.
func (Minimum) InputNames() []string { return nil }

// readMerging is a reader of a layer that has a name alone.
func readMerging(named func(name string) Spec) func(*keras.Reader) Spec {
	return func(r *keras.Reader) Spec {
		onlyNone(r, "activity_regularizer")
		return named(base(r))
	}
}

// mergeOp is what becomes of the values that meet.
type mergeOp uint8

const (
	mergeSum mergeOp = iota
	mergeDifference
	mergeProduct
	mergeMean
	mergeMost
	mergeLeast
)

// leavesOut reports whether masked values do not take part.
func (op mergeOp) leavesOut() bool { return op == mergeProduct || op == mergeMost || op == mergeLeast }

// merging is all of them; merging_pass.go is how it goes forward and back.
type merging struct {
	class string
	op    mergeOp
	made  bool // the mask that goes on is none of those that came
}

func newMerging(s Spec, op mergeOp, in []Signature) (Layer, error) {
	m := &merging{class: s.Class(), op: op}
	out, err := m.Output(in)
	if err != nil {
		return nil, err
	}
	m.made = out[0].Masked && len(in) > 1
	return m, nil
}

func (m *merging) Weights() []*Weight { return nil }

func (m *merging) Output(in []Signature) ([]Signature, error) {
	if m.op == mergeDifference && len(in) != 2 {
		return nil, fmt.Errorf("layers: %s: expected two inputs, got %s", m.class, describe(in))
	}
	if err := checkMerged(m.class, in); err != nil {
		return nil, err
	}
	out := Signature{Shape: in[0].Shape.Clone(), Masked: true}
	for _, s := range in {
		var ok bool
		if out.Shape, ok = broadcast(out.Shape, s.Shape); !ok {
			return nil, fmt.Errorf("layers: %s: expected inputs whose axes behind the batch, from the last on, are equal or 1, got %s", m.class, describe(in))
		}
		out.Masked = out.Masked && s.Masked
	}
	for _, s := range in {
		switch rank := len(s.Shape); {
		case out.Masked && rank != len(out.Shape):
			return nil, fmt.Errorf("layers: %s: expected masked inputs of one rank, got %s", m.class, describe(in))
		case s.Masked && rank == len(out.Shape) && rank != 3 && m.op.leavesOut():
			return nil, fmt.Errorf("layers: %s: expected sequences (N, T, C) where an input is masked, got %s", m.class, describe(in))
		}
	}
	return []Signature{out}, nil
}

// checkMerged fails unless there are inputs, all of them floats with an axis behind the batch, and of one batch.
func checkMerged(class string, in []Signature) error {
	if len(in) == 0 {
		return fmt.Errorf("layers: %s: expected at least one input, got none", class)
	}
	for _, s := range in {
		if s.IDs || len(s.Shape) < 2 || len(s.Shape) > maxRank {
			return fmt.Errorf("layers: %s: expected floats (N, …), got %s", class, describe(in))
		}
		if n, other := in[0].Shape[0], s.Shape[0]; n != other && n != tensor.None && other != tensor.None {
			return fmt.Errorf("layers: %s: expected inputs of one batch, got %s", class, describe(in))
		}
	}
	return nil
}

// broadcast is the shape of two that are merged. An axis that is open in either stays open. It overwrites a.
func broadcast(a, b tensor.Shape) (tensor.Shape, bool) {
	if len(a) < len(b) {
		a, b = b.Clone(), a
	}
	if a[0] == tensor.None {
		a[0] = b[0]
	}
	for i := 1; i < len(b); i++ {
		to, n := &a[len(a)-len(b)+i], b[i]
		switch {
		case *to == tensor.None || n == tensor.None:
			*to = tensor.None
		case *to == 1:
			*to = n
		case n != 1 && n != *to:
			return nil, false
		}
	}
	return a, true
}

// Layout: every value is treated alike.
func (m *merging) Layout() Layout { return AnyLayout }

func (m *merging) Prepare(bool) {}

func (m *merging) ShardRows() int { return 0 }

// MakesMask reports whether the mask that goes on is put together from several.
func (m *merging) MakesMask() bool { return m.made }
