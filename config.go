package unroll

import (
	"fmt"
	"maps"
	"slices"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
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
	w := newMaskWriter(m)
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
			for _, n := range m.applications(p) {
				call := m.call(n)
				if mask := w.masks[n.from[0]]; mask != nil && !n.bare && hears(n.spec, len(n.from), !n.deaf) {
					call["kwargs"].(map[string]any)["mask"] = mask()
				}
				calls = append(calls, call)
			}
		}
		o.Extra = map[string]any{"name": p.name, "inbound_nodes": calls}
		objects, names = append(objects, o), append(names, p.name)
	}
	for _, o := range w.made {
		objects, names = append(objects, o), append(names, o.Extra["name"].(string))
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
	return layers.Serialize(p.spec, p.name, p.in[0], trainable, p.in[1:]...), nil
}

// place is where a value comes from, as Keras names it: layer, which of its applications, which of its results. Of the places of a model's outputs, those in a
// nested functional model count one application more: the one within it.
func (m *Model) place(v int, output bool) []any {
	if v < len(m.inputs) {
		return []any{m.inputs[v].name, 0, 0}
	}
	for _, n := range m.nodes {
		if v < n.to+len(n.out) {
			at := slices.Index(m.applications(n.part), n)
			if l, ok := n.layer.(*modelLayer); ok && output && l.model.specs == nil {
				at++
			}
			return []any{n.name, at, v - n.to}
		}
	}
	panic("unroll: a value without a node")
}

// symbol is a value as a file has it.
func (m *Model) symbol(v int) map[string]any {
	kind := "float32"
	switch {
	case m.values[v].IDs:
		kind = "int32"
	case m.values[v].Text:
		kind = "string"
	}
	return symbolic(m.values[v].Shape, kind, m.place(v, false))
}

func symbolic(shape tensor.Shape, kind string, place []any) map[string]any {
	return map[string]any{"class_name": keras.SymbolicTensor, "config": map[string]any{
		"shape": keras.AxesOf(shape), "dtype": kind, "keras_history": place,
	}}
}

// call is an application of a layer as a file has it.
func (m *Model) call(n *node) map[string]any {
	var tensors []any
	for _, v := range n.from {
		tensors = append(tensors, m.symbol(v))
	}
	var args []any
	kwargs := map[string]any{}
	if c, ok := n.spec.(layers.Called); ok {
		maps.Copy(kwargs, c.CallArguments())
	}
	several, ok := n.spec.(layers.Several)
	switch {
	case ok && several.InputNames() == nil:
		args = []any{tensors}
	case ok || len(tensors) == 1:
		args = tensors
	case layers.IsRecurrent(n.spec):
		args, kwargs["initial_state"] = tensors[:1], layers.NestStates(n.spec, tensors[1:])
	default:
		args = []any{tensors}
	}
	return map[string]any{"args": args, "kwargs": kwargs}
}
