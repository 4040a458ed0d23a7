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

// newPass is a pass of a layer that takes inputs and gives outputs as many as these.
func newPass(l layers.Layer, inputs, outputs int, training bool) *pass {
	p := &pass{layer: l}
	p.Training, p.Seed, p.Batch = training, 3, 3
	if training {
		p.Grads = &layers.Grads{Rows: make([][]layers.RowGrad, len(l.Weights()))}
		for _, w := range l.Weights() {
			p.Grads.Dense = append(p.Grads.Dense, make([]float32, len(w.Data)))
		}
	}
	p.call = layers.Call{Pass: &p.Pass, Number: 2, In: make([]layers.Value, inputs), Out: make([]layers.Value, outputs),
		DIn: make([][]float32, inputs), DOut: make([][]float32, outputs)}
	return p
}

// forward is the layer's outputs for the inputs, rows outermost; valid until the next. A layer that keeps states begins anew.
func (p *pass) forward(in []layers.Value) []layers.Value {
	if s, ok := layers.StatefulOf(p.layer); ok {
		s.ResetStates()
	}
	for i, v := range in {
		steps := len(v.Shape) > 2 || len(v.Shape) == 2 && v.IDs != nil
		if p.layer.Layout() == layers.TimeMajor && steps {
			v = turned(v)
		}
		p.call.In[i] = v
	}
	p.layer.Forward(&p.call)
	out := slices.Clone(p.call.Out)
	for i, v := range out {
		if v.TimeMajor {
			out[i] = turned(v)
		}
	}
	return out
}

// backward is the gradients of the inputs, rows outermost, nil for ids; dout are those of the outputs, nil where none comes.
func (p *pass) backward(dout [][]float32) [][]float32 { return p.backwardTo(dout, -1) }

// backwardTo is backward where nobody asks for the gradient of input skip.
func (p *pass) backwardTo(dout [][]float32, skip int) [][]float32 {
	for i, out := range p.call.Out {
		p.call.DOut[i] = dout[i]
		if out.TimeMajor {
			p.call.DOut[i] = turned(layers.Value{Shape: out.Shape, Data: dout[i]}).Data
		}
	}
	for i, in := range p.call.In {
		p.call.DIn[i] = nil
		if in.Data == nil || i == skip {
			continue
		}
		p.call.DIn[i] = make([]float32, len(in.Data))
		for k := range p.call.DIn[i] {
			p.call.DIn[i][k] = float32(k) // to be overwritten
		}
	}
	p.layer.Backward(&p.call)
	din := slices.Clone(p.call.DIn)
	for i, in := range p.call.In {
		if in.TimeMajor && din[i] != nil {
			din[i] = turned(layers.Value{Shape: in.Shape, Data: din[i], TimeMajor: true}).Data
		}
	}
	return din
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
