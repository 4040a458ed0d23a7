package layers

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/constraints"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/engine"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// Recurrent is a layer whose step is the text of a cell: your own equations. SimpleRNN, LSTM and GRU are this layer with texts
// of Keras's. Input (N, T, C); output (N, Units), or (N, T, Units) with ReturnSequences: as wide as output_t.
type Recurrent struct {
	Name  string
	Units int
	Cell  string         // the equations
	Sizes map[string]int // widths that the text names in `value` lines

	Activation          activations.Activation // unset: tanh
	RecurrentActivation activations.Activation // unset: sigmoid
	NoBias              bool
	// Initializers by the weights' roles in the text; a `param` line of the text goes first.
	KernelInitializer    initializers.Initializer // unset: glorot_uniform
	RecurrentInitializer initializers.Initializer // unset: orthogonal
	BiasInitializer      initializers.Initializer // unset: zeros

	ReturnSequences bool
	// GoBackwards walks from the last step to the first; sequences come out in that order.
	GoBackwards bool
	// ZeroOutputForMask makes the output of a masked step zero; otherwise it repeats the previous one.
	ZeroOutputForMask bool

	// In training a part Dropout of the values of input_t, and RecurrentDropout of state_t, are zero in the arguments of products, and
	// the others scaled by 1/(1-part): the same ones at all steps. LSTM and GRU take 1 for 0, as Keras's do.
	Dropout, RecurrentDropout float64
	Seed                      tensor.Float // of dropout; unset: the model's

	KernelRegularizer, RecurrentRegularizer, BiasRegularizer regularizers.Regularizer // by the weights' roles
	ActivityRegularizer                                      regularizers.Regularizer // of the output
	KernelConstraint, RecurrentConstraint, BiasConstraint    constraints.Constraint
}

// GivenName is the name that the user gave.
func (l Recurrent) GivenName() string { return l.Name }

// Build checks the equations and makes their weights.
func (l Recurrent) Build(b *Builder, in []Signature) (Layer, error) {
	return buildRecurrent(b.In("cell"), in, l.Class(), l)
}

// recurrentSpec is implemented by the Specs of recurrent layers.
type recurrentSpec interface {
	Spec
	// recurrent is the layer as equations, and the name of Keras's cell, which stands in the weights' paths.
	recurrent() (l Recurrent, cellName string)
}

func (l Recurrent) recurrent() (Recurrent, string) { return l, "cell" }

// buildKeras builds one of Keras's recurrent layers.
func buildKeras(b *Builder, in []Signature, s recurrentSpec) (*recurrent, error) {
	l, cellName := s.recurrent()
	return buildRecurrent(b.In(cellName), in, s.Class(), l)
}

func buildRecurrent(b *Builder, in []Signature, class string, l Recurrent) (*recurrent, error) {
	if l.Units <= 0 {
		return nil, fmt.Errorf("layers: %s: units must be positive, got %d", class, l.Units)
	}
	if err := checkSequence(class, in); err != nil {
		return nil, err
	}
	r := &recurrent{class: class, spec: l, inputs: in[0].Shape[2]}
	parsed, err := cell.Parse(l.Cell)
	if err != nil {
		return nil, cellError(class, err)
	}
	resolved, err := parsed.Resolve(cell.Options{
		Units: l.Units, Input: r.inputs, Sizes: l.Sizes,
		Activation: l.Activation.Name(), RecurrentActivation: l.RecurrentActivation.Name(), NoBias: l.NoBias,
	})
	if err != nil {
		return nil, cellError(class, err)
	}
	plan := cell.NewPlan(resolved)
	r.cell, r.width = engine.New(plan), plan.Slots[plan.Output].Width
	drop, err := dropoutOf(class, l)
	if err != nil {
		return nil, err
	}
	if drop.Input || drop.State {
		if plan, err = cell.NewDropoutPlan(resolved, drop); err != nil {
			return nil, fmt.Errorf("layers: %s: equations: %w", class, err)
		}
		r.dropped = engine.New(plan)
	}
	for i := range resolved.Weights {
		w := &resolved.Weights[i]
		draw, err := l.drawer(w)
		if err != nil {
			return nil, fmt.Errorf("layers: %s: weight %s: %w", class, w.Name, err)
		}
		r.weights = append(r.weights, b.drawn(w.Name, tensor.Shape(w.Shape()), draw))
		if err := l.hold(class, r.weights[i], w.Role); err != nil {
			return nil, err
		}
		r.bound = append(r.bound, r.weights[i].Data)
	}
	return r, checkActivity(class, l.ActivityRegularizer, r, in)
}

// hold gives a weight the regularizer and the constraint of its role.
func (l Recurrent) hold(class string, w *Weight, role cell.Role) error {
	switch role {
	case cell.Kernel:
		return w.hold(class, "kernel", l.KernelRegularizer, l.KernelConstraint)
	case cell.Recurrent:
		return w.hold(class, "recurrent", l.RecurrentRegularizer, l.RecurrentConstraint)
	case cell.Bias:
		return w.hold(class, "bias", l.BiasRegularizer, l.BiasConstraint)
	}
	return nil
}

// cellError is a mistake in the equations, said once.
func cellError(class string, err error) error {
	var e *cell.Error
	if errors.As(err, &e) {
		return fmt.Errorf("layers: %s: equations, %w", class, e)
	}
	return fmt.Errorf("layers: %s: equations: %w", class, err)
}

func checkSequence(class string, in []Signature) error {
	if len(in) == 1 && !in[0].IDs && len(in[0].Shape) == 3 && in[0].Shape[2] != tensor.None {
		return nil
	}
	if len(in) == 1 && !in[0].IDs && len(in[0].Shape) == 2 {
		return fmt.Errorf("layers: %s: expected sequences (N, T, C), got vectors %v: a recurrent layer before this one needs return_sequences",
			class, in[0].Shape)
	}
	return fmt.Errorf("layers: %s: expected sequences (N, T, C) with a known width, got %s", class, describe(in))
}

// drawer is how the first values of a weight of the text are drawn: by its role for the whole fused matrix, as Keras does,
// then blocks with an initializer of their own again.
func (l Recurrent) drawer(w *cell.Weight) (func(dst []float32, s *random.Stream) error, error) {
	var init initializers.Initializer
	switch w.Role {
	case cell.Kernel, cell.Vector:
		init = or(l.KernelInitializer, initializers.GlorotUniform{})
		if w.Role == cell.Vector {
			init = initializers.GlorotUniform{}
		}
	case cell.Recurrent:
		init = or(l.RecurrentInitializer, initializers.Orthogonal{})
	case cell.Bias:
		init = or(l.BiasInitializer, initializers.Zeros{})
	case cell.Gain:
		init = initializers.Ones{}
	}
	if w.Init != "" {
		named, err := initByText(w.Init)
		if err != nil {
			return nil, err
		}
		init = named
	}
	type redraw struct {
		block cell.Block
		init  initializers.Initializer
	}
	var blocks []redraw
	for _, b := range w.Blocks {
		if b.Init != "" {
			named, err := initByText(b.Init)
			if err != nil {
				return nil, err
			}
			blocks = append(blocks, redraw{b, named})
		}
	}
	rows := max(1, w.Rows)
	shape := tensor.Shape{w.Out}
	if w.Matrix {
		rows, shape = w.In, tensor.Shape{w.In, w.Out}
	} else if w.Rows > 0 {
		shape = tensor.Shape{w.Rows, w.Out}
	}
	return func(dst []float32, s *random.Stream) error {
		drawn := make([]float32, len(dst))
		if err := init.Fill(drawn, shape, s); err != nil {
			return err
		}
		for _, b := range blocks {
			part := shape.Clone()
			part[len(part)-1] = b.block.Width
			values := make([]float32, part.Size())
			if err := b.init.Fill(values, part, s); err != nil {
				return err
			}
			for r := range rows {
				copy(drawn[r*w.Out+b.block.Start:], values[r*b.block.Width:(r+1)*b.block.Width])
			}
		}
		if !w.OutIn {
			copy(dst, drawn)
			return nil
		}
		for i := range w.In {
			for j := range w.Out {
				dst[j*w.In+i] = drawn[i*w.Out+j]
			}
		}
		return nil
	}, nil
}

// initByText is the initializer of a `param` line: a name of Keras's, or a number.
func initByText(text string) (initializers.Initializer, error) {
	if v, err := strconv.ParseFloat(text, 64); err == nil {
		return initializers.Constant{Value: v}, nil
	}
	return initializers.ByName(text)
}

// recurrent is every recurrent layer: a cell in the engine, walked over time.
type recurrent struct {
	class         string
	spec          Recurrent
	inputs, width int
	cell          *engine.Cell
	weights       []*Weight
	bound         [][]float32 // their values

	dropped *engine.Cell // the cell in training, with dropout; nil without
	source  DropSource   // of its masks; nil: draws
	second  bool         // the backward layer of a Bidirectional
}

func (r *recurrent) Weights() []*Weight { return r.weights }

// Activity is the regularizer of the output.
func (r *recurrent) Activity() regularizers.Regularizer { return r.spec.ActivityRegularizer }

// Plan is how the engine runs the layer.
func (r *recurrent) Plan() *cell.Plan { return r.cell.Plan() }

func (r *recurrent) Output(in []Signature) ([]Signature, error) {
	if err := checkSequence(r.class, in); err != nil {
		return nil, err
	}
	if in[0].Shape[2] != r.inputs {
		return nil, fmt.Errorf("layers: %s: expected inputs of width %d, got %v", r.class, r.inputs, in[0].Shape)
	}
	if r.spec.ReturnSequences {
		return []Signature{{Shape: tensor.Shape{in[0].Shape[0], in[0].Shape[1], r.width}, Masked: in[0].Masked}}, nil
	}
	return []Signature{{Shape: tensor.Shape{in[0].Shape[0], r.width}}}, nil
}

func (r *recurrent) Layout() Layout { return TimeMajor }

func (r *recurrent) Prepare(training bool) {
	if r.dropped != nil && training {
		r.dropped.Bind(r.bound, true)
		training = false
	}
	r.cell.Bind(r.bound, training)
}

// ShardRows: wide weights are read from farther away, so that more rows must share each reading.
func (r *recurrent) ShardRows() int {
	switch {
	case r.width <= 64:
		return 16
	case r.width <= 256:
		return 32
	}
	return 64
}

func (r *recurrent) Forward(c *Call) {
	run, ok := c.Keep.(*engine.Run)
	if !ok {
		run = new(engine.Run)
		c.Keep = run
	}
	c.Out[0] = r.forward(run, c, 0, r.spec.ReturnSequences)
}

func (r *recurrent) Backward(c *Call) {
	r.backward(c.Keep.(*engine.Run), c, c.DOut[0], c.DIn[0])
}

// forward walks c.In[0]; slot is where the result's shape is kept.
func (r *recurrent) forward(run *engine.Run, c *Call, slot int, sequences bool) Value {
	in := &c.In[0]
	n, t := in.Shape[0], in.Shape[1]
	runs, drop := r.runs(run, c)
	run.Forward(runs, engine.Shape{T: t, N: n, Training: c.Grads != nil, Sequences: sequences},
		engine.Input{X: in.Data, Mask: in.Mask, Backwards: r.spec.GoBackwards, ZeroMasked: r.spec.ZeroOutputForMask, Drop: drop})
	if !sequences {
		return Value{Shape: c.Shape(slot, in.Shape[:1], r.width), Data: run.Last()}
	}
	return Value{Shape: c.Shape(slot, in.Shape[:2], r.width), Data: run.Sequence(), Mask: in.Mask, TimeMajor: true}
}

// backward walks back from the gradient of what forward returned, and overwrites din unless it is nil.
func (r *recurrent) backward(run *engine.Run, c *Call, dout, din []float32) {
	g := engine.Gradient{X: din}
	if r.spec.ReturnSequences {
		g.Sequence = dout
	} else {
		g.Last = dout
	}
	g.Weights = c.gradsOf(r.weights)
	run.Backward(g)
}

// IsRecurrent reports whether the layer walks over time and so needs sequences.
func IsRecurrent(s Spec) bool {
	switch s := s.(type) {
	case recurrentSpec:
		return true
	case Bidirectional:
		return s.Layer != nil && IsRecurrent(s.Layer)
	}
	return false
}
