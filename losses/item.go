package losses

import "github.com/unroll-ml/unroll/tensor"

// Itemwise is a loss whose items are judged each by itself. All are but those that look at a whole batch (Dice and Tversky without an
// axis). A metric may be the mean of one.
type Itemwise interface {
	Loss
	// Item is the loss of one item, whose m predictions and whose targets, one or m, are given.
	Item(pred []float32, y Target) float64
}

// sloped is an Itemwise loss that knows its gradient item by item.
type sloped interface {
	Item(pred []float32, y Target) float64
	// slope writes scale times the derivative of Item to d, which may be pred.
	slope(d, pred []float32, y Target, scale float64)
}

// values is Value of a loss that judges item by item.
func values[L sloped](l L, dst, pred []float32, target Target, n, m int) {
	for i := range n {
		dst[i] = float32(l.Item(pred[i*m:][:m], target.item(i, n)))
	}
}

// slopes is Grad of a loss that judges item by item.
func slopes[L sloped](l L, dpred, pred []float32, target Target, scale []float32, n, m int) {
	for i := range n {
		l.slope(dpred[i*m:][:m], pred[i*m:][:m], target.item(i, n), float64(scale[i]))
	}
}

// item is the targets of item i of n.
func (t Target) item(i, n int) Target {
	per := t.Len() / n
	return t.Slice(i*per, (i+1)*per)
}

// pointwise is a loss that is the mean over an item's values of a function of prediction and target.
type pointwise interface {
	// at is the function and its derivative by p.
	at(p, y float64) (value, slope float64)
}

// meanOf is Item of a pointwise loss.
func meanOf[L pointwise](l L, pred []float32, y Target) float64 {
	s := 0.0
	for j, p := range pred {
		v, _ := l.at(float64(p), y.At(j))
		s += v
	}
	return s / float64(len(pred))
}

// slopeOf is slope of a pointwise loss.
func slopeOf[L pointwise](l L, d, pred []float32, y Target, scale float64) {
	scale /= float64(len(pred))
	for j, p := range pred {
		_, s := l.at(float64(p), y.At(j))
		d[j] = float32(scale * s)
	}
}

// checkElements is Check of a loss that compares value by value.
func checkElements(class string, r Reduction, pred, target tensor.Shape) error {
	if err := checkReduction(class, r); err != nil {
		return err
	}
	if len(pred) == 0 || !FitsElements(pred, target) {
		return misfit(class, "targets of the predictions' shape", pred, target)
	}
	return nil
}

// base is the part of a config that every loss has.
func base(class, name string, r Reduction) map[string]any {
	return map[string]any{"name": named(name, class), "reduction": string(r.or())}
}

// sign is -1, 0 or 1; NaN stays NaN.
func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x
}
