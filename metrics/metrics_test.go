package metrics_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/tensor"
)

const none = tensor.None

func resolve(t *testing.T, m metrics.Metric, pred, target tensor.Shape) metrics.Meter {
	t.Helper()
	meter, err := m.Resolve(pred, target)
	if err != nil {
		t.Fatal(err)
	}
	return meter
}

func TestValues(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		name         string
		metric       metrics.Metric
		pred, target tensor.Shape
		p            []float32
		y            metrics.Target
		weights      []float32
		want         float64
	}{
		{name: "binary: 0.5 is not above 0.5, NaN is not above it", metric: metrics.Accuracy{Name: "acc"}, pred: tensor.Shape{none, 1}, target: tensor.Shape{none},
			p: []float32{0.5, 0.5, 0.6, nan, nan}, y: metrics.Target{Values: []float32{1, 0, 1, 0, 1}}, want: 3.0 / 5},
		{name: "binary, ids", metric: metrics.Accuracy{}, pred: tensor.Shape{none, 1}, target: tensor.Shape{none, 1},
			p: []float32{0.1, 0.9}, y: metrics.Target{IDs: []int32{1, 1}}, want: 0.5},
		{name: "binary, threshold, weights", metric: metrics.BinaryAccuracy{Threshold: tensor.F(0.2)}, pred: tensor.Shape{none, 1}, target: tensor.Shape{none},
			p: []float32{0.3, 0.1, 0.3}, y: metrics.Target{Values: []float32{1, 1, 0}}, weights: []float32{3, 1, 0}, want: 3.0 / 4},
		{name: "binary, two labels", metric: metrics.BinaryAccuracy{}, pred: tensor.Shape{none, 2}, target: tensor.Shape{none, 2},
			p: []float32{0.9, 0.1, 0.9, 0.9}, y: metrics.Target{Values: []float32{1, 0, 0, 1}}, weights: []float32{1, 2}, want: (2 + 2*1.0) / 6},
		{name: "categorical: the first of equals", metric: metrics.Accuracy{}, pred: tensor.Shape{none, 3}, target: tensor.Shape{none, 3},
			p: []float32{.4, .4, .2, .1, .2, .7}, y: metrics.Target{Values: []float32{1, 0, 0, 0, .5, .5}}, want: 0.5},
		{name: "sparse", metric: metrics.Accuracy{}, pred: tensor.Shape{none, 3}, target: tensor.Shape{none},
			p: []float32{.4, .4, .2, .1, .2, .7}, y: metrics.Target{IDs: []int32{0, 2}}, want: 1},
		{name: "sparse, column of floats", metric: metrics.Accuracy{}, pred: tensor.Shape{none, 3}, target: tensor.Shape{none, 1},
			p: []float32{.4, .4, .2, .1, .2, .7}, y: metrics.Target{Values: []float32{1, 2}}, want: 0.5},
		{name: "sparse, steps", metric: metrics.SparseCategoricalAccuracy{}, pred: tensor.Shape{none, 2, 2}, target: tensor.Shape{none, none},
			p: []float32{.4, .6, .1, .9}, y: metrics.Target{IDs: []int32{1, 0}}, weights: []float32{1, 0}, want: 1},
		{name: "absolute error", metric: metrics.MeanAbsoluteError{}, pred: tensor.Shape{none, 1}, target: tensor.Shape{none},
			p: []float32{1, -2, 0.5}, y: metrics.Target{Values: []float32{2, 0, 0.5}}, want: 3.0 / 3},
		{name: "absolute error, two values, weights, a masked NaN", metric: metrics.MeanAbsoluteError{}, pred: tensor.Shape{none, none, 2}, target: tensor.Shape{none, none, 2},
			p: []float32{1, -2, 0.5, 4, nan, 9}, y: metrics.Target{Values: []float32{2, 0, 0.5, 1, 0, 0}}, weights: []float32{1, 3, 0}, want: (1.5 + 3*1.5) / 4},
		{name: "squared error, ids", metric: metrics.MeanSquaredError{}, pred: tensor.Shape{none, 2}, target: tensor.Shape{none, 2},
			p: []float32{1, -2, 0.5, 4}, y: metrics.Target{IDs: []int32{2, 0, 1, 1}}, want: (2.5 + 4.625) / 2},
	} {
		meter := resolve(t, c.metric, c.pred, c.target)
		_, m := losses.Items(c.pred)
		n := len(c.p) / m
		state := make([]float64, meter.Sums())
		meter.Update(state, c.p, c.y, c.weights, n, m)
		if got := meter.Result(state); !(math.Abs(got-c.want) <= 1e-15) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
		// The same in two parts, which begin at an item.
		first, second := make([]float64, meter.Sums()), make([]float64, meter.Sums())
		per := c.y.Len() / n
		weights := func(lo, hi int) []float32 {
			if c.weights == nil {
				return nil
			}
			return c.weights[lo:hi]
		}
		meter.Update(first, c.p[:m], c.y.Slice(0, per), weights(0, 1), 1, m)
		meter.Update(second, c.p[m:], c.y.Slice(per, n*per), weights(1, n), n-1, m)
		metrics.Merge(first, second)
		if d := cmp.Diff(state, first); d != "" {
			t.Errorf("%s: two parts do not add up (-whole +parts):\n%s", c.name, d)
		}
		if got := testing.AllocsPerRun(10, func() { meter.Update(state, c.p, c.y, c.weights, n, m) }); got != 0 {
			t.Errorf("%s: Update allocates %v times", c.name, got)
		}
	}
}

func TestAccuracyIsResolvedByShapes(t *testing.T) {
	for _, c := range []struct {
		pred, target tensor.Shape
		want         metrics.Metric
	}{
		{tensor.Shape{none, 1}, tensor.Shape{none}, metrics.BinaryAccuracy{}},
		{tensor.Shape{none, 1}, tensor.Shape{none, 1}, metrics.BinaryAccuracy{}},
		{tensor.Shape{none, none, 1}, tensor.Shape{none, 20}, metrics.BinaryAccuracy{}},
		{tensor.Shape{none, 46}, tensor.Shape{none}, metrics.SparseCategoricalAccuracy{}},
		{tensor.Shape{none, 46}, tensor.Shape{none, 1}, metrics.SparseCategoricalAccuracy{}},
		{tensor.Shape{none, 46}, tensor.Shape{none, 46}, metrics.CategoricalAccuracy{}},
		{tensor.Shape{none, 20, 5}, tensor.Shape{none, 20}, metrics.SparseCategoricalAccuracy{}},
		{tensor.Shape{none, 20, 5}, tensor.Shape{none, 20, 5}, metrics.CategoricalAccuracy{}},
	} {
		got := resolve(t, metrics.Accuracy{Name: "acc"}, c.pred, c.target)
		if got.Name() != "acc" {
			t.Errorf("%v %v: name %q, want acc", c.pred, c.target, got.Name())
		}
		// Each kind tells its items apart: count one item whose answer only the wanted kind calls right.
		_, m := losses.Items(c.pred)
		want := resolve(t, c.want, c.pred, c.target)
		p := make([]float32, m)
		p[m-1] = 1
		one := make([]float32, m)
		one[m-1] = 1
		for _, y := range []metrics.Target{{Values: one}, {IDs: append([]int32{int32(m - 1)}, make([]int32, m-1)...)}} {
			a, b := make([]float64, 2), make([]float64, 2)
			got.Update(a, p, y, nil, 1, m)
			want.Update(b, p, y, nil, 1, m)
			if d := cmp.Diff(b, a); d != "" {
				t.Errorf("%v %v: not %s (-want +got):\n%s", c.pred, c.target, c.want.Class(), d)
			}
		}
	}
}

func TestResultBeforeAnything(t *testing.T) {
	meter := resolve(t, metrics.Accuracy{}, tensor.Shape{none, 1}, tensor.Shape{none})
	if got := meter.Result(make([]float64, meter.Sums())); got != 0 {
		t.Errorf("got %v, want 0", got)
	}
	var mean metrics.Mean
	if got := mean.Result(); got != 0 {
		t.Errorf("Mean: got %v, want 0", got)
	}
}

func TestMean(t *testing.T) {
	var a, b metrics.Mean
	a.Add(0.5, 128)
	a.Add(0.25, 128)
	b.Add(1, 32)
	a.Merge(b)
	want := (0.5*128 + 0.25*128 + 32) / 288
	if got := a.Result(); !(math.Abs(got-want) <= 1e-15) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestItems(t *testing.T) {
	for _, c := range []struct {
		pred      tensor.Shape
		per, each int
	}{
		{tensor.Shape{none}, 1, 1}, {tensor.Shape{none, 1}, 1, 1}, {tensor.Shape{none, 46}, 1, 46}, {tensor.Shape{none, 20, 5}, 20, 5},
		{tensor.Shape{none, none, 5}, none, 5}, {tensor.Shape{8, 2, 3, 5}, 6, 5},
	} {
		if per, each := losses.Items(c.pred); per != c.per || each != c.each {
			t.Errorf("Items(%v) = %d, %d, want %d, %d", c.pred, per, each, c.per, c.each)
		}
	}
}

func TestConfigRoundTrip(t *testing.T) {
	for _, m := range []metrics.Metric{metrics.Accuracy{Name: "acc"}, metrics.Accuracy{Name: "accuracy"}, metrics.BinaryAccuracy{Name: "binary_accuracy", Threshold: tensor.F(0.5)},
		metrics.BinaryAccuracy{Name: "b", Threshold: tensor.F(0)}, metrics.CategoricalAccuracy{Name: "c"}, metrics.SparseCategoricalAccuracy{Name: "s"},
		metrics.MeanAbsoluteError{Name: "mae"}, metrics.MeanSquaredError{Name: "mean_squared_error"}} {
		text, err := keras.Encode(map[string]any{"m": metrics.Serialize(m)})
		if err != nil {
			t.Fatal(err)
		}
		file, err := keras.Decode("compile_config", text)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := metrics.Deserialize("compile_config.m", file["m"]); err != nil || back != m {
			t.Errorf("%s: got %+v, %v, want %+v", text, back, err, m)
		}
	}
	if got := metrics.Serialize(metrics.Accuracy{}); got != "accuracy" {
		t.Errorf("Accuracy{}: got %v, want accuracy", got)
	}
	// The defaults as Keras 3.15.1 writes them.
	want := map[string]any{"name": "binary_accuracy", "dtype": "float32", "threshold": 0.5}
	if d := cmp.Diff(want, metrics.BinaryAccuracy{}.Config()); d != "" {
		t.Error(d)
	}
}

func TestErrors(t *testing.T) {
	two := tensor.Shape{none, 2}
	for _, c := range []struct {
		m            metrics.Metric
		pred, target tensor.Shape
		want         string
	}{
		{metrics.Accuracy{}, nil, tensor.Shape{none}, "metrics: Accuracy: expected predictions with at least one axis, got shape ()"},
		{metrics.Accuracy{Name: "hits"}, two, two, `metrics: Accuracy: Name must be acc or accuracy, got "hits"`},
		{metrics.Accuracy{}, two, tensor.Shape{none, 3}, "metrics: CategoricalAccuracy: expected targets of the predictions' shape, one value for each class, got predictions (None, 2) and targets (None, 3)"},
		{metrics.Accuracy{}, tensor.Shape{none, 1}, tensor.Shape{none, 3}, "metrics: BinaryAccuracy: expected targets of the predictions' shape, got predictions (None, 1) and targets (None, 3)"},
		{metrics.Accuracy{}, tensor.Shape{none, 20, 5}, tensor.Shape{none}, "metrics: SparseCategoricalAccuracy: expected a class id for each prediction, got predictions (None, 20, 5) and targets (None,)"},
		{metrics.BinaryAccuracy{}, two, tensor.Shape{none}, "metrics: BinaryAccuracy: expected targets of the predictions' shape"},
		{metrics.CategoricalAccuracy{}, two, tensor.Shape{none}, "metrics: CategoricalAccuracy: expected"},
		{metrics.SparseCategoricalAccuracy{}, two, two, "metrics: SparseCategoricalAccuracy: expected a class id"},
		{metrics.SparseCategoricalAccuracy{}, nil, nil, "metrics: SparseCategoricalAccuracy: expected a class id"},
	} {
		if _, err := c.m.Resolve(c.pred, c.target); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%+v: got error %v, want %s", c.m, err, c.want)
		}
	}
	for _, c := range []struct {
		m    metrics.Metric
		want string
	}{
		{metrics.F1Score{}, "metrics: F1Score: average must be micro, macro or weighted for 2 classes, since a history holds one number, got null"},
		{metrics.FBetaScore{Beta: tensor.F(-1)}, "metrics: FBetaScore: beta must be finite and positive, got -1"},
		{metrics.F1Score{Average: metrics.Micro, Threshold: tensor.F(2)}, "metrics: F1Score: threshold must be above 0 and at most 1, got 2"},
		{metrics.F1Score{Average: "mean"}, `metrics: F1Score: average must be null, micro, macro or weighted, got "mean"`},
		{metrics.AUC{Curve: "DET"}, `metrics: AUC: curve must be ROC, PR or PRGAIN, got "DET"`},
		{metrics.AUC{Summation: "simpson"}, `metrics: AUC: summation_method must be interpolation, minoring or majoring, got "simpson"`},
		{metrics.AUC{NumThresholds: 1}, "metrics: AUC: num_thresholds must be above 1, got 1"},
		{metrics.AUC{Thresholds: []float64{1.5}}, "metrics: AUC: thresholds must be in [0, 1], got 1.5"},
		{metrics.AUC{LabelWeights: []float64{1}}, "metrics: AUC: expected a label weight for each of 2 values of a prediction, got 1"},
		{metrics.Precision{ClassID: tensor.F(2)}, "metrics: Precision: class_id must be below the number of classes, 2, got 2"},
		{metrics.Recall{TopK: 3}, "metrics: Recall: top_k must be at most the number of classes, 2, got 3"},
		{metrics.Recall{Threshold: tensor.F(-1)}, "metrics: Recall: thresholds must be in [0, 1], got -1"},
		{metrics.SensitivityAtSpecificity{Specificity: 2}, "metrics: SensitivityAtSpecificity: specificity must be in [0, 1], got 2"},
		{metrics.PrecisionAtRecall{NumThresholds: -1}, "metrics: PrecisionAtRecall: num_thresholds must be positive, got -1"},
		{metrics.R2Score{Regressors: -1}, "metrics: R2Score: num_regressors must be from 0, got -1"},
		{metrics.MeanIoU{}, "metrics: MeanIoU: num_classes must be positive, got 0"},
		{metrics.IoU{NumClasses: 2, Classes: []int{2}}, "metrics: IoU: target_class_ids must be from 0 to 1, at least one, got [2]"},
		{metrics.TopKCategoricalAccuracy{K: -1}, "metrics: TopKCategoricalAccuracy: k must be positive, got -1"},
		{metrics.LossMean{}, "metrics: LossMean: expected a loss, got nil"},
		{metrics.BinaryCrossentropy{LabelSmoothing: 2}, "metrics: BinaryCrossentropy: label_smoothing must be in [0, 1], got 2"},
	} {
		if _, err := c.m.Resolve(two, two); err == nil || err.Error() != c.want {
			t.Errorf("%+v: got error %v, want %s", c.m, err, c.want)
		}
	}
	if _, err := metrics.FromConfig("m", "Precision", map[string]any{"thresholds": []any{0.1, 0.2}}); err == nil || err.Error() != "keras: m.thresholds: expected one threshold, since a history holds one number, got a list of 2" {
		t.Errorf("got error %v", err)
	}
	for v, want := range map[any]string{
		"binary_acuracy": `metrics: expected the name of a metric, got "binary_acuracy"; did you mean binary_accuracy?`,
		3:                "keras: m: expected an object, got 3",
	} {
		if _, err := metrics.Deserialize("m", v); err == nil || err.Error() != want {
			t.Errorf("%v: got error %v, want %s", v, err, want)
		}
	}
	if _, err := metrics.FromConfig("m", "BinaryAccuracy", map[string]any{"threshold": "x"}); err == nil || err.Error() != `keras: m.threshold: expected a number, got "x"` {
		t.Errorf("got error %v", err)
	}
	for _, m := range []metrics.Metric{metrics.MeanAbsoluteError{}, metrics.MeanSquaredError{}} {
		want := "metrics: " + m.Class() + ": expected targets of the predictions' shape, got predictions (None, 2) and targets (None,)"
		if _, err := m.Resolve(two, tensor.Shape{none}); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
	// Keras calls what was named by a string by that string.
	for name, want := range map[string]metrics.Metric{"mae": metrics.MeanAbsoluteError{Name: "mae"}, "MSE": metrics.MeanSquaredError{Name: "MSE"},
		"mean_absolute_error": metrics.MeanAbsoluteError{Name: "mean_absolute_error"}, "MeanSquaredError": metrics.MeanSquaredError{Name: "MeanSquaredError"},
		"f_beta_score": metrics.FBetaScore{Name: "f_beta_score"}, "huber": metrics.LossMean{Loss: losses.Huber{Reduction: losses.SumOverBatchSize}},
		"KLDivergence": metrics.KLDivergence{Name: "KLDivergence"}} {
		if m, err := metrics.ByName(name); err != nil || m != want {
			t.Errorf("%s: got %+v, %v, want %+v", name, m, err, want)
		}
	}
	if m, err := metrics.ByName("ACC"); err != nil || m != (metrics.Accuracy{Name: "ACC"}) {
		t.Errorf("ACC: got %+v, %v", m, err)
	}
}
