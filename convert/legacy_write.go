package convert

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/internal/hdf5"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/losses"
)

// chunk is how many bytes of names Keras puts into one attribute.
const chunk = 64512

// legacyTree is a model as a legacy file: in words that Keras 2 and Keras 3 both understand, as far as there are such. A functional model with models
// within, or with states that a layer is given, is in Keras 3's words, since the two differ there.
func legacyTree(m *unroll.Model) (*hdf5.GroupBuilder, error) {
	text, err := m.JSON()
	if err != nil {
		return nil, err
	}
	raw, err := keras.Decode("model", text)
	if err != nil {
		return nil, err
	}
	w := legacyWriter{}
	model, err := keras.Encode(w.object(raw))
	if err != nil {
		return nil, err
	}
	version := "3.15.1"
	switch {
	case w.keras2 && w.keras3:
		return nil, fmt.Errorf("expected one hard_sigmoid, that of Keras 2 or that of Keras 3, got both: a file can say one of them")
	case w.keras2:
		version = "2.15.0"
	}
	root := hdf5.NewGroup()
	root.SetAttr("keras_version", []byte(version))
	root.SetAttr("backend", []byte("tensorflow"))
	root.SetAttr("model_config", model)
	writeWeights(root.Group("model_weights"), m, version)
	if training, ok := raw["compile_config"].(map[string]any); ok {
		config, err := keras.Encode(trainingConfig(training))
		if err != nil {
			return nil, err
		}
		root.SetAttr("training_config", config)
		if err := writeOptimizer(root.Group("optimizer_weights"), m); err != nil {
			return nil, err
		}
	}
	return root, nil
}

// legacyWriter turns Keras 3's objects into those that both have.
type legacyWriter struct{ keras2, keras3 bool } // which hard_sigmoid was met

// object is a layer or a model with what is in it.
func (w *legacyWriter) object(o map[string]any) map[string]any {
	class, _ := o["class_name"].(string)
	if own, _ := o["registered_name"].(string); strings.Contains(own, ">") {
		class = own
	}
	config, _ := o["config"].(map[string]any)
	config = maps.Clone(config)
	for key, v := range config {
		config[key] = w.value(key, v)
	}
	plain(config)
	old := map[string]any{"class_name": class, "config": config}
	if class == "InputLayer" {
		config["batch_input_shape"] = config["batch_shape"]
		delete(config, "batch_shape")
	}
	if class == "Bidirectional" { // which names its parts itself
		for _, key := range []string{"layer", "backward_layer"} {
			if part, ok := config[key].(map[string]any); ok {
				inner := part["config"].(map[string]any)
				inner["name"] = strings.TrimPrefix(fmt.Sprint(inner["name"]), "forward_")
			}
		}
	}
	if isModel(class) {
		delete(config, "build_input_shape")
		delete(config, "dtype")
		list, _ := config["layers"].([]any)
		layers := make([]any, len(list))
		for i, v := range list {
			inner := v.(map[string]any)
			layer := w.object(inner)
			if name, ok := inner["name"]; ok {
				layer["name"] = name
			}
			layers[i] = layer
		}
		config["layers"] = layers
		if class == "Functional" {
			writeCalls(list, layers)
		}
	}
	return old
}

// within is a layer in another's config, where both Kerases look its class up by its module.
func (w *legacyWriter) within(o map[string]any) map[string]any {
	layer := w.object(o)
	layer["module"], layer["class_name"], layer["registered_name"] = o["module"], o["class_name"], o["registered_name"]
	return layer
}

// plain removes arguments that say nothing, and that not all versions of Keras know.
func plain(config map[string]any) {
	for _, key := range []string{"seed", "quantization_config", "lora_rank", "lora_alpha", "input_axes", "output_axes", "optional", "rms_scaling", "zero_output_for_mask",
		"synchronized", "use_gate", "flash_attention", "noise_shape"} {
		if v := config[key]; v == nil || v == false {
			delete(config, key)
		}
	}
	if config["renorm"] == false {
		for _, key := range []string{"renorm", "renorm_clipping", "renorm_momentum"} {
			delete(config, key)
		}
	}
}

func (w *legacyWriter) value(key string, v any) any {
	switch v := v.(type) {
	case string:
		if key != "activation" && key != "recurrent_activation" {
			return v
		}
		switch activations.Activation(v) {
		case activations.HardSigmoidKeras2:
			w.keras2 = true
			return string(activations.HardSigmoid)
		case activations.HardSigmoid:
			w.keras3 = true
		}
	case map[string]any:
		inner, _ := v["config"].(map[string]any)
		switch {
		case v["class_name"] == "DTypePolicy":
			return inner["name"]
		case key == "layer" || key == "backward_layer" || key == "cell":
			return w.within(v)
		case strings.HasSuffix(key, "_initializer") || strings.HasSuffix(key, "_regularizer") ||
			strings.HasSuffix(key, "_constraint"):
			return w.object(v)
		}
	case []any:
		if key == "cells" {
			cells := make([]any, len(v))
			for i, c := range v {
				cells[i] = w.within(c.(map[string]any))
			}
			return cells
		}
	}
	return v
}

// writeCalls writes the applications of a functional model's layers: as Keras 2 does where that says all of it.
func writeCalls(from, to []any) {
	simple := true
	calls := make([][]any, len(from))
	for i, v := range from {
		layer := v.(map[string]any)
		simple = simple && !isModel(layer["class_name"].(string))
		nodes, _ := layer["inbound_nodes"].([]any)
		calls[i] = []any{}
		for _, n := range nodes {
			list, ok := asList(n)
			simple = simple && ok
			calls[i] = append(calls[i], list)
		}
	}
	for i, v := range to {
		layer := v.(map[string]any)
		if simple {
			layer["inbound_nodes"] = calls[i]
		} else {
			layer["inbound_nodes"] = from[i].(map[string]any)["inbound_nodes"]
		}
	}
}

// asList is an application as a list of places, where it has no arguments but values.
func asList(node any) ([]any, bool) {
	call, _ := node.(map[string]any)
	kwargs, _ := call["kwargs"].(map[string]any)
	args, _ := call["args"].([]any)
	for _, v := range kwargs {
		if v != nil {
			return nil, false
		}
	}
	if len(args) != 1 {
		return nil, false
	}
	values, several := args[0].([]any)
	if !several {
		values = args
	}
	var list []any
	for _, v := range values {
		symbol, _ := v.(map[string]any)
		config, _ := symbol["config"].(map[string]any)
		place, ok := config["keras_history"].([]any)
		if !ok || len(place) != 3 {
			return nil, false
		}
		list = append(list, append(slices.Clone(place), map[string]any{}))
	}
	return list, true
}

// trainingConfig is a compile_config as legacy files have it.
func trainingConfig(c map[string]any) map[string]any {
	optimizer, _ := c["optimizer"].(map[string]any)
	config, _ := optimizer["config"].(map[string]any)
	config = maps.Clone(config)
	for key, v := range config {
		if v == nil {
			delete(config, key)
		}
	}
	if config["use_ema"] != true {
		// As the optimizers before 2.11 had it, which is what Keras 2.15 takes it for, too; with the key that says otherwise Keras 3 would not load it.
		for _, key := range []string{"keras2", "use_ema", "ema_momentum"} {
			delete(config, key)
		}
	}
	if schedule, ok := config["learning_rate"].(map[string]any); ok {
		config["learning_rate"] = map[string]any{"class_name": schedule["class_name"], "config": schedule["config"]}
	}
	return map[string]any{
		"loss": nested(c["loss"], named), "metrics": nested(c["metrics"], short), "weighted_metrics": nested(c["weighted_metrics"], short), "loss_weights": c["loss_weights"],
		"optimizer_config": map[string]any{"class_name": optimizer["class_name"], "config": config},
	}
}

// named is a loss by its name, where that says all of it.
func named(v any) any {
	o, ok := v.(map[string]any)
	config, _ := o["config"].(map[string]any)
	name, _ := config["name"].(string)
	if !ok {
		return v
	}
	if l, err := losses.ByName(name); err == nil {
		plain, err1 := keras.Encode(losses.Object(l).Config)
		this, err2 := keras.Encode(config)
		if err1 == nil && err2 == nil && string(plain) == string(this) {
			return name
		}
	}
	return short(v)
}

// short is an object without its module, which Keras 2 does not know.
func short(v any) any {
	if o, ok := v.(map[string]any); ok {
		return map[string]any{"class_name": o["class_name"], "config": o["config"]}
	}
	return v
}

// writeNames writes a list of names, in pieces where it is long, each of strings of one length, as NumPy makes them.
func writeNames(set func(name string, value any), name string, list []string) {
	longest := 1
	for _, s := range list {
		longest = max(longest, len(s))
	}
	if len(list)*longest <= chunk {
		set(name, hdf5.FixedStrings(list))
		return
	}
	size := max(1, chunk/longest)
	i := 0
	for part := range slices.Chunk(list, size) {
		set(fmt.Sprintf("%s%d", name, i), hdf5.FixedStrings(part))
		i++
	}
}

// writeWeights writes the layers of a model, every one, those that are trained first.
func writeWeights(group *hdf5.GroupBuilder, m *unroll.Model, version string) {
	var list []string
	for _, l := range m.Layers() {
		list = append(list, l.Name)
		g := group.Group(l.Name)
		var weights []string
		for _, w := range ordered(l.Weights) {
			name := w.Path + ":0"
			for k := 1; slices.Contains(weights, name); k++ {
				name = fmt.Sprintf("%s_%d:0", w.Path, k)
			}
			weights = append(weights, name)
			g.Dataset(name, w.Shape, w.Data)
		}
		writeNames(g.SetAttr, "weight_names", weights)
	}
	writeNames(group.SetAttr, "layer_names", list)
	group.SetAttr("backend", []byte("tensorflow"))
	group.SetAttr("keras_version", []byte(version))
	writeNames(group.Group("top_level_model_weights").SetAttr, "weight_names", nil)
}

// writeOptimizer writes the optimizer's state: the steps, then, as Keras 2 did before 2.11, kind after kind of arrays, each for all weights; where weights are
// averaged, which those versions could not, in Keras 3's order with the rate behind the steps.
func writeOptimizer(group *hdf5.GroupBuilder, m *unroll.Model) error {
	slots, err := m.OptimizerSlots()
	if err != nil {
		return err
	}
	e := era{oldOptimizer: !m.Optimizer().Shared().UseEMA}
	for _, l := range m.Layers() {
		e.layers = append(e.layers, l.Name)
	}
	at, err := places(m, "optimizer_weights", e)
	if err != nil {
		return err
	}
	list := []string{"iteration:0"}
	group.Dataset(list[0], nil, []int64{m.Batches()})
	if _, schedule := m.Optimizer().Rate(); schedule == nil && !e.oldOptimizer {
		rate, err := m.LearningRate()
		if err != nil {
			return err
		}
		list = append(list, "learning_rate:0")
		group.Dataset("learning_rate:0", nil, []float32{float32(rate)})
	}
	for i, k := range at {
		name := fmt.Sprintf("slot_%d:0", i)
		list = append(list, name)
		group.Dataset(name, slots[k].Shape, slots[k].Data)
	}
	writeNames(group.SetAttr, "weight_names", list)
	return nil
}
