package constraints

import (
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/tensor"
)

// Object is the constraint as a `.keras` file has it; nil gives nil, which is written as null.
func Object(c Constraint) *keras.Object {
	if c == nil {
		return nil
	}
	return &keras.Object{Module: "keras.constraints", Class: c.Class(), Config: c.Config()}
}

// ByName is the constraint of that name with its defaults: "max_norm", "MaxNorm".
func ByName(name string) (Constraint, error) { return FromConfig(name, name, nil) }

// FromConfig is the constraint of a Keras class and its config; a nil config is every default. path is where it stands in its file
// and begins the error.
func FromConfig(path, class string, config map[string]any) (Constraint, error) {
	r := keras.Read(path, config)
	var c Constraint
	switch class {
	case "NonNeg", "non_neg":
		c = NonNeg{}
	case "MaxNorm", "max_norm":
		c = MaxNorm{number(r, "max_value"), axes(r)}
	case "UnitNorm", "unit_norm":
		c = UnitNorm{axes(r)}
	case "MinMaxNorm", "min_max_norm":
		c = MinMaxNorm{r.Float("min_value", 0), number(r, "max_value"), number(r, "rate"), axes(r)}
	default:
		return nil, keras.Unknown("constraints", "a constraint", class, []string{"max_norm", "non_neg", "unit_norm", "min_max_norm"})
	}
	return c, r.Done()
}

// number is unset where the config has nothing.
func number(r *keras.Reader, key string) tensor.Float {
	if r.Null(key) {
		return tensor.Float{}
	}
	return tensor.F(r.Float(key))
}

// axes is a number or a list of them.
func axes(r *keras.Reader) []int {
	if _, list := r.Value("axis").([]any); list {
		return r.Ints("axis")
	}
	if r.Null("axis") {
		return nil
	}
	return []int{r.Int("axis")}
}
