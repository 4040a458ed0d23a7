package onnx

import (
	"fmt"
	"math"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/internal/onnx"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// node makes what a node computes. An operator of another domain than ONNX's own is none of those that are known.
func (m *importer) node(n *onnx.Node) error {
	if n.Domain != "" && n.Domain != "ai.onnx" {
		return fmt.Errorf("expected operators of ONNX, got one of the domain %q", n.Domain)
	}
	if len(n.Outputs) == 0 {
		return fmt.Errorf("expected an output, got none")
	}
	for _, in := range n.Inputs {
		if in != "" && m.values[in] == nil {
			return fmt.Errorf("expected an input that is known before, got %q", in)
		}
	}
	if isRecurrent(n) {
		return m.recurrent(n)
	}
	if ok, err := m.shapes(n); ok {
		return err
	}
	x := m.arg(n, 0)
	if a, ok, err := activationOf(m, n); err != nil {
		return err
	} else if ok {
		if x == nil || x.view == nil {
			return fmt.Errorf("expected what layers compute, got numbers")
		}
		name := m.nameOf(n)
		return m.pointwise(n, x.view, name, layers.Activation{Name: name, Activation: a})
	}
	switch n.Op {
	case "MatMul", "Gemm":
		return m.dense(n)
	case "Add", "Sub", "Mul", "Div":
		return m.arithmetic(n)
	case "LayerNormalization":
		return m.layerNormalization(n)
	case "ReduceMean", "ReduceMax", "GlobalAveragePool", "GlobalMaxPool":
		return m.overSteps(n)
	case "Conv", "MaxPool", "AveragePool", "BatchNormalization":
		return m.channels(n)
	}
	return fmt.Errorf("no layer computes the operator %s: expected those of recurrent networks, from Gather and LSTM to Gemm and Softmax", n.Op)
}

// activationOf is the activation that a node is; ok is false for other operators.
func activationOf(m *importer, n *onnx.Node) (a activations.Activation, ok bool, err error) {
	plain := map[string]activations.Activation{"Relu": activations.ReLU, "Tanh": activations.Tanh, "Sigmoid": activations.Sigmoid, "Softplus": activations.Softplus,
		"Softsign": activations.Softsign, "Exp": activations.Exponential, "Mish": activations.Mish, "HardSwish": activations.HardSiLU}
	if a, ok := plain[n.Op]; ok {
		return a, true, nil
	}
	near := func(name string, otherwise, want float32) bool {
		return math.Abs(float64(floatOf(n, name, otherwise)-want)) < 1e-6
	}
	switch n.Op {
	case "Softmax", "LogSoftmax":
		if x := m.arg(n, 0); x == nil || x.view == nil || intOf(n, "axis", -1) != -1 && intOf(n, "axis", -1) != len(x.axes)-1 || m.file.Version() < 13 && len(x.axes) > 2 {
			return "", true, fmt.Errorf("expected the last axis, got %d", intOf(n, "axis", -1))
		}
		return map[string]activations.Activation{"Softmax": activations.Softmax, "LogSoftmax": activations.LogSoftmax}[n.Op], true, nil
	case "Elu", "Celu":
		if near("alpha", 1, 1) {
			return activations.ELU, true, nil
		}
	case "Selu":
		if near("alpha", seluAlpha, seluAlpha) && near("gamma", seluScale, seluScale) {
			return activations.SELU, true, nil
		}
	case "LeakyRelu":
		if near("alpha", 0.01, 0.2) {
			return activations.LeakyReLU, true, nil
		}
	case "HardSigmoid":
		if a := hardSigmoid(floatOf(n, "alpha", 0.2), floatOf(n, "beta", 0.5)); a != "" {
			return a, true, nil
		}
	case "Gelu":
		if s := n.Attribute("approximate"); s == nil || s.String == "none" {
			return activations.GELU, true, nil
		}
	case "Clip":
		lo, hi := m.bound(n, "min", 1), m.bound(n, "max", 2)
		switch {
		case lo == 0 && hi == 6:
			return activations.ReLU6, true, nil
		case lo == -1 && hi == 1:
			return activations.HardTanh, true, nil
		}
	default:
		return "", false, nil
	}
	return "", true, fmt.Errorf("expected the arguments of an activation that layers have, got others")
}

// bound is a number of a Clip; NaN where it is not known.
func (m *importer) bound(n *onnx.Node, name string, i int) float64 {
	if a := n.Attribute(name); a != nil {
		return float64(a.Float)
	}
	if t := m.arg(n, i); t != nil && t.array != nil && len(t.floats) == 1 {
		return float64(t.floats[0])
	}
	return math.NaN()
}

// dense is a Gemm, or a MatMul with the Add behind it, where that is all that reads it.
func (m *importer) dense(n *onnx.Node) error {
	x, w := m.arg(n, 0), m.arg(n, 1)
	if x == nil || x.view == nil || w == nil || w.array == nil || len(w.shape) != 2 || w.floats == nil {
		return fmt.Errorf("expected what layers compute times a known matrix")
	}
	kernel, in, out := w.floats, w.shape[0], w.shape[1]
	name := m.nameOf(n)
	weights := func(bias []float32) [][]float32 {
		if bias == nil {
			return [][]float32{kernel}
		}
		return [][]float32{kernel, bias}
	}
	if n.Op == "Gemm" {
		if floatOf(n, "alpha", 1) != 1 || floatOf(n, "beta", 1) != 1 || intOf(n, "transA", 0) != 0 {
			return fmt.Errorf("expected alpha and beta 1 and no transA")
		}
		if intOf(n, "transB", 0) != 0 {
			kernel, in, out = turnedMatrix(kernel, in, out), out, in
		}
		var bias []float32
		if b := m.arg(n, 2); b != nil {
			if b.array == nil || len(b.floats) != out {
				return fmt.Errorf("expected a bias of %d known numbers", out)
			}
			bias = b.floats
		}
		if err := widthIs(x.view, in); err != nil {
			return err
		}
		return m.pointwise(n, x.view, name, layers.Dense{Name: name, Units: out, NoBias: bias == nil}, weights(bias)...)
	}
	if err := widthIs(x.view, in); err != nil {
		return err
	}
	if readers := m.readers[n.Outputs[0]]; len(readers) == 1 && readers[0].Op == "Add" && len(readers[0].Inputs) == 2 && len(readers[0].Outputs) == 1 && !m.isOutput(n.Outputs[0]) {
		add := readers[0]
		other := add.Inputs[0]
		if other == n.Outputs[0] {
			other = add.Inputs[1]
		}
		if b := m.values[other]; b != nil && b.array != nil && len(b.floats) == out && len(b.shape) > 0 && b.shape[len(b.shape)-1] == out {
			if err := m.pointwise(n, x.view, name, layers.Dense{Name: name, Units: out}, weights(b.floats)...); err != nil {
				return err
			}
			m.values[n.Outputs[0]].view.merge = nil
			m.values[add.Outputs[0]] = m.values[n.Outputs[0]] // and the Add itself finds it done
			return nil
		}
	}
	return m.pointwise(n, x.view, name, layers.Dense{Name: name, Units: out, NoBias: true}, weights(nil)...)
}

// widthIs fails unless a value's last axis has the length that the arrays for it have: before a layer is made, so that the file's size bounds its weights.
func widthIs(v *view, width int) error {
	s, err := v.single()
	if err != nil {
		return err
	}
	if shape := s.Shape(); shape[len(shape)-1] != width {
		return fmt.Errorf("expected a value of width %d, got shape %v", width, shape)
	}
	return nil
}

// isOutput reports whether the graph returns a value.
func (m *importer) isOutput(name string) bool {
	return slices.ContainsFunc(m.file.Graph.Outputs, func(v *onnx.Value) bool { return v.Name == name })
}

// arithmetic is between two values, or of one and numbers along its last axis.
func (m *importer) arithmetic(n *onnx.Node) error {
	if len(n.Outputs) > 0 && m.values[n.Outputs[0]] != nil {
		return nil // a Dense has taken it as its bias
	}
	x, y := m.arg(n, 0), m.arg(n, 1)
	if x == nil || y == nil || x.view == nil && y.view == nil {
		return fmt.Errorf("expected at least one value that layers compute")
	}
	name := m.nameOf(n)
	if x.view != nil && y.view != nil {
		a, err := x.view.single()
		if err != nil {
			return err
		}
		b, err := y.view.single()
		if err != nil {
			return err
		}
		specs := map[string]layers.Spec{"Add": layers.Add{Name: name}, "Sub": layers.Subtract{Name: name}, "Mul": layers.Multiply{Name: name}}
		if specs[n.Op] == nil || !slices.Equal(x.axes, y.axes) {
			return fmt.Errorf("expected a sum, difference or product of values with their axes in one order, got orders %v and %v", x.axes, y.axes)
		}
		z, err := m.apply(name, specs[n.Op], nil, a, b)
		if err != nil {
			return err
		}
		return m.set(n, &term{view: &view{parts: []source{known(z)}, axes: x.axes}})
	}
	swapped := x.view == nil
	if swapped {
		x, y = y, x
	}
	values := make([]float64, len(y.floats))
	for i, v := range y.floats {
		values[i] = float64(v)
	}
	for i, d := range y.shape {
		if d != 1 && i < len(y.shape)-1 {
			return fmt.Errorf("expected one number, or one for every place of the last axis, got shape %v", y.shape)
		}
	}
	r := layers.Rescaling{Name: name, Scale: []float64{1}}
	switch {
	case len(values) == 0:
		return fmt.Errorf("expected known numbers, got none")
	case n.Op == "Add":
		r.Offset = values
	case n.Op == "Mul":
		r.Scale = values
	case n.Op == "Sub" && swapped:
		r.Scale, r.Offset = []float64{-1}, values
	case n.Op == "Sub":
		r.Offset = make([]float64, len(values))
		for i, v := range values {
			r.Offset[i] = -v
		}
	case swapped:
		return fmt.Errorf("expected a division by numbers, got one of numbers")
	default:
		r.Scale = make([]float64, len(values))
		for i, v := range values {
			r.Scale[i] = 1 / v
		}
	}
	return m.pointwise(n, x.view, name, r)
}

func (m *importer) layerNormalization(n *onnx.Node) error {
	x, gamma, beta := m.arg(n, 0), m.arg(n, 1), m.arg(n, 2)
	if x == nil || x.view == nil || gamma == nil || gamma.array == nil || len(gamma.shape) != 1 || beta != nil && (beta.array == nil || len(beta.floats) != len(gamma.floats)) {
		return fmt.Errorf("expected what layers compute, with known scale and bias over the last axis")
	}
	if a := intOf(n, "axis", -1); a != -1 && a != len(x.axes)-1 {
		return fmt.Errorf("expected the last axis, got %d", a)
	}
	if err := widthIs(x.view, len(gamma.floats)); err != nil {
		return err
	}
	name := m.nameOf(n)
	s := layers.LayerNormalization{Name: name, Epsilon: tensor.F(float64(floatOf(n, "epsilon", 1e-5))), NoCenter: beta == nil}
	weights := [][]float32{gamma.floats}
	if beta != nil {
		weights = append(weights, beta.floats)
	}
	return m.pointwise(n, x.view, name, s, weights...)
}

// overSteps is the mean or the largest value over all steps.
func (m *importer) overSteps(n *onnx.Node) error {
	x := m.arg(n, 0)
	if x == nil || x.view == nil || len(x.axes) != 3 {
		return fmt.Errorf("expected sequences that layers compute")
	}
	keep, at := true, 2
	if n.Op == "ReduceMean" || n.Op == "ReduceMax" {
		axes, err := m.intsOf(n, "axes", 1)
		if err != nil || len(axes) != 1 {
			return fmt.Errorf("expected one axis, got %v (%v)", axes, err)
		}
		keep, at = intOf(n, "keepdims", 1) != 0, (int(axes[0])+3)%3
	}
	s, err := x.view.single()
	if err != nil {
		return err
	}
	if at < 0 || x.axes[at] != 1 {
		return fmt.Errorf("expected the axis of the steps, got %d of axes in the order %v", at, x.axes)
	}
	name := m.nameOf(n)
	var spec layers.Spec = layers.GlobalAveragePooling1D{Name: name}
	if n.Op == "ReduceMax" || n.Op == "GlobalMaxPool" {
		spec = layers.GlobalMaxPooling1D{Name: name}
	}
	y, err := m.apply(name, spec, nil, s)
	if err != nil {
		return err
	}
	v := &view{parts: []source{known(y)}, axes: slices.Clone(x.axes)}
	for i, a := range v.axes {
		if a == 2 {
			v.axes[i] = 1
		}
	}
	v.axes[at] = unit
	if !keep {
		v.axes = slices.Delete(v.axes, at, at+1)
	}
	return m.set(n, &term{view: v})
}

// channels are operators that have the channels before the steps, (N, C, T); their layers have them last.
func (m *importer) channels(n *onnx.Node) error {
	x := m.arg(n, 0)
	if x == nil || x.view == nil {
		return fmt.Errorf("expected what layers compute, got numbers")
	}
	s, err := x.view.single()
	if err != nil {
		return err
	}
	axes, name := x.axes, m.nameOf(n)
	switch {
	case slices.Equal(axes, []int{0, 2, 1}), n.Op == "BatchNormalization" && slices.Equal(axes, []int{0, 1}):
	case slices.Equal(axes, []int{0, 1, 2}):
		turn := m.unique(n.Name + "_permute")
		if s, err = m.apply(turn, layers.Permute{Name: turn, Dims: []int{2, 1}}, nil, s); err != nil {
			return err
		}
		axes = []int{0, 2, 1}
	default:
		return fmt.Errorf("expected values (N, C, T), got axes in the order %v", axes)
	}
	spec, weights, err := m.channelSpec(n, name)
	if err != nil {
		return err
	}
	// The width that the arrays are for, before a layer is made.
	want := s.Shape()[len(s.Shape())-1]
	switch l := spec.(type) {
	case layers.BatchNormalization:
		want = len(weights[0])
	case layers.Conv1D:
		want = len(weights[0]) / l.KernelSize / l.Filters * max(1, l.Groups)
	}
	if err := widthIs(&view{parts: []source{known(s)}, axes: axes}, want); err != nil {
		return err
	}
	y, err := m.apply(name, spec, weights, []unroll.Symbol{s}...)
	if err != nil {
		return err
	}
	return m.set(n, &term{view: &view{parts: []source{known(y)}, axes: axes}})
}

// channelSpec is such a node's layer with its weights.
func (m *importer) channelSpec(n *onnx.Node, name string) (layers.Spec, [][]float32, error) {
	var arrays [][]float32
	var shape []int
	for i := 1; i < len(n.Inputs); i++ {
		t := m.arg(n, i)
		if t == nil || t.array == nil || t.floats == nil {
			return nil, nil, fmt.Errorf("expected known numbers as input %d", i)
		}
		if i == 1 {
			shape = t.shape
		}
		arrays = append(arrays, t.floats)
	}
	if n.Op == "BatchNormalization" {
		if len(arrays) != 4 || intOf(n, "training_mode", 0) != 0 {
			return nil, nil, fmt.Errorf("expected scale, bias, mean and variance, for prediction")
		}
		return layers.BatchNormalization{Name: name, Epsilon: tensor.F(float64(floatOf(n, "epsilon", 1e-5)))}, arrays, nil
	}
	one := func(attribute string, otherwise int) int {
		if a := n.Attribute(attribute); a != nil && len(a.Ints) == 1 {
			return int(a.Ints[0])
		}
		return otherwise
	}
	size, stride, dilation := one("kernel_shape", 0), one("strides", 1), one("dilations", 1)
	if len(shape) == 3 {
		size = shape[2]
	}
	if size < 1 || stride < 1 || dilation < 1 || size > 1<<20 || dilation > 1<<20 {
		return nil, nil, fmt.Errorf("expected windows over one axis, of positive size, got size %d, strides %d, dilations %d", size, stride, dilation)
	}
	reach, padding := (size-1)*dilation+1, ""
	pads := n.Attribute("pads")
	auto := n.Attribute("auto_pad")
	switch {
	case auto != nil && auto.String == "SAME_UPPER":
		padding = "same"
	case auto != nil && auto.String != "NOTSET" && auto.String != "VALID":
		return nil, nil, fmt.Errorf("expected auto_pad SAME_UPPER or VALID, got %s", auto.String)
	case pads == nil || slices.Equal(pads.Ints, []int64{0, 0}):
	case stride == 1 && slices.Equal(pads.Ints, []int64{int64((reach - 1) / 2), int64(reach - 1 - (reach-1)/2)}):
		padding = "same"
	case n.Op == "Conv" && slices.Equal(pads.Ints, []int64{int64(reach - 1), 0}):
		padding = "causal"
	default:
		return nil, nil, fmt.Errorf("expected padding as of valid, same or causal, got pads %v", pads.Ints)
	}
	if n.Op != "Conv" {
		if dilation != 1 || intOf(n, "ceil_mode", 0) != 0 || n.Op == "AveragePool" && padding == "same" && intOf(n, "count_include_pad", 0) != 0 {
			return nil, nil, fmt.Errorf("expected neither dilations nor ceil_mode nor count_include_pad")
		}
		if n.Op == "MaxPool" {
			return layers.MaxPooling1D{Name: name, PoolSize: size, Strides: stride, Padding: padding}, nil, nil
		}
		return layers.AveragePooling1D{Name: name, PoolSize: size, Strides: stride, Padding: padding}, nil, nil
	}
	if len(shape) != 3 || shape[0] < 1 || shape[1] < 1 {
		return nil, nil, fmt.Errorf("expected a kernel (F, C, K), got shape %v", shape)
	}
	f, c := shape[0], shape[1]
	kernel := make([]float32, len(arrays[0]))
	for j := range f {
		for i := range c {
			for k := range size {
				kernel[(k*c+i)*f+j] = arrays[0][(j*c+i)*size+k]
			}
		}
	}
	arrays[0] = kernel
	return layers.Conv1D{Name: name, Filters: f, KernelSize: size, Strides: stride, DilationRate: dilation, Groups: intOf(n, "group", 1), Padding: padding,
		NoBias: len(arrays) == 1}, arrays, nil
}
