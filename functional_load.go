package unroll

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/layers"
)

// fileLayer is a layer of a functional model in a file.
type fileLayer struct {
	path  string
	name  string
	part  *part    // nil for an operation that makes masks
	calls []any    // its applications
	done  []Symbol // those that are made already
}

// functionalOf is the functional model of a config, its weights all zero. Source: keras/src/models/functional.py, functional_from_config.
func functionalOf(path string, r *keras.Reader, name string, objects []*keras.Object, room *int) (*Model, error) {
	takeIDs(objects)
	in, out, order, err := symbolsOf(path, r, objects, room)
	if err != nil {
		return nil, err
	}
	m, err := functional(in, out, order)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	m.name = name
	return m, nil
}

// symbolsOf are the values that go into the model of a config and come out of it, and its layers in the file's order, in which the weights stand.
func symbolsOf(path string, r *keras.Reader, objects []*keras.Object, room *int) (in, out []Symbol, order []*part, err error) {
	g := graphReader{path: path, layers: map[string]*fileLayer{}, room: room}
	for i, o := range objects {
		if err := g.layer(fmt.Sprintf("%s.layers[%d]", path, i), o); err != nil {
			return nil, nil, nil, err
		}
	}
	if err := g.applyAll(); err != nil {
		return nil, nil, nil, err
	}
	for _, f := range g.order {
		if f.part != nil {
			order = append(order, f.part)
		}
	}
	if in, err = g.places(r.Path("input_layers"), r.Value("input_layers"), false); err == nil {
		out, err = g.places(r.Path("output_layers"), r.Value("output_layers"), true)
	}
	return in, out, order, err
}

// graphReader makes symbols of a functional model's layers.
type graphReader struct {
	path   string
	layers map[string]*fileLayer
	order  []*fileLayer
	room   *int
}

// layer reads a layer, without its applications.
func (g *graphReader) layer(path string, o *keras.Object) error {
	f := &fileLayer{path: path}
	f.name, _ = o.Extra["name"].(string)
	if f.name == "" {
		return fmt.Errorf("%s.name: expected a layer's name, got %v", path, o.Extra["name"])
	}
	if g.layers[f.name] != nil {
		return fmt.Errorf("%s.name: expected a name of its own for every layer, got %q twice", path, f.name)
	}
	var ok bool
	if f.calls, ok = o.Extra["inbound_nodes"].([]any); !ok {
		return fmt.Errorf("%s.inbound_nodes: expected a list", path)
	}
	if !strings.HasPrefix(o.Module, "keras.src.ops.") { // operations make masks; here a mask travels with its value
		s, trainable, err := specOf(path, o, g.room)
		if err != nil {
			return err
		}
		if in, input := s.(layers.Input); input {
			in.Name = f.name
			f.part = inputOf(in)
			f.done = []Symbol{{of: &application{part: f.part, out: f.part.in}}}
			f.calls = nil
		} else {
			f.part = partOf(s)
			f.part.name, f.part.frozen = f.name, !trainable
		}
	}
	g.layers[f.name] = f
	g.order = append(g.order, f)
	return nil
}

// applyAll makes the applications, in rounds: each that has all its inputs.
func (g *graphReader) applyAll() error {
	for left := true; left; {
		left = false
		moved := false
		for _, f := range g.order {
			for f.part != nil && len(f.done) < len(f.calls) {
				ready, err := g.apply(f)
				if err != nil {
					return err
				}
				if !ready {
					left = true
					break
				}
				moved = true
			}
		}
		if left && !moved {
			return fmt.Errorf("%s.layers: expected layers that stand on the inputs, got a loop or a layer that is missing", g.path)
		}
	}
	return nil
}

// apply makes the next application of a layer; false where an input is not there yet.
func (g *graphReader) apply(f *fileLayer) (bool, error) {
	path := fmt.Sprintf("%s.inbound_nodes[%d]", f.path, len(f.done))
	call, ok := f.calls[len(f.done)].(map[string]any)
	if !ok {
		return false, fmt.Errorf("%s: expected an application with args and kwargs", path)
	}
	kwargs, _ := call["kwargs"].(map[string]any)
	var in []Symbol
	ready := true
	var take func(path string, v any) error
	take = func(path string, v any) error {
		switch v := v.(type) {
		case []any:
			for i, e := range v {
				if err := take(fmt.Sprintf("%s[%d]", path, i), e); err != nil {
					return err
				}
			}
			return nil
		case map[string]any:
			s, there, err := g.tensor(path, v)
			ready = ready && there
			in = append(in, s)
			return err
		}
		return fmt.Errorf("%s: expected values of other layers, got %v", path, v)
	}
	if err := take(path+".args", call["args"]); err != nil {
		return false, err
	}
	names := []string{"initial_state"}
	if several, ok := f.part.spec.(layers.Several); ok {
		names = several.InputNames()
	}
	for _, key := range names {
		if v := kwargs[key]; v != nil {
			if err := take(path+".kwargs."+key, v); err != nil {
				return false, err
			}
		}
	}
	arguments := map[string]any{}
	for key, v := range kwargs {
		switch {
		case v == nil || key == "training" && v == false || slices.Contains(names, key):
		case (key == "mask" || strings.HasSuffix(key, "_mask")) && g.isMask(v):
		default:
			arguments[key] = v
		}
	}
	if err := f.call(path+".kwargs", arguments); err != nil {
		return false, err
	}
	if !ready {
		return false, nil
	}
	// A layer that has its mask as an argument is without one where the file has none: MultiHeadAttention, in Keras, takes the mask from the values that it reads.
	_, said := kwargs["mask"]
	given := kwargs["mask"] != nil
	bare := said && !given && in[0].Err() == nil && in[0].signature().Masked && hears(f.part.spec, len(in), false)
	s := applyTo(&application{part: f.part, in: in, masked: given, bare: bare}, g.room)
	if s.Err() != nil {
		return false, fmt.Errorf("%s: %w", path, s.Err())
	}
	f.done = append(f.done, s)
	return true, nil
}

// call gives the layer the arguments of its call.
func (f *fileLayer) call(path string, arguments map[string]any) error {
	c, ok := f.part.spec.(layers.Called)
	if !ok {
		for key, v := range arguments {
			return fmt.Errorf("%s.%s: expected no argument besides the values and their masks, got %v", path, key, v)
		}
		return nil
	}
	s, err := c.WithCallArguments(arguments)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", path, err)
	case f.part.layer == nil:
		f.part.spec = s
	case !maps.Equal(c.CallArguments(), s.(layers.Called).CallArguments()):
		return fmt.Errorf("%s: expected the arguments of the layer's other calls, %v, got %v", path, c.CallArguments(), arguments)
	}
	return nil
}

// isMask reports whether a value is a mask that Keras has made of others, or a list of such.
func (g *graphReader) isMask(v any) bool {
	if list, ok := v.([]any); ok {
		for _, e := range list {
			if e != nil && !g.isMask(e) {
				return false
			}
		}
		return true
	}
	name, _, _, err := history("", v)
	return err == nil && g.layers[name] != nil && g.layers[name].part == nil
}

// tensor is a value that another layer has made; false: not yet.
func (g *graphReader) tensor(path string, v map[string]any) (Symbol, bool, error) {
	name, call, result, err := history(path, v)
	if err != nil {
		return Symbol{}, false, err
	}
	f := g.layers[name]
	if f == nil || f.part == nil {
		what := "one of nobody"
		if f != nil {
			what = "one of an operation, as Python code makes them"
		}
		return Symbol{}, false, fmt.Errorf("%s: expected a value of another layer, got %s, %q", path, what, name)
	}
	if call >= len(f.done) {
		return Symbol{}, false, nil
	}
	s := f.done[call]
	if result >= s.Results() {
		return Symbol{}, false, fmt.Errorf("%s: expected one of the %d results of %q, got number %d", path, s.Results(), name, result)
	}
	return s.At(result), true, nil
}

// history reads where a symbolic tensor comes from.
func history(path string, v any) (name string, call, result int, err error) {
	m, _ := v.(map[string]any)
	config, _ := m["config"].(map[string]any)
	place, _ := config["keras_history"].([]any)
	if m["class_name"] != keras.SymbolicTensor || len(place) != 3 {
		return "", 0, 0, fmt.Errorf("%s: expected a value of another layer", path)
	}
	return placeOf(path, place)
}

func placeOf(path string, place []any) (name string, call, result int, err error) {
	if len(place) == 3 {
		var ok [3]bool
		name, ok[0] = place[0].(string)
		call, ok[1] = whole(place[1])
		result, ok[2] = whole(place[2])
		if ok[0] && ok[1] && ok[2] {
			return name, call, result, nil
		}
	}
	return "", 0, 0, fmt.Errorf("%s: expected [layer, application, result], got %v", path, place)
}

func whole(v any) (int, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return int(i), err == nil && i >= 0 && i < 1<<31
}

// places reads the values that go into a model or come out of it: one place, or a list of them.
func (g *graphReader) places(path string, v any, output bool) ([]Symbol, error) {
	list, _ := v.([]any)
	if len(list) == 3 {
		if _, one := list[0].(string); one {
			list = []any{list}
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: expected a list of [layer, application, result], got %v", path, v)
	}
	var all []Symbol
	for i, e := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		place, ok := e.([]any)
		if !ok {
			return nil, fmt.Errorf("%s: expected [layer, application, result], got %v", at, e)
		}
		name, call, result, err := placeOf(at, place)
		if err != nil {
			return nil, err
		}
		f := g.layers[name]
		if f != nil && f.part != nil && output {
			if l, ok := f.part.layer.(*modelLayer); ok && l.model.specs == nil {
				call--
			}
		}
		if f == nil || call < 0 || call >= len(f.done) || result >= f.done[call].Results() {
			return nil, fmt.Errorf("%s: expected a value of the model, got %v", at, place)
		}
		all = append(all, f.done[call].At(result))
	}
	return all, nil
}
