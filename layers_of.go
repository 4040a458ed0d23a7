package unroll

import (
	"slices"

	"github.com/unroll-ml/unroll/layers"
)

// LayerOf is a layer of a model, as it stands there.
type LayerOf struct {
	Name    string
	Spec    layers.Spec
	Weights []*layers.Weight   // nil of an Input; in Keras's order
	In      []layers.Signature // that it was built for
	Model   *Model             // of a model that is a layer of this one; otherwise nil
}

// Layers are the layers of a built model, each once, in Keras's order: of a functional model the inputs too. Keras: model.layers.
func (m *Model) Layers() []LayerOf {
	parts := m.listed
	if parts == nil {
		parts = m.parts
	}
	var all []LayerOf
	for _, p := range parts {
		l := LayerOf{Name: p.name, Spec: p.spec, Weights: slices.Clone(p.weights), In: p.in}
		if inner, ok := p.layer.(*modelLayer); ok {
			l.Model = inner.model
		}
		all = append(all, l)
	}
	return all
}

// Inputs are what the inputs of a built model take, the batch axis None first.
func (m *Model) Inputs() []layers.Signature {
	if !m.built {
		return nil
	}
	return slices.Clone(m.values[:len(m.inputs)])
}
