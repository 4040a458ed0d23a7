package onnx

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/internal/onnx"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// layer writes one layer. What comes out has the signatures that the layer says.
func (b *builder) layer(s layers.Spec, l layers.Layer, in []val) ([]val, error) {
	sigs := make([]layers.Signature, len(in))
	for i, v := range in {
		sigs[i] = v.sig
	}
	out, err := l.Output(sigs)
	if err != nil {
		return nil, err
	}
	names, mask, err := b.results(s, l, in, out)
	if err != nil {
		return nil, err
	}
	all := make([]val, len(names))
	for i, name := range names {
		all[i] = val{name: name, sig: out[i]}
	}
	if out[0].Masked {
		all[0].mask = mask
	}
	return all, nil
}

// results are the names of what a layer returns, and of the mask that goes on with the first of them where its signature says that one does.
func (b *builder) results(s layers.Spec, l layers.Layer, in []val, out []layers.Signature) (names []string, mask string, err error) {
	if dirs, mode := layers.DirectionsOf(l); dirs != nil {
		names, err := b.recurrent(dirs, mode, in)
		return names, in[0].mask, err
	}
	x, w := in[0], weightsOf(l)
	mask = x.mask
	one := func(name string) ([]string, string, error) { return []string{name}, mask, nil }
	switch s := s.(type) {
	case layers.Embedding:
		if s.MaskZero {
			mask = b.castBool(x.name)
		}
		return one(b.op("Gather", b.weight(w("embeddings")), x.name))
	case layers.Dense:
		return one(b.activation(s.Activation, b.dense(x, w), x.rank()-1))
	case layers.Activation:
		return one(b.activation(s.Activation, x.name, x.rank()-1))
	case layers.Dropout, layers.SpatialDropout1D, layers.GaussianNoise, layers.GaussianDropout:
		return one(b.op("Identity", x.name))
	case layers.Masking:
		same := b.castInt(b.op("Equal", x.name, b.scalar(s.MaskValue)))
		mask = b.op("Less", b.reduce("ReduceSum", false, same, 2), b.dimOf(x.name, 2))
		return one(b.op("Where", b.unsqueeze(mask, 2), x.name, b.scalar(0)))
	case layers.TimeDistributed:
		name, err := b.timeDistributed(s, l, x)
		return []string{name}, mask, err
	case layers.Flatten:
		name := x.name
		if s.DataFormat == channelsFirst && x.rank() > 2 {
			perm := []int{0}
			for i := 2; i < x.rank(); i++ {
				perm = append(perm, i)
			}
			name = b.transpose(name, append(perm, 1)...)
		}
		return one(b.reshape(name, 0, -1))
	case layers.Reshape:
		return one(b.reshape(x.name, append([]int{0}, s.TargetShape...)...))
	case layers.Permute:
		return one(b.transpose(x.name, append([]int{0}, s.Dims...)...))
	case layers.RepeatVector:
		return one(b.op("Tile", b.unsqueeze(x.name, 1), b.ints(1, s.N, 1)))
	case layers.Rescaling:
		y := b.op("Mul", x.name, b.numbers("scale", s.Scale))
		if s.Offset == nil {
			return one(y)
		}
		return one(b.op("Add", y, b.numbers("offset", s.Offset)))
	case layers.LayerNormalization:
		return one(b.layerNormalization(s, w, x))
	case layers.BatchNormalization:
		return one(b.batchNormalization(s, w, x))
	case layers.Normalization:
		return one(b.normalization(s, w, x))
	case layers.Conv1D:
		return one(b.conv1D(s, w, x))
	case layers.MaxPooling1D:
		return one(b.pooling("MaxPool", s.PoolSize, s.Strides, s.Padding, s.DataFormat, x))
	case layers.AveragePooling1D:
		return one(b.pooling("AveragePool", s.PoolSize, s.Strides, s.Padding, s.DataFormat, x))
	case layers.GlobalMaxPooling1D:
		return one(b.reduce("ReduceMax", s.KeepDims, x.name, stepsAxis(s.DataFormat)))
	case layers.GlobalAveragePooling1D:
		return one(b.globalAverage(s, x))
	case layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum:
		name, mask := b.merging(s, in, out[0])
		return []string{name}, mask, nil
	case layers.Concatenate:
		name, mask := b.concatenate(s, in, out[0])
		return []string{name}, mask, nil
	case layers.Dot:
		return one(b.dot(s, in))
	case layers.Attention:
		return b.attention(attended{s.ScoreMode == "concat", s.UseCausalMask, s.ReturnAttentionScores}, w, in), mask, nil
	case layers.AdditiveAttention:
		return b.attention(attended{true, s.UseCausalMask, s.ReturnAttentionScores}, w, in), mask, nil
	case layers.MultiHeadAttention:
		return b.multiHead(s, w, in), mask, nil
	}
	return nil, "", fmt.Errorf("%s is not written to ONNX: there are no operators for it here", s.Class())
}

const channelsFirst = "channels_first"

// weights finds the weights of a layer by their names, "query/kernel" among parts; nil for one that the layer does not have.
type weights func(name string) *layers.Weight

func weightsOf(l layers.Layer) weights {
	return func(name string) *layers.Weight {
		i := slices.IndexFunc(l.Weights(), func(w *layers.Weight) bool { return w.Path == name || strings.HasSuffix(w.Path, "/"+name) })
		if i < 0 {
			return nil
		}
		return l.Weights()[i]
	}
}

// dimOf is the length of an axis as a number.
func (b *builder) dimOf(x string, axis int) string { return b.squeeze(b.dim(x, axis), 0) }

// numbers is one number, or a list of them along the last axis.
func (b *builder) numbers(name string, values []float64) string {
	if len(values) == 1 {
		return b.scalar(values[0])
	}
	narrow := make([]float32, len(values))
	for i, v := range values {
		narrow[i] = float32(v)
	}
	return b.floats(name, tensor.Shape{len(values)}, narrow)
}

// dense is x · kernel + bias.
func (b *builder) dense(x val, w weights) string {
	kernel, bias := b.weight(w("kernel")), w("bias")
	switch {
	case bias == nil:
		return b.op("MatMul", x.name, kernel)
	case x.rank() == 2:
		return b.op("Gemm", x.name, kernel, b.weight(bias))
	}
	return b.op("Add", b.op("MatMul", x.name, kernel), b.weight(bias))
}

// timeDistributed takes all steps for rows of one batch.
func (b *builder) timeDistributed(s layers.TimeDistributed, l layers.Layer, x val) (string, error) {
	inner := l.(interface{ Inner() layers.Layer }).Inner()
	shape := append(tensor.Shape{tensor.None}, x.sig.Shape[2:]...)
	rest := b.with("Shape", attrs("start", 2), x.name)
	rows := b.op("Reshape", x.name, b.with("Concat", attrs("axis", 0), b.ints(-1), rest))
	out, err := b.in(s.Layer.Class()).layer(s.Layer, inner, []val{{name: rows, sig: layers.Signature{Shape: shape}}})
	if err != nil {
		return "", err
	}
	steps := b.with("Shape", attrs("start", 0, "end", 2), x.name)
	return b.op("Reshape", out[0].name, b.with("Concat", attrs("axis", 0), steps, b.with("Shape", attrs("start", 1), out[0].name))), nil
}

// stepsAxis is where the steps stand.
func stepsAxis(format string) int {
	if format == channelsFirst {
		return 2
	}
	return 1
}

// globalAverage is the mean over the steps that count.
func (b *builder) globalAverage(s layers.GlobalAveragePooling1D, x val) string {
	axis := stepsAxis(s.DataFormat)
	if x.mask == "" {
		return b.reduce("ReduceMean", s.KeepDims, x.name, axis)
	}
	seen := b.unsqueeze(x.mask, 2)
	sum := b.reduce("ReduceSum", s.KeepDims, b.op("Where", seen, x.name, b.scalar(0)), 1)
	return b.op("Div", sum, b.reduce("ReduceSum", s.KeepDims, b.castFloat(seen), 1))
}

// conv1D: ONNX has the channels before the steps.
func (b *builder) conv1D(s layers.Conv1D, w weights, x val) string {
	kernel := w("kernel")
	size, c, f := kernel.Shape[0], kernel.Shape[1], kernel.Shape[2]
	turned := make([]float32, len(kernel.Data))
	for k := range size {
		for i := range c {
			for j := range f {
				turned[(j*c+i)*size+k] = kernel.Data[(k*c+i)*f+j]
			}
		}
	}
	dilation := max(1, s.DilationRate)
	a := attrs("kernel_shape", []int{size}, "strides", []int{max(1, s.Strides)}, "dilations", []int{dilation}, "group", max(1, s.Groups))
	a = append(a, padding(s.Padding, (size-1)*dilation+1, max(1, s.Strides))...)
	in := []string{b.steps(x, s.DataFormat), b.floats("kernel", tensor.Shape{f, c, size}, turned)}
	if bias := w("bias"); bias != nil {
		in = append(in, b.weight(bias))
	}
	y := b.with("Conv", a, in...)
	if s.DataFormat == channelsFirst {
		return b.activation(s.Activation, y, 2)
	}
	return b.activation(s.Activation, b.transpose(y, 0, 2, 1), 2)
}

// steps is a sequence with the channels before the steps.
func (b *builder) steps(x val, format string) string {
	if format == channelsFirst {
		return x.name
	}
	return b.transpose(x.name, 0, 2, 1)
}

// padding are the attributes of windows that span reach steps. With strides, how much is padded depends on how many steps there are.
func padding(mode string, reach, stride int) []*onnx.Attribute {
	switch {
	case mode == "causal":
		return attrs("pads", []int{reach - 1, 0})
	case mode == "same" && stride > 1:
		return attrs("auto_pad", "SAME_UPPER")
	case mode == "same":
		return attrs("pads", []int{(reach - 1) / 2, reach - 1 - (reach-1)/2})
	}
	return nil
}

func (b *builder) pooling(op string, size, stride int, mode, format string, x val) string {
	if size == 0 {
		size = 2
	}
	if stride == 0 {
		stride = size
	}
	a := attrs("kernel_shape", []int{size}, "strides", []int{stride})
	in := b.steps(x, format)
	var y string
	switch {
	case mode == "same" && stride > size && op == "MaxPool":
		y = b.with(op, a, b.padded(in, size, stride, math.Inf(-1)))
	case mode == "same" && stride > size: // of what is padded nothing counts
		y = b.with(op, a, b.padded(in, size, stride, 0))
		ones := b.op("Equal", in, in)
		y = b.op("Div", y, b.with(op, a, b.padded(b.castFloat(ones), size, stride, 0)))
	default:
		y = b.with(op, append(a, padding(mode, size, stride)...), in)
	}
	if format == channelsFirst {
		return y
	}
	return b.transpose(y, 0, 2, 1)
}

// padded is (N, C, T) with a window of size for every stride. Where some steps are in no window onnxruntime takes the padding of SAME_UPPER for a negative one, and pools nothing.
func (b *builder) padded(x string, size, stride int, value float64) string {
	t := b.dim(x, 2)
	count := b.op("Div", b.op("Add", t, b.ints(stride-1)), b.ints(stride))
	end := b.op("Add", b.op("Mul", b.op("Sub", count, b.ints(1)), b.ints(stride)), b.ints(size))
	total := b.op("Max", b.op("Sub", end, t), b.ints(0))
	before := b.op("Div", total, b.ints(2))
	pads := b.with("Concat", attrs("axis", 0), b.ints(0, 0), before, b.ints(0, 0), b.op("Sub", total, before))
	return b.op("Pad", x, pads, b.scalar(value))
}
