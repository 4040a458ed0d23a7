package metrics

import (
	"fmt"
	"math"
	"slices"

	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/tensor"
)

// IoU is the mean over some classes of intersection over union: of the items that have the class in target or prediction, the share
// that has it in both. Classes that nothing has do not enter. Predictions are class ids, or with DensePred values whose largest names
// the class; so are targets. Weights lose their fraction, as in Keras, where all this counts in whole numbers.
type IoU struct {
	NumClasses  int
	Classes     []int // target_class_ids
	IgnoreClass tensor.Float
	DenseTrue   bool   // not sparse_y_true
	DensePred   bool   // not sparse_y_pred
	Name        string // the key in the history; "io_u"
}

// MeanIoU is IoU of all classes.
type MeanIoU struct {
	NumClasses  int
	IgnoreClass tensor.Float
	DenseTrue   bool   // not sparse_y_true
	DensePred   bool   // not sparse_y_pred
	Name        string // the key in the history; "mean_io_u"
}

// OneHotIoU is IoU of targets and predictions with a value for each class.
type OneHotIoU struct {
	NumClasses  int
	Classes     []int // target_class_ids
	IgnoreClass tensor.Float
	Name        string // the key in the history; "one_hot_io_u"
}

// OneHotMeanIoU is OneHotIoU of all classes.
type OneHotMeanIoU struct {
	NumClasses  int
	IgnoreClass tensor.Float
	Name        string // the key in the history; "one_hot_mean_io_u"
}

// BinaryIoU is IoU of two classes: a prediction is of class 1 where it is at least Threshold.
type BinaryIoU struct {
	Classes   []int        // target_class_ids; both
	Threshold tensor.Float // 0.5
	Name      string       // the key in the history; "binary_io_u"
}

func (IoU) Class() string           { return "IoU" }
func (MeanIoU) Class() string       { return "MeanIoU" }
func (OneHotIoU) Class() string     { return "OneHotIoU" }
func (OneHotMeanIoU) Class() string { return "OneHotMeanIoU" }
func (BinaryIoU) Class() string     { return "BinaryIoU" }

func (a IoU) Config() map[string]any {
	c := MeanIoU{a.NumClasses, a.IgnoreClass, a.DenseTrue, a.DensePred, named(a.Name, a.Class())}.Config()
	c["target_class_ids"] = ints(a.Classes)
	return c
}

func (a MeanIoU) Config() map[string]any {
	c := OneHotMeanIoU{a.NumClasses, a.IgnoreClass, named(a.Name, a.Class())}.Config()
	c["sparse_y_true"], c["sparse_y_pred"] = !a.DenseTrue, !a.DensePred
	return c
}

func (a OneHotIoU) Config() map[string]any {
	c := OneHotMeanIoU{a.NumClasses, a.IgnoreClass, named(a.Name, a.Class())}.Config()
	c["target_class_ids"] = ints(a.Classes)
	return c
}

func (a OneHotMeanIoU) Config() map[string]any {
	c := base(a.Name, a.Class())
	c["dtype"], c["num_classes"], c["ignore_class"], c["sparse_y_pred"], c["axis"] = "int64", a.NumClasses, nil, false, -1
	if a.IgnoreClass.IsSet() {
		c["ignore_class"] = int(a.IgnoreClass.Or(0))
	}
	return c
}

func (a BinaryIoU) Config() map[string]any {
	c := base(a.Name, a.Class())
	c["dtype"], c["target_class_ids"], c["threshold"] = "int64", ints(a.classes()), a.Threshold.Or(0.5)
	return c
}

func (a BinaryIoU) classes() []int {
	if a.Classes == nil {
		return []int{0, 1}
	}
	return a.Classes
}

func ints(v []int) any {
	l := make([]any, len(v))
	for i := range l {
		l[i] = v[i]
	}
	return l
}

// Resolve implements Metric.
func (a IoU) Resolve(pred, target tensor.Shape) (Meter, error) {
	return overlap{name: named(a.Name, a.Class()), k: a.NumClasses, classes: a.Classes, denseTrue: a.DenseTrue, densePred: a.DensePred}.
		resolve(a.Class(), a.IgnoreClass, pred, target)
}

// Resolve implements Metric.
func (a MeanIoU) Resolve(pred, target tensor.Shape) (Meter, error) {
	return overlap{name: named(a.Name, a.Class()), k: a.NumClasses, classes: upTo(a.NumClasses), denseTrue: a.DenseTrue, densePred: a.DensePred}.
		resolve(a.Class(), a.IgnoreClass, pred, target)
}

// Resolve implements Metric.
func (a OneHotIoU) Resolve(pred, target tensor.Shape) (Meter, error) {
	return overlap{name: named(a.Name, a.Class()), k: a.NumClasses, classes: a.Classes, denseTrue: true, densePred: true}.
		resolve(a.Class(), a.IgnoreClass, pred, target)
}

// Resolve implements Metric.
func (a OneHotMeanIoU) Resolve(pred, target tensor.Shape) (Meter, error) {
	return overlap{name: named(a.Name, a.Class()), k: a.NumClasses, classes: upTo(a.NumClasses), denseTrue: true, densePred: true}.
		resolve(a.Class(), a.IgnoreClass, pred, target)
}

// Resolve implements Metric.
func (a BinaryIoU) Resolve(pred, target tensor.Shape) (Meter, error) {
	t := a.Threshold.Or(0.5)
	if math.IsNaN(t) {
		return nil, fmt.Errorf("metrics: BinaryIoU: threshold must be a number, got NaN")
	}
	return overlap{name: named(a.Name, a.Class()), k: 2, classes: a.classes(), split: true, threshold: float32(t)}.
		resolve(a.Class(), tensor.Float{}, pred, target)
}

func upTo(k int) []int {
	l := make([]int, max(0, k))
	for i := range l {
		l[i] = i
	}
	return l
}

// overlap is a Meter. State: the weights of items by class of the target (rows) and of the prediction.
type overlap struct {
	name                 string
	k                    int
	classes              []int
	denseTrue, densePred bool
	split                bool // predictions are 1 from threshold on, else 0
	threshold            float32
	ignore               float64 // NaN: none
}

func (a overlap) resolve(class string, ignore tensor.Float, pred, target tensor.Shape) (Meter, error) {
	a.ignore = ignore.Or(math.NaN())
	if a.k <= 0 {
		return nil, fmt.Errorf("metrics: %s: num_classes must be positive, got %d", class, a.k)
	}
	if len(a.classes) == 0 || slices.Min(a.classes) < 0 || slices.Max(a.classes) >= a.k {
		return nil, fmt.Errorf("metrics: %s: target_class_ids must be from 0 to %d, at least one, got %v", class, a.k-1, a.classes)
	}
	switch {
	case a.denseTrue && !a.densePred:
		return nil, fmt.Errorf("metrics: %s: expected sparse_y_true where sparse_y_pred is set, got false", class)
	case a.densePred && !a.denseTrue && !losses.FitsClasses(pred, target):
		return nil, misfit(class, "a class id for each prediction", pred, target)
	case a.densePred == a.denseTrue && (len(pred) == 0 || !losses.FitsElements(pred, target)):
		return nil, misfit(class, "targets of the predictions' shape", pred, target)
	}
	return a, nil
}

func (a overlap) Name() string { return a.name }
func (a overlap) Sums() int    { return a.k * a.k }
func (a overlap) Unmasked()    {}

func (a overlap) Update(state []float64, pred []float32, target Target, weights []float32, n, m int) {
	for i := range n {
		w := 1.0
		if weights != nil {
			w = math.Trunc(float64(weights[i]))
		}
		row := pred[i*m:][:m]
		if a.densePred {
			y := target.At(i)
			if a.denseTrue {
				best := 0
				for j := 1; j < m; j++ {
					if target.At(i*m+j) > target.At(i*m+best) {
						best = j
					}
				}
				y = float64(best)
			}
			a.add(state, y, float64(argmax(row)), w)
			continue
		}
		for j, p := range row {
			v := float64(p)
			if a.split {
				v = 0
				if p >= a.threshold {
					v = 1
				}
			}
			a.add(state, target.At(i*m+j), v, w)
		}
	}
}

// add counts a pair of classes; what is none, and the ignored class, is left out.
func (a overlap) add(state []float64, y, p, w float64) {
	y, p = math.Trunc(y), math.Trunc(p)
	if k := float64(a.k); y >= 0 && y < k && p >= 0 && p < k && y != a.ignore {
		state[int(y)*a.k+int(p)] += w
	}
}

func (a overlap) Result(state []float64) float64 {
	const epsilon = 1e-7 // Keras's
	sum, valid := 0.0, 0.0
	for _, c := range a.classes {
		both, union := state[c*a.k+c], -state[c*a.k+c]
		for o := range a.k {
			union += state[c*a.k+o] + state[o*a.k+c]
		}
		if union > 1e-9 {
			sum += both / (union + epsilon)
			valid++
		}
	}
	return sum / (valid + epsilon)
}
