package metrics

import (
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/tensor"
)

// LossMean is the mean of a loss over the items, by the formula and the arguments of the loss; its reduction does not matter. The
// metrics below are such means under classes of their own; this one is what Keras makes of a loss function in a list of metrics.
type LossMean struct {
	Loss losses.Itemwise // Huber, LogCosh …
	Name string          // the key in the history; the name of the function: "huber"
}

// MeanAbsoluteError is the mean of losses.MeanAbsoluteError.
type MeanAbsoluteError struct {
	Name string // the key in the history; "mean_absolute_error"
}

// MeanSquaredError is the mean of losses.MeanSquaredError.
type MeanSquaredError struct {
	Name string // the key in the history; "mean_squared_error"
}

// MeanAbsolutePercentageError is the mean of losses.MeanAbsolutePercentageError.
type MeanAbsolutePercentageError struct {
	Name string // the key in the history; "mean_absolute_percentage_error"
}

// MeanSquaredLogarithmicError is the mean of losses.MeanSquaredLogarithmicError.
type MeanSquaredLogarithmicError struct {
	Name string // the key in the history; "mean_squared_logarithmic_error"
}

// LogCoshError is the mean of losses.LogCosh.
type LogCoshError struct {
	Name string // the key in the history; "logcosh"
}

// CosineSimilarity is the mean cosine of the angle between predictions and targets: losses.CosineSimilarity with the other sign.
type CosineSimilarity struct {
	Name string // the key in the history; "cosine_similarity"
}

// KLDivergence is the mean of losses.KLDivergence.
type KLDivergence struct {
	Name string // the key in the history; "kl_divergence"
}

// Poisson is the mean of losses.Poisson.
type Poisson struct {
	Name string // the key in the history; "poisson"
}

// Hinge is the mean of losses.Hinge. A target of 0 counts as -1 always.
type Hinge struct {
	Name string // the key in the history; "hinge"
}

// SquaredHinge is the mean of losses.SquaredHinge. A target of 0 counts as -1 always.
type SquaredHinge struct {
	Name string // the key in the history; "squared_hinge"
}

// CategoricalHinge is the mean of losses.CategoricalHinge.
type CategoricalHinge struct {
	Name string // the key in the history; "categorical_hinge"
}

// BinaryCrossentropy is the mean of losses.BinaryCrossentropy.
type BinaryCrossentropy struct {
	FromLogits     bool
	LabelSmoothing float64
	Name           string // the key in the history; "binary_crossentropy"
}

// CategoricalCrossentropy is the mean of losses.CategoricalCrossentropy.
type CategoricalCrossentropy struct {
	FromLogits     bool
	LabelSmoothing float64
	Name           string // the key in the history; "categorical_crossentropy"
}

// SparseCategoricalCrossentropy is the mean of losses.SparseCategoricalCrossentropy. Items of the ignored class have the loss 0; they
// count in the mean unless there are weights or a mask, as in Keras 3.15.1.
type SparseCategoricalCrossentropy struct {
	FromLogits  bool
	IgnoreClass tensor.Float
	Name        string // the key in the history; "sparse_categorical_crossentropy"
}

func (LossMean) Class() string                      { return "MeanMetricWrapper" }
func (MeanAbsoluteError) Class() string             { return "MeanAbsoluteError" }
func (MeanSquaredError) Class() string              { return "MeanSquaredError" }
func (MeanAbsolutePercentageError) Class() string   { return "MeanAbsolutePercentageError" }
func (MeanSquaredLogarithmicError) Class() string   { return "MeanSquaredLogarithmicError" }
func (LogCoshError) Class() string                  { return "LogCoshError" }
func (CosineSimilarity) Class() string              { return "CosineSimilarity" }
func (KLDivergence) Class() string                  { return "KLDivergence" }
func (Poisson) Class() string                       { return "Poisson" }
func (Hinge) Class() string                         { return "Hinge" }
func (SquaredHinge) Class() string                  { return "SquaredHinge" }
func (CategoricalHinge) Class() string              { return "CategoricalHinge" }
func (BinaryCrossentropy) Class() string            { return "BinaryCrossentropy" }
func (CategoricalCrossentropy) Class() string       { return "CategoricalCrossentropy" }
func (SparseCategoricalCrossentropy) Class() string { return "SparseCategoricalCrossentropy" }

func (a MeanAbsoluteError) Config() map[string]any           { return base(a.Name, a.Class()) }
func (a MeanSquaredError) Config() map[string]any            { return base(a.Name, a.Class()) }
func (a MeanAbsolutePercentageError) Config() map[string]any { return base(a.Name, a.Class()) }
func (a MeanSquaredLogarithmicError) Config() map[string]any { return base(a.Name, a.Class()) }
func (a LogCoshError) Config() map[string]any                { return base(a.Name, "logcosh") }
func (a CosineSimilarity) Config() map[string]any            { return base(a.Name, a.Class()) }
func (a KLDivergence) Config() map[string]any                { return base(a.Name, a.Class()) }
func (a Poisson) Config() map[string]any                     { return base(a.Name, a.Class()) }
func (a Hinge) Config() map[string]any                       { return base(a.Name, a.Class()) }
func (a SquaredHinge) Config() map[string]any                { return base(a.Name, a.Class()) }
func (a CategoricalHinge) Config() map[string]any            { return base(a.Name, a.Class()) }

func (a BinaryCrossentropy) Config() map[string]any {
	c := base(a.Name, a.Class())
	c["from_logits"], c["label_smoothing"] = a.FromLogits, a.LabelSmoothing
	return c
}

func (a CategoricalCrossentropy) Config() map[string]any {
	c := base(a.Name, a.Class())
	c["from_logits"], c["label_smoothing"], c["axis"] = a.FromLogits, a.LabelSmoothing, -1
	return c
}

func (a SparseCategoricalCrossentropy) Config() map[string]any {
	c := base(a.Name, a.Class())
	c["from_logits"], c["ignore_class"], c["axis"] = a.FromLogits, nil, -1
	if a.IgnoreClass.IsSet() {
		c["ignore_class"] = int(a.IgnoreClass.Or(0))
	}
	return c
}

// Config has the function, and the loss's arguments beside it.
func (a LossMean) Config() map[string]any {
	function := keras.Snake(a.Loss.Class())
	c := a.Loss.Config()
	delete(c, "reduction")
	c["name"], c["dtype"] = named(a.Name, function), "float32"
	c["fn"] = map[string]any{"module": "builtins", "class_name": "function", "config": function, "registered_name": "function"}
	return c
}

// Resolve implements Metric.
func (a LossMean) Resolve(pred, target tensor.Shape) (Meter, error) {
	if a.Loss == nil {
		return nil, fmt.Errorf("metrics: LossMean: expected a loss, got nil")
	}
	return resolveLoss(named(a.Name, keras.Snake(a.Loss.Class())), a.Loss, 1, pred, target)
}

// Resolve implements Metric.
func (a MeanAbsoluteError) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveLoss(named(a.Name, a.Class()), losses.MeanAbsoluteError{}, 1, pred, target)
}

// Resolve implements Metric.
func (a MeanSquaredError) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveLoss(named(a.Name, a.Class()), losses.MeanSquaredError{}, 1, pred, target)
}

// Resolve implements Metric.
func (a MeanAbsolutePercentageError) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveLoss(named(a.Name, a.Class()), losses.MeanAbsolutePercentageError{}, 1, pred, target)
}

// Resolve implements Metric.
func (a MeanSquaredLogarithmicError) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveLoss(named(a.Name, a.Class()), losses.MeanSquaredLogarithmicError{}, 1, pred, target)
}

// Resolve implements Metric.
func (a LogCoshError) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveLoss(named(a.Name, "logcosh"), losses.LogCosh{}, 1, pred, target)
}

// Resolve implements Metric.
func (a CosineSimilarity) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveLoss(named(a.Name, a.Class()), losses.CosineSimilarity{}, -1, pred, target)
}

// Resolve implements Metric.
func (a KLDivergence) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveLoss(named(a.Name, a.Class()), losses.KLDivergence{}, 1, pred, target)
}

// Resolve implements Metric.
func (a Poisson) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveLoss(named(a.Name, a.Class()), losses.Poisson{}, 1, pred, target)
}

// Resolve implements Metric.
func (a Hinge) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveLoss(named(a.Name, a.Class()), losses.Hinge{}, 1, pred, target)
}

// Resolve implements Metric.
func (a SquaredHinge) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveLoss(named(a.Name, a.Class()), losses.SquaredHinge{}, 1, pred, target)
}

// Resolve implements Metric.
func (a CategoricalHinge) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveLoss(named(a.Name, a.Class()), losses.CategoricalHinge{}, 1, pred, target)
}

// Resolve implements Metric.
func (a BinaryCrossentropy) Resolve(pred, target tensor.Shape) (Meter, error) {
	l := losses.BinaryCrossentropy{FromLogits: a.FromLogits, LabelSmoothing: a.LabelSmoothing}
	return resolveLoss(named(a.Name, a.Class()), l, 1, pred, target)
}

// Resolve implements Metric.
func (a CategoricalCrossentropy) Resolve(pred, target tensor.Shape) (Meter, error) {
	l := losses.CategoricalCrossentropy{FromLogits: a.FromLogits, LabelSmoothing: a.LabelSmoothing}
	return resolveLoss(named(a.Name, a.Class()), l, 1, pred, target)
}

// Resolve implements Metric.
func (a SparseCategoricalCrossentropy) Resolve(pred, target tensor.Shape) (Meter, error) {
	l := losses.SparseCategoricalCrossentropy{FromLogits: a.FromLogits, IgnoreClass: a.IgnoreClass}
	return resolveLoss(named(a.Name, a.Class()), l, 1, pred, target)
}

// base is the part of a config that every metric has.
func base(name, class string) map[string]any {
	return map[string]any{"name": named(name, class), "dtype": "float32"}
}

// resolveLoss is the meter of a loss's mean times sign.
func resolveLoss(name string, l losses.Itemwise, sign float64, pred, target tensor.Shape) (Meter, error) {
	if err := l.Check(pred, target); err != nil {
		return nil, fmt.Errorf("metrics: %s", strings.TrimPrefix(err.Error(), "losses: "))
	}
	m := lossMean{name: name, loss: l, sign: sign}
	if h, ok := l.(losses.Hider); ok && h.Hiding() {
		m.hider = h
	}
	return m, nil
}

// lossMean is a Meter: the mean over the items of their losses.
type lossMean struct {
	name  string
	loss  losses.Itemwise
	hider losses.Hider // nil where no target hides its item
	sign  float64
}

func (a lossMean) Name() string                   { return a.name }
func (a lossMean) Sums() int                      { return 2 }
func (a lossMean) Result(state []float64) float64 { return quotient(state[0], state[1]) }

func (a lossMean) Update(state []float64, pred []float32, target Target, weights []float32, n, m int) {
	per := target.Len() / max(1, n)
	for i := range n {
		w := 1.0
		if weights != nil {
			w = float64(weights[i])
			if a.hider != nil && a.hider.Hides(target, i) {
				w = 0
			}
		}
		if w == 0 {
			continue // whatever a masked step predicts, NaN included
		}
		state[0] += w * a.sign * a.loss.Item(pred[i*m:][:m], target.Slice(i*per, (i+1)*per))
		state[1] += w
	}
}
