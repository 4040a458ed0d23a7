package main

import (
	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/optimizers"
)

// profile is the Keras whose defaults and formulas a command means, where they give other numbers.
type profile string

const (
	keras3 profile = "keras3"
	keras2 profile = "keras2" // 2.2.4, as R's keras up to 2.6 calls it; see layers.Keras2
)

func parseProfile(text string) (profile, error) {
	switch p := profile(text); p {
	case keras2, keras3:
		return p, nil
	}
	return "", usage("--profile: expected keras2 or keras3, got %s", quoted(text))
}

// gates is the activation of an LSTM's or a GRU's gates where none is given.
func (p profile) gates(given activations.Activation) activations.Activation {
	if p == keras2 {
		return given.Or(activations.HardSigmoidKeras2)
	}
	return given
}

// function is the activation that a name means.
func (p profile) function(name string) string {
	if p == keras2 && name == string(activations.HardSigmoid) {
		return string(activations.HardSigmoidKeras2)
	}
	return name
}

// specs gives the layers their names.
func (p profile) specs(specs []layers.Spec) []layers.Spec {
	if p == keras2 {
		return layers.NumberedFrom1(specs...)
	}
	return specs
}

// training is how a model is trained. Of Keras 2's optimizers those are known that differ from Keras 3's in nothing or in one place.
func (p profile) training(o optimizers.Optimizer, l losses.Loss) (optimizers.Optimizer, losses.Loss, error) {
	if p != keras2 {
		return o, l, nil
	}
	switch opt := o.(type) {
	case optimizers.RMSprop:
		opt.Keras2 = true
		if err := opt.Check(); err != nil {
			return nil, nil, usage("--optimizer: %s", without(err, "optimizers: "))
		}
		o = opt
	case optimizers.SGD, optimizers.Adam:
	default:
		return nil, nil, hint(usage("--profile keras2: expected one of the optimizers sgd, rmsprop, adam, got %s", o.Class()),
			"Keras 2's others have defaults and formulas of their own, which are not offered")
	}
	switch loss := l.(type) {
	case losses.BinaryCrossentropy:
		loss.Keras2 = true
		l = loss
	case losses.CategoricalCrossentropy:
		loss.Keras2 = true
		l = loss
	case losses.SparseCategoricalCrossentropy:
		loss.Keras2 = true
		l = loss
	}
	return o, l, nil
}
