package optimizers

import (
	"fmt"
	"maps"
	"strings"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/schedules"
	"github.com/unroll-ml/unroll/tensor"
)

// config are the keys that every optimizer of Keras 3.15 has.
func config(o Optimizer, rate tensor.Float, def float64, s schedules.Schedule, decay tensor.Float, name string, common Common) map[string]any {
	c := map[string]any{"name": name, "learning_rate": rate.Or(def), "weight_decay": nil}
	common.write(c)
	if name == "" {
		c["name"] = keras.Snake(o.Class())
	}
	if s != nil {
		c["learning_rate"] = schedules.Object(s)
	}
	if decay.IsSet() {
		c["weight_decay"] = decay.Or(0)
	}
	return c
}

// rates reads the keys that every optimizer has, less Common's.
func rates(r *keras.Reader) (rate tensor.Float, s schedules.Schedule, decay tensor.Float, name string) {
	if !r.Has("learning_rate") {
		rate = number(r, "lr") // Keras 2's name
	}
	switch v := r.Value("learning_rate").(type) {
	case map[string]any:
		if o := r.Object("learning_rate"); o != nil {
			s = schedule(r, o)
		}
	case *keras.Object:
		s = schedule(r, v)
	case nil:
	default:
		rate = tensor.F(r.Float("learning_rate"))
	}
	return rate, s, number(r, "weight_decay"), r.String("name", "")
}

func schedule(r *keras.Reader, o *keras.Object) schedules.Schedule {
	s, err := schedules.FromConfig(r.Path("learning_rate")+".config", o.Class, o.Config)
	r.Keep(err)
	return s
}

// number is unset where the config has nothing.
func number(r *keras.Reader, key string) tensor.Float {
	if r.Null(key) {
		return tensor.Float{}
	}
	return tensor.F(r.Float(key))
}

// ByName is the optimizer of that name with its defaults. As in Keras, case does not matter.
func ByName(name string) (Optimizer, error) { return FromConfig(name, name, nil) }

// FromConfig is the optimizer of a Keras class and its config; a nil config is every default. path is where it stands in its file and
// begins the error.
func FromConfig(path, class string, config map[string]any) (Optimizer, error) {
	r := keras.Read(path, config)
	rate, s, decay, name := rates(r)
	common := readCommon(r)
	falls := r.Float("decay", 0)
	num := func(key string) tensor.Float { return number(r, key) }
	var o Optimizer
	switch strings.ToLower(class) {
	case "sgd":
		o = SGD{rate, s, r.Float("momentum", 0), r.Bool("nesterov", false), decay, name, common}
	case "rmsprop":
		o = RMSprop{rate, s, num("rho"), r.Float("momentum", 0), num("epsilon"), r.Bool("centered", false), r.Bool("keras2", false), decay, name, common}
	case "adam":
		o = Adam{rate, s, num("beta_1"), num("beta_2"), num("epsilon"), r.Bool("amsgrad", false), decay, name, common}
	case "adamw":
		if r.Has("weight_decay") && r.Null("weight_decay") {
			r.Fail("weight_decay", "a number")
		}
		o = AdamW{rate, s, num("beta_1"), num("beta_2"), num("epsilon"), r.Bool("amsgrad", false), decay, name, common}
	case "adagrad":
		o = Adagrad{rate, s, num("initial_accumulator_value"), num("epsilon"), decay, name, common}
	case "adadelta":
		o = Adadelta{rate, s, num("rho"), num("epsilon"), decay, name, common}
	case "adamax":
		o = Adamax{rate, s, num("beta_1"), num("beta_2"), num("epsilon"), decay, name, common}
	case "nadam":
		o = Nadam{rate, s, num("beta_1"), num("beta_2"), num("epsilon"), decay, name, common}
	case "lamb":
		o = Lamb{rate, s, num("beta_1"), num("beta_2"), num("epsilon"), decay, name, common}
	case "lion":
		o = Lion{rate, s, num("beta_1"), num("beta_2"), decay, name, common}
	case "ftrl":
		o = Ftrl{rate, s, num("learning_rate_power"), num("initial_accumulator_value"), r.Float("l1_regularization_strength", 0), r.Float("l2_regularization_strength", 0),
			r.Float("l2_shrinkage_regularization_strength", 0), r.Float("beta", 0), decay, name, common}
	case "adafactor":
		o = Adafactor{rate, s, num("beta_2_decay"), num("epsilon_1"), num("epsilon_2"), num("clip_threshold"), !r.Bool("relative_step", true), decay, name, common}
	case "muon":
		orZero := func(key string) tensor.Float { // null is none
			if r.Has(key) && r.Null(key) {
				return tensor.F(0)
			}
			return num(key)
		}
		o = Muon{rate, s, num("adam_beta_1"), num("adam_beta_2"), orZero("adam_weight_decay"), num("epsilon"), r.Strings("exclude_layers"), !r.Bool("exclude_embeddings", true),
			num("muon_a"), num("muon_b"), num("muon_c"), num("adam_lr_ratio"), num("momentum"), num("ns_steps"), !r.Bool("nesterov", true), num("rms_rate"),
			r.Has("rms_rate") && r.Null("rms_rate"), orZero("weight_decay"), name, common}
	case "schedulefreeadamw":
		o = ScheduleFreeAdamW{rate, s, num("beta_1"), num("beta_2"), num("epsilon"), r.Int("warmup_steps", 0), decay, name, common}
	case "lossscaleoptimizer", "multioptimizer":
		return nil, fmt.Errorf("optimizers: %s: this optimizer of Keras's is not offered", class)
	default:
		return nil, keras.Unknown("optimizers", "an optimizer", class, []string{"sgd", "rmsprop", "adam", "adamw", "adagrad", "adadelta", "adamax", "nadam", "ftrl",
			"lion", "lamb", "adafactor", "muon", "schedulefreeadamw"})
	}
	if err := r.Done(); err != nil {
		return nil, err
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	if falls != 0 {
		return falling(path, class, config, o, falls)
	}
	return o, nil
}

// falling is an optimizer with Keras 2's decay: the rate is divided by 1 + decay · step, which Keras 3 has as a schedule.
func falling(path, class string, config map[string]any, o Optimizer, falls float64) (Optimizer, error) {
	rate, s := o.Rate()
	if s != nil {
		return nil, fmt.Errorf("optimizers: %s.decay: expected a number as learning rate beside it, got the schedule %s", path, s.Class())
	}
	config = maps.Clone(config)
	delete(config, "decay")
	delete(config, "lr")
	config["learning_rate"] = schedules.Object(schedules.InverseTimeDecay{Initial: rate, Steps: 1, Rate: falls})
	return FromConfig(path, class, config)
}

// Object is the optimizer as a compile_config has it.
func Object(o Optimizer) *keras.Object {
	if o == nil {
		return nil
	}
	return &keras.Object{Module: "keras.optimizers", Class: o.Class(), Config: o.Config()}
}

// Deserialize is the optimizer that a compile_config has at path: a name or an object.
func Deserialize(path string, v any) (Optimizer, error) {
	if name, ok := v.(string); ok {
		return ByName(name)
	}
	o, err := keras.ParseObject(path, v)
	if err != nil {
		return nil, err
	}
	return FromConfig(path+".config", o.Class, o.Config)
}
