package main

import (
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/schedules"
	"github.com/unroll-ml/unroll/tensor"
)

func TestOptimizerNames(t *testing.T) {
	for text, want := range map[string]optimizers.Optimizer{
		"rmsprop":                                optimizers.RMSprop{},
		"RMSprop()":                              optimizers.RMSprop{},
		"adam(learning_rate=0.01)":               optimizers.Adam{LearningRate: tensor.F(0.01)},
		"adam(0.01, beta_1 = 0.5)":               optimizers.Adam{LearningRate: tensor.F(0.01), Beta1: tensor.F(0.5)},
		"optimizer_sgd(lr=1, nesterov=TRUE)":     optimizers.SGD{LearningRate: tensor.F(1), Nesterov: true},
		"sgd(learning_rate = 1e-2, momentum=.9)": optimizers.SGD{LearningRate: tensor.F(0.01), Momentum: 0.9},
		"sgd(ExponentialDecay(initial_learning_rate=0.1, decay_steps=100, decay_rate=0.5))": optimizers.SGD{
			Schedule: schedules.ExponentialDecay{Initial: 0.1, Steps: 100, Rate: 0.5}},
		"nadam":                  optimizers.Nadam{},
		"optimizer_adagrad(0.1)": optimizers.Adagrad{LearningRate: tensor.F(0.1)},
		"adam(0.1, clipnorm=1, use_ema=TRUE, gradient_accumulation_steps=4)": optimizers.Adam{LearningRate: tensor.F(0.1),
			Common: optimizers.Common{ClipNorm: tensor.F(1), UseEMA: true, AccumulationSteps: 4}},
	} {
		got, err := parseOptimizer(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if diff := same(got, want); diff != "" {
			t.Errorf("%s (-want +got)\n%s", text, diff)
		}
	}
}

func TestLossAndMetricNames(t *testing.T) {
	l, err := parseLoss("binary_crossentropy(label_smoothing=0.1)")
	if diff := same(l, losses.BinaryCrossentropy{Reduction: losses.SumOverBatchSize, LabelSmoothing: 0.1}); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	ms, err := parseMetrics("acc, binary_accuracy(threshold=0.4)")
	if diff := same(ms, []metrics.Metric{metrics.Accuracy{Name: "acc"}, metrics.BinaryAccuracy{Threshold: tensor.F(0.4)}}); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	l, err = parseLoss("loss_huber(delta=0.5)")
	if diff := same(l, losses.Huber{Reduction: losses.SumOverBatchSize, Delta: tensor.F(0.5)}); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	ms, err = parseMetrics("auc(curve=PR), metric_top_k_categorical_accuracy(k=3), f1_score(average=macro)")
	if diff := same(ms, []metrics.Metric{metrics.AUC{Curve: metrics.PR, Summation: metrics.Interpolation}, metrics.TopKCategoricalAccuracy{K: 3}, metrics.F1Score{Average: metrics.Macro}}); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	if ms, err := parseMetrics(""); err != nil || len(ms) != 0 {
		t.Errorf("no metrics: got %v, %v", ms, err)
	}
}

func TestSettingMistakes(t *testing.T) {
	optimizer := func(s string) error { _, err := parseOptimizer(s); return err }
	loss := func(s string) error { _, err := parseLoss(s); return err }
	metric := func(s string) error { _, err := parseMetrics(s); return err }
	for _, c := range []struct {
		parse      func(string) error
		text, want string
	}{
		{optimizer, "adm", `--optimizer: expected the name of an optimizer, got "adm"; did you mean adam`},
		{optimizer, "", "--optimizer, column 1: expected a name, got none"},
		{optimizer, "adam, sgd", "--optimizer, column 7: expected one, got a second"},
		{optimizer, "adam(learning_rate=fast)", "--optimizer: learning_rate: expected a number"},
		{optimizer, "adam(learningrate=1)", "learningrate"},
		{optimizer, "sgd(clipnorm=1, clipvalue=1)", "--optimizer: SGD: expected one of clipnorm, clipvalue and global_clipnorm, got 2"},
		{optimizer, "lossscaleoptimizer", "--optimizer: lossscaleoptimizer: this optimizer of Keras's is not offered"},
		{loss, "tversky(alpha=-1)", "--loss: Tversky: alpha must be finite and from 0, got -1"},
		{metric, "precision(top_k=0)", "--metrics: top_k: expected an integer above 0, got 0"},
		{optimizer, "adam(", "--optimizer, column 6: expected an argument of adam, got the end"},
		{loss, "crossentropy", "--loss: expected the name of a loss"},
		{loss, "mse mse", `--loss, column 5: expected a comma or the end, got "mse"`},
		{metric, "acc,accurate", "--metrics: expected the name of a metric"},
		{metric, "acc,(1)", "--metrics, column 5: expected a name, got a list of 1"},
	} {
		if err := c.parse(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q\n got: %v\nwant: %s", c.text, err, c.want)
		}
	}
}
