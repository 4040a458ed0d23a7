package layertest

import (
	"slices"

	"github.com/unroll-ml/unroll/layers"
)

// pass takes values through a single layer, as a model does with each of its layers.
type pass struct {
	layers.Pass
	layer layers.Layer
	call  layers.Call
}

func newPass(l layers.Layer, training bool) *pass {
	p := &pass{layer: l}
	p.Training, p.Seed, p.Batch = training, 3, 3
	if training {
		p.Grads = &layers.Grads{Rows: make([][]layers.RowGrad, len(l.Weights()))}
		for _, w := range l.Weights() {
			p.Grads.Dense = append(p.Grads.Dense, make([]float32, len(w.Data)))
		}
	}
	p.call = layers.Call{Pass: &p.Pass, Number: 2, In: make([]layers.Value, 1), Out: make([]layers.Value, 1),
		DIn: make([][]float32, 1), DOut: make([][]float32, 1)}
	return p
}

// forward is the layer's output for v, rows outermost; valid until the next.
func (p *pass) forward(v layers.Value) layers.Value {
	steps := len(v.Shape) > 2 || len(v.Shape) == 2 && v.IDs != nil
	if p.layer.Layout() == layers.TimeMajor && steps {
		v = turned(v)
	}
	p.call.In[0] = v
	p.layer.Forward(&p.call)
	out := p.call.Out[0]
	if out.TimeMajor {
		out = turned(out)
	}
	return out
}

// backward is the gradient of the input, rows outermost, nil for ids; dout is that of the output.
func (p *pass) backward(dout []float32) []float32 {
	in, out := p.call.In[0], p.call.Out[0]
	if out.TimeMajor {
		dout = turned(layers.Value{Shape: out.Shape, Data: dout}).Data
	}
	p.call.DOut[0], p.call.DIn[0] = dout, nil
	if in.Data != nil {
		p.call.DIn[0] = make([]float32, len(in.Data))
		for i := range p.call.DIn[0] {
			p.call.DIn[0][i] = float32(i) // to be overwritten
		}
	}
	p.layer.Backward(&p.call)
	if in.TimeMajor && in.Data != nil {
		return turned(layers.Value{Shape: in.Shape, Data: p.call.DIn[0], TimeMajor: true}).Data
	}
	return p.call.DIn[0]
}

// turned is v with its first two axes exchanged in memory.
func turned(v layers.Value) layers.Value {
	outer, inner := v.Shape[0], v.Shape[1]
	if v.TimeMajor {
		outer, inner = inner, outer
	}
	v.Data, v.IDs, v.Mask = turn(v.Data, outer, inner), turn(v.IDs, outer, inner), turn(v.Mask, outer, inner)
	v.TimeMajor = !v.TimeMajor
	return v
}

func turn[E any](src []E, outer, inner int) []E {
	if src == nil {
		return nil
	}
	dst := make([]E, len(src))
	w := len(src) / (outer * inner)
	for i := range outer {
		for j := range inner {
			copy(dst[(j*outer+i)*w:(j*outer+i+1)*w], src[(i*inner+j)*w:])
		}
	}
	return dst
}

// values are the weights' values, and restore sets them: a layer in training may move its averages.
func values(l layers.Layer) (all [][]float32) {
	for _, w := range l.Weights() {
		all = append(all, slices.Clone(w.Data))
	}
	return all
}

func restore(l layers.Layer, to [][]float32) {
	for i, w := range l.Weights() {
		copy(w.Data, to[i])
	}
}
