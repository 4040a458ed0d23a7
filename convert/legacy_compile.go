package convert

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/unroll-ml/unroll/internal/hdf5"
	"github.com/unroll-ml/unroll/internal/keras"
)

// trainingOf is how the model of a file was trained, as a compile_config of Keras 3; false where the file does not say.
func trainingOf(root *hdf5.Group, e *era) (config map[string]any, ok bool, err error) {
	text, ok, err := text(root, "training_config")
	if err != nil || !ok {
		return nil, false, err
	}
	raw, err := keras.Decode("training_config", []byte(text))
	if err != nil {
		return nil, false, err
	}
	optimizer, is := raw["optimizer_config"].(map[string]any)
	if !is {
		return nil, false, fmt.Errorf("training_config.optimizer_config: expected an object, got %v", raw["optimizer_config"])
	}
	config = map[string]any{"loss_weights": nonEmpty(raw["loss_weights"])}
	if config["optimizer"], err = e.optimizer(optimizer); err != nil {
		return nil, false, err
	}
	if e.before3 {
		config["loss"] = nested(raw["loss"], e.loss)
		config["metrics"], config["weighted_metrics"] = nested(some(nonEmpty(raw["metrics"])), metric), nested(some(nonEmpty(raw["weighted_metrics"])), metric)
	} else {
		config["loss"], config["metrics"], config["weighted_metrics"] = raw["loss"], raw["metrics"], raw["weighted_metrics"]
	}
	return config, true, nil
}

// nonEmpty is nil for what Keras 2 wrote where there is none.
func nonEmpty(v any) any {
	switch c := v.(type) {
	case []any:
		if len(c) == 0 {
			return nil
		}
	case map[string]any:
		if len(c) == 0 {
			return nil
		}
	}
	return v
}

// some leaves out the nulls in lists, which stand for outputs without metrics.
func some(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	all := []any{}
	for _, e := range list {
		if e != nil {
			all = append(all, some(e))
		}
	}
	return all
}

// nested changes the names and objects in a structure of lists and objects by output.
func nested(v any, change func(any) any) any {
	switch c := v.(type) {
	case string:
		return change(c)
	case []any:
		all := make([]any, len(c))
		for i, e := range c {
			all[i] = nested(e, change)
		}
		return all
	case map[string]any:
		if _, is := c["class_name"]; is {
			return change(c)
		}
		all := make(map[string]any, len(c))
		for k, e := range c {
			all[k] = nested(e, change)
		}
		return all
	}
	return v
}

// optimizer is an optimizer as Keras 3 has it. Where Keras 2's formula was another one, it is said in the config, or refused.
func (e *era) optimizer(o map[string]any) (map[string]any, error) {
	class, _ := o["class_name"].(string)
	config, _ := o["config"].(map[string]any)
	if class == "" || config == nil {
		return nil, fmt.Errorf("training_config.optimizer_config: expected class_name and config")
	}
	class = strings.TrimPrefix(class, "Custom>")
	config = maps.Clone(config)
	_, averages := config["use_ema"]
	e.oldOptimizer = !averages
	if e.before3 {
		if !averages {
			switch class {
			case "SGD", "Adam":
			case "RMSprop":
				momentum, _ := config["momentum"].(json.Number)
				rate, err := momentum.Float64()
				still := err != nil || rate == 0
				switch centered, _ := config["centered"].(bool); {
				case still && centered:
					return nil, fmt.Errorf("training_config.optimizer_config: expected an RMSprop with momentum or not centered, whose old formulas are offered, got one of Keras %s", e.version)
				case still: // with momentum epsilon stood under the root already (and rows of a table that no batch read stood still, which they do not here)
					config["keras2"] = true
				}
			default:
				return nil, fmt.Errorf("training_config.optimizer_config: expected SGD, RMSprop or Adam, whose old formulas are offered, got %s of Keras %s", class, e.version)
			}
		}
		if config["use_ema"] != true {
			delete(config, "ema_overwrite_frequency")
		}
	}
	return map[string]any{"module": "keras.optimizers", "class_name": class, "config": config, "registered_name": nil}, nil
}

// loss is a loss of Keras 2.
func (e *era) loss(v any) any {
	name, is := v.(string)
	o, _ := v.(map[string]any)
	class, _ := o["class_name"].(string)
	config, _ := o["config"].(map[string]any)
	if function, ok := o["config"].(string); ok && class == "function" {
		name, is = function, true
	}
	if !is {
		config = maps.Clone(config)
		if r := config["reduction"]; r == "auto" {
			delete(config, "reduction")
		}
		delete(config, "fn")
		return map[string]any{"module": "keras.losses", "class_name": class, "config": config, "registered_name": nil}
	}
	if classes := map[string]string{"binary_crossentropy": "BinaryCrossentropy", "categorical_crossentropy": "CategoricalCrossentropy",
		"sparse_categorical_crossentropy": "SparseCategoricalCrossentropy"}; e.alone && classes[name] != "" {
		return map[string]any{"module": "keras.losses", "class_name": classes[name], "config": map[string]any{"name": name, "keras2": true}, "registered_name": nil}
	}
	return name
}

// metric is a metric of Keras 2: the mean of a function was a class of its own.
func metric(v any) any {
	o, _ := v.(map[string]any)
	class, _ := o["class_name"].(string)
	config, _ := o["config"].(map[string]any)
	if class == "function" {
		if name, ok := o["config"].(string); ok {
			return name
		}
	}
	function, ok := config["fn"].(string)
	if class != "MeanMetricWrapper" || !ok {
		return v
	}
	config = maps.Clone(config)
	delete(config, "fn")
	return map[string]any{"module": "keras.metrics", "class_name": camel(function), "config": config, "registered_name": nil}
}

// camel is the class of a function: binary_accuracy is BinaryAccuracy.
func camel(function string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(function, "_") {
		if part != "" {
			b.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return b.String()
}
