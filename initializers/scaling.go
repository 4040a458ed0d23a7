package initializers

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/tensor"
)

// Fan is which side of a weight the variance is divided by.
type Fan string

// The fans.
const (
	FanIn  Fan = "fan_in"  // the values that meet in one output; the default
	FanOut Fan = "fan_out" // the outputs that one value goes to
	FanAvg Fan = "fan_avg" // the mean of both
)

// Distribution is what VarianceScaling draws from. Each has mean 0 and the variance scale / fan.
type Distribution string

// The distributions.
const (
	TruncatedGaussian   Distribution = "truncated_normal" // cut at two standard deviations; the default
	UntruncatedGaussian Distribution = "untruncated_normal"
	Uniform             Distribution = "uniform"
)

// VarianceScaling draws with the variance Scale / fan, where the fan follows from the weight's shape (see Fans).
type VarianceScaling struct {
	Scale        tensor.Float // 1
	Mode         Fan          // FanIn
	Distribution Distribution // TruncatedGaussian
	Seed         tensor.Float // unset: the model's
}

func (VarianceScaling) Class() string { return "VarianceScaling" }

func (i VarianceScaling) Config() map[string]any {
	mode, dist := i.choices()
	return map[string]any{"scale": i.Scale.Or(1), "mode": string(mode), "distribution": string(dist), "seed": seedConfig(i.Seed)}
}

// choices are mode and distribution with their defaults; "normal" is an old name of the truncated one.
func (i VarianceScaling) choices() (Fan, Distribution) {
	mode, dist := i.Mode, i.Distribution
	if mode == "" {
		mode = FanIn
	}
	if dist == "" || dist == "normal" {
		dist = TruncatedGaussian
	}
	return mode, dist
}

// Fill implements Initializer.
func (i VarianceScaling) Fill(dst []float32, shape tensor.Shape, s *random.Stream) error {
	return i.fill(i.Class(), dst, shape, s)
}

func (i VarianceScaling) fill(class string, dst []float32, shape tensor.Shape, s *random.Stream) error {
	variance := i.Scale.Or(1)
	if !(variance > 0) || math.IsInf(variance, 0) {
		return fmt.Errorf("initializers: %s: scale must be positive and finite, got %v", class, variance)
	}
	if err := checkShape(class, dst, shape); err != nil {
		return err
	}
	mode, dist := i.choices()
	in, out := Fans(shape)
	switch mode {
	case FanIn:
		variance /= math.Max(1, float64(in))
	case FanOut:
		variance /= math.Max(1, float64(out))
	case FanAvg:
		variance /= math.Max(1, (float64(in)+float64(out))/2)
	default:
		return fmt.Errorf("initializers: %s: mode must be fan_in, fan_out or fan_avg, got %q", class, mode)
	}
	s, err := stream(class, i.Seed, s)
	if err != nil {
		return err
	}
	switch dist {
	case TruncatedGaussian:
		// The standard deviation of a standard normal cut at ±2: sqrt(1 - 4 phi(2) / (2 Phi(2) - 1)).
		const cut = 0.87962566103423978
		fillTruncated(dst, 0, math.Sqrt(variance)/cut, s)
	case UntruncatedGaussian:
		fillNormal(dst, 0, math.Sqrt(variance), s)
	case Uniform:
		limit := math.Sqrt(3 * variance)
		fillUniform(dst, -limit, limit, s)
	default:
		return fmt.Errorf("initializers: %s: distribution must be truncated_normal, untruncated_normal or uniform, got %q", class, dist)
	}
	return nil
}

// Fans are the numbers of values that meet in one output of a weight and of outputs that one value goes to: (rows, columns) of a
// matrix, whether it is fused or not; the length of a vector twice; for the kernel of a convolution the last two axes, each times all
// others.
func Fans(shape tensor.Shape) (in, out int) {
	switch n := len(shape); n {
	case 0:
		return 1, 1
	case 1:
		return shape[0], shape[0]
	default:
		field := shape[:n-2].Size()
		return shape[n-2] * field, shape[n-1] * field
	}
}

// GlorotUniform draws from ±sqrt(6 / (fan in + fan out)); Glorot and Bengio, 2010.
type GlorotUniform struct {
	Seed tensor.Float // unset: the model's
}

// GlorotNormal draws from a truncated normal with the variance 2 / (fan in + fan out); Glorot and Bengio, 2010.
type GlorotNormal struct {
	Seed tensor.Float // unset: the model's
}

// HeUniform draws from ±sqrt(6 / fan in); He et al., 2015.
type HeUniform struct {
	Seed tensor.Float // unset: the model's
}

// HeNormal draws from a truncated normal with the variance 2 / fan in; He et al., 2015.
type HeNormal struct {
	Seed tensor.Float // unset: the model's
}

// LecunUniform draws from ±sqrt(3 / fan in); LeCun et al., 1998.
type LecunUniform struct {
	Seed tensor.Float // unset: the model's
}

// LecunNormal draws from a truncated normal with the variance 1 / fan in; LeCun et al., 1998.
type LecunNormal struct {
	Seed tensor.Float // unset: the model's
}

func (GlorotUniform) Class() string { return "GlorotUniform" }
func (GlorotNormal) Class() string  { return "GlorotNormal" }
func (HeUniform) Class() string     { return "HeUniform" }
func (HeNormal) Class() string      { return "HeNormal" }
func (LecunUniform) Class() string  { return "LecunUniform" }
func (LecunNormal) Class() string   { return "LecunNormal" }

func (i GlorotUniform) Config() map[string]any { return map[string]any{"seed": seedConfig(i.Seed)} }
func (i GlorotNormal) Config() map[string]any  { return map[string]any{"seed": seedConfig(i.Seed)} }
func (i HeUniform) Config() map[string]any     { return map[string]any{"seed": seedConfig(i.Seed)} }
func (i HeNormal) Config() map[string]any      { return map[string]any{"seed": seedConfig(i.Seed)} }
func (i LecunUniform) Config() map[string]any  { return map[string]any{"seed": seedConfig(i.Seed)} }
func (i LecunNormal) Config() map[string]any   { return map[string]any{"seed": seedConfig(i.Seed)} }

// Fill implements Initializer.
func (i GlorotUniform) Fill(dst []float32, shape tensor.Shape, s *random.Stream) error {
	return VarianceScaling{tensor.F(1), FanAvg, Uniform, i.Seed}.fill(i.Class(), dst, shape, s)
}

// Fill implements Initializer.
func (i GlorotNormal) Fill(dst []float32, shape tensor.Shape, s *random.Stream) error {
	return VarianceScaling{tensor.F(1), FanAvg, TruncatedGaussian, i.Seed}.fill(i.Class(), dst, shape, s)
}

// Fill implements Initializer.
func (i HeUniform) Fill(dst []float32, shape tensor.Shape, s *random.Stream) error {
	return VarianceScaling{tensor.F(2), FanIn, Uniform, i.Seed}.fill(i.Class(), dst, shape, s)
}

// Fill implements Initializer.
func (i HeNormal) Fill(dst []float32, shape tensor.Shape, s *random.Stream) error {
	return VarianceScaling{tensor.F(2), FanIn, TruncatedGaussian, i.Seed}.fill(i.Class(), dst, shape, s)
}

// Fill implements Initializer.
func (i LecunUniform) Fill(dst []float32, shape tensor.Shape, s *random.Stream) error {
	return VarianceScaling{tensor.F(1), FanIn, Uniform, i.Seed}.fill(i.Class(), dst, shape, s)
}

// Fill implements Initializer.
func (i LecunNormal) Fill(dst []float32, shape tensor.Shape, s *random.Stream) error {
	return VarianceScaling{tensor.F(1), FanIn, TruncatedGaussian, i.Seed}.fill(i.Class(), dst, shape, s)
}
