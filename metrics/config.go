package metrics

import (
	"strings"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/tensor"
)

// ByName is the metric of that name: "acc" and "accuracy" are resolved by shapes and keep that name in the history; mae and mse
// keep theirs too; a class or its snake case is that class with its defaults.
func ByName(name string) (Metric, error) {
	if isAccuracy(name) {
		return Accuracy{Name: name}, nil
	}
	switch name {
	case "mae", "MAE":
		return MeanAbsoluteError{Name: name}, nil
	case "mse", "MSE":
		return MeanSquaredError{Name: name}, nil
	}
	return FromConfig(name, name, nil)
}

// isAccuracy reports whether Keras resolves the name by shapes; it looks at neither case.
func isAccuracy(name string) bool {
	name = strings.ToLower(name)
	return name == "acc" || name == "accuracy"
}

// FromConfig is the metric of a Keras class and its config; a nil config is every default. path is where it stands in its file and
// begins the error.
func FromConfig(path, class string, config map[string]any) (Metric, error) {
	r := keras.Read(path, config)
	r.Ignore("dtype") // sums are float64 whatever it says
	name := r.String("name", "")
	var m Metric
	switch class {
	case "BinaryAccuracy", "binary_accuracy":
		t := tensor.Float{}
		if !r.Null("threshold") {
			t = tensor.F(r.Float("threshold"))
		}
		m = BinaryAccuracy{name, t}
	case "CategoricalAccuracy", "categorical_accuracy":
		m = CategoricalAccuracy{name}
	case "SparseCategoricalAccuracy", "sparse_categorical_accuracy":
		m = SparseCategoricalAccuracy{name}
	case "MeanAbsoluteError", "mean_absolute_error", "mae", "MAE":
		m = MeanAbsoluteError{name}
	case "MeanSquaredError", "mean_squared_error", "mse", "MSE":
		m = MeanSquaredError{name}
	default:
		return nil, keras.Unknown("metrics", "a metric", class,
			[]string{"acc", "accuracy", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy",
				"mean_absolute_error", "mean_squared_error", "mae", "mse"})
	}
	if err := r.Done(); err != nil {
		return nil, err
	}
	return m, nil
}

// Serialize is the metric as a compile_config has it: a string for what Keras resolves by shapes and for its short names, otherwise
// an object.
func Serialize(m Metric) any {
	switch a := m.(type) {
	case Accuracy:
		if a.Name == "" {
			return "accuracy"
		}
		return a.Name
	case MeanAbsoluteError:
		if a.Name == "mae" || a.Name == "MAE" {
			return a.Name
		}
	case MeanSquaredError:
		if a.Name == "mse" || a.Name == "MSE" {
			return a.Name
		}
	}
	return &keras.Object{Module: "keras.metrics", Class: m.Class(), Config: m.Config()}
}

// Deserialize is the metric that a compile_config has at path: a string or an object.
func Deserialize(path string, v any) (Metric, error) {
	if name, ok := v.(string); ok {
		return ByName(name)
	}
	o, err := keras.ParseObject(path, v)
	if err != nil {
		return nil, err
	}
	return FromConfig(path+".config", o.Class, o.Config)
}
