package main

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/layers"
)

// equationNames are the layers that are equations alone, as a text names them.
func equationNames() []string {
	var names []string
	for _, l := range layers.Equations() {
		names = append(names, keras.Snake(l.Class()))
	}
	return names
}

// isEquations reports whether a layer of that name is one of them: layer_norm_lstm is, and begins with no prefix of R's.
func isEquations(name string) bool { return slices.Contains(equationNames(), name) }

// findEquations is the layer of that name.
func findEquations(name string) (layers.Recurrent, bool) {
	i := slices.Index(equationNames(), name)
	if i < 0 {
		return layers.Recurrent{}, false
	}
	return layers.Equations()[i], true
}

// recurrent is a layer with equations of the user's.
func (m *meaning) recurrent(c *call) (layers.Spec, *arguments) {
	l, a := m.walked(c, layers.Recurrent{}, "units", "cell")
	v := a.get("cell")
	if v == nil || v.kind != wordValue && v.kind != stringValue {
		m.fail(c.at, "expected the equations in recurrent(), as in recurrent(32, cell=my.cell), got %s", described(v))
	}
	text, err := m.cells(v.text)
	var fault *cellFault
	if errors.As(err, &fault) {
		panic(stop{fault})
	} else if err != nil {
		m.fail(v.at, "cell: %v", err)
	}
	l.Cell = text
	return l, a
}

// equations is a layer with equations that are built in.
func (m *meaning) equations(c *call, l layers.Recurrent) (layers.Spec, *arguments) {
	return m.walked(c, l, "units")
}

// walked gives l the arguments of a call: every one that no layer has is a width that the equations name. first are the names of the first.
func (m *meaning) walked(c *call, l layers.Recurrent, first ...string) (layers.Recurrent, *arguments) {
	names := append(first, "activation", "recurrent_activation", "use_bias", "kernel_initializer", "recurrent_initializer",
		"bias_initializer", "return_sequences", "go_backwards", "stateful", "unroll", "dropout", "recurrent_dropout", "zero_output_for_mask")
	sizes := map[string]int{}
	rest := &call{name: c.name, at: c.at}
	for _, a := range c.args {
		n, err := strconv.Atoi(strings.TrimSuffix(a.value.text, "L"))
		if a.name != "" && !slices.Contains(names, a.name) && !slices.Contains(everyLayer(), a.name) && a.value.kind == numberValue && err == nil {
			sizes[a.name] = n
			continue
		}
		rest.args = append(rest.args, a)
	}
	a := m.bind(rest, names...)
	l.Units = a.needInt("units")
	if len(sizes) > 0 {
		l.Sizes = sizes
	}
	l.Name, l.Activation, l.RecurrentActivation = a.text("name"), a.activation("activation"), a.activation("recurrent_activation")
	l.NoBias = !a.bool("use_bias", true)
	if i := a.initializer("kernel_initializer"); i != nil {
		l.KernelInitializer = i
	}
	l.RecurrentInitializer, l.BiasInitializer = a.initializer("recurrent_initializer"), a.initializer("bias_initializer")
	l.ReturnSequences, l.GoBackwards = a.bool("return_sequences", false), a.bool("go_backwards", false)
	l.Dropout, l.RecurrentDropout = a.float("dropout"), a.float("recurrent_dropout")
	l.ZeroOutputForMask, l.Stateful, l.Unroll = a.bool("zero_output_for_mask", false), a.bool("stateful", false), a.bool("unroll", false)
	return l, a
}
