package losses

import (
	"math"

	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/tensor"
)

// BinaryCrossentropy is the mean over an item's m values of -(z log p + (1 - z) log(1 - p)), with z = y (1 - s) + s/2 for the target
// y and the smoothing s.
type BinaryCrossentropy struct {
	FromLogits     bool      // the predictions are arguments of a sigmoid, not probabilities
	LabelSmoothing float64   // s, 0 to 1
	Reduction      Reduction // SumOverBatchSize
	Name           string    // "binary_crossentropy"
	// Keras2 computes as Keras 2.2.4 does: of the probability, clipped to [1e-7, 1 - 1e-7], also where it comes from a sigmoid, whose argument is
	// otherwise used, as Keras 3 on TensorFlow does. A clipped probability has no slope.
	Keras2 bool
}

func (BinaryCrossentropy) Class() string       { return "BinaryCrossentropy" }
func (l BinaryCrossentropy) Reduce() Reduction { return l.Reduction.or() }

func (l BinaryCrossentropy) Config() map[string]any {
	return keras2(l.Keras2, map[string]any{"name": named(l.Name, l.Class()), "reduction": string(l.Reduce()), "from_logits": l.FromLogits,
		"label_smoothing": l.LabelSmoothing, "axis": -1})
}

// Check implements Loss.
func (l BinaryCrossentropy) Check(pred, target tensor.Shape) error {
	if err := checkReduction(l.Class(), l.Reduction); err != nil {
		return err
	}
	if err := checkSmoothing(l.Class(), l.LabelSmoothing); err != nil {
		return err
	}
	if len(pred) == 0 || !FitsElements(pred, target) {
		return misfit(l.Class(), "targets of the predictions' shape", pred, target)
	}
	return nil
}

// CheckTarget implements Loss: any number is a target.
func (BinaryCrossentropy) CheckTarget(Target, int, int) error { return nil }

// AsLogits implements Loss.
func (l BinaryCrossentropy) AsLogits(activation string) (Loss, bool) {
	if activation != "sigmoid" || l.Keras2 {
		return nil, false
	}
	l.FromLogits = true
	return l, true
}

// keras2 says in a config that a crossentropy computes as Keras 2 does. Keras 3 does not read it.
func keras2(on bool, c map[string]any) map[string]any {
	if on {
		c["keras2"] = true
	}
	return c
}

func (l BinaryCrossentropy) smooth(y float64) float64 {
	return y*(1-l.LabelSmoothing) + l.LabelSmoothing/2
}

// Value implements Loss.
func (l BinaryCrossentropy) Value(dst, pred []float32, target Target, n, m int) {
	for i := range n {
		dst[i] = float32(l.Item(pred[i*m:][:m], target.item(i, n)))
	}
}

// Item implements Itemwise.
func (l BinaryCrossentropy) Item(pred []float32, y Target) float64 {
	s := 0.0
	for j, p := range pred {
		s += binary(p, l.smooth(y.At(j)), l.FromLogits)
	}
	return s / float64(len(pred))
}

// binary is -z log p - (1 - z) log(1 - p) of a probability p, clipped, or of p = sigmoid(x) of a logit x.
func binary(p float32, z float64, logits bool) float64 {
	if logits {
		// -z log sigmoid(x) - (1-z) log sigmoid(-x) = max(x, 0) - x z + log(1 + exp(-|x|)), which cannot overflow.
		x := float64(p)
		return math.Max(x, 0) - x*z + math.Log1p(math.Exp(-math.Abs(x)))
	}
	p, _ = clip(p)
	return -(z*math.Log(float64(p)) + (1-z)*math.Log(1-float64(p)))
}

// Grad implements Loss.
func (l BinaryCrossentropy) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	if l.FromLogits {
		// sigmoid(x) - z
		kernel.Apply(kernel.Sigmoid, dpred[:n*m], pred[:n*m])
		for i := range n {
			for j := range m {
				dpred[i*m+j] = scale[i] * float32((float64(dpred[i*m+j])-l.smooth(target.At(i*m+j)))/float64(m))
			}
		}
		return
	}
	for i := range n {
		for j := range m {
			p, inside := clip(pred[i*m+j])
			if !inside {
				dpred[i*m+j] = 0 // a constant: the slope of the clipping
				continue
			}
			// -z/p + (1-z)/(1-p) = (p - z) / (p (1-p))
			q, z := float64(p), l.smooth(target.At(i*m+j))
			dpred[i*m+j] = scale[i] * float32((q-z)/(q*(1-q))/float64(m))
		}
	}
}
