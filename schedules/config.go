package schedules

import (
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/tensor"
)

// FromConfig is the schedule of a Keras class and its config. path is where it stands in its file and begins the error.
func FromConfig(path, class string, config map[string]any) (Schedule, error) {
	r := keras.Read(path, config)
	name := r.String("name", "")
	var s Schedule
	switch class {
	case "ExponentialDecay":
		s = ExponentialDecay{r.Float("initial_learning_rate"), r.Float("decay_steps"), r.Float("decay_rate"), r.Bool("staircase", false), name}
	case "InverseTimeDecay":
		s = InverseTimeDecay{r.Float("initial_learning_rate"), r.Float("decay_steps"), r.Float("decay_rate"), r.Bool("staircase", false), name}
	case "PiecewiseConstantDecay":
		s = PiecewiseConstantDecay{r.Floats("boundaries"), r.Floats("values"), name}
	case "PolynomialDecay":
		s = PolynomialDecay{r.Float("initial_learning_rate"), r.Float("decay_steps"), number(r, "end_learning_rate"), number(r, "power"),
			r.Bool("cycle", false), name}
	case "CosineDecay":
		s = CosineDecay{r.Float("initial_learning_rate"), r.Float("decay_steps"), r.Float("alpha", 0), number(r, "warmup_target"),
			r.Float("warmup_steps", 0), name}
	case "CosineDecayRestarts":
		s = CosineDecayRestarts{r.Float("initial_learning_rate"), r.Float("first_decay_steps"), number(r, "t_mul"), number(r, "m_mul"),
			r.Float("alpha", 0), name}
	default:
		return nil, keras.Unknown("schedules", "a schedule", class, []string{"ExponentialDecay", "InverseTimeDecay", "PiecewiseConstantDecay",
			"PolynomialDecay", "CosineDecay", "CosineDecayRestarts"})
	}
	if err := r.Done(); err != nil {
		return nil, err
	}
	if err := s.Check(); err != nil {
		return nil, err
	}
	return s, nil
}

// number is unset where the config has nothing.
func number(r *keras.Reader, key string) tensor.Float {
	if r.Null(key) {
		return tensor.Float{}
	}
	return tensor.F(r.Float(key))
}

// Object is the schedule as an optimizer's config has it.
func Object(s Schedule) *keras.Object {
	if s == nil {
		return nil
	}
	return &keras.Object{Module: "keras.optimizers.schedules", Class: s.Class(), Config: s.Config()}
}
