package convert

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/internal/keras"
)

// model is a model's config as Keras 3.15 would write it into a `.keras` file. What is not known here is left as it is, for the layers' own readers,
// which refuse it with its path.
func (e era) model(path string, o map[string]any) (map[string]any, error) {
	class, _ := o["class_name"].(string)
	switch class {
	case "Sequential":
		return e.sequential(path, o)
	case "Functional", "Model":
		return e.functional(path, o)
	}
	return nil, fmt.Errorf("%s.class_name: expected Sequential, Functional or Model, got %v", path, o["class_name"])
}

// isModel reports whether a layer is a model.
func isModel(class string) bool {
	return class == "Sequential" || class == "Functional" || class == "Model"
}

// object is a serialized object of Keras 3.
func object(class string, config map[string]any) map[string]any {
	return map[string]any{"module": "keras.layers", "class_name": class, "config": config, "registered_name": nil}
}

func (e era) sequential(path string, o map[string]any) (map[string]any, error) {
	config, _ := o["config"].(map[string]any)
	list, ok := o["config"].([]any) // until Keras 2.2.2
	if !ok {
		if list, ok = config["layers"].([]any); !ok {
			return nil, fmt.Errorf("%s.config.layers: expected a list of layers", path)
		}
	}
	var layers []any
	for i, v := range list {
		at := fmt.Sprintf("%s.config.layers[%d]", path, i)
		layer, shape, err := e.layer(at, v)
		if err != nil {
			return nil, err
		}
		if first := layer["config"].(map[string]any); i == 0 && layer["class_name"] != "InputLayer" {
			if shape == nil {
				shape = inputOf(layer)
			}
			if shape == nil {
				shape = config["build_input_shape"]
			}
			if shape != nil {
				layers = append(layers, object("InputLayer", map[string]any{"batch_shape": shape, "dtype": "float32", "name": fmt.Sprint(first["name"], "_input")}))
			}
		}
		layers = append(layers, layer)
	}
	name, _ := config["name"].(string)
	if name == "" {
		name = "sequential"
	}
	return object("Sequential", map[string]any{"name": name, "layers": layers}), nil
}

// inputOf is the shape that a nested model takes.
func inputOf(layer map[string]any) any {
	config, _ := layer["config"].(map[string]any)
	list, _ := config["layers"].([]any)
	if len(list) == 0 || !isModel(layer["class_name"].(string)) {
		return nil
	}
	first, _ := list[0].(map[string]any)
	c, _ := first["config"].(map[string]any)
	if first["class_name"] == "InputLayer" {
		return c["batch_shape"]
	}
	return inputOf(first)
}

// layer is a layer, and the shape of the model's input where the layer says it.
func (e era) layer(path string, v any) (layer map[string]any, shape any, err error) {
	o, ok := v.(map[string]any)
	class, named := o["class_name"].(string)
	config, _ := o["config"].(map[string]any)
	if !ok || !named || config == nil && !isModel(class) {
		return nil, nil, fmt.Errorf("%s: expected a layer with class_name and config", path)
	}
	if isModel(class) {
		layer, err = e.model(path, o)
		return layer, nil, err
	}
	registered := o["registered_name"]
	if name, own := strings.CutPrefix(class, "Custom>"); own {
		class = name
	} else if pkg, name, own := strings.Cut(class, ">"); own {
		class, registered = name, pkg+">"+name
	}
	if own, _ := registered.(string); !strings.Contains(own, ">") {
		registered = nil // Keras 3 names what it has itself, too
	}
	config = maps.Clone(config)
	shape = config["batch_input_shape"]
	delete(config, "batch_input_shape")
	if class == "InputLayer" {
		if shape != nil {
			config["batch_shape"] = shape
		}
	} else if shape == nil {
		shape = config["batch_shape"]
		delete(config, "batch_shape")
	}
	class = e.renamed(class, config)
	if e.before3 {
		if err := e.layerConfig(path, class, config); err != nil {
			return nil, nil, err
		}
	}
	for key, v := range config {
		if config[key], err = e.value(path+".config."+key, key, v); err != nil {
			return nil, nil, err
		}
	}
	layer = object(class, config)
	layer["registered_name"] = registered
	if class == "NotEqual" { // the operation that makes a mask
		layer["module"] = "keras.src.ops.numpy"
	}
	return layer, shape, nil
}

// renamed is Keras 3's class for one of Keras 2's.
func (e era) renamed(class string, config map[string]any) string {
	switch class {
	case "CuDNNLSTM":
		return "LSTM"
	case "CuDNNGRU":
		config["reset_after"] = true
		return "GRU"
	case "BatchNormalizationV1", "BatchNormalizationV2":
		return "BatchNormalization"
	case "LSTMV2", "GRUV2":
		return strings.TrimSuffix(class, "V2")
	}
	return class
}

// layerConfig changes what Keras 2 wrote otherwise; harmless keys go.
func (e era) layerConfig(path, class string, config map[string]any) error {
	harmless := []string{"input_length", "time_major", "fused", "virtual_batch_size", "adjustment", "batch_size", "input_dtype", "input_shape"}
	if major, ok := config["time_major"]; ok && major != false {
		return fmt.Errorf("%s.config.time_major: expected false, got %v: steps come behind rows here", path, major)
	}
	for _, key := range []string{"virtual_batch_size", "adjustment"} {
		if v := config[key]; v != nil {
			return fmt.Errorf("%s.config.%s: expected null (nothing else is supported), got %v", path, key, v)
		}
	}
	for _, key := range harmless {
		delete(config, key)
	}
	if _, ok := config["reset_after"]; !ok && (class == "GRU" || class == "GRUCell") {
		config["reset_after"] = false
	}
	if class == "Embedding" { // Keras 2.0's was of whole numbers
		if t, _ := config["dtype"].(string); strings.HasPrefix(t, "int") {
			delete(config, "dtype")
		}
	}
	if axis, ok := config["axis"].([]any); ok && len(axis) == 1 {
		config["axis"] = axis[0]
	}
	if causal, ok := config["causal"]; ok && causal == false {
		delete(config, "causal")
	}
	return nil
}

// value is a part of a config: objects within are treated as the layers are.
func (e era) value(path, key string, v any) (any, error) {
	if !e.before3 {
		return v, nil
	}
	switch v := v.(type) {
	case string:
		if v == string(activations.HardSigmoid) && (key == "activation" || key == "recurrent_activation") {
			return string(activations.HardSigmoidKeras2), nil
		}
	case []any:
		if key == "cells" {
			list := make([]any, len(v))
			for i, c := range v {
				cell, _, err := e.layer(fmt.Sprintf("%s[%d]", path, i), c)
				if err != nil {
					return nil, err
				}
				list[i] = cell
			}
			return list, nil
		}
	case map[string]any:
		class, _ := v["class_name"].(string)
		config, _ := v["config"].(map[string]any)
		switch {
		case key == "layer" || key == "backward_layer" || key == "cell":
			layer, _, err := e.layer(path, v)
			return layer, err
		case key == "dtype" && (class == "Policy" || class == "DTypePolicy") && config != nil:
			return config["name"], nil
		case strings.HasSuffix(key, "_initializer") && config != nil:
			config = maps.Clone(config)
			delete(config, "dtype")
			if class == "VarianceScaling" && config["distribution"] == "normal" {
				config["distribution"] = "truncated_normal"
			}
			v = maps.Clone(v)
			v["config"] = config
			return v, nil
		}
	}
	return v, nil
}

// functional is a functional model. Layers of the JSON have their applications in inbound_nodes.
func (e era) functional(path string, o map[string]any) (map[string]any, error) {
	config, _ := o["config"].(map[string]any)
	list, ok := config["layers"].([]any)
	if !ok {
		return nil, fmt.Errorf("%s.config.layers: expected a list of layers", path)
	}
	g := graphOf(list)
	var layers []any
	for i, v := range list {
		at := fmt.Sprintf("%s.config.layers[%d]", path, i)
		layer, _, err := e.layer(at, v)
		if err != nil {
			return nil, err
		}
		was := v.(map[string]any)
		inner := layer["config"].(map[string]any)
		layer["name"] = was["name"]
		if layer["name"] == nil {
			layer["name"] = inner["name"]
		}
		if isModel(layer["class_name"].(string)) && inner["name"] != layer["name"] {
			inner["name"] = layer["name"]
		}
		nodes, _ := was["inbound_nodes"].([]any)
		calls := make([]any, len(nodes))
		for k, node := range nodes {
			if calls[k], err = g.call(fmt.Sprintf("%s.inbound_nodes[%d]", at, k), layer["class_name"].(string), node); err != nil {
				return nil, err
			}
		}
		layer["inbound_nodes"] = calls
		layers = append(layers, layer)
	}
	name, _ := config["name"].(string)
	if name == "" {
		name = "functional"
	}
	return object("Functional", map[string]any{
		"name": name, "layers": layers, "input_layers": config["input_layers"], "output_layers": g.outputs(config["output_layers"]),
	}), nil
}

// number is a whole number of JSON.
func number(v any) (int, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return int(i), err == nil && i >= 0 && i < 1<<31
}

// reference reads a place [layer, application, result], perhaps with arguments behind it.
func reference(v any) (name string, call, result int, kwargs map[string]any, ok bool) {
	list, _ := v.([]any)
	if len(list) < 3 || len(list) > 4 {
		return "", 0, 0, nil, false
	}
	name, is := list[0].(string)
	call, ok1 := number(list[1])
	result, ok2 := number(list[2])
	if len(list) == 4 {
		kwargs, _ = list[3].(map[string]any)
	}
	return name, call, result, kwargs, is && ok1 && ok2
}

// graph is what is known of a functional model of Keras 2: in its lists, a model's applications within another are counted from 1, since it was applied
// once when it was made; some versions count from 0.
type graph struct {
	first   map[string]int    // of models within: the lowest number of an application
	classes map[string]string // of all layers
	lists   bool              // the form of Keras 2
}

func graphOf(list []any) *graph {
	g := &graph{first: map[string]int{}, classes: map[string]string{}}
	for _, v := range list {
		o, _ := v.(map[string]any)
		name, _ := o["name"].(string)
		g.classes[name], _ = o["class_name"].(string)
	}
	var look func(v any)
	look = func(v any) {
		if name, call, _, _, ok := reference(v); ok && isModel(g.classes[name]) {
			if least, seen := g.first[name]; !seen || call < least {
				g.first[name] = call
			}
		}
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				look(e)
			}
		case map[string]any:
			for _, e := range v {
				look(e)
			}
		}
	}
	for _, v := range list {
		o, _ := v.(map[string]any)
		nodes, _ := o["inbound_nodes"].([]any)
		for _, node := range nodes {
			if _, old := node.([]any); old {
				g.lists = true
				look(node)
			}
		}
	}
	return g
}

// symbol is a value between layers as Keras 3 writes it.
func (g *graph) symbol(name string, call, result int) map[string]any {
	if isModel(g.classes[name]) {
		call -= g.first[name]
	}
	return map[string]any{"class_name": keras.SymbolicTensor, "config": map[string]any{"shape": nil, "dtype": "float32", "keras_history": []any{name, call, result}}}
}

// call is an application of a layer.
func (g *graph) call(path, class string, node any) (any, error) {
	list, old := node.([]any)
	if !old {
		return node, nil // as Keras 3 writes it
	}
	if len(list) > 0 {
		if _, one := list[0].(string); one { // a layer that is called with one value
			list = []any{list}
		}
	}
	var values []any
	arguments := map[string]any{}
	for i, v := range list {
		name, call, result, kwargs, ok := reference(v)
		if !ok {
			return nil, fmt.Errorf("%s[%d]: expected [layer, application, result, arguments], got %.80s", path, i, fmt.Sprint(v))
		}
		values = append(values, g.symbol(name, call, result))
		for key, v := range kwargs {
			if v == nil || key == "training" || key == "mask" && v == nil {
				continue
			}
			arguments[key] = g.argument(v)
		}
	}
	args := values
	if len(values) > 1 {
		args = []any{values}
		if slices.Contains([]string{"LSTM", "GRU", "SimpleRNN", "RNN"}, class) {
			arguments["mask"] = []any{} // that of the sequence, which Keras 2 hands on beside states
		}
	}
	return map[string]any{"args": args, "kwargs": arguments}, nil
}

// argument is one of a call: places in it become values.
func (g *graph) argument(v any) any {
	if name, call, result, _, ok := reference(v); ok {
		return g.symbol(name, call, result)
	}
	if list, ok := v.([]any); ok {
		if len(list) == 3 && list[0] == "_CONSTANT_VALUE" {
			return list[2]
		}
		all := make([]any, len(list))
		for i, e := range list {
			all[i] = g.argument(e)
		}
		return all
	}
	return v
}

// outputs are the places of a model's outputs; there Keras 3 counts a functional model's applications from 1.
func (g *graph) outputs(v any) any {
	list, ok := v.([]any)
	if !ok || !g.lists {
		return v
	}
	if name, call, result, _, ok := reference(v); ok {
		least, seen := g.first[name]
		if class := g.classes[name]; isModel(class) {
			if !seen {
				least = call
			}
			call -= least
			if class != "Sequential" {
				call++
			}
		}
		return []any{name, call, result}
	}
	all := make([]any, len(list))
	for i, e := range list {
		all[i] = g.outputs(e)
	}
	return all
}
