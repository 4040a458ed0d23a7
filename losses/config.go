package losses

import (
	"github.com/unroll-ml/unroll/internal/keras"
)

// ByName is the loss of that name with its defaults: a class, its snake case, or bce, mse, mae.
func ByName(name string) (Loss, error) { return FromConfig(name, name, nil) }

// FromConfig is the loss of a Keras class and its config; a nil config is every default. path is where it stands in its file and
// begins the error.
func FromConfig(path, class string, config map[string]any) (Loss, error) {
	r := keras.Read(path, config)
	r.Ignore("dtype", "fn") // fn: the function that a loss given by name wraps
	reduction := Reduction(r.String("reduction", string(SumOverBatchSize)))
	if r.Has("reduction") && r.Null("reduction") {
		r.Fail("reduction", expectedReduction) // null is "none": a loss for each item, nothing to descend
	}
	// Keras 2 wrote auto for the default.
	if reduction == "auto" {
		reduction = SumOverBatchSize
	}
	name := r.String("name", "")
	var l Loss
	switch class {
	case "BinaryCrossentropy", "binary_crossentropy", "bce", "BCE":
		r.Only("axis", -1.0)
		l = BinaryCrossentropy{r.Bool("from_logits", false), smoothing(r), reduction, name}
	case "CategoricalCrossentropy", "categorical_crossentropy":
		r.Only("axis", -1.0)
		l = CategoricalCrossentropy{r.Bool("from_logits", false), smoothing(r), reduction, name}
	case "SparseCategoricalCrossentropy", "sparse_categorical_crossentropy":
		r.Only("axis", -1.0)
		r.Only("ignore_class", nil)
		l = SparseCategoricalCrossentropy{r.Bool("from_logits", false), reduction, name}
	case "MeanSquaredError", "mean_squared_error", "mse", "MSE":
		l = MeanSquaredError{reduction, name}
	case "MeanAbsoluteError", "mean_absolute_error", "mae", "MAE":
		l = MeanAbsoluteError{reduction, name}
	default:
		return nil, keras.Unknown("losses", "a loss", class, []string{"binary_crossentropy", "categorical_crossentropy",
			"sparse_categorical_crossentropy", "mean_squared_error", "mean_absolute_error", "bce", "mse", "mae"})
	}
	if checkReduction(class, reduction) != nil {
		r.Fail("reduction", expectedReduction)
	}
	if err := r.Done(); err != nil {
		return nil, err
	}
	return l, nil
}

const expectedReduction = "sum_over_batch_size, mean, sum or mean_with_sample_weight"

func smoothing(r *keras.Reader) float64 {
	s := r.Float("label_smoothing", 0)
	if !(s >= 0 && s <= 1) {
		r.Fail("label_smoothing", "a number in [0, 1]")
	}
	return s
}

// Object is the loss as a compile_config has it.
func Object(l Loss) *keras.Object {
	if l == nil {
		return nil
	}
	return &keras.Object{Module: "keras.losses", Class: l.Class(), Config: l.Config()}
}

// Deserialize is the loss that a compile_config has at path: a name or an object.
func Deserialize(path string, v any) (Loss, error) {
	if name, ok := v.(string); ok {
		return ByName(name)
	}
	o, err := keras.ParseObject(path, v)
	if err != nil {
		return nil, err
	}
	return FromConfig(path+".config", o.Class, o.Config)
}
