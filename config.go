package unroll

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/layers"
)

// config is the model as config.json has it. Source: keras/src/models/sequential.py and functional.py, get_config.
func (m *Model) config() (*keras.Object, error) {
	if !m.built {
		return nil, fmt.Errorf("expected a model that is built")
	}
	describe := m.functionalConfig
	if m.specs != nil {
		describe = m.sequentialConfig
	}
	o, err := describe()
	if err == nil && m.compiled != nil {
		o.Compile = m.compiled.config()
	}
	return o, err
}

func (m *Model) sequentialConfig() (*keras.Object, error) {
	input := m.inputs[0]
	objects, names := []*keras.Object{input.inputObject()}, []string{input.name}
	for _, n := range m.nodes {
		o, err := n.object()
		if err != nil {
			return nil, err
		}
		objects, names = append(objects, o), append(names, n.name)
	}
	if err := checkNames(names); err != nil {
		return nil, err
	}
	shape := keras.AxesOf(m.values[0].Shape)
	return &keras.Object{Module: "keras", Class: "Sequential", Build: map[string]any{"input_shape": shape}, Config: map[string]any{
		"name": m.Name(), "trainable": true, "dtype": keras.Float32Policy(), "layers": objects, "build_input_shape": shape,
	}}, nil
}

func (m *Model) functionalConfig() (*keras.Object, error) {
	var objects []*keras.Object
	var names []string
	for _, p := range m.listed {
		o := p.inputObject()
		calls := []any{}
		if p.layer != nil {
			var err error
			if o, err = p.object(); err != nil {
				return nil, err
			}
			for _, n := range m.nodes {
				if n.part == p {
					calls = append(calls, m.call(n))
				}
			}
		}
		o.Extra = map[string]any{"name": p.name, "inbound_nodes": calls}
		objects, names = append(objects, o), append(names, p.name)
	}
	if err := checkNames(names); err != nil {
		return nil, err
	}
	var in, out []any
	for v := range m.inputs {
		in = append(in, m.place(v, false))
	}
	for _, v := range m.outputs {
		out = append(out, m.place(v, true))
	}
	build := map[string]any{"input_shape": nil}
	if len(m.inputs) == 1 {
		build["input_shape"] = keras.AxesOf(m.values[0].Shape)
	}
	return &keras.Object{Module: "keras.src.models.functional", Class: "Functional", RegisteredName: "Functional", Build: build, Config: map[string]any{
		"name": m.Name(), "trainable": true, "layers": objects, "input_layers": in, "output_layers": out,
	}}, nil
}

// inputObject is an input as a file has it.
func (p *part) inputObject() *keras.Object {
	input, _ := p.spec.(layers.Input)
	return layers.Serialize(input, p.name, layers.Signature{}, true)
}

// object is a layer as a file has it.
func (p *part) object() (*keras.Object, error) {
	if l, ok := p.layer.(*modelLayer); ok {
		o, err := l.model.config()
		if err == nil {
			o.Config["name"] = p.name
			o.Compile = nil
		}
		return o, err
	}
	trainable, err := p.trainable()
	if err != nil {
		return nil, err
	}
	return layers.Serialize(p.spec, p.name, p.in[0], trainable), nil
}

// place is where a value comes from, as Keras names it: layer, which of its applications, which of its results. Of the places of a model's outputs, those in a
// nested functional model count one application more: the one within it.
func (m *Model) place(v int, output bool) []any {
	if v < len(m.inputs) {
		return []any{m.inputs[v].name, 0, 0}
	}
	times := map[*part]int{}
	for _, n := range m.nodes {
		if v < n.to+len(n.out) {
			at := times[n.part]
			if l, ok := n.layer.(*modelLayer); ok && output && l.model.specs == nil {
				at++
			}
			return []any{n.name, at, v - n.to}
		}
		times[n.part]++
	}
	panic("unroll: a value without a node")
}

// call is an application of a layer as a file has it.
func (m *Model) call(n *node) map[string]any {
	var tensors []any
	for _, v := range n.from {
		kind := "float32"
		if m.values[v].IDs {
			kind = "int32"
		}
		tensors = append(tensors, map[string]any{"class_name": keras.SymbolicTensor, "config": map[string]any{
			"shape": keras.AxesOf(m.values[v].Shape), "dtype": kind, "keras_history": m.place(v, false),
		}})
	}
	args, kwargs := []any{}, map[string]any{}
	switch {
	case len(tensors) == 1:
		args = tensors
	case layers.IsRecurrent(n.spec):
		args, kwargs["initial_state"] = tensors[:1], tensors[1:]
	default:
		args = []any{tensors}
	}
	return map[string]any{"args": args, "kwargs": kwargs}
}
