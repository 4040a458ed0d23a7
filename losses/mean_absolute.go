package losses

import (
	"math"

	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/tensor"
)

// MeanAbsoluteError is the mean over an item's m values of |p - y|. Its slope is 0 where p is y.
type MeanAbsoluteError struct {
	Reduction Reduction // SumOverBatchSize
	Name      string    // "mean_absolute_error"
}

func (MeanAbsoluteError) Class() string       { return "MeanAbsoluteError" }
func (l MeanAbsoluteError) Reduce() Reduction { return l.Reduction.or() }

func (l MeanAbsoluteError) Config() map[string]any {
	return map[string]any{"name": named(l.Name, l.Class()), "reduction": string(l.Reduce())}
}

// Check implements Loss.
func (l MeanAbsoluteError) Check(pred, target tensor.Shape) error {
	if err := checkReduction(l.Class(), l.Reduction); err != nil {
		return err
	}
	if len(pred) == 0 || !metrics.FitsElements(pred, target) {
		return misfit(l.Class(), "targets of the predictions' shape", pred, target)
	}
	return nil
}

// CheckTarget implements Loss: any number is a target.
func (MeanAbsoluteError) CheckTarget(Target, int, int) error { return nil }

// AsLogits implements Loss.
func (MeanAbsoluteError) AsLogits(string) (Loss, bool) { return nil, false }

// Value implements Loss.
func (MeanAbsoluteError) Value(dst, pred []float32, target Target, n, m int) {
	for i := range n {
		s := 0.0
		for j, p := range pred[i*m:][:m] {
			s += math.Abs(float64(p) - target.At(i*m+j))
		}
		dst[i] = float32(s / float64(m))
	}
}

// Grad implements Loss.
func (MeanAbsoluteError) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	for i := range n {
		for j := range m {
			e := float64(pred[i*m+j]) - target.At(i*m+j)
			switch {
			case e > 0:
				e = 1
			case e < 0:
				e = -1
			}
			dpred[i*m+j] = scale[i] * float32(e/float64(m)) // NaN stays NaN
		}
	}
}
