package unroll

import (
	"errors"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/layers"
)

// AsLayer is the model as a layer of others. However often it is applied, its weights are the model's own. A sequential model that is not built yet is
// built for what it is applied to.
func (m *Model) AsLayer() layers.Spec {
	if m.self == nil {
		m.self = &part{name: m.name, spec: &modelSpec{m}}
	}
	return m.self.spec
}

// modelSpec is a model as a Spec.
type modelSpec struct{ model *Model }

func (s *modelSpec) handle() *part { return s.model.self }

// Class is Keras's class of the model.
func (s *modelSpec) Class() string { return s.model.class() }

// GivenName is the model's name, where it was given one.
func (s *modelSpec) GivenName() string { return s.model.name }

// Config is that of the model.
func (s *modelSpec) Config() map[string]any {
	o, err := s.model.config()
	if err != nil {
		return nil // a name that files cannot have, which saving says first
	}
	return o.Config
}

// Build implements Spec.
func (s *modelSpec) Build(_ *layers.Builder, in []layers.Signature) (layers.Layer, error) {
	m := s.model
	if !m.built {
		if len(in) != 1 {
			return nil, errors.New("expected one input for a sequential model")
		}
		if err := m.build(in[0]); err != nil {
			return nil, err
		}
	}
	return &modelLayer{model: m}, nil
}

// modelLayer is a model as a layer. Its inner layers work with the pass of the outer one.
type modelLayer struct{ model *Model }

// inside is how many numbers of random draws a layer needs besides its own.
func inside(l layers.Layer) int {
	if l, ok := l.(*modelLayer); ok {
		return l.model.numbers
	}
	return 0
}

func (l *modelLayer) Weights() []*layers.Weight { return l.model.weights }

func (l *modelLayer) Output(in []layers.Signature) ([]layers.Signature, error) {
	m := l.model
	if len(in) != len(m.inputs) {
		return nil, errors.New(keras.Snake(m.class()) + ": expected as many values as the model has inputs")
	}
	for i, s := range in {
		if err := fitsInput(m.values[i], s); err != nil {
			return nil, err
		}
	}
	return m.infer(in)
}

func (l *modelLayer) Layout() layers.Layout { return layers.Plain }

func (l *modelLayer) Prepare(training bool) { l.model.prepare(training) }

func (l *modelLayer) ShardRows() int { return l.model.shardRows() }

// innerPass is what a modelLayer keeps in a Call.
type innerPass struct {
	passer
	final  []exchange // of the outputs
	dout   [][]float32
	wanted []bool
}

func (l *modelLayer) Forward(c *layers.Call) {
	p, ok := c.Keep.(*innerPass)
	m := l.model
	if !ok {
		n := len(m.outputs)
		p = &innerPass{passer: newPasser(&m.graph, c.Pass, c.Number+1), final: make([]exchange, n), dout: make([][]float32, n), wanted: make([]bool, len(m.inputs))}
		c.Keep = p
	}
	copy(p.values, c.In)
	p.forward(0)
	for i, v := range m.outputs {
		c.Out[i] = p.final[i].to(p.values[v], false)
	}
}

func (l *modelLayer) Backward(c *layers.Call) {
	p, m := c.Keep.(*innerPass), l.model
	clear(p.grads)
	for i, v := range m.outputs {
		dout := c.DOut[i]
		if dout == nil {
			continue
		}
		// A copy: what is handed first is overwritten.
		p.dout[i] = resize(p.dout[i], len(dout))
		if out := &p.values[v]; out.TimeMajor {
			swap(p.dout[i], dout, out.Shape[0], out.Shape[1])
		} else {
			copy(p.dout[i], dout)
		}
		p.hand(v, p.dout[i])
	}
	asks := false
	for i := range p.wanted {
		p.wanted[i] = c.DIn[i] != nil
		asks = asks || p.wanted[i]
	}
	if asks {
		p.backward(0, p.wanted)
	} else {
		p.backward(0, nil)
	}
	for i, to := range c.DIn {
		switch from := p.grads[i]; {
		case to == nil:
		case from == nil:
			clear(to)
		default:
			copy(to, from)
		}
	}
}
