package metrics

import (
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/tensor"
)

// short are Keras's short names; it takes them in capitals too.
func short() [][2]string {
	return [][2]string{{"bce", "BinaryCrossentropy"}, {"mae", "MeanAbsoluteError"}, {"mse", "MeanSquaredError"}, {"mape", "MeanAbsolutePercentageError"},
		{"msle", "MeanSquaredLogarithmicError"}}
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
	all := []string{"acc", "accuracy", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy", "top_k_categorical_accuracy",
		"sparse_top_k_categorical_accuracy", "mean_absolute_error", "mean_squared_error", "root_mean_squared_error", "mean_absolute_percentage_error",
		"mean_squared_logarithmic_error", "log_cosh_error", "cosine_similarity", "kl_divergence", "poisson", "hinge", "squared_hinge", "categorical_hinge",
		"binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy", "r2_score", "pearson_correlation", "concordance_correlation",
		"auc", "precision", "recall", "true_positives", "false_positives", "true_negatives", "false_negatives", "sensitivity_at_specificity",
		"specificity_at_sensitivity", "precision_at_recall", "recall_at_precision", "f1_score", "f_beta_score", "io_u", "mean_io_u", "one_hot_io_u",
		"one_hot_mean_io_u", "binary_io_u"}
	for _, s := range short() {
		all = append(all, s[0])
	}
	return all
}

// ByName is the metric of that name: "acc" and "accuracy" are resolved by shapes; a class, its snake case or a short name (mae, mse, mape,
// msle, bce) is that class with its defaults. Its key in the history is the name as it is given, as in Keras.
func ByName(name string) (Metric, error) {
	if isAccuracy(name) {
		return Accuracy{Name: name}, nil
	}
	return FromConfig(name, name, map[string]any{"name": name})
}

// isAccuracy reports whether Keras resolves the name by shapes; it looks at neither case.
func isAccuracy(name string) bool {
	name = strings.ToLower(name)
	return name == "acc" || name == "accuracy"
}

// FromConfig is the metric of a Keras class and its config; a nil config is every default. path is where it stands in its file and
// begins the error.
func FromConfig(path, class string, config map[string]any) (Metric, error) {
	if class == "MeanMetricWrapper" {
		return lossMeanFrom(path, config)
	}
	r := keras.Read(path, config)
	r.Ignore("dtype") // sums are float64 whatever it says
	m, err := fromReader(r, class, r.String("name", ""))
	if err != nil {
		return nil, err
	}
	if err := r.Done(); err != nil {
		return nil, err
	}
	return m, nil
}

func fromReader(r *keras.Reader, class, name string) (Metric, error) {
	switch keras.Snake(canonical(class)) {
	case "accuracy":
		return ExactAccuracy{name}, nil
	case "binary_accuracy":
		return BinaryAccuracy{name, number(r, "threshold")}, nil
	case "categorical_accuracy":
		return CategoricalAccuracy{name}, nil
	case "sparse_categorical_accuracy":
		return SparseCategoricalAccuracy{name}, nil
	case "top_k_categorical_accuracy":
		return TopKCategoricalAccuracy{positive(r, "k", 5), name}, nil
	case "sparse_top_k_categorical_accuracy":
		return SparseTopKCategoricalAccuracy{positive(r, "k", 5), r.Bool("from_sorted_ids", false), name}, nil
	case "mean_absolute_error":
		return MeanAbsoluteError{name}, nil
	case "mean_squared_error":
		return MeanSquaredError{name}, nil
	case "root_mean_squared_error":
		return RootMeanSquaredError{name}, nil
	case "mean_absolute_percentage_error":
		return MeanAbsolutePercentageError{name}, nil
	case "mean_squared_logarithmic_error":
		return MeanSquaredLogarithmicError{name}, nil
	case "log_cosh_error":
		return LogCoshError{name}, nil
	case "cosine_similarity":
		r.Only("axis", -1.0)
		return CosineSimilarity{name}, nil
	case "kl_divergence":
		return KLDivergence{name}, nil
	case "poisson":
		return Poisson{name}, nil
	case "hinge":
		return Hinge{name}, nil
	case "squared_hinge":
		return SquaredHinge{name}, nil
	case "categorical_hinge":
		return CategoricalHinge{name}, nil
	case "binary_crossentropy":
		return BinaryCrossentropy{r.Bool("from_logits", false), r.Float("label_smoothing", 0), name}, nil
	case "categorical_crossentropy":
		r.Only("axis", -1.0)
		return CategoricalCrossentropy{r.Bool("from_logits", false), r.Float("label_smoothing", 0), name}, nil
	case "sparse_categorical_crossentropy":
		r.Only("axis", -1.0)
		return SparseCategoricalCrossentropy{r.Bool("from_logits", false), whole(r, "ignore_class"), name}, nil
	case "r2_score":
		if r.Has("class_aggregation") && r.Null("class_aggregation") {
			r.Fail("class_aggregation", "uniform_average or variance_weighted_average")
		}
		return R2Score{Aggregation(r.String("class_aggregation", "")), r.Int("num_regressors", 0), name}, nil
	case "pearson_correlation":
		r.Only("axis", -1.0)
		return PearsonCorrelation{name}, nil
	case "concordance_correlation":
		r.Only("axis", -1.0)
		return ConcordanceCorrelation{name}, nil
	case "auc":
		return aucFrom(r, name), nil
	case "precision":
		return Precision{threshold(r), positive(r, "top_k", 0), whole(r, "class_id"), name}, nil
	case "recall":
		return Recall{threshold(r), positive(r, "top_k", 0), whole(r, "class_id"), name}, nil
	case "true_positives":
		return TruePositives{threshold(r), name}, nil
	case "false_positives":
		return FalsePositives{threshold(r), name}, nil
	case "true_negatives":
		return TrueNegatives{threshold(r), name}, nil
	case "false_negatives":
		return FalseNegatives{threshold(r), name}, nil
	case "sensitivity_at_specificity":
		return SensitivityAtSpecificity{r.Float("specificity"), positive(r, "num_thresholds", 0), whole(r, "class_id"), name}, nil
	case "specificity_at_sensitivity":
		return SpecificityAtSensitivity{r.Float("sensitivity"), positive(r, "num_thresholds", 0), whole(r, "class_id"), name}, nil
	case "precision_at_recall":
		return PrecisionAtRecall{r.Float("recall"), positive(r, "num_thresholds", 0), whole(r, "class_id"), name}, nil
	case "recall_at_precision":
		return RecallAtPrecision{r.Float("precision"), positive(r, "num_thresholds", 0), whole(r, "class_id"), name}, nil
	case "f1_score":
		return F1Score{Average(r.String("average", "")), number(r, "threshold"), name}, nil
	case "f_beta_score":
		return FBetaScore{Average(r.String("average", "")), number(r, "beta"), number(r, "threshold"), name}, nil
	case "io_u":
		r.Only("axis", -1.0)
		return IoU{r.Int("num_classes"), r.Ints("target_class_ids"), whole(r, "ignore_class"), !r.Bool("sparse_y_true", true), !r.Bool("sparse_y_pred", true), name}, nil
	case "mean_io_u":
		r.Only("axis", -1.0)
		return MeanIoU{r.Int("num_classes"), whole(r, "ignore_class"), !r.Bool("sparse_y_true", true), !r.Bool("sparse_y_pred", true), name}, nil
	case "one_hot_io_u":
		r.Only("axis", -1.0)
		r.Only("sparse_y_pred", false)
		return OneHotIoU{r.Int("num_classes"), r.Ints("target_class_ids"), whole(r, "ignore_class"), name}, nil
	case "one_hot_mean_io_u":
		r.Only("axis", -1.0)
		r.Only("sparse_y_pred", false)
		return OneHotMeanIoU{r.Int("num_classes"), whole(r, "ignore_class"), name}, nil
	case "binary_io_u":
		return BinaryIoU{r.Ints("target_class_ids"), number(r, "threshold"), name}, nil
	}
	// A loss's function, which Keras writes by its name where it was given as a metric.
	if l, err := losses.ByName(class); err == nil {
		if item, ok := l.(losses.Itemwise); ok {
			if name == class {
				name = ""
			}
			return LossMean{item, name}, nil
		}
	}
	return nil, keras.Unknown("metrics", "a metric", class, names())
}

func aucFrom(r *keras.Reader, name string) AUC {
	a := AUC{Thresholds: r.Floats("thresholds"), MultiLabel: r.Bool("multi_label", false), LabelWeights: labelWeights(r),
		FromLogits: r.Bool("from_logits", false), Name: name, Curve: Curve(strings.ToUpper(r.String("curve", string(ROC)))),
		Summation: Summation(strings.ToLower(r.String("summation_method", string(Interpolation))))}
	if n := positive(r, "num_thresholds", 0); a.Thresholds == nil {
		a.NumThresholds = n
	}
	r.Ignore("num_labels") // follows from the predictions
	return a
}

// labelWeights are a list, or the tensor that Keras 3.15.1 makes of it.
func labelWeights(r *keras.Reader) []float64 {
	const key = "label_weights"
	m, ok := r.Value(key).(map[string]any)
	if !ok {
		return r.Floats(key)
	}
	config, _ := m["config"].(map[string]any)
	if m["class_name"] != "__tensor__" || config == nil {
		r.Fail(key, "a list of numbers")
		return nil
	}
	t := keras.Read(r.Path(key), config)
	w := t.Floats("value")
	r.Keep(t.Err())
	return w
}

// lossMeanFrom reads a mean of a loss function, whose arguments stand beside it.
func lossMeanFrom(path string, config map[string]any) (Metric, error) {
	r := keras.Read(path, config)
	function := r.Function("fn")
	if err := r.Err(); err != nil {
		return nil, err
	}
	arguments := map[string]any{}
	for k, v := range config {
		if k != "fn" && k != "name" && k != "dtype" {
			arguments[k] = v
		}
	}
	l, err := losses.FromConfig(path, function, arguments)
	if err != nil {
		return nil, err
	}
	item, ok := l.(losses.Itemwise)
	if !ok {
		return nil, fmt.Errorf("keras: %s.fn: expected a loss that judges items one by one, got %s", path, function)
	}
	name := r.String("name", "")
	if err := r.Err(); err != nil {
		return nil, err
	}
	return LossMean{item, name}, nil
}

// number is unset where the config has nothing.
func number(r *keras.Reader, key string) tensor.Float {
	if r.Null(key) {
		return tensor.Float{}
	}
	return tensor.F(r.Float(key))
}

// whole is a whole number, or unset.
func whole(r *keras.Reader, key string) tensor.Float {
	if r.Null(key) {
		return tensor.Float{}
	}
	return tensor.F(float64(r.Int(key)))
}

// positive is a number above 0, or def.
func positive(r *keras.Reader, key string, def int) int {
	if r.Null(key) {
		return def
	}
	n := r.Int(key)
	if n <= 0 {
		r.Fail(key, "an integer above 0")
	}
	return n
}

// threshold is a number, or a list of one: a history holds one number.
func threshold(r *keras.Reader) tensor.Float {
	const key = "thresholds"
	if _, list := r.Value(key).([]any); list {
		t := r.Floats(key)
		if len(t) != 1 {
			r.Fail(key, "one threshold, since a history holds one number")
			return tensor.Float{}
		}
		return tensor.F(t[0])
	}
	return number(r, key)
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
