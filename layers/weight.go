package layers

import (
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll/constraints"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// Weight is a trainable array of a layer.
type Weight struct {
	// Name is Keras's name of the variable, "kernel"; Path the layers' names before it, "simple_rnn/simple_rnn_cell/kernel".
	Name, Path string
	Shape      tensor.Shape
	Data       []float32
	// Trainable is false for weights that the optimizer must leave alone.
	Trainable bool
	// Statistic: the layer keeps a number of the data here, a moving average, that no optimizer ever trains. Trainable is false.
	Statistic bool
	// Integer: the values are whole numbers, which Keras keeps as such.
	Integer bool
	// Regularizer adds to the loss while the weight is trained, Constraint follows every step of the optimizer. Either may be nil.
	Regularizer regularizers.Regularizer
	Constraint  constraints.Constraint
	// Table: the rows are looked up, so that a gradient touches few of them.
	Table bool
	// Index is the weight's number in its model.
	Index int
	// Version counts changes of Data, so that layers know when to take them over.
	Version uint64

	draw func(dst []float32, s *random.Stream) error
}

// Init draws the weight's values afresh from the stream.
func (w *Weight) Init(s *random.Stream) error {
	if err := w.draw(w.Data, s); err != nil {
		// Keras's argument has the weight's name, but for recurrent_kernel and what has no initializer.
		return fmt.Errorf("layers: %s: %s_initializer: %w", w.Path, strings.TrimSuffix(w.Name, "_kernel"), err)
	}
	return nil
}

// Builder makes the weights of a layer under its name.
type Builder struct {
	Name string // the layer's name in its model
	// Room, when not nil, is how many values the weights may still have together: what a file can hold. A weight beyond it gets
	// no Data, and Room becomes -1.
	Room *int
	path string
}

// In is a builder for a part of the layer: its weights' paths go on with name.
func (b *Builder) In(name string) *Builder {
	return &Builder{Name: name, Room: b.Room, path: b.path + b.Name + "/"}
}

// Weight makes a weight whose values come from init.
func (b *Builder) Weight(name string, shape tensor.Shape, init initializers.Initializer) *Weight {
	return b.drawn(name, shape, func(dst []float32, s *random.Stream) error { return init.Fill(dst, shape, s) })
}

// statistic makes a weight that no optimizer trains.
func (b *Builder) statistic(name string, shape tensor.Shape, init initializers.Initializer) *Weight {
	w := b.Weight(name, shape, init)
	w.Trainable, w.Statistic = false, true
	return w
}

// hold gives the weight its regularizer and its constraint, which are called so in the layer's arguments: "kernel" for
// kernel_regularizer and kernel_constraint.
func (w *Weight) hold(class, called string, r regularizers.Regularizer, c constraints.Constraint) error {
	if r != nil {
		if err := r.Check(w.Shape); err != nil {
			return fmt.Errorf("layers: %s: %s_regularizer: %w", class, called, err)
		}
	}
	if c != nil {
		if err := c.Check(w.Shape); err != nil {
			return fmt.Errorf("layers: %s: %s_constraint: %w", class, called, err)
		}
	}
	w.Regularizer, w.Constraint = r, c
	return nil
}

// drawn makes a weight with a way of its own to draw its values.
func (b *Builder) drawn(name string, shape tensor.Shape, draw func(dst []float32, s *random.Stream) error) *Weight {
	return &Weight{
		Name: name, Path: b.path + b.Name + "/" + name, Shape: shape, Data: b.data(shape), Trainable: true, draw: draw,
	}
}

// data is zeros for a weight of this shape, as far as there is room.
func (b *Builder) data(shape tensor.Shape) []float32 {
	if b.Room == nil {
		return make([]float32, shape.Size())
	}
	// Dividing axis by axis, because the product may not fit an int.
	left := *b.Room
	for _, n := range shape {
		left /= max(1, n)
	}
	if left <= 0 {
		*b.Room = -1
		return nil
	}
	*b.Room -= shape.Size()
	return make([]float32, shape.Size())
}

// or is the initializer that was given, or Keras's default.
func or(given, def initializers.Initializer) initializers.Initializer {
	if given == nil {
		return def
	}
	return given
}
