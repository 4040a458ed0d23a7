package onnx

import (
	"errors"
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// recurrent writes a recurrent layer: the output, or the two of a Bidirectional that does not merge them, and the states that are returned.
func (b *builder) recurrent(dirs []layers.Direction, mode string, in []val) ([]string, error) {
	for _, d := range dirs {
		if d.Stateful {
			return nil, errors.New("stateful is not written to ONNX: a graph keeps no states from batch to batch; pass them as inputs, with return_state and initial_state")
		}
	}
	x := in[0]
	var given []string
	for _, v := range in[1:] {
		given = append(given, v.name)
	}
	if len(dirs) == 1 {
		r, err := b.direction(dirs[0], x, given)
		if err != nil {
			return nil, err
		}
		return append([]string{r.output}, r.returned(dirs[0])...), nil
	}
	var split [2][]string // given states of each
	if len(given) > 0 {
		split = [2][]string{given[:len(given)/2], given[len(given)/2:]}
		if n := statesOf(dirs[0]); n != statesOf(dirs[1]) {
			split = [2][]string{given[:n], given[n:]}
		}
	}
	both, err := b.bothWays(dirs, x, split)
	if err != nil {
		return nil, err
	}
	states := append(both[0].returned(dirs[0]), both[1].returned(dirs[1])...)
	one, two := both[0].output, both[1].output
	switch mode {
	case "none":
		return append([]string{one, two}, states...), nil
	case "sum":
		one = b.op("Add", one, two)
	case "mul":
		one = b.op("Mul", one, two)
	case "ave":
		one = b.op("Mul", b.op("Add", one, two), b.scalar(0.5))
	default:
		one = b.with("Concat", attrs("axis", -1), one, two)
	}
	return append([]string{one}, states...), nil
}

// statesOf is how many states a direction has.
func statesOf(d layers.Direction) (n int) {
	for _, s := range d.Stages {
		n += len(s.Cell.States)
	}
	return n
}

// walked is what a direction gives.
type walked struct {
	output string
	finals []string
}

// returned are the states that the layer returns.
func (w walked) returned(d layers.Direction) []string {
	if !d.States {
		return nil
	}
	return w.finals
}

// bothWays are the two directions of a Bidirectional, sequences of the second in the order of the first: in one operator where that has both, otherwise one after the other.
func (b *builder) bothWays(dirs []layers.Direction, x val, given [2][]string) ([2]walked, error) {
	one, err := operatorOf(dirs[0])
	if err != nil {
		return [2]walked{}, err
	}
	two, err := operatorOf(dirs[1])
	if err != nil {
		return [2]walked{}, err
	}
	if one != nil && one.fits(two) && !dirs[0].Backwards && (given[0] == nil) == (given[1] == nil) {
		return b.operator([]*operator{one, two}, "bidirectional", x, given[:], walk{sequences: dirs[0].Sequences, zeroMasked: dirs[0].ZeroMasked}), nil
	}
	var both [2]walked
	for i, d := range dirs {
		if both[i], err = b.direction(d, x, given[i]); err != nil {
			return both, err
		}
	}
	if dirs[1].Sequences {
		both[1].output = b.flip(both[1].output)
	}
	return both, nil
}

// walk is how a cell goes over a sequence.
type walk struct {
	sequences, zeroMasked bool
	backwards             bool
}

// direction is a layer's cells, one after the other over the whole sequence. What the first hands on stands in the order in which it went.
func (b *builder) direction(d layers.Direction, x val, given []string) (walked, error) {
	var r walked
	for i, s := range d.Stages {
		last := i == len(d.Stages)-1
		w := walk{sequences: !last || d.Sequences, zeroMasked: last && d.ZeroMasked, backwards: d.Backwards && i == 0}
		var own []string
		if given != nil {
			own, given = given[:len(s.Cell.States)], given[len(s.Cell.States):]
		}
		at := b
		if len(d.Stages) > 1 {
			at = b.in(fmt.Sprintf("cell_%d", i))
		}
		op, err := operatorOf(layers.Direction{Stages: []layers.Stage{s}})
		if err != nil {
			return r, err
		}
		var one walked
		if op != nil {
			direction := "forward"
			if w.backwards {
				direction = "reverse"
			}
			one = at.operator([]*operator{op}, direction, x, [][]string{own}, w)[0]
			if w.backwards && w.sequences {
				one.output = at.flip(one.output)
			}
		} else {
			one = at.scan(s, x, own, w)
		}
		r.output, r.finals = one.output, append(r.finals, one.finals...)
		x.name = one.output
		if w.backwards && x.mask != "" {
			x.mask = b.flip(x.mask)
		}
	}
	return r, nil
}

// operator is a cell that ONNX has an operator for.
type operator struct {
	op          string // RNN, LSTM or GRU
	units       int
	gates       []string // the blocks of the kernels in the operator's order
	activations []activation
	resetAfter  bool // of a GRU
	stage       layers.Stage
}

// activation is one of those that the operators know, with its arguments.
type activation struct {
	name        string
	alpha, beta []float32
}

// fits reports whether two cells can be the directions of one operator.
func (o *operator) fits(p *operator) bool {
	return p != nil && o.op == p.op && o.units == p.units && o.resetAfter == p.resetAfter
}

// operatorOf is the operator of a direction's only cell; nil where there is none: for a stack, other equations, or activations that operators do not know.
func operatorOf(d layers.Direction) (*operator, error) {
	if len(d.Stages) != 1 {
		return nil, nil
	}
	s := d.Stages[0]
	kind, err := kerasCell(s)
	if err != nil || kind == "" {
		return nil, err
	}
	o := &operator{stage: s, units: s.Spec.Units}
	act, gate := s.Spec.Activation.Or(activations.Tanh), s.Spec.RecurrentActivation.Or(activations.Sigmoid)
	var used []activations.Activation
	switch kind {
	case "simple_rnn":
		o.op, o.gates, used = "RNN", []string{""}, []activations.Activation{act}
	case "lstm":
		o.op, o.gates, used = "LSTM", []string{"i", "o", "f", "c"}, []activations.Activation{gate, act, act}
	case "gru", "gru_reset_before":
		o.op, o.gates, used = "GRU", []string{"z", "r", "h"}, []activations.Activation{gate, act}
		o.resetAfter = kind == "gru"
	}
	for _, a := range used {
		known, ok := operatorActivation(a)
		if !ok {
			return nil, nil
		}
		o.activations = append(o.activations, known)
	}
	return o, nil
}

// operatorActivation is the activation as RNN, LSTM and GRU know it.
func operatorActivation(a activations.Activation) (activation, bool) {
	number := func(v float32) []float32 { return []float32{v} }
	switch activations.Activation(a.Name()) {
	case activations.Tanh:
		return activation{name: "Tanh"}, true
	case activations.Sigmoid:
		return activation{name: "Sigmoid"}, true
	case activations.ReLU:
		return activation{name: "Relu"}, true
	case activations.LeakyReLU:
		return activation{"LeakyRelu", number(0.2), nil}, true
	case activations.HardSigmoid:
		return activation{"HardSigmoid", number(1.0 / 6), number(0.5)}, true
	case activations.HardSigmoidKeras2:
		return activation{"HardSigmoid", number(0.2), number(0.5)}, true
	case activations.Softsign:
		return activation{name: "Softsign"}, true
	case activations.Softplus:
		return activation{name: "Softplus"}, true
	case activations.Linear:
		return activation{"Affine", number(1), number(0)}, true
	}
	return activation{}, false
}

// kerasCell is which of Keras's cells a text is: simple_rnn, lstm, gru or gru_reset_before; "" for every other.
func kerasCell(s layers.Stage) (string, error) {
	text := equationsOf(s.Spec.Cell)
	for _, known := range []struct {
		kind string
		spec layers.Spec
	}{{"simple_rnn", layers.SimpleRNN{Units: 1}}, {"lstm", layers.LSTM{Units: 1}}, {"gru", layers.GRU{Units: 1}}, {"gru_reset_before", layers.GRU{Units: 1, NoResetAfter: true}}} {
		l, err := known.spec.Build(&layers.Builder{Name: known.kind}, []layers.Signature{{Shape: tensor.Shape{tensor.None, tensor.None, 1}}})
		if err != nil {
			return "", err
		}
		if dirs, _ := layers.DirectionsOf(l); text == equationsOf(dirs[0].Stages[0].Spec.Cell) {
			return known.kind, nil
		}
	}
	return "", nil
}

// equationsOf is a text without comments and without what it says of first values.
func equationsOf(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "param ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// named is a stage's weight; nil without a bias.
func named(s layers.Stage, name string) *layers.Weight {
	for _, w := range s.Weights {
		if w.Name == name {
			return w
		}
	}
	return nil
}

// places are where a kernel's blocks of the operator's gates begin, in units.
func (o *operator) places() []int {
	blocks := o.stage.Cell.Weights[0].Blocks // of the kernel, whose order the others share
	all := make([]int, len(o.gates))
	for i, g := range o.gates {
		for _, block := range blocks {
			if block.Name == g {
				all[i] = block.Start
			}
		}
	}
	return all
}

// turned is a matrix (in, gates·units) as ONNX has it: (gates·units, in), gates in the operator's order.
func (o *operator) turned(w *layers.Weight) []float32 {
	in, out := w.Shape[0], w.Shape[1]
	var rows []float32
	for _, start := range o.places() {
		for j := start; j < start+o.units; j++ {
			for i := range in {
				rows = append(rows, w.Data[i*out+j])
			}
		}
	}
	return rows
}

// biases are those of the input's products, then those of the state's.
func (o *operator) biases() []float32 {
	w := named(o.stage, "bias")
	both := make([]float32, 0, 2*len(o.gates)*o.units)
	for row := range 2 {
		for _, start := range o.places() {
			values := make([]float32, o.units)
			if at := row*len(o.gates)*o.units + start; w != nil && at < len(w.Data) {
				copy(values, w.Data[at:])
			}
			both = append(both, values...)
		}
	}
	return both
}

// operator writes RNN, LSTM or GRU, for one direction or both, and what surrounds it. A sequence of the result stands in the order of the input.
func (b *builder) operator(cells []*operator, direction string, x val, given [][]string, w walk) (all [2]walked) {
	o := cells[0]
	var kernel, recurrent, bias []float32
	var names []string
	var alphas, betas []float32
	for _, c := range cells {
		kernel, recurrent = append(kernel, c.turned(named(c.stage, "kernel"))...), append(recurrent, c.turned(named(c.stage, "recurrent_kernel"))...)
		bias = append(bias, c.biases()...)
		for _, a := range c.activations {
			names, alphas, betas = append(names, a.name), append(alphas, a.alpha...), append(betas, a.beta...)
		}
	}
	a := attrs("hidden_size", o.units, "direction", direction, "activations", names)
	if alphas != nil {
		a = append(a, attrs("activation_alpha", alphas)...)
	}
	if betas != nil {
		a = append(a, attrs("activation_beta", betas)...)
	}
	if o.op == "GRU" && o.resetAfter {
		a = append(a, attrs("linear_before_reset", 1)...)
	}
	dirs, rows := len(cells), len(o.gates)*o.units
	in := len(kernel) / dirs / rows
	var c compacted
	sequence, lengths := x.name, ""
	if x.mask != "" {
		c = b.toFront(x)
		lengths = c.lengths
		sequence = b.with("GatherND", attrs("batch_dims", 1), x.name, c.order)
	}
	inputs := []string{b.transpose(sequence, 1, 0, 2), b.floats("W", tensor.Shape{dirs, rows, in}, kernel),
		b.floats("R", tensor.Shape{dirs, rows, o.units}, recurrent), b.floats("B", tensor.Shape{dirs, 2 * rows}, bias), lengths}
	states := 1
	if o.op == "LSTM" {
		states = 2
	}
	for s := range states {
		var parts []string
		for i := range cells {
			if len(given[i]) > 0 {
				parts = append(parts, b.unsqueeze(given[i][s], 0))
			}
		}
		if len(parts) > 0 {
			inputs = append(inputs, b.with("Concat", attrs("axis", 0), parts...))
		}
	}
	out := b.several(o.op, 1+states, a, inputs...)
	for i := range cells {
		pick := func(v string, axis int) string {
			return b.with("Gather", attrs("axis", axis), v, b.whole(i))
		}
		r := &all[i]
		for _, final := range out[1:] {
			r.finals = append(r.finals, pick(final, 0))
		}
		last := r.finals[0]
		if x.mask != "" && len(given[i]) > 0 { // a row without a valid step keeps its states; onnxruntime gives zeros
			some := b.unsqueeze(b.op("Greater", b.castInt(lengths), b.whole(0)), 1)
			for k := range r.finals {
				r.finals[k] = b.op("Where", some, r.finals[k], given[i][k])
			}
		}
		back := i == 1 || direction == "reverse"
		switch {
		case w.sequences:
			r.output = b.transpose(pick(out[0], 1), 1, 0, 2)
			if x.mask != "" {
				r.output = b.fromFront(r.output, x, c, back, w.zeroMasked)
			}
		default:
			r.output = last
			if x.mask != "" && w.zeroMasked { // the last step that is walked may be a masked one
				r.output = b.op("Where", b.unsqueeze(b.lastStep(x.mask, back), 1), r.output, b.scalar(0))
			}
		}
	}
	return all
}

// lastStep is the mask of the step that is walked last.
func (b *builder) lastStep(mask string, back bool) string {
	at := -1
	if back {
		at = 0
	}
	return b.with("Gather", attrs("axis", 1), mask, b.whole(at))
}

// compacted is a mask as the operators understand it, whose steps are the first of a row: valid ones are moved there.
type compacted struct {
	lengths string // (N): how many they are
	order   string // (N, T, 1): the steps, valid ones first
	before  string // (N, T): how many valid steps there are up to this one, this one with
}

// toFront is that of x's mask.
func (b *builder) toFront(x val) compacted {
	if c, ok := b.compact[x.mask]; ok {
		return c
	}
	valid := b.castInt(x.mask)
	t := b.dim(x.mask, 1)
	// T for a valid step, and what is left of the sequence behind it, so that earlier steps come first.
	key := b.op("Sub", b.op("Mul", valid, t), b.count(t))
	order := b.several("TopK", 2, attrs("axis", 1), key, t)[1]
	const int32Type = 6
	c := compacted{
		lengths: b.with("Cast", attrs("to", int32Type), b.reduce("ReduceSum", false, valid, 1)),
		order:   b.unsqueeze(order, 2),
		before:  b.op("CumSum", valid, b.whole(1)),
	}
	b.compact[x.mask] = c
	return c
}

// fromFront puts what a walk gave for valid steps back where they stood. A masked step has what the last step before it gave, in the order of the walk: zeros where there is none, and
// always with zero.
func (b *builder) fromFront(y string, x val, c compacted, back, zero bool) string {
	at := b.op("Sub", c.before, b.whole(1)) // of the last valid step up to this one
	seen := b.op("GreaterOrEqual", at, b.whole(0))
	if back {
		at = b.op("Sub", c.before, b.castInt(x.mask)) // of the first valid step from this one on
		seen = b.op("Less", at, b.unsqueeze(b.castInt(c.lengths), 1))
	}
	if zero {
		seen = x.mask
	}
	last := b.op("Sub", b.dim(x.mask, 1), b.whole(1))
	at = b.op("Min", b.op("Max", at, b.whole(0)), last)
	return b.op("Where", b.unsqueeze(seen, 2), b.with("GatherND", attrs("batch_dims", 1), y, b.unsqueeze(at, 2)), b.scalar(0))
}
