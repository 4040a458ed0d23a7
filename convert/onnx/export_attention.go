package onnx

import (
	"math"

	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// attended is what Attention and AdditiveAttention are told.
type attended struct{ tanh, causal, scores bool }

// attention is softmax(score(query, key)) value.
func (b *builder) attention(a attended, w weights, in []val) []string {
	q, v, k := in[0], in[1], in[len(in)-1]
	scale, factor := w("scale"), w("concat_score_weight")
	var scores string
	if a.tanh {
		sum := b.op("Add", b.unsqueeze(q.name, 2), b.unsqueeze(k.name, 1)) // (N, T, S, C)
		gain := factor
		switch {
		case scale != nil && len(scale.Shape) == 0:
			sum = b.op("Mul", sum, b.weight(scale))
		case scale != nil:
			gain = scale
		}
		t := b.op("Tanh", sum)
		if gain != nil {
			t = b.op("Mul", t, b.weight(gain))
		}
		scores = b.reduce("ReduceSum", false, t, 3)
	} else {
		scores = b.einsum("ntc,nsc->nts", q.name, k.name)
		if scale != nil {
			scores = b.op("Mul", scores, b.weight(scale))
		}
	}
	var seen []string
	if v.mask != "" {
		seen = append(seen, b.unsqueeze(v.mask, 1))
	}
	if a.causal {
		seen = append(seen, b.unsqueeze(b.within(q.name, k.name, 0), 0))
	}
	if len(seen) > 0 { // Keras takes 1e9 from what is not seen
		hidden := b.castFloat(b.op("Not", b.chain("And", seen)))
		scores = b.op("Sub", scores, b.op("Mul", hidden, b.scalar(1e9)))
	}
	soft := b.with("Softmax", attrs("axis", -1), scores)
	y := b.op("MatMul", soft, v.name)
	if q.mask != "" {
		y = b.op("Where", b.unsqueeze(q.mask, 2), y, b.scalar(0))
	}
	if a.scores {
		return []string{y, soft}
	}
	return []string{y}
}

// within says, (T, S), which step of k a step of q sees: with window 0 none later than itself, otherwise only those less than window away.
func (b *builder) within(q, k string, window int) string {
	t, s := b.unsqueeze(b.count(b.dim(q, 1)), 1), b.unsqueeze(b.count(b.dim(k, 1)), 0)
	if window == 0 {
		return b.op("GreaterOrEqual", t, s)
	}
	return b.op("Less", b.op("Abs", b.op("Sub", t, s)), b.whole(window))
}

// multiHead is attention in heads.
func (b *builder) multiHead(s layers.MultiHeadAttention, w weights, in []val) []string {
	q, v, k := in[0], in[1], in[len(in)-1]
	value := s.ValueDim
	if value == 0 {
		value = s.KeyDim
	}
	project := func(x val, part string, width int) string {
		return b.reshape(b.projection(x.name, w, part), 0, 0, s.NumHeads, width)
	}
	pq := b.op("Mul", project(q, "query", s.KeyDim), b.scalar(1/math.Sqrt(float64(s.KeyDim))))
	scores := b.einsum("nthk,nshk->nhts", pq, project(k, "key", s.KeyDim))
	var seen []string // of shapes that meet (N, H, T, S)
	if q.mask != "" {
		seen = append(seen, b.unsqueeze(q.mask, 1, 3))
	}
	if v.mask != "" {
		seen = append(seen, b.unsqueeze(v.mask, 1, 2))
	}
	if len(in) > 2 && k.mask != "" {
		seen = append(seen, b.unsqueeze(k.mask, 1, 2))
	}
	if s.UseCausalMask {
		seen = append(seen, b.unsqueeze(b.within(q.name, k.name, 0), 0, 1))
	}
	if s.SlidingWindow > 0 {
		seen = append(seen, b.unsqueeze(b.within(q.name, k.name, s.SlidingWindow), 0, 1))
	}
	soft := ""
	if len(seen) == 0 {
		soft = b.with("Softmax", attrs("axis", -1), scores)
	} else {
		// Keras has two ways to compute it, which differ where nothing is seen.
		plain := s.Dropout == 0 && !s.ReturnAttentionScores
		low := -1e9
		if plain {
			low = -0.7 * 3.38953e38
		}
		see := b.chain("And", seen)
		soft = b.with("Softmax", attrs("axis", -1), b.op("Where", see, scores, b.scalar(low)))
		if !plain {
			soft = b.op("Where", see, soft, b.scalar(0))
		}
	}
	y := b.reshape(b.einsum("nhts,nshv->nthv", soft, project(v, "value", value)), 0, 0, s.NumHeads*value)
	if s.UseGate {
		y = b.op("Mul", y, b.op("Sigmoid", b.projection(q.name, w, "gate")))
	}
	y = b.projection(y, w, "attention_output")
	if s.OutputShape != nil {
		y = b.reshape(y, append([]int{0, 0}, s.OutputShape...)...)
	}
	if s.ReturnAttentionScores {
		return []string{y, soft}
	}
	return []string{y}
}

// projection takes x (N, T, C) through a part's matrix and bias, whose axes of heads are one here.
func (b *builder) projection(x string, w weights, part string) string {
	kernel, bias := w(part+"/kernel"), w(part+"/bias")
	in := kernel.Shape[0]
	if part == "attention_output" {
		in *= kernel.Shape[1]
	}
	out := len(kernel.Data) / in
	y := b.op("MatMul", x, b.floats(part+"/kernel", tensor.Shape{in, out}, kernel.Data))
	if bias == nil {
		return y
	}
	return b.op("Add", y, b.floats(part+"/bias", tensor.Shape{out}, bias.Data))
}
