package layers

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/engine"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/tensor"
)

// stage is a cell of a recurrent layer, in the engine: the only one, or one of a stack.
type stage struct {
	class   string // for errors: of the layer, and of the cell where it stands in a stack
	spec    Recurrent
	width   int
	cell    *engine.Cell
	weights []*Weight
	bound   [][]float32 // their values

	dropped *engine.Cell // the cell in training, with dropout; nil without
	part    uint64       // keys its draws within the layer
	second  bool         // it belongs to the backward layer of a Bidirectional
	source  DropSource   // of its masks; nil: draws
}

// cellSpec is what a stage is built from.
type cellSpec struct {
	class string // for errors
	l     Recurrent
	path  []string // of its weights, below the layer's
	gated bool     // one of Keras's cells with gates
}

// build makes the cell and its weights for inputs of this width.
func (s cellSpec) build(b *Builder, inputs int) (*stage, error) {
	l := s.l
	if l.Units <= 0 {
		return nil, fmt.Errorf("layers: %s: units must be positive, got %d", s.class, l.Units)
	}
	for _, a := range []struct {
		name     string
		function activations.Activation
	}{{"activation", l.Activation}, {"recurrent_activation", l.RecurrentActivation}} {
		if err := a.function.Check(); err != nil {
			return nil, fmt.Errorf("layers: %s: %s: %w", s.class, a.name, err)
		}
	}
	parsed, err := cell.Parse(l.Cell)
	if err != nil {
		return nil, cellError(s.class, err)
	}
	resolved, err := parsed.Resolve(cell.Options{
		Units: l.Units, Input: inputs, Sizes: l.Sizes,
		Activation: l.Activation.Name(), RecurrentActivation: l.RecurrentActivation.Name(), NoBias: l.NoBias,
	})
	if err != nil {
		return nil, cellError(s.class, err)
	}
	plan := cell.NewPlan(resolved)
	g := &stage{class: s.class, spec: l, cell: engine.New(plan), width: plan.Slots[plan.Output].Width}
	drop, err := dropoutOf(s)
	if err != nil {
		return nil, err
	}
	if drop.Input || drop.State {
		if plan, err = cell.NewDropoutPlan(resolved, drop); err != nil {
			return nil, fmt.Errorf("layers: %s: equations: %w", s.class, err)
		}
		g.dropped = engine.New(plan)
	}
	for _, name := range s.path {
		b = b.In(name)
	}
	for i := range resolved.Weights {
		w := &resolved.Weights[i]
		draw, err := l.drawer(w)
		if err != nil {
			return nil, fmt.Errorf("layers: %s: weight %s: %w", s.class, w.Name, err)
		}
		g.weights = append(g.weights, b.drawn(w.Name, tensor.Shape(w.Shape()), draw))
		if err := l.hold(s.class, g.weights[i], w.Role); err != nil {
			return nil, err
		}
		g.bound = append(g.bound, g.weights[i].Data)
	}
	return g, nil
}

// states are those of the cell, in the order in which they are given and returned.
func (g *stage) states() []cell.State { return g.cell.Plan().Cell.States }

func (g *stage) prepare(training bool) {
	if g.dropped != nil && training {
		g.dropped.Bind(g.bound, true)
		training = false
	}
	g.cell.Bind(g.bound, training)
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
