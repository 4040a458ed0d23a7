package initializers

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/tensor"
)

// RandomUniform draws from [Min, Max).
type RandomUniform struct {
	Min  tensor.Float // -0.05
	Max  tensor.Float // 0.05
	Seed tensor.Float // unset: the model's
}

func (RandomUniform) Class() string { return "RandomUniform" }

func (i RandomUniform) Config() map[string]any {
	return map[string]any{"minval": i.Min.Or(-0.05), "maxval": i.Max.Or(0.05), "seed": seedConfig(i.Seed)}
}

// Fill implements Initializer.
func (i RandomUniform) Fill(dst []float32, shape tensor.Shape, s *random.Stream) error {
	lo, hi := i.Min.Or(-0.05), i.Max.Or(0.05)
	if !(lo <= hi) || math.IsInf(hi-lo, 0) {
		return fmt.Errorf("initializers: RandomUniform: expected minval <= maxval, both finite, got %v and %v", lo, hi)
	}
	if err := checkShape(i.Class(), dst, shape); err != nil {
		return err
	}
	s, err := stream(i.Class(), i.Seed, s)
	if err != nil {
		return err
	}
	fillUniform(dst, lo, hi, s)
	return nil
}

// RandomNormal draws from the normal distribution.
type RandomNormal struct {
	Mean   float64
	Stddev tensor.Float // 0.05
	Seed   tensor.Float // unset: the model's
}

func (RandomNormal) Class() string { return "RandomNormal" }

func (i RandomNormal) Config() map[string]any {
	return map[string]any{"mean": i.Mean, "stddev": i.Stddev.Or(0.05), "seed": seedConfig(i.Seed)}
}

// Fill implements Initializer.
func (i RandomNormal) Fill(dst []float32, shape tensor.Shape, s *random.Stream) error {
	return fillGaussian(i.Class(), dst, shape, i.Mean, i.Stddev.Or(0.05), i.Seed, s, fillNormal)
}

// TruncatedNormal draws from the normal distribution and draws again what is further than two Stddev from Mean.
type TruncatedNormal struct {
	Mean   float64
	Stddev tensor.Float // 0.05, before the truncation
	Seed   tensor.Float // unset: the model's
}

func (TruncatedNormal) Class() string { return "TruncatedNormal" }

func (i TruncatedNormal) Config() map[string]any {
	return map[string]any{"mean": i.Mean, "stddev": i.Stddev.Or(0.05), "seed": seedConfig(i.Seed)}
}

// Fill implements Initializer.
func (i TruncatedNormal) Fill(dst []float32, shape tensor.Shape, s *random.Stream) error {
	return fillGaussian(i.Class(), dst, shape, i.Mean, i.Stddev.Or(0.05), i.Seed, s, fillTruncated)
}

func fillGaussian(class string, dst []float32, shape tensor.Shape, mean, stddev float64, seed tensor.Float, s *random.Stream,
	fill func(dst []float32, mean, stddev float64, s *random.Stream)) error {
	if !(stddev >= 0) || math.IsInf(stddev, 0) || math.IsNaN(mean) || math.IsInf(mean, 0) {
		return fmt.Errorf("initializers: %s: expected a finite mean and a finite stddev from 0, got %v and %v", class, mean, stddev)
	}
	if err := checkShape(class, dst, shape); err != nil {
		return err
	}
	s, err := stream(class, seed, s)
	if err != nil {
		return err
	}
	fill(dst, mean, stddev, s)
	return nil
}

func fillUniform(dst []float32, lo, hi float64, s *random.Stream) {
	for i := range dst {
		dst[i] = float32(lo + (hi-lo)*float64(s.Float32()))
	}
}

func fillNormal(dst []float32, mean, stddev float64, s *random.Stream) {
	for i := range dst {
		dst[i] = float32(mean + stddev*s.Normal())
	}
}

func fillTruncated(dst []float32, mean, stddev float64, s *random.Stream) {
	for i := range dst {
		z := s.Normal()
		for math.Abs(z) > 2 {
			z = s.Normal()
		}
		dst[i] = float32(mean + stddev*z)
	}
}
