package losses

import (
	"strings"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/tensor"
)

// short are Keras's short names; it takes them in capitals too.
func short() [][2]string {
	return [][2]string{{"bce", "BinaryCrossentropy"}, {"kld", "KLDivergence"}, {"mae", "MeanAbsoluteError"}, {"mse", "MeanSquaredError"},
		{"mape", "MeanAbsolutePercentageError"}, {"msle", "MeanSquaredLogarithmicError"}}
}

// canonical is the class or its snake case for a short name, and any other name as it is.
func canonical(name string) string {
	for _, s := range short() {
		if name == s[0] || name == strings.ToUpper(s[0]) {
			return s[1]
		}
	}
	return name
}

// names are what ByName takes, in snake case and short.
func names() []string {
	all := []string{"binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy",
		"categorical_generalized_cross_entropy", "sparse_categorical_crossentropy", "mean_squared_error", "mean_absolute_error",
		"mean_absolute_percentage_error", "mean_squared_logarithmic_error", "huber", "log_cosh", "hinge", "squared_hinge", "categorical_hinge",
		"kl_divergence", "poisson", "cosine_similarity", "dice", "tversky", "circle", "ctc"}
	for _, s := range short() {
		all = append(all, s[0])
	}
	return all
}

// checkArguments is what Check says of the arguments alone: it gives shapes that fit whatever the loss compares.
func checkArguments(l Loss) error {
	pred := tensor.Shape{tensor.None, 2}
	err := l.Check(pred, pred)
	switch l := l.(type) {
	case interface{ sparse() }, Circle:
		err = l.Check(pred, pred[:1])
	case CTC:
		err = l.Check(tensor.Shape{tensor.None, tensor.None, 2}, pred)
	}
	return err
}

// ByName is the loss of that name with its defaults: a class, its snake case, or bce, kld, mae, mse, mape, msle.
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
	switch keras.Snake(canonical(class)) {
	case "binary_crossentropy":
		r.Only("axis", -1.0)
		l = BinaryCrossentropy{r.Bool("from_logits", false), smoothing(r), reduction, name, r.Bool("keras2", false)}
	case "binary_focal_crossentropy":
		r.Only("axis", -1.0)
		l = BinaryFocalCrossentropy{r.Bool("apply_class_balancing", false), number(r, "alpha"), number(r, "gamma"), r.Bool("from_logits", false), smoothing(r),
			reduction, name}
	case "categorical_crossentropy":
		r.Only("axis", -1.0)
		l = CategoricalCrossentropy{r.Bool("from_logits", false), smoothing(r), reduction, name, r.Bool("keras2", false)}
	case "categorical_focal_crossentropy":
		r.Only("axis", -1.0)
		l = CategoricalFocalCrossentropy{number(r, "alpha"), number(r, "gamma"), r.Bool("from_logits", false), smoothing(r), reduction, name}
	case "sparse_categorical_crossentropy":
		r.Only("axis", -1.0)
		s := SparseCategoricalCrossentropy{FromLogits: r.Bool("from_logits", false), Reduction: reduction, Name: name, Keras2: r.Bool("keras2", false)}
		if !r.Null("ignore_class") {
			s.IgnoreClass = tensor.F(float64(r.Int("ignore_class")))
		}
		l = s
	case "categorical_generalized_cross_entropy":
		l = CategoricalGeneralizedCrossEntropy{number(r, "q"), reduction, name}
	case "mean_squared_error":
		l = MeanSquaredError{reduction, name}
	case "mean_absolute_error":
		l = MeanAbsoluteError{reduction, name}
	case "mean_absolute_percentage_error":
		l = MeanAbsolutePercentageError{reduction, name}
	case "mean_squared_logarithmic_error":
		l = MeanSquaredLogarithmicError{reduction, name}
	case "huber":
		l = Huber{number(r, "delta"), reduction, name}
	case "log_cosh":
		l = LogCosh{reduction, name}
	case "hinge":
		l = Hinge{reduction, name}
	case "squared_hinge":
		l = SquaredHinge{reduction, name}
	case "categorical_hinge":
		l = CategoricalHinge{reduction, name}
	case "kl_divergence":
		l = KLDivergence{reduction, name}
	case "poisson":
		l = Poisson{reduction, name}
	case "cosine_similarity":
		r.Only("axis", -1.0)
		l = CosineSimilarity{reduction, name}
	case "dice":
		l = Dice{axis(r), reduction, name}
	case "tversky":
		l = Tversky{number(r, "alpha"), number(r, "beta"), axis(r), reduction, name}
	case "circle":
		l = Circle{number(r, "gamma"), number(r, "margin"), !r.Bool("remove_diagonal", true), reduction, name}
	case "ctc":
		l = CTC{reduction, name}
	default:
		return nil, keras.Unknown("losses", "a loss", class, names())
	}
	if checkReduction(class, reduction) != nil {
		r.Fail("reduction", expectedReduction)
	}
	if err := r.Done(); err != nil {
		return nil, err
	}
	if err := checkArguments(l); err != nil {
		return nil, err
	}
	return l, nil
}

const expectedReduction = "sum_over_batch_size, mean, sum or mean_with_sample_weight"

// number is unset where the config has nothing.
func number(r *keras.Reader, key string) tensor.Float {
	if r.Null(key) {
		return tensor.Float{}
	}
	return tensor.F(r.Float(key))
}

// axis is null, or the last axis.
func axis(r *keras.Reader) Axis {
	if r.Null("axis") {
		return AllAxes
	}
	r.Only("axis", nil, -1.0)
	return LastAxis
}

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
