package losses

import (
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/tensor"
)

// MeanSquaredError is the mean over an item's m values of (p - y)^2.
type MeanSquaredError struct {
	Reduction Reduction // SumOverBatchSize
	Name      string    // "mean_squared_error"
}

func (MeanSquaredError) Class() string       { return "MeanSquaredError" }
func (l MeanSquaredError) Reduce() Reduction { return l.Reduction.or() }

func (l MeanSquaredError) Config() map[string]any {
	return map[string]any{"name": named(l.Name, l.Class()), "reduction": string(l.Reduce())}
}

// Check implements Loss.
func (l MeanSquaredError) Check(pred, target tensor.Shape) error {
	if err := checkReduction(l.Class(), l.Reduction); err != nil {
		return err
	}
	if len(pred) == 0 || !metrics.FitsElements(pred, target) {
		return misfit(l.Class(), "targets of the predictions' shape", pred, target)
	}
	return nil
}

// CheckTarget implements Loss: any number is a target.
func (MeanSquaredError) CheckTarget(Target, int, int) error { return nil }

// AsLogits implements Loss.
func (MeanSquaredError) AsLogits(string) (Loss, bool) { return nil, false }

// Value implements Loss.
func (MeanSquaredError) Value(dst, pred []float32, target Target, n, m int) {
	for i := range n {
		s := 0.0
		for j, p := range pred[i*m:][:m] {
			e := float64(p) - target.At(i*m+j)
			s += e * e
		}
		dst[i] = float32(s / float64(m))
	}
}

// Grad implements Loss.
func (MeanSquaredError) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	for i := range n {
		for j := range m {
			e := float64(pred[i*m+j]) - target.At(i*m+j)
			dpred[i*m+j] = scale[i] * float32(2*e/float64(m))
		}
	}
}
