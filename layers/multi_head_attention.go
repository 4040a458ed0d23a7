package layers

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/constraints"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// MultiHeadAttention is attention of NumHeads heads, each with projections of its own of query, value and key, side by side and projected
// once more:
//
//	head_h = softmax(query Wq_h · key Wk_h / sqrt(KeyDim)) value Wv_h
//	output = [head_1, head_2, …] Wo
//
// The inputs are the query (N, T, C), the value (N, S, D) and, when it is not the value itself, the key (N, S, E), which in Keras are three
// arguments of the call; the result is (N, T, C), or (N, T, OutputShape…).
//
// A score counts where the masks of query, value and key all allow it. The query's mask goes on. Where no step of the value is left, a step of
// the query sees all of them alike, but nothing at all where Dropout is set, in prediction too, or ReturnAttentionScores: Keras has two ways to compute it. Source:
// keras/src/layers/attention/multi_head_attention.py.
type MultiHeadAttention struct {
	Name             string
	NumHeads, KeyDim int
	ValueDim         int     // of a head; unset: KeyDim
	Dropout          float64 // the rate at which training drops the softmax's values
	NoBias           bool
	OutputShape      []int // behind N and T; unset: C
	SlidingWindow    int   // a step sees only those less than so many steps away; unset: all
	UseGate          bool  // the heads' results times sigmoid(query Wg), before the last projection
	Seed             tensor.Float

	KernelInitializer, BiasInitializer initializers.Initializer // of every projection; unset: glorot_uniform and zeros
	KernelRegularizer, BiasRegularizer regularizers.Regularizer
	KernelConstraint, BiasConstraint   constraints.Constraint

	// These are arguments of the call in Keras.
	UseCausalMask         bool // no step of the query sees a later one of the value
	ReturnAttentionScores bool // a second output: the softmax, before dropout, (N, NumHeads, T, S)
}

// Class is "MultiHeadAttention".
func (MultiHeadAttention) Class() string { return "MultiHeadAttention" }

// GivenName is the name that the user gave.
func (l MultiHeadAttention) GivenName() string { return l.Name }

// InputNames implements Several.
func (MultiHeadAttention) InputNames() []string { return []string{"query", "value", "key"} }

func (l MultiHeadAttention) valueDim() int {
	if l.ValueDim == 0 {
		return l.KeyDim
	}
	return l.ValueDim
}

// Config implements Spec.
func (l MultiHeadAttention) Config() map[string]any {
	c := config(l)
	c["num_heads"], c["key_dim"], c["value_dim"] = l.NumHeads, l.KeyDim, l.valueDim()
	c["dropout"], c["use_bias"], c["use_gate"], c["seed"] = l.Dropout, !l.NoBias, l.UseGate, seedConfig(l.Seed)
	c["attention_axes"] = []any{1}
	none(c, "output_shape", "sliding_window", "activity_regularizer")
	if l.OutputShape != nil {
		c["output_shape"] = intList(l.OutputShape)
	}
	if l.SlidingWindow != 0 {
		c["sliding_window"] = l.SlidingWindow
	}
	c["kernel_initializer"] = initializers.Object(or(l.KernelInitializer, initializers.GlorotUniform{}))
	c["bias_initializer"] = initializers.Object(or(l.BiasInitializer, initializers.Zeros{}))
	holds(c, "kernel", l.KernelRegularizer, l.KernelConstraint)
	holds(c, "bias", l.BiasRegularizer, l.BiasConstraint)
	return c
}

func readMultiHeadAttention(r *keras.Reader) Spec {
	onlyNone(r, "activity_regularizer")
	l := MultiHeadAttention{
		Name: base(r), NumHeads: axis(r, "num_heads"), KeyDim: axis(r, "key_dim"), Dropout: rate(r, "dropout"), NoBias: !r.Bool("use_bias", true),
		UseGate: r.Bool("use_gate", false), Seed: seed(r),
		KernelInitializer: initializer(r, "kernel_initializer"), BiasInitializer: initializer(r, "bias_initializer"),
		KernelRegularizer: regularizer(r, "kernel_regularizer"), BiasRegularizer: regularizer(r, "bias_regularizer"),
		KernelConstraint: constraint(r, "kernel_constraint"), BiasConstraint: constraint(r, "bias_constraint"),
	}
	if r.Has("value_dim") && !r.Null("value_dim") {
		l.ValueDim = axis(r, "value_dim")
	}
	if r.Has("sliding_window") && !r.Null("sliding_window") {
		l.SlidingWindow = axis(r, "sliding_window")
	}
	if r.Has("output_shape") && !r.Null("output_shape") {
		if _, list := r.Value("output_shape").([]any); list {
			l.OutputShape = r.Ints("output_shape")
		} else {
			l.OutputShape = []int{axis(r, "output_shape")}
		}
	}
	if r.Has("attention_axes") && !r.Null("attention_axes") {
		if one(r, "attention_axes") != 1 {
			r.Fail("attention_axes", "null or [1], the steps")
		}
	}
	return l
}

func (l MultiHeadAttention) callArguments() attentionCall {
	return attentionCall{l.UseCausalMask, l.ReturnAttentionScores}
}

// CallArguments implements Called.
func (l MultiHeadAttention) CallArguments() map[string]any { return l.callArguments().arguments() }

// WithCallArguments implements Called.
func (l MultiHeadAttention) WithCallArguments(given map[string]any) (Spec, error) {
	a, err := readAttentionCall("MultiHeadAttention", given)
	l.UseCausalMask, l.ReturnAttentionScores = a.causal, a.scores
	return l, err
}

// Build checks the arguments and makes the projections.
func (l MultiHeadAttention) Build(b *Builder, in []Signature) (Layer, error) {
	for _, n := range []struct {
		argument string
		least, n int
	}{{"num_heads", 1, l.NumHeads}, {"key_dim", 1, l.KeyDim}, {"value_dim", 1, l.valueDim()}, {"sliding_window", 0, l.SlidingWindow}} {
		if n.n < n.least || n.n > maxAxis {
			return nil, fmt.Errorf("layers: MultiHeadAttention: %s must be from 1 to %d, got %d", n.argument, maxAxis, n.n)
		}
	}
	if l.OutputShape != nil && len(l.OutputShape) == 0 || len(l.OutputShape) > maxRank-2 {
		return nil, fmt.Errorf("layers: MultiHeadAttention: output_shape must have from 1 to %d axes, got %v", maxRank-2, l.OutputShape)
	}
	for _, n := range l.OutputShape {
		if n < 1 || n > maxAxis {
			return nil, fmt.Errorf("layers: MultiHeadAttention: output_shape must have axes from 1 to %d, got %v", maxAxis, l.OutputShape)
		}
	}
	a := &multiHead{spec: l, drop: scoreDropout{rate: l.Dropout, seed: l.Seed}, scale: float32(1 / math.Sqrt(float64(l.KeyDim)))}
	if err := a.drop.check("MultiHeadAttention"); err != nil {
		return nil, err
	}
	if _, err := a.Output(in); err != nil {
		return nil, err
	}
	query, value, key := in[0].Shape[2], in[1].Shape[2], in[len(in)-1].Shape[2]
	last := tensor.Shape(l.OutputShape)
	if last == nil {
		last = tensor.Shape{query}
	}
	a.widths = []int{query, value, key}[:len(in)]
	heads := func(width int) tensor.Shape { return tensor.Shape{l.NumHeads, width} }
	parts := []struct {
		name    string
		p       *projection
		in, out tensor.Shape
	}{
		{"query", &a.query, tensor.Shape{query}, heads(l.KeyDim)},
		{"key", &a.key, tensor.Shape{key}, heads(l.KeyDim)},
		{"gate", &a.gate, tensor.Shape{query}, heads(l.valueDim())},
		{"value", &a.value, tensor.Shape{value}, heads(l.valueDim())},
		{"attention_output", &a.output, heads(l.valueDim()), last},
	}
	for _, p := range parts {
		if p.name == "gate" && !l.UseGate {
			continue
		}
		if err := p.p.build(b.In(p.name), l, p.in, p.out); err != nil {
			return nil, err
		}
		a.weights = append(a.weights, p.p.kernel)
		if p.p.bias != nil {
			a.weights = append(a.weights, p.p.bias)
		}
	}
	return a, nil
}

// multiHead is the layer; multi_head_pass.go is how it goes forward and back.
type multiHead struct {
	spec   MultiHeadAttention
	drop   scoreDropout
	scale  float32
	widths []int // of the inputs

	query, key, gate, value, output projection // gate is empty without UseGate
	weights                         []*Weight
}

func (a *multiHead) Weights() []*Weight { return a.weights }

func (a *multiHead) Output(in []Signature) ([]Signature, error) {
	s, err := checkAttended("MultiHeadAttention", in)
	if err != nil {
		return nil, err
	}
	for i, width := range a.widths {
		if len(in) != len(a.widths) || in[i].Shape[2] != width {
			return nil, fmt.Errorf("layers: MultiHeadAttention: expected inputs of widths %v, got %s", a.widths, describe(in))
		}
	}
	query := in[0].Shape
	shape := append(query[:2].Clone(), a.spec.OutputShape...)
	if a.spec.OutputShape == nil {
		shape = query.Clone()
	}
	out := []Signature{{Shape: shape, Masked: in[0].Masked}}
	if a.spec.ReturnAttentionScores {
		out = append(out, Signature{Shape: tensor.Shape{query[0], a.spec.NumHeads, query[1], s}})
	}
	return out, nil
}

func (a *multiHead) Layout() Layout { return Plain }

func (a *multiHead) Prepare(training bool) {
	for _, p := range []*projection{&a.query, &a.key, &a.gate, &a.value, &a.output} {
		if p.kernel != nil {
			p.prepare(training)
		}
	}
}

func (a *multiHead) ShardRows() int { return 0 }

// NoiseBy has dropout multiply with what source gives, for comparisons; nil draws again. It must not run beside a pass.
func (a *multiHead) NoiseBy(source NoiseSource) { a.drop.source = source }

// build makes the weights of a projection from in to out, whose axes are those of the kernel.
func (p *projection) build(b *Builder, l MultiHeadAttention, in, out tensor.Shape) error {
	p.in, p.out = in.Size(), out.Size()
	if p.in > maxAxis || p.out > maxAxis {
		return fmt.Errorf("layers: MultiHeadAttention: expected at most %d values a step on either side of a projection, got %v and %v", maxAxis, in, out)
	}
	shape := append(in.Clone(), out...)
	init := or(l.KernelInitializer, initializers.GlorotUniform{})
	p.kernel = b.drawn("kernel", shape, func(dst []float32, s *random.Stream) error {
		switch init.(type) {
		case initializers.Orthogonal, initializers.Identity:
			return init.Fill(dst, shape, s)
		}
		return init.Fill(dst, tensor.Shape{p.in, p.out}, s) // the fans are those of the matrix
	})
	if err := p.kernel.hold("MultiHeadAttention", "kernel", l.KernelRegularizer, l.KernelConstraint); err != nil {
		return err
	}
	if l.NoBias {
		return nil
	}
	p.bias = b.Weight("bias", out.Clone(), or(l.BiasInitializer, initializers.Zeros{}))
	return p.bias.hold("MultiHeadAttention", "bias", l.BiasRegularizer, l.BiasConstraint)
}
