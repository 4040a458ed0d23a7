package onnx

import (
	"fmt"
	"math"
	"slices"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/internal/onnx"
	"github.com/unroll-ml/unroll/layers"
)

// recurrentNode is an RNN, LSTM or GRU with its arrays.
type recurrentNode struct {
	op                  string
	units, dirs, inputs int
	reverse             bool
	w, r, b, peephole   []float32 // W, R, B (nil: none) and P
	acts                [][]activations.Activation
	linearBefore        bool
}

// recurrent makes a layer of an RNN, LSTM or GRU.
func (m *importer) recurrent(n *onnx.Node) error {
	c, err := m.readRecurrent(n)
	if err != nil {
		return err
	}
	x := m.arg(n, 0)
	if x == nil || x.view == nil {
		return fmt.Errorf("expected a sequence that layers compute as X")
	}
	order := []int{1, 0, 2} // of X
	stepsFirst := intOf(n, "layout", 0) == 0
	if !stepsFirst {
		order = []int{0, 1, 2}
	}
	in, err := m.sequence(n, x.view, order)
	if err != nil {
		return err
	}
	in, turned := m.inOrder(in)
	w := &recurrence{x: in}
	if len(in.lengths) != 3 || in.width() != c.inputs {
		return fmt.Errorf("expected a sequence of width %d as X, got shape %s", c.inputs, shown(in.lengths))
	}
	if turned && (c.reverse || c.dirs == 2) {
		return fmt.Errorf("expected a walk forwards over steps that are turned around, got one backwards")
	}
	if w.given, err = m.initial(n, c, in.lengths[1]); err != nil {
		return err
	}
	for d := range c.dirs {
		w.ways = append(w.ways, &way{units: c.units, states: c.states(), arrays: c.arrays(d), back: turned || c.reverse || d == 1,
			spec: func(name string, sequences, states, back, _ bool) layers.Spec {
				return c.spec(d, name, sequences, states, back)
			}})
		if err := m.spend(len(c.w) + len(c.r)); err != nil {
			return err
		}
	}
	return m.operator(n, w, stepsFirst, !turned)
}

// operator sets the results of an RNN, LSTM or GRU.
func (m *importer) operator(n *onnx.Node, w *recurrence, stepsFirst, natural bool) error {
	sequences, states, err := m.walks(n, w, natural)
	if err != nil {
		return err
	}
	dir := axis{direction: true}
	if len(sequences) == 2 {
		dir = axis{stacked: true}
	}
	a := axesOf(0, 1, 2)
	every, end := []axis{a[1], dir, a[0], a[2]}, []axis{dir, a[0], a[1]}
	if !stepsFirst {
		every, end = []axis{a[0], a[1], dir, a[2]}, []axis{a[0], dir, a[1]}
	}
	views := []*view{{parts: sequences, axes: every}, {axes: end}, {axes: end}}
	for _, s := range states {
		views[1].parts = append(views[1].parts, s[0])
		if len(s) > 1 {
			views[2].parts = append(views[2].parts, s[1])
		}
	}
	for i, v := range views {
		if i < len(n.Outputs) && n.Outputs[i] != "" && len(v.parts) > 0 {
			m.put(n.Outputs[i], v.term())
		}
	}
	return nil
}

// sequence is a view as a sequence for a recurrent layer, whose axes an operator has in this order.
func (m *importer) sequence(n *onnx.Node, v *view, order []int) (*source, error) {
	if v.are(order...) {
		return v.single()
	}
	if slices.ContainsFunc(v.axes, func(a axis) bool { return a.stacked || a.direction }) || len(v.axes) != 3 {
		return nil, fmt.Errorf("expected a sequence as X, got axes in the order %s", v.order())
	}
	axes := slices.Clone(v.axes)
	for i, o := range order {
		axes[o] = v.axes[i]
	}
	if !axes[0].is(0) {
		return nil, fmt.Errorf("expected the batch of X on axis %d, got axes in the order %s", slices.Index(order, 0), v.order())
	}
	return m.arranged(n.Name, &view{parts: v.parts, axes: axes})
}

// states are how many an operator carries.
func (c *recurrentNode) states() int {
	if c.op == "LSTM" {
		return 2
	}
	return 1
}

// initial are the states that a node begins with for sequences of so many steps; none for zeros.
func (m *importer) initial(n *onnx.Node, c *recurrentNode, steps length) (given []*source, err error) {
	if t := m.arg(n, 4); t != nil && (t.array == nil || !t.every(steps)) {
		return nil, fmt.Errorf("expected no sequence_lens, or all steps: here a mask made by an Embedding or a Masking layer hides steps")
	}
	for i := range c.states() {
		t := m.arg(n, 5+i)
		switch {
		case t == nil || t.array != nil && t.isAll(0):
			continue
		case t.view == nil:
			return nil, fmt.Errorf("expected zeros or what layers compute as initial state %d, got other numbers", i)
		case c.dirs != len(t.parts) || len(t.axes) != 3 || !t.axes[1].is(0) || !t.axes[2].is(1):
			return nil, fmt.Errorf("expected one initial state of shape (directions, N, H), got axes in the order %s", t.order())
		}
		given = append(given, t.parts...)
	}
	if len(given) > 0 && len(given) != c.states()*c.dirs {
		return nil, fmt.Errorf("expected all initial states or none, got %d", len(given))
	}
	if c.dirs == 2 && len(given) == 4 { // h of both, then c of both; here both of one direction, then of the other
		given = []*source{given[0], given[2], given[1], given[3]}
	}
	return given, nil
}

// every reports whether all numbers are this length.
func (a *array) every(l length) bool {
	if a.filled {
		return a.whole && a.long == l
	}
	return len(a.ints) > 0 && !slices.ContainsFunc(a.ints, func(i length) bool { return i != l })
}

// readRecurrent checks a node and its arrays.
func (m *importer) readRecurrent(n *onnx.Node) (*recurrentNode, error) {
	c := &recurrentNode{op: n.Op, dirs: 1, linearBefore: intOf(n, "linear_before_reset", 0) != 0}
	switch d := n.Attribute("direction"); {
	case d == nil || d.String == "forward":
	case d.String == "reverse":
		c.reverse = true
	case d.String == "bidirectional":
		c.dirs = 2
	default:
		return nil, fmt.Errorf("expected a direction forward, reverse or bidirectional, got %q", d.String)
	}
	if n.Attribute("clip") != nil || intOf(n, "input_forget", 0) != 0 {
		return nil, fmt.Errorf("expected neither clip nor input_forget: no layer here has them")
	}
	gates := len(c.gates())
	get := func(i int, what string, shape ...int) ([]float32, []int, error) {
		t := m.arg(n, i)
		if t == nil {
			return nil, nil, nil
		}
		if t.array == nil || t.floats == nil {
			return nil, nil, fmt.Errorf("expected known numbers as %s, got a value that depends on the inputs", what)
		}
		ok := len(t.shape) == len(shape)
		for k := 0; ok && k < len(shape); k++ {
			ok = shape[k] < 0 || shape[k] == t.shape[k]
		}
		if !ok {
			return nil, nil, fmt.Errorf("expected %s of shape %v (-1: any), got %v", what, shape, t.shape)
		}
		return t.floats, t.shape, nil
	}
	var shape []int
	var err error
	if c.r, shape, err = get(2, "R", c.dirs, -1, -1); err != nil {
		return nil, err
	}
	if c.r == nil || shape[2] < 1 || shape[1] != gates*shape[2] || intOf(n, "hidden_size", shape[2]) != shape[2] {
		return nil, fmt.Errorf("expected R of shape (%d, %d·H, H) for hidden_size H, got %v", c.dirs, gates, shape)
	}
	c.units = shape[2]
	if c.w, shape, err = get(1, "W", c.dirs, gates*c.units, -1); err != nil {
		return nil, err
	}
	if c.w == nil || shape[2] < 1 {
		return nil, fmt.Errorf("expected W of shape (%d, %d, C), got %v", c.dirs, gates*c.units, shape)
	}
	c.inputs = shape[2]
	if c.b, _, err = get(3, "B", c.dirs, 2*gates*c.units); err != nil {
		return nil, err
	}
	if c.op == "LSTM" {
		if c.peephole, _, err = get(7, "P", c.dirs, 3*c.units); err != nil {
			return nil, err
		}
	}
	return c, c.readActivations(n)
}

// gates are the operator's, in its order, by the names of our blocks.
func (c *recurrentNode) gates() []string {
	switch c.op {
	case "LSTM":
		return []string{"i", "o", "f", "c"}
	case "GRU":
		return []string{"z", "r", "h"}
	}
	return []string{""}
}

func (c *recurrentNode) readActivations(n *onnx.Node) error {
	names := map[string][]string{"RNN": {"Tanh"}, "GRU": {"Sigmoid", "Tanh"}, "LSTM": {"Sigmoid", "Tanh", "Tanh"}}[c.op]
	each := len(names)
	names = slices.Repeat(names, c.dirs)
	if a := n.Attribute("activations"); a != nil {
		if len(a.Strings) != len(names) {
			return fmt.Errorf("expected %d activations, got %v", len(names), a.Strings)
		}
		names = a.Strings
	}
	next := func(attribute string) func(otherwise float32) float32 {
		var left []float32
		if a := n.Attribute(attribute); a != nil {
			left = a.Floats
		}
		return func(otherwise float32) float32 {
			if len(left) == 0 {
				return otherwise
			}
			v := left[0]
			left = left[1:]
			return v
		}
	}
	alpha, beta := next("activation_alpha"), next("activation_beta")
	for d := range c.dirs {
		var acts []activations.Activation
		for _, name := range names[d*each : (d+1)*each] {
			var a activations.Activation
			switch name {
			case "Tanh":
				a = activations.Tanh
			case "Sigmoid":
				a = activations.Sigmoid
			case "Relu":
				a = activations.ReLU
			case "Softsign":
				a = activations.Softsign
			case "Softplus":
				a = activations.Softplus
			case "LeakyRelu":
				if alpha(0.01) == 0.2 {
					a = activations.LeakyReLU
				}
			case "Elu":
				if alpha(1) == 1 {
					a = activations.ELU
				}
			case "Affine":
				if alpha(1) == 1 && beta(0) == 0 {
					a = activations.Linear
				}
			case "HardSigmoid":
				a = hardSigmoid(alpha(0.2), beta(0.5))
			}
			if a == "" {
				return fmt.Errorf("expected activations that layers have, got %s with its arguments", name)
			}
			acts = append(acts, a)
		}
		if c.op == "LSTM" && acts[1] != acts[2] {
			return fmt.Errorf("expected one activation for g and h of an LSTM, got %s and %s", acts[1], acts[2])
		}
		c.acts = append(c.acts, acts)
	}
	return nil
}

// hardSigmoid is the one with these arguments; "" where no layer has it.
func hardSigmoid(alpha, beta float32) activations.Activation {
	switch {
	case beta != 0.5:
	case math.Abs(float64(alpha)-1.0/6) < 1e-6:
		return activations.HardSigmoid
	case alpha == 0.2:
		return activations.HardSigmoidKeras2
	case alpha == 0.5:
		return activations.SparseSigmoid
	}
	return ""
}

// spec is the layer of direction d.
func (c *recurrentNode) spec(d int, name string, sequences, states, back bool) layers.Spec {
	acts := c.acts[d]
	switch {
	case c.op == "RNN":
		return layers.SimpleRNN{Name: name, Units: c.units, Activation: acts[0], NoBias: c.b == nil, ReturnSequences: sequences, ReturnState: states, GoBackwards: back}
	case c.op == "GRU":
		return layers.GRU{Name: name, Units: c.units, RecurrentActivation: acts[0], Activation: acts[1], NoBias: c.b == nil, NoResetAfter: !c.linearBefore,
			ReturnSequences: sequences, ReturnState: states, GoBackwards: back}
	case c.peephole != nil:
		l := layers.PeepholeLSTM(c.units)
		l.Name, l.RecurrentActivation, l.Activation, l.NoBias = name, acts[0], acts[1], c.b == nil
		l.ReturnSequences, l.ReturnState, l.GoBackwards = sequences, states, back
		return l
	}
	return layers.LSTM{Name: name, Units: c.units, RecurrentActivation: acts[0], Activation: acts[1], NoBias: c.b == nil,
		ReturnSequences: sequences, ReturnState: states, GoBackwards: back}
}

// arrays are the weights of direction d in the layer's order: kernel, recurrent_kernel, bias; with peepholes their weights before the bias.
func (c *recurrentNode) arrays(d int) [][]float32 {
	h, gates := c.units, len(c.gates())
	rows := gates * h
	// Where the operator has each of our gates.
	order := map[string][]int{"LSTM": {0, 2, 3, 1}, "GRU": {0, 1, 2}, "RNN": {0}}[c.op]
	matrix := func(all []float32, in int) []float32 {
		part := all[d*rows*in : (d+1)*rows*in]
		m := make([]float32, len(part))
		for k, g := range order {
			for j := range h {
				for i := range in {
					m[i*rows+k*h+j] = part[(g*h+j)*in+i]
				}
			}
		}
		return m
	}
	list := [][]float32{matrix(c.w, c.inputs), matrix(c.r, h)}
	if c.peephole != nil { // i, o, f there, and i, f, o here
		p := c.peephole[d*3*h : (d+1)*3*h]
		list = append(list, slices.Concat(p[:h], p[2*h:], p[h:2*h]))
	}
	if c.b == nil {
		return list
	}
	b := c.b[d*2*rows : (d+1)*2*rows]
	two := make([]float32, 2*rows)
	for row := range 2 {
		for k, g := range order {
			copy(two[row*rows+k*h:], b[row*rows+g*h:][:h])
		}
	}
	if c.op == "GRU" && c.linearBefore {
		return append(list, two)
	}
	for i := range rows {
		two[i] += two[rows+i]
	}
	return append(list, two[:rows])
}
