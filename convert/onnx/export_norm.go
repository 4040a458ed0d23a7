package onnx

import (
	"math"
	"slices"

	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// normalAxes are axes counted from the front, in ascending order; unset is the last.
func normalAxes(given []int, rank int) []int {
	if given == nil {
		given = []int{-1}
	}
	var all []int
	for _, a := range given {
		all = append(all, (a+rank)%rank)
	}
	slices.Sort(all)
	return all
}

// along is numbers for every place of these axes of x, the first axis outermost, in a shape that meets x.
func (b *builder) along(name string, values []float32, x val, axes []int) string {
	shape := make(tensor.Shape, x.rank())
	for i := range shape {
		shape[i] = 1
		if slices.Contains(axes, i) {
			shape[i] = x.sig.Shape[i]
		}
	}
	return b.floats(name, shape, values)
}

// layerNormalization: the operator normalizes the last axes; over others, or without the mean, it is spelled out.
func (b *builder) layerNormalization(s layers.LayerNormalization, w weights, x val) string {
	axes := normalAxes(s.Axis, x.rank())
	gamma, beta, eps := w("gamma"), w("beta"), s.Epsilon.Or(1e-3)
	if !s.RMSScaling && gamma != nil && axes[0] == x.rank()-len(axes) {
		shape := tensor.Shape(x.sig.Shape[axes[0]:])
		in := []string{x.name, b.floats("gamma", shape, gamma.Data)}
		if beta != nil {
			in = append(in, b.floats("beta", shape, beta.Data))
		}
		return b.with("LayerNormalization", attrs("axis", axes[0], "epsilon", eps), in...)
	}
	centered := b.op("Sub", x.name, b.reduce("ReduceMean", true, x.name, axes...))
	variance := b.reduce("ReduceMean", true, b.op("Mul", centered, centered), axes...)
	y := centered
	if s.RMSScaling {
		y = x.name
	}
	y = b.op("Div", y, b.op("Sqrt", b.op("Add", variance, b.scalar(eps))))
	if gamma != nil {
		y = b.op("Mul", y, b.along("gamma", gamma.Data, x, axes))
	}
	if beta != nil {
		y = b.op("Add", y, b.along("beta", beta.Data, x, axes))
	}
	return y
}

// batchNormalization is that of predictions: (x - mean) · scale + beta, with the averages that training has left. The operator would want the axis in the second place.
func (b *builder) batchNormalization(s layers.BatchNormalization, w weights, x val) string {
	axes := normalAxes([]int{int(s.Axis.Or(-1))}, x.rank())
	mean, variance := w("moving_mean"), w("moving_variance")
	scale := make([]float32, len(variance.Data))
	for i, v := range variance.Data {
		inv := 1 / math.Sqrt(float64(v)+s.Epsilon.Or(1e-3))
		if gamma := w("gamma"); gamma != nil {
			inv *= float64(gamma.Data[i])
		}
		scale[i] = float32(inv)
	}
	y := b.op("Sub", x.name, b.along("moving_mean", mean.Data, x, axes))
	y = b.op("Mul", y, b.along("scale", scale, x, axes))
	if beta := w("beta"); beta != nil {
		y = b.op("Add", y, b.along("beta", beta.Data, x, axes))
	}
	return y
}

// normalization is (x - mean) / scale, or x · scale + mean, with scale at least 1e-7 as in Keras.
func (b *builder) normalization(s layers.Normalization, w weights, x val) string {
	var axes []int
	if s.Axis == nil || len(s.Axis) > 0 {
		axes = normalAxes(s.Axis, x.rank())
	}
	var mean, variance []float32
	if s.Mean == nil {
		mean, variance = w("mean").Data, w("variance").Data
	} else {
		for i := range s.Mean {
			mean, variance = append(mean, float32(s.Mean[i])), append(variance, float32(s.Variance[i]))
		}
		if len(axes) > 1 {
			axes = axes[len(axes)-1:] // given numbers go along the last of them
		}
	}
	if len(mean) == 1 {
		axes = nil
	}
	scale := make([]float32, len(variance))
	for i, v := range variance {
		scale[i] = float32(max(math.Sqrt(float64(v)), 1e-7))
	}
	m, k := b.along("mean", mean, x, axes), b.along("scale", scale, x, axes)
	if s.Invert {
		return b.op("Add", b.op("Mul", x.name, k), m)
	}
	return b.op("Div", b.op("Sub", x.name, m), k)
}
