package main

import (
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// cellTexts finds the equations of `cell=NAME`.
type cellTexts func(name string) (string, error)

// modelSpecs is the layers that a text of a MODEL means.
func modelSpecs(text string, cells cellTexts, p profile) (specs []layers.Spec, err error) {
	calls, err := parseText("model", text)
	if err != nil {
		return nil, err
	}
	defer catch(&err)
	m := &meaning{what: "model", text: text, cells: cells, profile: p}
	if calls[0].name == "keras_model_sequential" {
		m.r = true
		m.sequential(calls[0])
		calls = calls[1:]
	}
	for _, c := range calls {
		m.r = m.r || strings.HasPrefix(c.name, "layer_") && c.name != layerNormalization && !isEquations(c.name)
	}
	for _, c := range calls {
		m.add(c)
	}
	if len(m.specs) == 0 {
		m.fail(len(text), "expected a layer after keras_model_sequential(), got the end")
	}
	// Keras's Input is of floats unless it says otherwise, and an Embedding casts them; here its input is of ids.
	if in, ok := m.specs[0].(layers.Input); ok && len(m.specs) > 1 {
		switch m.specs[1].(type) {
		case layers.Embedding:
			in.IDs = true
		case layers.TextVectorization:
			in.Text = true
		}
		m.specs[0] = in
	}
	return p.specs(m.specs), nil
}

// layerNames are the layers that a text may name, with or without R's layer_ before them.
func layerNames() []string {
	names := []string{"input", "embedding", "simple_rnn", "lstm", "gru", "recurrent"}
	names = append(append(names, equationNames()...), "rnn", "bidirectional", "time_distributed", "dense")
	for _, k := range kerasLayers() {
		names = append(names, k.name)
	}
	return names
}

// meaning turns calls into layers. A mistake leaves its methods as a stop.
type meaning struct {
	what, text string
	cells      cellTexts
	profile    profile
	specs      []layers.Spec
	r          bool // R's names
}

// layerNormalization is Keras's name for a layer, and R's for another, Normalization, which has a prefix there as all have.
const layerNormalization = "layer_normalization"

func (m *meaning) fail(at int, format string, args ...any) {
	panic(stop{&textError{what: m.what, text: m.text, at: at, msg: fmt.Sprintf(format, args...)}})
}

// sequential is R's head of a model, which may have the shape of the input and the layers.
func (m *meaning) sequential(c *call) {
	a := m.bind(c, "layers", "name", "input_shape", "trainable")
	a.text("name")
	if shape := a.shape("input_shape"); shape != nil {
		m.specs = append(m.specs, layers.Input{Shape: shape})
	}
	if v := a.get("layers"); v != nil && !v.null() {
		if v.kind != listValue {
			m.fail(v.at, "layers: expected a list of layers, got %s", v)
		}
		for _, e := range v.list {
			if e.kind != callValue {
				m.fail(e.at, "layers: expected a layer, got %s", e)
			}
			m.add(e.call)
		}
	}
	a.done()
}

// add appends the layer, after an Input where the first layer says what comes in.
func (m *meaning) add(c *call) {
	spec, shape := m.layer(c)
	if shape != nil {
		if len(m.specs) > 0 {
			m.fail(c.at, "expected input_shape on the first layer alone, got it on %s", clip(c.name))
		}
		m.specs = append(m.specs, layers.Input{Shape: shape})
	}
	m.specs = append(m.specs, spec)
}

// layer is the layer of a call, and the shape of its input where the call has one.
func (m *meaning) layer(c *call) (spec layers.Spec, shape tensor.Shape) {
	name := c.name
	if !isEquations(name) && (name != layerNormalization || m.r) {
		name = strings.TrimPrefix(name, "layer_")
	}
	var a *arguments
	switch name {
	case "input":
		return m.input(c), nil
	case "embedding":
		a = m.bind(c, "input_dim", "output_dim", "embeddings_initializer", "embeddings_regularizer", "embeddings_constraint", "mask_zero",
			"weights", "input_length", "activity_regularizer")
		a.get("input_length") // Keras 3 ignores it
		spec = layers.Embedding{
			Name: a.text("name"), InputDim: a.needInt("input_dim"), OutputDim: a.needInt("output_dim"),
			EmbeddingsInitializer: a.initializer("embeddings_initializer"), MaskZero: a.bool("mask_zero", false),
			EmbeddingsRegularizer: a.regularizer("embeddings_regularizer"), ActivityRegularizer: a.regularizer("activity_regularizer"),
			EmbeddingsConstraint: a.constraint("embeddings_constraint"),
		}
	case "simple_rnn":
		a = m.bind(c, "units", "activation", "use_bias", "kernel_initializer", "recurrent_initializer", "bias_initializer",
			"kernel_regularizer", "recurrent_regularizer", "bias_regularizer", "activity_regularizer", "kernel_constraint",
			"recurrent_constraint", "bias_constraint", "dropout", "recurrent_dropout", "return_sequences", "return_state", "go_backwards",
			"stateful", "unroll", "seed", "zero_output_for_mask")
		spec = layers.SimpleRNN{
			Name: a.text("name"), Units: a.needInt("units"), Activation: a.activation("activation"), NoBias: !a.bool("use_bias", true),
			KernelInitializer: a.initializer("kernel_initializer"), RecurrentInitializer: a.initializer("recurrent_initializer"),
			BiasInitializer: a.initializer("bias_initializer"), ReturnSequences: a.bool("return_sequences", false),
			GoBackwards: a.bool("go_backwards", false), ZeroOutputForMask: a.bool("zero_output_for_mask", false),
			Stateful: a.bool("stateful", false), Unroll: a.bool("unroll", false),
			Dropout: a.float("dropout"), RecurrentDropout: a.float("recurrent_dropout"),
			KernelRegularizer: a.regularizer("kernel_regularizer"), RecurrentRegularizer: a.regularizer("recurrent_regularizer"),
			BiasRegularizer:  a.regularizer("bias_regularizer"),
			KernelConstraint: a.constraint("kernel_constraint"), RecurrentConstraint: a.constraint("recurrent_constraint"),
			BiasConstraint: a.constraint("bias_constraint"),
		}
	case "lstm":
		a = m.bind(c, "units", "activation", "recurrent_activation", "use_bias", "kernel_initializer", "recurrent_initializer",
			"bias_initializer", "unit_forget_bias", "kernel_regularizer", "recurrent_regularizer", "bias_regularizer",
			"activity_regularizer", "kernel_constraint", "recurrent_constraint", "bias_constraint", "dropout", "recurrent_dropout", "seed",
			"return_sequences", "return_state", "go_backwards", "stateful", "unroll", "use_cudnn", "implementation",
			"zero_output_for_mask")
		spec = layers.LSTM{
			Name: a.text("name"), Units: a.needInt("units"), Activation: a.activation("activation"),
			RecurrentActivation: m.profile.gates(a.activation("recurrent_activation")), NoBias: !a.bool("use_bias", true),
			NoUnitForgetBias:  !a.bool("unit_forget_bias", true),
			KernelInitializer: a.initializer("kernel_initializer"), RecurrentInitializer: a.initializer("recurrent_initializer"),
			BiasInitializer: a.initializer("bias_initializer"), ReturnSequences: a.bool("return_sequences", false),
			GoBackwards: a.bool("go_backwards", false), ZeroOutputForMask: a.bool("zero_output_for_mask", false),
			Stateful: a.bool("stateful", false), Unroll: a.bool("unroll", false),
			Dropout: a.float("dropout"), RecurrentDropout: a.float("recurrent_dropout"),
			KernelRegularizer: a.regularizer("kernel_regularizer"), RecurrentRegularizer: a.regularizer("recurrent_regularizer"),
			BiasRegularizer: a.regularizer("bias_regularizer"), ActivityRegularizer: a.regularizer("activity_regularizer"),
			KernelConstraint: a.constraint("kernel_constraint"), RecurrentConstraint: a.constraint("recurrent_constraint"),
			BiasConstraint: a.constraint("bias_constraint"),
		}
	case "gru":
		a = m.bind(c, "units", "activation", "recurrent_activation", "use_bias", "kernel_initializer", "recurrent_initializer",
			"bias_initializer", "kernel_regularizer", "recurrent_regularizer", "bias_regularizer", "activity_regularizer",
			"kernel_constraint", "recurrent_constraint", "bias_constraint", "dropout", "recurrent_dropout", "seed", "return_sequences",
			"return_state", "go_backwards", "stateful", "unroll", "reset_after", "use_cudnn", "implementation",
			"zero_output_for_mask")
		spec = layers.GRU{
			Name: a.text("name"), Units: a.needInt("units"), Activation: a.activation("activation"),
			RecurrentActivation: m.profile.gates(a.activation("recurrent_activation")), NoBias: !a.bool("use_bias", true),
			NoResetAfter:      !a.bool("reset_after", m.profile != keras2),
			KernelInitializer: a.initializer("kernel_initializer"), RecurrentInitializer: a.initializer("recurrent_initializer"),
			BiasInitializer: a.initializer("bias_initializer"), ReturnSequences: a.bool("return_sequences", false),
			GoBackwards: a.bool("go_backwards", false), ZeroOutputForMask: a.bool("zero_output_for_mask", false),
			Stateful: a.bool("stateful", false), Unroll: a.bool("unroll", false),
			Dropout: a.float("dropout"), RecurrentDropout: a.float("recurrent_dropout"),
			KernelRegularizer: a.regularizer("kernel_regularizer"), RecurrentRegularizer: a.regularizer("recurrent_regularizer"),
			BiasRegularizer: a.regularizer("bias_regularizer"), ActivityRegularizer: a.regularizer("activity_regularizer"),
			KernelConstraint: a.constraint("kernel_constraint"), RecurrentConstraint: a.constraint("recurrent_constraint"),
			BiasConstraint: a.constraint("bias_constraint"),
		}
	case "recurrent":
		spec, a = m.recurrent(c)
	case "rnn":
		spec, a = m.rnn(c)
	case "bidirectional":
		a = m.bind(c, "layer", "merge_mode", "weights", "backward_layer")
		v := a.get("layer")
		if v == nil || v.kind != callValue {
			m.fail(c.at, "expected a recurrent layer in bidirectional(), as in bidirectional(lstm(32)), got %s", described(v))
		}
		inner, _ := m.layer(v.call)
		b := layers.Bidirectional{Name: a.text("name"), Layer: inner, MergeMode: a.text("merge_mode")}
		if v := a.get("backward_layer"); v != nil && !v.null() {
			if v.kind != callValue {
				m.fail(v.at, "backward_layer: expected a recurrent layer, as in lstm(32, go_backwards=true), got %s", v)
			}
			b.BackwardLayer, _ = m.layer(v.call)
		}
		spec = b
		if v := a.get("merge_mode"); v != nil && v.null() {
			m.fail(v.at, "expected a merge_mode of concat, sum, mul or ave, got %s: two outputs need a graph of layers", v)
		}
	case "dense":
		a = m.bind(c, "units", "activation", "use_bias", "kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer",
			"activity_regularizer", "kernel_constraint", "bias_constraint", "lora_rank", "lora_alpha")
		spec = layers.Dense{
			Name: a.text("name"), Units: a.needInt("units"), Activation: a.activation("activation"), NoBias: !a.bool("use_bias", true),
			KernelInitializer: a.initializer("kernel_initializer"), BiasInitializer: a.initializer("bias_initializer"),
			KernelRegularizer: a.regularizer("kernel_regularizer"), BiasRegularizer: a.regularizer("bias_regularizer"),
			ActivityRegularizer: a.regularizer("activity_regularizer"),
			KernelConstraint:    a.constraint("kernel_constraint"), BiasConstraint: a.constraint("bias_constraint"),
		}
	case "time_distributed":
		a = m.bind(c, "layer")
		v := a.get("layer")
		if v == nil || v.kind != callValue {
			m.fail(c.at, "expected a layer in time_distributed(), as in time_distributed(dense(3)), got %s", described(v))
		}
		inner, _ := m.layer(v.call)
		spec = layers.TimeDistributed{Name: a.text("name"), Layer: inner}
	default:
		if l, ok := findEquations(name); ok {
			spec, a = m.equations(c, l)
			break
		}
		k, ok := findKeras(name)
		if !ok {
			m.fail(c.at, "%s", unknown("layer", name, layerNames()))
		}
		spec, a = m.keras(c, k)
	}
	shape = a.shape("input_shape")
	a.done()
	return spec, shape
}

// rnn is a cell, or a list of them, walked over time.
func (m *meaning) rnn(c *call) (layers.Spec, *arguments) {
	a := m.bind(c, "cell", "return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask", "activity_regularizer")
	v := a.get("cell")
	l := layers.RNN{Name: a.text("name"), ReturnSequences: a.bool("return_sequences", false), GoBackwards: a.bool("go_backwards", false),
		Stateful: a.bool("stateful", false), Unroll: a.bool("unroll", false), ZeroOutputForMask: a.bool("zero_output_for_mask", false),
		ActivityRegularizer: a.regularizer("activity_regularizer")}
	switch {
	case v != nil && v.kind == callValue:
		l.Cell = m.cell(v.call)
	case v != nil && v.kind == listValue && len(v.list) > 0:
		for _, e := range v.list {
			if e.kind != callValue {
				m.fail(e.at, "cell: expected a cell, as in lstm_cell(32), got %s", e)
			}
			l.Cells = append(l.Cells, m.cell(e.call))
		}
	default:
		m.fail(c.at, "expected a cell or a list of cells in rnn(), as in rnn([lstm_cell(32), gru_cell(16)]), got %s", described(v))
	}
	return l, a
}

// cell is a cell, called as in Python (lstm_cell), as in R (rnn_cell_lstm), or as its layer is.
func (m *meaning) cell(c *call) layers.Spec {
	own := *c
	own.name = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(c.name, "layer_"), "rnn_cell_"), "_cell")
	if own.name == "simple" {
		own.name = "simple_rnn"
	}
	spec, shape := m.layer(&own)
	if shape != nil {
		m.fail(c.at, "expected input_shape on the first layer alone, got it on %s", clip(c.name))
	}
	return spec
}

func (m *meaning) input(c *call) layers.Spec {
	in := layers.Input{}
	var axes []value
	var named []argument
	for _, a := range c.args {
		if a.name == "" && a.value.kind != listValue {
			axes = append(axes, a.value)
		} else {
			named = append(named, a)
		}
	}
	a := m.bind(&call{name: c.name, at: c.at, args: named}, "shape", "batch_size", "dtype")
	in.Name = a.text("name")
	switch t := a.text("dtype"); t {
	case "", "float32":
	case "int32", "int64":
		in.IDs = true
	case "string":
		in.Text = true
	default:
		m.fail(a.get("dtype").at, "dtype: expected float32, int32 or string, got %s", quoted(t))
	}
	in.Shape = a.shape("shape")
	if len(axes) > 0 {
		if in.Shape != nil {
			m.fail(axes[0].at, "expected one shape in input(), got two")
		}
		in.Shape = m.axes(axes)
	}
	if in.Shape == nil {
		m.fail(c.at, "expected a shape in input(), as in input(500) or input(None, 12), got none")
	}
	a.done()
	return in
}

// axes is a shape without the batch; None, NULL and NA are open axes.
func (m *meaning) axes(list []value) tensor.Shape {
	shape := tensor.Shape{}
	for _, v := range list {
		if v.null() || v.kind == wordValue && v.text == "NA" {
			shape = append(shape, tensor.None)
			continue
		}
		n, ok := v.int()
		if !ok || n < 1 {
			m.fail(v.at, "expected the length of an axis, a whole number from 1 or None, got %s", v)
		}
		shape = append(shape, n)
	}
	return shape
}

// unknown is the message for a name that is none of known, with the nearest ones.
func unknown(kind, name string, known []string) string {
	msg := strings.TrimPrefix(keras.Unknown("", kind, name, known).Error(), ": expected the name of ")
	if near, ok := strings.CutPrefix(msg, kind+", got "); ok { // <kind>, got "name"; did you mean …?
		return "unknown " + kind + " " + near
	}
	return "unknown " + kind + " " + quoted(name) + "; expected one of " + strings.Join(known, ", ")
}
