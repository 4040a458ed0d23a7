// Package layers holds the layers of a network. What the user writes is a Spec: plain data, whose zero value is Keras's
// default. Building it for the shape of its input gives a Layer, which has weights and goes forward and back.
//
// Legend: N rows of a batch, T steps, C inputs, H units, V vocabulary.
package layers

import (
	"strings"

	"github.com/unroll-ml/unroll/internal/engine"
	"github.com/unroll-ml/unroll/tensor"
)

// Spec is a layer as the user writes it.
type Spec interface {
	// Class is the Keras class, "SimpleRNN".
	Class() string
	// GivenName is the name that the user gave; "" leaves the choice to the model.
	GivenName() string
	// Config is what Keras's class is made with, as Keras writes it into a file; FromConfig reads it.
	Config() map[string]any
	// Build checks the arguments against the input and makes the layer with its weights.
	Build(b *Builder, in []Signature) (Layer, error)
}

// Signature is what is known of a value before there are data.
type Signature struct {
	Shape  tensor.Shape // the first axis is the batch, None
	IDs    bool         // integers, not floats
	Masked bool         // a mask of (N, T) travels with it
	Text   bool         // texts, which only a TextVectorization takes
}

// describe is the signatures as an error shows them.
func describe(in []Signature) string {
	var parts []string
	for _, s := range in {
		kind := "floats "
		switch {
		case s.IDs:
			kind = "ids "
		case s.Text:
			kind = "texts "
		}
		parts = append(parts, kind+s.Shape.String())
	}
	return strings.Join(parts, ", ")
}

// Value is what flows between layers, for the rows of one shard.
type Value struct {
	Shape tensor.Shape // all axes known
	Data  []float32    // nil for ids
	IDs   []int32      // nil for floats
	Mask  []bool       // (N, T), ordered as the data; nil: every step is valid
	// TimeMajor: in memory the first two axes are exchanged, so that the rows of a step stand together.
	TimeMajor bool
}

// Layout is the order of the first two axes that a layer works with.
type Layout uint8

// The layouts. The model exchanges the axes between layers that disagree.
const (
	Plain     Layout = iota // rows outermost, in and out
	TimeMajor               // steps outermost, for every value that has them
	AnyLayout               // as it comes: the layer treats all rows and steps alike; several inputs come Plain, all of them
)

// Layer has the weights; what a pass computes is kept in its Call. So a layer may run in any number of passes at once.
type Layer interface {
	// Weights are in Keras's order.
	Weights() []*Weight
	// Output are the signatures of the results for inputs of these signatures.
	Output(in []Signature) ([]Signature, error)
	Layout() Layout
	// Prepare takes over changed weights; it runs before a batch, alone.
	Prepare(training bool)
	// ShardRows is how many rows the layer likes to process together, 8 to 64; 0: it does not matter.
	ShardRows() int
	// Forward computes c.Out from c.In.
	Forward(c *Call)
	// Backward overwrites c.DIn from c.DOut and adds to the weights' gradients. What Forward read and wrote is unchanged.
	Backward(c *Call)
}

// Call is one application of a layer in one pass: its values, its gradients, and memory that is kept from shard to shard.
type Call struct {
	*Pass
	In, Out []Value
	// DOut are the gradients of Out, nil for an output from which none comes; of a single output it is there. DIn are those of In, nil
	// where nobody asks, as for ids. In, DIn have an entry for every input, Out, DOut for every output.
	DOut, DIn [][]float32
	// Number is the layer's number in its model: it keys random draws.
	Number int
	// OnLogits: the loss reads Logits, what stands before the layer's activation, and DOut is their gradient.
	OnLogits bool
	Logits   []float32
	// Keep is the layer's own, nil at first.
	Keep any
	// Trace, unless nil, is where a recurrent layer notes on its way back what the loss hears of its states.
	Trace *Trace

	floats [][]float32
	grads  [][]float32
	bools  [][]bool
	shapes []tensor.Shape
}

// gradsOf are where the gradients of the weights are added up; valid until the next call.
func (c *Call) gradsOf(weights []*Weight) [][]float32 {
	c.grads = c.grads[:0]
	for _, w := range weights {
		c.grads = append(c.grads, c.Grads.Of(w))
	}
	return c.grads
}

// Floats is a buffer of n floats for the layer's use number slot; its contents are not defined.
func (c *Call) Floats(slot, n int) []float32 {
	for len(c.floats) <= slot {
		c.floats = append(c.floats, nil)
	}
	if cap(c.floats[slot]) < n {
		c.floats[slot] = make([]float32, n)
	}
	return c.floats[slot][:n]
}

// Bools is a buffer of n booleans for the layer's use number slot; its contents are not defined.
func (c *Call) Bools(slot, n int) []bool {
	for len(c.bools) <= slot {
		c.bools = append(c.bools, nil)
	}
	if cap(c.bools[slot]) < n {
		c.bools[slot] = make([]bool, n)
	}
	return c.bools[slot][:n]
}

// Shape is the shape base followed by more axes, kept for the layer's use number slot.
func (c *Call) Shape(slot int, base tensor.Shape, more ...int) tensor.Shape {
	for len(c.shapes) <= slot {
		c.shapes = append(c.shapes, nil)
	}
	c.shapes[slot] = append(append(c.shapes[slot][:0], base...), more...)
	return c.shapes[slot]
}

// Pass is the way of one shard through the model.
type Pass struct {
	Training bool
	// Seed, Epoch and Step key random draws, with the layer's number and a row's number in the batch: Row is the first's.
	Seed             uint64
	Epoch, Step, Row int
	// Batch is how many rows the whole batch has.
	Batch int
	// Rows are the rows' numbers in the batch where they do not follow Row one by one; nil otherwise.
	Rows []int

	Grads *Grads // nil outside training

	Share *engine.Share // threads that would be idle; nil: none
}

// RowNumber is the number in the batch of the shard's row i.
func (p *Pass) RowNumber(i int) int {
	if p.Rows != nil {
		return p.Rows[i]
	}
	return p.Row + i
}

// Grads are one shard's gradients.
type Grads struct {
	Dense [][]float32 // by Weight.Index; zero at the start of a shard
	Rows  [][]RowGrad // by Weight.Index: of tables, rows that were read
}

// RowGrad is a part of the gradient of a table: row i of Rows belongs to row IDs[i] of the table.
type RowGrad struct {
	IDs  []int32
	Rows []float32
}

// Of is where the gradient of w is added up.
func (g *Grads) Of(w *Weight) []float32 { return g.Dense[w.Index] }

// AddRows adds a part of the gradient of the table w. Both slices are copied, into memory that is kept from shard to shard.
func (g *Grads) AddRows(w *Weight, ids []int32, rows []float32) {
	parts := g.Rows[w.Index]
	if len(parts) < cap(parts) {
		parts = parts[:len(parts)+1]
	} else {
		parts = append(parts, RowGrad{})
	}
	p := &parts[len(parts)-1]
	p.IDs = append(p.IDs[:0], ids...)
	p.Rows = append(p.Rows[:0], rows...)
	g.Rows[w.Index] = parts
}
