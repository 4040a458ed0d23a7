package layers

import (
	"fmt"

	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/tensor"
)

// Attention is, at every step of a query, a mean of a value's steps: softmax(score(query, key)) value. The inputs are the query
// (N, T, C), the value (N, S, D) and, when it is not the value itself, the key (N, S, C); the result is (N, T, D).
//
// The query's mask goes on, and masked steps of the result are 0; masked steps of the value take no part. A key's mask is not looked at. Source:
// keras/src/layers/attention/attention.py.
type Attention struct {
	Name string
	// ScoreMode is "dot", query · key, or "concat", w · sum(tanh(query + key)) with a weight w; unset: dot.
	ScoreMode string
	UseScale  bool    // the scores, or what is in the tanh, times a weight
	Dropout   float64 // the rate at which training drops the softmax's values
	Seed      tensor.Float

	// These are arguments of the call in Keras.
	UseCausalMask         bool // no step of the query sees a later one of the value
	ReturnAttentionScores bool // a second output: the softmax, after dropout, (N, T, S)
}

// AdditiveAttention is Attention with the score sum(scale tanh(query + key)), scale a weight of C values. Source:
// keras/src/layers/attention/additive_attention.py.
type AdditiveAttention struct {
	Name    string
	NoScale bool    // scale is 1
	Dropout float64 // as Attention's
	Seed    tensor.Float

	UseCausalMask, ReturnAttentionScores bool // as Attention's
}

const (
	scoreDot    = "dot"
	scoreConcat = "concat"
)

// Class is "Attention".
func (Attention) Class() string { return "Attention" }

// Class is "AdditiveAttention".
func (AdditiveAttention) Class() string { return "AdditiveAttention" }

// GivenName is the name that the user gave.
func (l Attention) GivenName() string { return l.Name }

// GivenName is the name that the user gave.
func (l AdditiveAttention) GivenName() string { return l.Name }

// InputNames implements Several: the inputs are a list.
func (Attention) InputNames() []string { return nil }

// InputNames implements Several: the inputs are a list.
func (AdditiveAttention) InputNames() []string { return nil }

func (l Attention) scoreMode() string {
	if l.ScoreMode == "" {
		return scoreDot
	}
	return l.ScoreMode
}

// Config implements Spec.
func (l Attention) Config() map[string]any {
	c := config(l)
	c["use_scale"], c["score_mode"], c["dropout"], c["seed"] = l.UseScale, l.scoreMode(), l.Dropout, seedConfig(l.Seed)
	return c
}

// Config implements Spec.
func (l AdditiveAttention) Config() map[string]any {
	c := config(l)
	c["use_scale"], c["dropout"], c["seed"] = !l.NoScale, l.Dropout, seedConfig(l.Seed)
	return c
}

func readAttention(r *keras.Reader) Spec {
	onlyNone(r, "activity_regularizer")
	l := Attention{Name: base(r), ScoreMode: r.String("score_mode", scoreDot), UseScale: r.Bool("use_scale", false), Dropout: rate(r, "dropout"), Seed: seed(r)}
	if l.ScoreMode != scoreDot && l.ScoreMode != scoreConcat {
		r.Fail("score_mode", `"dot" or "concat"`)
	}
	return l
}

func readAdditiveAttention(r *keras.Reader) Spec {
	onlyNone(r, "activity_regularizer")
	return AdditiveAttention{Name: base(r), NoScale: !r.Bool("use_scale", true), Dropout: rate(r, "dropout"), Seed: seed(r)}
}

func (l Attention) callArguments() attentionCall {
	return attentionCall{l.UseCausalMask, l.ReturnAttentionScores}
}

func (l AdditiveAttention) callArguments() attentionCall {
	return attentionCall{l.UseCausalMask, l.ReturnAttentionScores}
}

// CallArguments implements Called.
func (l Attention) CallArguments() map[string]any { return l.callArguments().arguments() }

// CallArguments implements Called.
func (l AdditiveAttention) CallArguments() map[string]any { return l.callArguments().arguments() }

// WithCallArguments implements Called.
func (l Attention) WithCallArguments(given map[string]any) (Spec, error) {
	a, err := readAttentionCall("Attention", given)
	l.UseCausalMask, l.ReturnAttentionScores = a.causal, a.scores
	return l, err
}

// WithCallArguments implements Called.
func (l AdditiveAttention) WithCallArguments(given map[string]any) (Spec, error) {
	a, err := readAttentionCall("AdditiveAttention", given)
	l.UseCausalMask, l.ReturnAttentionScores = a.causal, a.scores
	return l, err
}

// Build checks the arguments and makes the weights.
func (l Attention) Build(b *Builder, in []Signature) (Layer, error) {
	if m := l.scoreMode(); m != scoreDot && m != scoreConcat {
		return nil, fmt.Errorf("layers: Attention: score_mode must be dot or concat, got %q", m)
	}
	a, err := newAttention("Attention", l.callArguments(), l.Dropout, l.Seed, in)
	if err != nil {
		return nil, err
	}
	if l.UseScale {
		a.scale = b.Weight("scale", tensor.Shape{}, initializers.Ones{})
	}
	if l.scoreMode() == scoreConcat {
		a.sum = &tanhScore{width: a.width, inner: a.scale, factor: b.Weight("concat_score_weight", tensor.Shape{}, initializers.Ones{})}
	}
	return a, nil
}

// Build checks the arguments and makes the weights.
func (l AdditiveAttention) Build(b *Builder, in []Signature) (Layer, error) {
	a, err := newAttention("AdditiveAttention", l.callArguments(), l.Dropout, l.Seed, in)
	if err != nil {
		return nil, err
	}
	a.sum = &tanhScore{width: a.width}
	if !l.NoScale {
		a.scale = b.Weight("scale", tensor.Shape{a.width}, initializers.GlorotUniform{})
		a.sum.gain = a.scale
	}
	return a, nil
}

// attention is both; attention_pass.go is how it goes forward and back.
type attention struct {
	class string
	call  attentionCall
	width int
	drop  scoreDropout

	scale *Weight    // nil without
	sum   *tanhScore // nil: the score is a product
}

func newAttention(class string, call attentionCall, rate float64, seed tensor.Float, in []Signature) (*attention, error) {
	a := &attention{class: class, call: call, drop: scoreDropout{rate: rate, seed: seed}}
	if err := a.drop.check(class); err != nil {
		return nil, err
	}
	if _, err := a.Output(in); err != nil {
		return nil, err
	}
	a.width = in[0].Shape[2]
	return a, nil
}

// Weights are scale and then that of concat.
func (a *attention) Weights() (all []*Weight) {
	if a.scale != nil {
		all = append(all, a.scale)
	}
	if a.sum != nil && a.sum.factor != nil {
		all = append(all, a.sum.factor)
	}
	return all
}

func (a *attention) Output(in []Signature) ([]Signature, error) {
	s, err := checkAttended(a.class, in)
	if err != nil {
		return nil, err
	}
	query, value, key := in[0].Shape, in[1].Shape, in[len(in)-1].Shape
	if query[2] != key[2] || a.width != 0 && a.width != query[2] {
		return nil, fmt.Errorf("layers: %s: expected a query and a key of one width, got %s", a.class, describe(in))
	}
	out := []Signature{{Shape: tensor.Shape{query[0], query[1], value[2]}, Masked: in[0].Masked}}
	if a.call.scores {
		out = append(out, Signature{Shape: tensor.Shape{query[0], query[1], s}})
	}
	return out, nil
}

// checkAttended fails unless query, value and perhaps a key come in, of which the last two have equally many steps; it returns how many.
func checkAttended(class string, in []Signature) (steps int, err error) {
	if len(in) != 2 && len(in) != 3 {
		return 0, fmt.Errorf("layers: %s: expected a query, a value and perhaps a key, got %d inputs", class, len(in))
	}
	if err := checkMerged(class, in); err != nil {
		return 0, err
	}
	for _, s := range in {
		if len(s.Shape) != 3 || s.Shape[2] == tensor.None {
			return 0, fmt.Errorf("layers: %s: expected sequences (N, T, C) with a known width, got %s", class, describe(in))
		}
	}
	value, key := in[1].Shape[1], in[len(in)-1].Shape[1]
	if value != key && value != tensor.None && key != tensor.None {
		return 0, fmt.Errorf("layers: %s: expected a value and a key of equally many steps, got %s", class, describe(in))
	}
	return max(value, key), nil // None is below every number
}

func (a *attention) Layout() Layout { return Plain }

func (a *attention) Prepare(bool) {
	if a.sum != nil {
		a.sum.prepare()
	}
}

func (a *attention) ShardRows() int { return 0 }

// NoiseBy has dropout multiply with what source gives, for comparisons; nil draws again. It must not run beside a pass.
func (a *attention) NoiseBy(source NoiseSource) { a.drop.source = source }
