package layers

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/tensor"
)

// GaussianNoise adds normal draws of deviation Stddev in training; otherwise it does nothing. Source:
// keras/src/layers/regularization/gaussian_noise.py.
type GaussianNoise struct {
	Name   string
	Stddev float64      // from 0 to 1
	Seed   tensor.Float // unset: the model's
}

// Class is "GaussianNoise".
func (GaussianNoise) Class() string { return "GaussianNoise" }

// GivenName is the name that the user gave.
func (l GaussianNoise) GivenName() string { return l.Name }

func (GaussianNoise) shapeless() {}

// Config implements Spec.
func (l GaussianNoise) Config() map[string]any {
	c := config(l)
	c["stddev"], c["seed"] = l.Stddev, seedConfig(l.Seed)
	return c
}

func readGaussianNoise(r *keras.Reader) Spec {
	onlyNone(r, "activity_regularizer")
	r.Float("stddev")
	return GaussianNoise{Name: base(r), Stddev: rate(r, "stddev"), Seed: seed(r)}
}

// Build checks the arguments.
func (l GaussianNoise) Build(_ *Builder, in []Signature) (Layer, error) {
	if !(l.Stddev >= 0 && l.Stddev <= 1) {
		return nil, fmt.Errorf("layers: GaussianNoise: stddev must be from 0 to 1, got %v", l.Stddev)
	}
	return newNoise(&noise{
		class: "GaussianNoise", off: l.Stddev == 0, adds: true, seed: l.Seed,
		draw: func(dst []float32, s *random.Stream) { normals(dst, 0, l.Stddev, s) },
	}, in)
}

// GaussianDropout multiplies with normal draws of mean 1 and deviation √(Rate/(1-Rate)) in training; otherwise it does nothing.
// Source: keras/src/layers/regularization/gaussian_dropout.py.
type GaussianDropout struct {
	Name string
	Rate float64      // from 0 to below 1, where Keras divides by zero
	Seed tensor.Float // unset: the model's
}

// Class is "GaussianDropout".
func (GaussianDropout) Class() string { return "GaussianDropout" }

// GivenName is the name that the user gave.
func (l GaussianDropout) GivenName() string { return l.Name }

func (GaussianDropout) shapeless() {}

// Config implements Spec.
func (l GaussianDropout) Config() map[string]any {
	c := config(l)
	c["rate"], c["seed"] = l.Rate, seedConfig(l.Seed)
	return c
}

func readGaussianDropout(r *keras.Reader) Spec {
	onlyNone(r, "activity_regularizer")
	r.Float("rate")
	return GaussianDropout{Name: base(r), Rate: rate(r, "rate"), Seed: seed(r)}
}

// Build checks the arguments.
func (l GaussianDropout) Build(_ *Builder, in []Signature) (Layer, error) {
	if !(l.Rate >= 0 && l.Rate < 1) {
		return nil, fmt.Errorf("layers: GaussianDropout: rate must be from 0 to below 1, got %v", l.Rate)
	}
	stddev := math.Sqrt(l.Rate / (1 - l.Rate))
	return newNoise(&noise{
		class: "GaussianDropout", off: l.Rate == 0, seed: l.Seed,
		draw: func(dst []float32, s *random.Stream) { normals(dst, 1, stddev, s) },
	}, in)
}

func normals(dst []float32, mean, stddev float64, s *random.Stream) {
	for i := range dst {
		dst[i] = float32(mean + float64(stddev*s.Normal()))
	}
}
