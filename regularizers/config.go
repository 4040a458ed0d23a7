package regularizers

import (
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/tensor"
)

// Object is the regularizer as a `.keras` file has it; nil gives nil, which is written as null.
func Object(r Regularizer) *keras.Object {
	if r == nil {
		return nil
	}
	return &keras.Object{Module: "keras.regularizers", Class: r.Class(), Config: r.Config()}
}

// ByName is the regularizer of that name with its defaults: "l2", "L2".
func ByName(name string) (Regularizer, error) { return FromConfig(name, name, nil) }

// FromConfig is the regularizer of a Keras class and its config; a nil config is every default. path is where it stands in its file
// and begins the error.
func FromConfig(path, class string, config map[string]any) (Regularizer, error) {
	r := keras.Read(path, config)
	var g Regularizer
	switch class {
	case "L1", "l1":
		g = L1{number(r, "l1")}
	case "L2", "l2":
		g = L2{number(r, "l2")}
	case "L1L2", "l1l2", "l1_l2":
		g = L1L2{r.Float("l1", 0), r.Float("l2", 0)}
	case "OrthogonalRegularizer", "orthogonal_regularizer":
		g = Orthogonal{number(r, "factor"), r.String("mode", "rows")}
	default:
		return nil, keras.Unknown("regularizers", "a regularizer", class, []string{"l1", "l2", "l1l2", "orthogonal_regularizer"})
	}
	return g, r.Done()
}

// number is unset where the config has nothing.
func number(r *keras.Reader, key string) tensor.Float {
	if r.Null(key) {
		return tensor.Float{}
	}
	return tensor.F(r.Float(key))
}
