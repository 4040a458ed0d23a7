package losses

import (
	"github.com/unroll-ml/unroll/tensor"
)

// Target is what predictions are compared with: numbers or integer ids, row-major, exactly one of the two.
type Target struct {
	Values []float32
	IDs    []int32
}

// At is the i-th value.
func (t Target) At(i int) float64 {
	if t.IDs != nil {
		return float64(t.IDs[i])
	}
	return float64(t.Values[i])
}

// Len is the number of values.
func (t Target) Len() int { return len(t.Values) + len(t.IDs) }

// Slice is the part from lo to before hi, which shares the data.
func (t Target) Slice(lo, hi int) Target {
	if t.IDs != nil {
		return Target{IDs: t.IDs[lo:hi]}
	}
	return Target{Values: t.Values[lo:hi]}
}

// Items are the items in one row of predictions (its time steps; 1 when it has none) and the values of each. The first may be
// tensor.None. Predictions without a last axis, shape (batch,), have one value each.
func Items(pred tensor.Shape) (perRow, width int) {
	if len(pred) < 2 {
		return 1, 1
	}
	last := len(pred) - 1
	return pred[1:last].Size(), pred[last]
}

// FitsElements reports whether targets have a value for each value of the predictions: equal shapes, up to a last axis of 1 that one
// of them lacks. None fits any length. It is what binary and numeric losses and metrics ask for.
func FitsElements(pred, target tensor.Shape) bool {
	switch {
	case len(target) == len(pred):
		return fit(pred, target)
	case len(target) == len(pred)-1:
		return pred[len(target)] == 1 && fit(pred[:len(target)], target)
	case len(target)-1 == len(pred):
		return target[len(pred)] == 1 && fit(pred, target[:len(pred)])
	}
	return false
}

// FitsClasses reports whether targets have one value, a class id, for each last axis of the predictions: the shape of the
// predictions without the last axis, or with 1 in its place. It is what sparse losses and metrics ask for.
func FitsClasses(pred, target tensor.Shape) bool {
	last := len(pred) - 1
	if last < 0 {
		return false
	}
	if len(target) == len(pred) && target[last] == 1 {
		target = target[:last]
	}
	return len(target) == last && fit(pred[:last], target)
}

func fit(a, b tensor.Shape) bool {
	for i := range a {
		if a[i] != b[i] && a[i] != tensor.None && b[i] != tensor.None {
			return false
		}
	}
	return true
}
