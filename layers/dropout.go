package layers

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/tensor"
)

// Dropout sets a part Rate of the values to zero in training and scales the others by 1/(1-Rate); with Rate 1 all are zero.
// Otherwise it does nothing. Source: keras/src/layers/regularization/dropout.py.
type Dropout struct {
	Name string
	Rate float64
	// NoiseShape has an entry for every axis, the batch first: 1 where all values along the axis share their fate, tensor.None
	// elsewhere. Unset: every value has its own.
	NoiseShape tensor.Shape
	Seed       tensor.Float // unset: the model's
}

// Class is "Dropout".
func (Dropout) Class() string { return "Dropout" }

// GivenName is the name that the user gave.
func (l Dropout) GivenName() string { return l.Name }

func (Dropout) shapeless() {}

// Config implements Spec.
func (l Dropout) Config() map[string]any {
	c := config(l)
	c["rate"], c["seed"], c["noise_shape"] = l.Rate, seedConfig(l.Seed), nil
	if l.NoiseShape != nil {
		c["noise_shape"] = keras.AxesOf(l.NoiseShape)
	}
	return c
}

func readDropout(r *keras.Reader) Spec {
	onlyNone(r, "activity_regularizer")
	r.Float("rate")
	return Dropout{Name: base(r), Rate: rate(r, "rate"), NoiseShape: r.Axes("noise_shape"), Seed: seed(r)}
}

// Build checks the arguments.
func (l Dropout) Build(_ *Builder, in []Signature) (Layer, error) {
	return newDropout("Dropout", l.Rate, l.NoiseShape, l.Seed, in)
}

// SpatialDropout1D is Dropout of whole channels: (N, T, C), of which some of the C are zero at all steps of a row. Source:
// keras/src/layers/regularization/spatial_dropout.py.
type SpatialDropout1D struct {
	Name string
	Rate float64
	Seed tensor.Float // unset: the model's
}

// Class is "SpatialDropout1D".
func (SpatialDropout1D) Class() string { return "SpatialDropout1D" }

// GivenName is the name that the user gave.
func (l SpatialDropout1D) GivenName() string { return l.Name }

// Config implements Spec. Keras's class takes no other argument, not even trainable.
func (l SpatialDropout1D) Config() map[string]any {
	return map[string]any{"name": layerName(l), "dtype": "float32", "rate": l.Rate, "seed": seedConfig(l.Seed)}
}

func readSpatialDropout1D(r *keras.Reader) Spec {
	r.Float("rate")
	return SpatialDropout1D{Name: base(r), Rate: rate(r, "rate"), Seed: seed(r)}
}

// Build checks the arguments.
func (l SpatialDropout1D) Build(_ *Builder, in []Signature) (Layer, error) {
	if err := checkFloats("SpatialDropout1D", "sequences (N, T, C)", in, 3, 3); err != nil {
		return nil, err
	}
	return newDropout("SpatialDropout1D", l.Rate, tensor.Shape{tensor.None, 1, tensor.None}, l.Seed, in)
}

func newDropout(class string, rate float64, shape tensor.Shape, seed tensor.Float, in []Signature) (Layer, error) {
	if !(rate >= 0 && rate <= 1) {
		return nil, fmt.Errorf("layers: %s: rate must be from 0 to 1, got %v", class, rate)
	}
	return newNoise(&noise{
		class: class, off: rate == 0, shape: shape, seed: seed,
		draw: func(dst []float32, s *random.Stream) { drop(dst, rate, s) },
	}, in)
}

// drop draws zeros in a part rate of mask; the others are what keeps the mean.
func drop(mask []float32, rate float64, s *random.Stream) {
	keep := float32(0)
	if rate < 1 {
		keep = float32(1 / (1 - rate))
	}
	limit, kept := int64(rate*(1<<32)), math.Float32bits(keep)
	var draws [256]uint32
	for len(mask) > 0 {
		part := draws[:min(len(draws), len(mask))]
		s.Fill(part)
		for k, v := range part {
			// All ones where v is limit or more: a branch would be guessed wrong as often as the rate says.
			mask[k] = math.Float32frombits(kept & uint32((limit-1-int64(v))>>63))
		}
		mask = mask[len(part):]
	}
}
