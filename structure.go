package unroll

import (
	"github.com/unroll-ml/unroll/layers"
)

// Structure is what a model is made of, for those who write it down in another form. Values are numbered: the inputs first, then the results of the nodes, node
// by node.
type Structure struct {
	Inputs  []layers.Input // with the names that they have in the model
	Nodes   []Node         // in an order in which they can run
	Outputs []int          // values
	Names   []string       // of the outputs: the layers that return them
}

// Node is an application of a layer.
type Node struct {
	Name  string // the layer's in its model
	Spec  layers.Spec
	Layer layers.Layer
	In    []int  // the values that it reads
	Out   int    // the first of those that it returns
	Model *Model // not nil where the layer is a model
	// Deaf: the layer does not see the mask of its first input, which goes on all the same.
	Deaf bool
}

// Structure is the model's; nil before it is built.
func (m *Model) Structure() *Structure {
	if !m.built {
		return nil
	}
	s := &Structure{Outputs: m.outputs}
	for _, p := range m.inputs {
		in := p.spec.(layers.Input)
		in.Name = p.name
		s.Inputs = append(s.Inputs, in)
	}
	for _, n := range m.nodes {
		one := Node{Name: n.name, Spec: n.spec, Layer: n.layer, In: n.from, Out: n.to, Deaf: n.deaf}
		if l, nested := n.layer.(*modelLayer); nested {
			one.Model = l.model
		}
		s.Nodes = append(s.Nodes, one)
	}
	for i := range m.outputs {
		s.Names = append(s.Names, m.outputName(i))
	}
	return s
}
