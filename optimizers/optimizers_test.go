package optimizers_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/schedules"
	"github.com/unroll-ml/unroll/tensor"
)

var f = tensor.F

func every() []optimizers.Optimizer {
	return []optimizers.Optimizer{
		optimizers.SGD{}, optimizers.SGD{LearningRate: f(0.1), Momentum: 0.9}, optimizers.SGD{LearningRate: f(0.1), Momentum: 0.9, Nesterov: true},
		optimizers.SGD{WeightDecay: f(0.1)},
		optimizers.RMSprop{}, optimizers.RMSprop{LearningRate: f(0.01), Rho: f(0.8), Epsilon: f(1e-3)}, optimizers.RMSprop{Momentum: 0.5},
		optimizers.RMSprop{Centered: true}, optimizers.RMSprop{Momentum: 0.5, Centered: true, WeightDecay: f(0.01)},
		optimizers.Adam{}, optimizers.Adam{LearningRate: f(0.1), Beta1: f(0.5), Beta2: f(0.9), Epsilon: f(1e-3)}, optimizers.Adam{AMSGrad: true, Beta2: f(0.5)},
		optimizers.Adam{WeightDecay: f(0.02)}, optimizers.AdamW{}, optimizers.AdamW{WeightDecay: f(0.1), AMSGrad: true},
	}
}

// state is one weight and what an optimizer remembers of it, in float64.
type state struct{ w, a, b, c float64 }

// reference is update t of one weight, written from the papers' formulas with Keras's conventions.
func reference(o optimizers.Optimizer, s *state, g, lr float64, t int) {
	switch o := o.(type) {
	case optimizers.SGD:
		s.w -= lr * o.WeightDecay.Or(0) * s.w
		s.a = o.Momentum*s.a - lr*g
		if o.Nesterov {
			s.w += o.Momentum*s.a - lr*g
		} else {
			s.w += s.a
		}
		if o.Momentum == 0 {
			s.a = 0
		}
	case optimizers.RMSprop:
		s.w -= lr * o.WeightDecay.Or(0) * s.w
		rho := o.Rho.Or(0.9)
		s.a = rho*s.a + (1-rho)*g*g
		v := s.a
		if o.Centered {
			s.b = rho*s.b + (1-rho)*g
			v -= s.b * s.b
		}
		s.c = o.Momentum*s.c + lr*g/math.Sqrt(v+o.Epsilon.Or(1e-7))
		s.w -= s.c
	case optimizers.AdamW:
		reference(optimizers.Adam{Beta1: o.Beta1, Beta2: o.Beta2, Epsilon: o.Epsilon, AMSGrad: o.AMSGrad, WeightDecay: f(o.WeightDecay.Or(0.004))}, s, g, lr, t)
	case optimizers.Adam:
		s.w -= lr * o.WeightDecay.Or(0) * s.w
		b1, b2 := o.Beta1.Or(0.9), o.Beta2.Or(0.999)
		s.a = b1*s.a + (1-b1)*g
		s.b = b2*s.b + (1-b2)*g*g
		v := s.b
		if o.AMSGrad {
			s.c = math.Max(s.c, s.b)
			v = s.c
		}
		alpha := lr * math.Sqrt(1-math.Pow(b2, float64(t))) / (1 - math.Pow(b1, float64(t)))
		s.w -= alpha * s.a / (math.Sqrt(v) + o.Epsilon.Or(1e-7))
	}
}

// slots makes what the optimizer keeps for a weight of n values.
func slots(o optimizers.Optimizer, n int) [][]float32 {
	var s [][]float32
	for _, group := range o.Slots() {
		for _, slot := range group {
			a := make([]float32, n)
			for i := range a {
				a[i] = slot.Start
			}
			s = append(s, a)
		}
	}
	return s
}

func TestUpdates(t *testing.T) {
	for _, o := range every() {
		// 37: past every vector's width, with a tail.
		for _, n := range []int{0, 1, 37} {
			name := fmt.Sprintf("%s%+v, n %d", o.Class(), o, n)
			r := random.New(1, random.Data, uint64(n))
			w, g, want := make([]float32, n), make([]float32, n), make([]state, n)
			for i := range w {
				w[i] = float32(r.Normal())
				want[i].w = float64(w[i])
			}
			s := slots(o, n)
			lr, schedule := o.Rate()
			if schedule != nil {
				t.Fatalf("%s: has a schedule", name)
			}
			for step := 1; step <= 20; step++ {
				for i := range g {
					g[i] = float32(r.Normal())
					if (step+i)%5 == 0 {
						g[i] = 0
					}
					reference(o, &want[i], float64(g[i]), lr, step)
				}
				o.Apply(int64(step), lr, w, g, s)
			}
			for i := range w {
				// Twenty updates, each rounding the weight (6e-8 of values up to 4) and its step.
				if !(math.Abs(float64(w[i])-want[i].w) <= 3e-6*math.Max(1, math.Abs(want[i].w))) {
					t.Errorf("%s: value %d: got %v, want %v", name, i, w[i], want[i].w)
				}
			}
			if a := testing.AllocsPerRun(3, func() { o.Apply(21, lr, w, g, s) }); a != 0 {
				t.Errorf("%s: Apply allocates %v times", name, a)
			}
		}
	}
}

// A weight that is updated in parts is the weight updated whole.
func TestElementwise(t *testing.T) {
	for _, o := range every() {
		if !o.Traits().Elementwise {
			t.Errorf("%s: not elementwise", o.Class())
		}
		const n, cut = 50, 19
		r := random.New(2, random.Data)
		w, g := make([]float32, n), make([]float32, n)
		for i := range w {
			w[i], g[i] = float32(r.Normal()), float32(r.Normal())
		}
		part, s, p := slices.Clone(w), slots(o, n), slots(o, n)
		lo, hi := make([][]float32, len(p)), make([][]float32, len(p))
		for k := range p {
			lo[k], hi[k] = p[k][:cut], p[k][cut:]
		}
		for step := range int64(3) {
			o.Apply(step+1, 0.01, w, g, s)
			o.Apply(step+1, 0.01, part[:cut], g[:cut], lo)
			o.Apply(step+1, 0.01, part[cut:], g[cut:], hi)
		}
		if !slices.Equal(w, part) || !cmp.Equal(s, p) {
			t.Errorf("%s%+v: in parts differs", o.Class(), o)
		}
	}
}

// SparseSafe says exactly whether a gradient of 0 moves no weight, after gradients that were not 0.
func TestSparseSafe(t *testing.T) {
	for _, o := range every() {
		w, s := []float32{1}, slots(o, 1)
		lr, _ := o.Rate()
		o.Apply(1, lr, w, []float32{0.5}, s)
		before, velocity := w[0], float32(0)
		if len(s) > 0 {
			velocity = s[0][0]
		}
		o.Apply(2, lr, w, []float32{0}, s)
		centered := false
		if r, ok := o.(optimizers.RMSprop); ok {
			centered = r.Centered // declared unsafe for another reason
		}
		safe := o.Traits().SparseSafe
		if !centered && safe != (w[0] == before) {
			t.Errorf("%s%+v: SparseSafe %v, weight from %v to %v", o.Class(), o, safe, before, w[0])
		}
		if safe && len(s) > 0 && !(math.Abs(float64(s[0][0])-o.Traits().Decay*float64(velocity)) <= 1e-8) {
			t.Errorf("%s%+v: Decay %v, slot from %v to %v", o.Class(), o, o.Traits().Decay, velocity, s[0][0])
		}
	}
}

func TestSlotsStandInKerasOrder(t *testing.T) {
	for _, c := range []struct {
		o    optimizers.Optimizer
		want string
	}{
		{optimizers.SGD{}, "[]"},
		{optimizers.SGD{Momentum: 0.9}, "[[momentum]]"},
		{optimizers.RMSprop{}, "[[velocity]]"},
		{optimizers.RMSprop{Momentum: 0.9, Centered: true}, "[[velocity] [momentum] [average_gradient]]"},
		{optimizers.RMSprop{Centered: true}, "[[velocity] [average_gradient]]"},
		{optimizers.Adam{}, "[[momentum velocity]]"},
		{optimizers.AdamW{AMSGrad: true}, "[[momentum velocity] [velocity_hat]]"},
	} {
		got := [][]string{}
		for _, group := range c.o.Slots() {
			var names []string
			for _, s := range group {
				names = append(names, s.Name)
			}
			got = append(got, names)
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%s%+v: got %v, want %s", c.o.Class(), c.o, got, c.want)
		}
	}
}

func roundTrip(t *testing.T, o optimizers.Optimizer) optimizers.Optimizer {
	t.Helper()
	text, err := keras.Encode(map[string]any{"optimizer": optimizers.Object(o)})
	if err != nil {
		t.Fatal(err)
	}
	file, err := keras.Decode("compile_config", text)
	if err != nil {
		t.Fatal(err)
	}
	back, err := optimizers.Deserialize("compile_config.optimizer", file["optimizer"])
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return back
}

func TestConfigRoundTrip(t *testing.T) {
	for _, o := range append(every(), optimizers.RMSprop{Name: "mine"}) {
		back := roundTrip(t, o)
		if d := cmp.Diff(o.Config(), back.Config()); d != "" || back.Class() != o.Class() {
			t.Errorf("%s (-want +got):\n%s", o.Class(), d)
		}
	}
}

func TestSchedule(t *testing.T) {
	s := schedules.ExponentialDecay{Initial: 0.5, Steps: 10, Rate: 0.1, Name: "d"}
	for _, o := range []optimizers.Optimizer{optimizers.SGD{Schedule: s}, optimizers.RMSprop{Schedule: s}, optimizers.Adam{Schedule: s}, optimizers.AdamW{Schedule: s}} {
		if initial, got := o.Rate(); initial != 0.5 || got != s {
			t.Errorf("%s: Rate() = %v, %v", o.Class(), initial, got)
		}
		if initial, got := roundTrip(t, o).Rate(); initial != 0.5 || got != s {
			t.Errorf("%s: after a round trip Rate() = %v, %v", o.Class(), initial, got)
		}
		// Without a file in between too.
		if back, err := optimizers.FromConfig("o", o.Class(), o.Config()); err != nil || !cmp.Equal(back.Config()["name"], o.Config()["name"]) {
			t.Errorf("%s: %v, %v", o.Class(), back, err)
		}
	}
}

// The defaults as Keras 3.15.1 writes them; only the learning rate differs, which Keras has rounded to float32.
func TestReadsKerasConfigs(t *testing.T) {
	const common = `"weight_decay": null, "clipnorm": null, "global_clipnorm": null, "clipvalue": null, "use_ema": false, "ema_momentum": 0.99,
		"ema_overwrite_frequency": null, "loss_scale_factor": null, "gradient_accumulation_steps": null`
	for _, c := range []struct {
		class, config string
		want          optimizers.Optimizer
	}{
		{"SGD", `{"name": "sgd", "learning_rate": 0.01, "momentum": 0.0, "nesterov": false, ` + common + `}`, optimizers.SGD{}},
		{"RMSprop", `{"name": "rm_sprop", "learning_rate": 0.001, "rho": 0.9, "momentum": 0.0, "epsilon": 1e-07, "centered": false, ` + common + `}`, optimizers.RMSprop{}},
		{"Adam", `{"name": "adam", "learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07, "amsgrad": false, ` + common + `}`, optimizers.Adam{}},
		{"AdamW", `{"name": "adam_w", "learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07, "amsgrad": false, ` +
			strings.Replace(common, `"weight_decay": null`, `"weight_decay": 0.004`, 1) + `}`, optimizers.AdamW{}},
	} {
		config, err := keras.Decode("config", []byte(c.config))
		if err != nil {
			t.Fatal(err)
		}
		o, err := optimizers.FromConfig("config", c.class, config)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want.Config(), o.Config()); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.class, d)
		}
		if len(c.want.Config()) != len(config) {
			t.Errorf("%s: writes %d keys, Keras %d", c.class, len(c.want.Config()), len(config))
		}
	}
	// Keras 2.2 and its R interface.
	o, err := optimizers.FromConfig("o", "RMSprop", map[string]any{"lr": 0.01, "rho": 0.9, "decay": 0.0, "epsilon": 1e-7})
	if rate, _ := o.Rate(); err != nil || rate != 0.01 {
		t.Errorf("lr: %v, %v", rate, err)
	}
}

func TestByName(t *testing.T) {
	for name, want := range map[string]optimizers.Optimizer{"rmsprop": optimizers.RMSprop{}, "RMSprop": optimizers.RMSprop{}, "SGD": optimizers.SGD{},
		"adam": optimizers.Adam{}, "AdamW": optimizers.AdamW{}} {
		if o, err := optimizers.ByName(name); err != nil || o.Class() != want.Class() || !cmp.Equal(o.Config(), want.Config()) {
			t.Errorf("ByName(%q) = %+v, %v", name, o, err)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		o    optimizers.Optimizer
		want string
	}{
		{optimizers.SGD{LearningRate: f(-1)}, "optimizers: SGD: learning_rate must be finite and from 0, got -1"},
		{optimizers.SGD{Momentum: 1.5}, "optimizers: SGD: momentum must be in [0, 1], got 1.5"},
		{optimizers.SGD{LearningRate: f(1), Schedule: schedules.CosineDecay{}}, "optimizers: SGD: expected a learning rate or a schedule, got both"},
		{optimizers.SGD{Schedule: schedules.CosineDecay{}}, "schedules: CosineDecay: decay_steps must be finite and positive, got 0"},
		{optimizers.RMSprop{Rho: f(math.NaN())}, "optimizers: RMSprop: rho must be in [0, 1], got NaN"},
		{optimizers.RMSprop{Momentum: -0.1}, "optimizers: RMSprop: momentum must be in [0, 1], got -0.1"},
		{optimizers.RMSprop{Epsilon: f(-1)}, "optimizers: RMSprop: epsilon must be finite and from 0, got -1"},
		{optimizers.RMSprop{LearningRate: f(math.Inf(1))}, "optimizers: RMSprop: learning_rate must be finite and from 0, got +Inf"},
		{optimizers.Adam{Beta1: f(1)}, "optimizers: Adam: beta_1 must be in [0, 1), got 1"},
		{optimizers.Adam{Beta2: f(-1)}, "optimizers: Adam: beta_2 must be in [0, 1), got -1"},
		{optimizers.Adam{Epsilon: f(math.NaN())}, "optimizers: Adam: epsilon must be finite and from 0, got NaN"},
		{optimizers.AdamW{WeightDecay: f(-1)}, "optimizers: AdamW: weight_decay must be finite and from 0, got -1"},
	} {
		if err := c.o.Check(); err == nil || err.Error() != c.want {
			t.Errorf("%+v: got error %v, want %s", c.o, err, c.want)
		}
	}
	for _, o := range every() {
		if err := o.Check(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, c := range []struct {
		class  string
		config map[string]any
		want   string
	}{
		{"rmsporp", nil, `optimizers: expected the name of an optimizer, got "rmsporp"; did you mean rmsprop?`},
		{"SGD", map[string]any{"clipnorm": 1.0}, "keras: o.clipnorm: expected null (nothing else is supported), got 1"},
		{"SGD", map[string]any{"use_ema": true}, "keras: o.use_ema: expected null or false (nothing else is supported), got true"},
		{"SGD", map[string]any{"decay": 0.1}, "keras: o.decay: expected null or 0 (nothing else is supported), got 0.1"},
		{"SGD", map[string]any{"rho": 0.9}, `keras: o: unknown key "rho"`},
		{"Adam", map[string]any{"beta_1": "x"}, `keras: o.beta_1: expected a number, got "x"`},
		{"Adam", map[string]any{"beta_1": 2.0}, "optimizers: Adam: beta_1 must be in [0, 1), got 2"},
		{"AdamW", map[string]any{"weight_decay": nil}, "keras: o.weight_decay: expected a number, got null"},
		{"SGD", map[string]any{"learning_rate": map[string]any{"class_name": "CosineDecay", "config": map[string]any{}}},
			`keras: o.learning_rate.config: expected the key "initial_learning_rate", got none`},
		{"SGD", map[string]any{"learning_rate": map[string]any{"class_name": "__lambda__"}}, "keras: o.learning_rate: expected an object, got Python code (__lambda__)"},
	} {
		if _, err := optimizers.FromConfig("o", c.class, c.config); err == nil || err.Error() != c.want {
			t.Errorf("%s %v: got error %v, want %s", c.class, c.config, err, c.want)
		}
	}
}
