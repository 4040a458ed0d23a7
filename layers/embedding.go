package layers

import (
	"fmt"

	"github.com/unroll-ml/unroll/constraints"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// Embedding turns ids into vectors: (N, T) ids below InputDim become (N, T, OutputDim) floats. The vectors are random before
// training. Source: keras/src/layers/core/embedding.py.
type Embedding struct {
	Name                  string
	InputDim, OutputDim   int
	EmbeddingsInitializer initializers.Initializer // unset: uniform in ±0.05
	// MaskZero: id 0 is padding, steps that have it are masked. Its row stays trainable, as in Keras.
	MaskZero bool

	EmbeddingsRegularizer, ActivityRegularizer regularizers.Regularizer
	EmbeddingsConstraint                       constraints.Constraint
}

// Class is "Embedding".
func (Embedding) Class() string { return "Embedding" }

// GivenName is the name that the user gave.
func (l Embedding) GivenName() string { return l.Name }

// Signature is what the layer expects when it is the first: ids of open length.
func (Embedding) Signature() Signature {
	return Signature{Shape: tensor.Shape{tensor.None, tensor.None}, IDs: true}
}

// Config implements Spec.
func (l Embedding) Config() map[string]any {
	c := config(l)
	c["input_dim"], c["output_dim"], c["mask_zero"] = l.InputDim, l.OutputDim, l.MaskZero
	c["embeddings_initializer"] = initializers.Object(or(l.EmbeddingsInitializer, initializers.RandomUniform{}))
	holds(c, "embeddings", l.EmbeddingsRegularizer, l.EmbeddingsConstraint)
	c["activity_regularizer"] = regularizers.Object(l.ActivityRegularizer)
	none(c, "quantization_config")
	return c
}

func readEmbedding(r *keras.Reader) Spec {
	onlyNone(r, "quantization_config", "lora_rank", "lora_alpha")
	return Embedding{
		Name: base(r), InputDim: axis(r, "input_dim"), OutputDim: axis(r, "output_dim"),
		EmbeddingsInitializer: initializer(r, "embeddings_initializer"), MaskZero: r.Bool("mask_zero", false),
		EmbeddingsRegularizer: regularizer(r, "embeddings_regularizer"), ActivityRegularizer: regularizer(r, "activity_regularizer"),
		EmbeddingsConstraint: constraint(r, "embeddings_constraint"),
	}
}

// Build checks the arguments and makes the table.
func (l Embedding) Build(b *Builder, in []Signature) (Layer, error) {
	switch {
	case l.InputDim <= 0:
		return nil, fmt.Errorf("layers: Embedding: input_dim must be positive, got %d", l.InputDim)
	case l.OutputDim <= 0:
		return nil, fmt.Errorf("layers: Embedding: output_dim must be positive, got %d", l.OutputDim)
	}
	e := &embedding{spec: l}
	if _, err := e.Output(in); err != nil {
		return nil, err
	}
	e.table = b.Weight("embeddings", tensor.Shape{l.InputDim, l.OutputDim}, or(l.EmbeddingsInitializer, initializers.RandomUniform{}))
	e.table.Table = true
	if err := e.table.hold("Embedding", "embeddings", l.EmbeddingsRegularizer, l.EmbeddingsConstraint); err != nil {
		return nil, err
	}
	return e, checkActivity("Embedding", l.ActivityRegularizer, e, in)
}

type embedding struct {
	spec  Embedding
	table *Weight
}

func (e *embedding) Weights() []*Weight { return []*Weight{e.table} }

func (e *embedding) Output(in []Signature) ([]Signature, error) {
	if len(in) != 1 || !in[0].IDs {
		return nil, fmt.Errorf("layers: Embedding: expected integer ids, got %s", describe(in))
	}
	return []Signature{{Shape: append(in[0].Shape.Clone(), e.spec.OutputDim), Masked: e.spec.MaskZero}}, nil
}

// Activity is the regularizer of the output.
func (e *embedding) Activity() regularizers.Regularizer { return e.spec.ActivityRegularizer }

// MakesMask reports whether the mask that goes on is this layer's.
func (e *embedding) MakesMask() bool { return e.spec.MaskZero }

func (e *embedding) Layout() Layout { return TimeMajor }

func (e *embedding) Prepare(bool) {}

func (e *embedding) ShardRows() int { return 0 }

// CheckInput fails on an id that the table does not have.
func (e *embedding) CheckInput(v Value) error {
	for i, id := range v.IDs {
		if id < 0 || int(id) >= e.spec.InputDim {
			row := v.Shape[1:].Size()
			return fmt.Errorf("layers: Embedding: expected ids from 0 to %d (input_dim %d), got %d in row %d at position %d",
				e.spec.InputDim-1, e.spec.InputDim, id, i/row, i%row)
		}
	}
	return nil
}

func (e *embedding) Forward(c *Call) {
	in, out := &c.In[0], &c.Out[0]
	out.TimeMajor = in.TimeMajor
	out.Shape = c.Shape(0, in.Shape, e.spec.OutputDim)
	out.Data = c.Floats(0, len(in.IDs)*e.spec.OutputDim)
	kernel.Gather(out.Data, e.table.Data, e.spec.OutputDim, in.IDs, e.spec.OutputDim)
	out.Mask = in.Mask
	if e.spec.MaskZero {
		out.Mask = c.Bools(0, len(in.IDs))
		e.Valid(out.Mask, *in)
	}
}

func (e *embedding) Backward(c *Call) { c.Grads.AddRows(e.table, c.In[0].IDs, c.DOut[0]) }

// Valid writes which steps of a batch of ids are no padding.
func (e *embedding) Valid(dst []bool, v Value) {
	for i, id := range v.IDs {
		dst[i] = id != 0
	}
}
