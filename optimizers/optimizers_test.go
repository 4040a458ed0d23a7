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
		optimizers.RMSprop{Keras2: true}, optimizers.RMSprop{Keras2: true, Rho: f(0.8), Epsilon: f(1e-2)},
		optimizers.RMSprop{Centered: true}, optimizers.RMSprop{Momentum: 0.5, Centered: true, WeightDecay: f(0.01)},
		optimizers.Adam{}, optimizers.Adam{LearningRate: f(0.1), Beta1: f(0.5), Beta2: f(0.9), Epsilon: f(1e-3)}, optimizers.Adam{AMSGrad: true, Beta2: f(0.5)},
		optimizers.Adam{WeightDecay: f(0.02)}, optimizers.AdamW{}, optimizers.AdamW{WeightDecay: f(0.1), AMSGrad: true},
		optimizers.Adagrad{}, optimizers.Adagrad{LearningRate: f(0.1), Initial: f(0.5), Epsilon: f(1e-2)}, optimizers.Adagrad{WeightDecay: f(0.1)},
		optimizers.Adadelta{LearningRate: f(1), Epsilon: f(1e-3)}, optimizers.Adadelta{Rho: f(0.5)}, optimizers.Adadelta{WeightDecay: f(0.1)},
		optimizers.Adamax{}, optimizers.Adamax{LearningRate: f(0.1), Beta1: f(0.5), Beta2: f(0.9), Epsilon: f(1e-3)},
		optimizers.Nadam{}, optimizers.Nadam{LearningRate: f(0.1), Beta1: f(0.5), Beta2: f(0.9), Epsilon: f(1e-3), WeightDecay: f(0.1)},
		optimizers.Ftrl{LearningRate: f(0.1)}, optimizers.Ftrl{LearningRate: f(0.1), Power: f(-0.7), Initial: f(0.2), L1: 0.3, L2: 0.1, Shrinkage: 0.2, Beta: 0.4},
		optimizers.Lion{}, optimizers.Lion{LearningRate: f(0.01), Beta1: f(0.5), Beta2: f(0.7), WeightDecay: f(0.1)},
		optimizers.SGD{Common: optimizers.Common{ClipNorm: f(1)}}, optimizers.Adagrad{Common: optimizers.Common{UseEMA: true, EMAMomentum: f(0.5), EMAOverwrite: 3}},
		optimizers.RMSprop{Common: optimizers.Common{AccumulationSteps: 4, GlobalClipNorm: f(2)}}, optimizers.SGD{Common: optimizers.Common{ClipValue: f(0.1)}},
	}
}

// together are those that look at a whole weight.
func together() []optimizers.Optimizer {
	return []optimizers.Optimizer{optimizers.Lamb{}, optimizers.Lamb{LearningRate: f(0.1), Beta1: f(0.5), Beta2: f(0.9), Epsilon: f(1e-3), WeightDecay: f(0.1)},
		optimizers.Adafactor{}, optimizers.Adafactor{LearningRate: f(0.1), Beta2Decay: f(-0.5), Epsilon1: f(1e-6), Epsilon2: f(0.01), ClipThreshold: f(0.5), NoRelativeStep: true, WeightDecay: f(0.1)}}
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
		root := math.Sqrt(v + o.Epsilon.Or(1e-7))
		if o.Keras2 {
			root = math.Sqrt(v) + o.Epsilon.Or(1e-7)
		}
		s.c = o.Momentum*s.c + lr*g/root
		s.w -= s.c
	case optimizers.Adagrad:
		s.w -= lr * o.WeightDecay.Or(0) * s.w
		s.a += g * g
		s.w -= lr * g / math.Sqrt(s.a+o.Epsilon.Or(1e-7))
	case optimizers.Adadelta:
		s.w -= lr * o.WeightDecay.Or(0) * s.w
		rho, eps := o.Rho.Or(0.95), o.Epsilon.Or(1e-7)
		s.a = rho*s.a + (1-rho)*g*g
		step := math.Sqrt(s.b+eps) / math.Sqrt(s.a+eps) * g
		s.b = rho*s.b + (1-rho)*step*step
		s.w -= lr * step
	case optimizers.Adamax:
		s.a += (1 - o.Beta1.Or(0.9)) * (g - s.a)
		s.b = math.Max(o.Beta2.Or(0.999)*s.b, math.Abs(g))
		s.w -= lr * s.a / ((1 - math.Pow(o.Beta1.Or(0.9), float64(t))) * (s.b + o.Epsilon.Or(1e-7)))
	case optimizers.Nadam:
		s.w -= lr * o.WeightDecay.Or(0) * s.w
		u := func(t int) float64 { return o.Beta1.Or(0.9) * (1 - 0.5*math.Pow(0.96, float64(t))) }
		p := 1.0
		for k := 1; k <= t; k++ {
			p *= u(k)
		}
		s.a += (1 - o.Beta1.Or(0.9)) * (g - s.a)
		s.b += (1 - o.Beta2.Or(0.999)) * (g*g - s.b)
		hat := u(t+1)*s.a/(1-p*u(t+1)) + (1-u(t))*g/(1-p)
		s.w -= lr * hat / (math.Sqrt(s.b/(1-math.Pow(o.Beta2.Or(0.999), float64(t)))) + o.Epsilon.Or(1e-7))
		if got := o.Scalars(int64(t))[0]; !(math.Abs(got-p) <= 1e-12) {
			s.w = math.NaN()
		}
	case optimizers.Ftrl:
		p, before := -o.Power.Or(-0.5), s.a
		s.a += g * g
		s.b += g + 2*o.Shrinkage*s.w - (math.Pow(s.a, p)-math.Pow(before, p))/lr*s.w
		s.w = (math.Max(-o.L1, math.Min(o.L1, s.b)) - s.b) / (math.Pow(s.a, p)/lr + 2*(o.L2+o.Beta/(2*lr)))
	case optimizers.Lion:
		s.w -= lr * o.WeightDecay.Or(0) * s.w
		b1, b2 := o.Beta1.Or(0.9), o.Beta2.Or(0.99)
		if to := b1*s.a + (1-b1)*g; to != 0 {
			s.w -= math.Copysign(lr, to)
		}
		s.a = b2*s.a + (1-b2)*g
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
			for i := range want {
				if len(s) > 0 {
					want[i].a = float64(s[0][i])
				}
			}
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
				// Twenty updates, each rounding the weight (6e-8 of values up to 4) and its step; Ftrl's weight is a quotient of sums.
				if !(math.Abs(float64(w[i])-want[i].w) <= 5e-6*math.Max(1, math.Abs(want[i].w))) {
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
		switch o := o.(type) { // declared unsafe for other reasons
		case optimizers.RMSprop:
			centered = o.Centered
		case optimizers.Ftrl, optimizers.Adadelta:
			centered = true
		}
		safe := o.Traits().SparseSafe
		if !o.Shared().Plain() {
			if safe {
				t.Errorf("%s%+v: SparseSafe where gradients are not applied as they are", o.Class(), o)
			}
			continue
		}
		if !centered && safe != (w[0] == before) {
			t.Errorf("%s%+v: SparseSafe %v, weight from %v to %v", o.Class(), o, safe, before, w[0])
		}
		if _, stays := o.(optimizers.Adagrad); safe && len(s) > 0 && !stays && !(math.Abs(float64(s[0][0])-o.Traits().Decay*float64(velocity)) <= 1e-8) {
			t.Errorf("%s%+v: Decay %v, slot from %v to %v", o.Class(), o, o.Traits().Decay, velocity, s[0][0])
		}
	}
}

// Lamb and Adafactor in float64, from the papers' formulas with Keras's conventions.
func TestTogether(t *testing.T) {
	shape := tensor.Shape{2, 5, 3}
	n := shape.Size()
	for _, o := range together() {
		if tr := o.Traits(); tr.Elementwise || tr.SparseSafe {
			t.Errorf("%s: got %+v", o.Class(), tr)
		}
		for _, shape := range []tensor.Shape{shape, {6, 5}, {n}} {
			r := random.New(4, random.Data)
			w, g, want := make([]float32, n), make([]float32, n), make([]float64, n)
			for i := range w {
				w[i] = float32(r.Normal())
				want[i] = float64(w[i])
			}
			s := slots(o, n)
			sh, shaped := o.(optimizers.Shaped)
			if shaped {
				s = nil
				for _, d := range sh.SlotShapes(shape) {
					s = append(s, make([]float32, d.Size()))
				}
			}
			m, v := make([]float64, n), make([]float64, n)
			lr, _ := o.Rate()
			for step := 1; step <= 10; step++ {
				for i := range g {
					g[i] = float32(r.Normal())
				}
				if shaped {
					adafactor(o.(optimizers.Adafactor), want, g, v, shape, lr, float64(step))
					sh.ApplyShaped(shape, int64(step), lr, w, g, s)
				} else {
					lamb(o.(optimizers.Lamb), want, g, m, v, lr, float64(step))
					o.Apply(int64(step), lr, w, g, s)
				}
			}
			for i := range w {
				if !(math.Abs(float64(w[i])-want[i]) <= 5e-6*math.Max(1, math.Abs(want[i]))) {
					t.Fatalf("%s%+v, %v: value %d: got %v, want %v", o.Class(), o, shape, i, w[i], want[i])
				}
			}
		}
	}
}

func length(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v * v
	}
	return math.Sqrt(s)
}

func lamb(o optimizers.Lamb, w []float64, g []float32, m, v []float64, lr, t float64) {
	u := make([]float64, len(w))
	b1, b2 := o.Beta1.Or(0.9), o.Beta2.Or(0.999)
	for i, d := range g {
		w[i] -= lr * o.WeightDecay.Or(0) * w[i]
		m[i] = b1*m[i] + (1-b1)*float64(d)
		v[i] = b2*v[i] + (1-b2)*float64(d)*float64(d)
		u[i] = m[i] / (1 - math.Pow(b1, t)) / (math.Sqrt(v[i]/(1-math.Pow(b2, t))) + o.Epsilon.Or(1e-7))
	}
	ratio := length(w) / length(u)
	for i := range w {
		w[i] -= lr * ratio * u[i]
	}
}

// adafactor keeps running means of the squares themselves, of which rows and columns are the means.
func adafactor(o optimizers.Adafactor, w []float64, g []float32, v []float64, shape tensor.Shape, lr, t float64) {
	keep := 1 - math.Pow(t, o.Beta2Decay.Or(-0.8))
	u := make([]float64, len(w))
	for i, d := range g {
		w[i] -= lr * o.WeightDecay.Or(0) * w[i]
		v[i] = keep*v[i] + (1-keep)*(float64(d)*float64(d)+o.Epsilon1.Or(1e-30))
		u[i] = float64(d) / math.Sqrt(v[i])
	}
	if k := len(shape); k >= 2 {
		rows, cols := shape[k-2], shape[k-1]
		for at := 0; at < len(w); at += rows * cols {
			all := 0.0
			row, col := make([]float64, rows), make([]float64, cols)
			for i := range rows {
				for j := range cols {
					x := v[at+i*cols+j]
					row[i] += x / float64(cols)
					col[j] += x / float64(rows)
					all += x / float64(rows*cols)
				}
			}
			for i := range rows {
				for j := range cols {
					u[at+i*cols+j] = float64(g[at+i*cols+j]) / math.Sqrt(row[i]*col[j]/all)
				}
			}
		}
	}
	n := math.Sqrt(float64(len(w)))
	alpha := math.Max(o.Epsilon2.Or(1e-3), length(w)/n) * math.Min(lr, 1/math.Sqrt(t))
	alpha /= math.Max(1, length(u)/n/o.ClipThreshold.Or(1))
	for i := range w {
		w[i] -= alpha * u[i]
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
	for _, o := range append(append(every(), together()...), optimizers.RMSprop{Name: "mine"}) {
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
		{"Adagrad", `{"name": "adagrad", "learning_rate": 0.001, "initial_accumulator_value": 0.1, "epsilon": 1e-07, ` + common + `}`, optimizers.Adagrad{}},
		{"Adadelta", `{"name": "adadelta", "learning_rate": 0.001, "rho": 0.95, "epsilon": 1e-07, ` + common + `}`, optimizers.Adadelta{}},
		{"Adamax", `{"name": "adamax", "learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07, ` + common + `}`, optimizers.Adamax{}},
		{"Nadam", `{"name": "nadam", "learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07, ` + common + `}`, optimizers.Nadam{}},
		{"Lamb", `{"name": "lamb", "learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07, ` + common + `}`, optimizers.Lamb{}},
		{"Lion", `{"name": "lion", "learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.99, ` + common + `}`, optimizers.Lion{}},
		{"Ftrl", `{"name": "ftrl", "learning_rate": 0.001, "learning_rate_power": -0.5, "initial_accumulator_value": 0.1, "l1_regularization_strength": 0.0,
			"l2_regularization_strength": 0.0, "l2_shrinkage_regularization_strength": 0.0, "beta": 0.0, ` + common + `}`, optimizers.Ftrl{}},
		{"Adafactor", `{"name": "adafactor", "learning_rate": 0.001, "beta_2_decay": -0.8, "epsilon_1": 1e-30, "epsilon_2": 0.001, "clip_threshold": 1.0,
			"relative_step": true, ` + common + `}`, optimizers.Adafactor{}},
		{"ScheduleFreeAdamW", `{"name": "schedule_free_adam_w", "learning_rate": 0.0025, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-08, "warmup_steps": 0, ` + common + `}`, optimizers.ScheduleFreeAdamW{}},
		{"Muon", `{"name": "muon", "learning_rate": 0.001, "adam_beta_1": 0.9, "adam_beta_2": 0.999, "epsilon": 1e-07, "exclude_layers": [], "muon_a": 3.4445, "muon_b": -4.775,
			"muon_c": 2.0315, "adam_lr_ratio": 1.0, "momentum": 0.95, "ns_steps": 5, "nesterov": true, "exclude_embeddings": true, "adam_weight_decay": 0.004, "rms_rate": 0.2, ` +
			strings.Replace(common, `"weight_decay": null`, `"weight_decay": 0.004`, 1) + `}`, optimizers.Muon{}},
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
		"adam": optimizers.Adam{}, "AdamW": optimizers.AdamW{}, "adagrad": optimizers.Adagrad{}, "Adadelta": optimizers.Adadelta{}, "adamax": optimizers.Adamax{},
		"nadam": optimizers.Nadam{}, "ftrl": optimizers.Ftrl{}, "lion": optimizers.Lion{}, "lamb": optimizers.Lamb{}, "adafactor": optimizers.Adafactor{}, "muon": optimizers.Muon{}, "schedulefreeadamw": optimizers.ScheduleFreeAdamW{}} {
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
		{optimizers.Adagrad{Initial: f(-1)}, "optimizers: Adagrad: initial_accumulator_value must be finite and from 0, got -1"},
		{optimizers.Adadelta{Rho: f(2)}, "optimizers: Adadelta: rho must be in [0, 1], got 2"},
		{optimizers.Adamax{Beta1: f(1)}, "optimizers: Adamax: beta_1 must be in [0, 1), got 1"},
		{optimizers.Nadam{Beta2: f(1)}, "optimizers: Nadam: beta_2 must be in [0, 1), got 1"},
		{optimizers.Ftrl{Power: f(1)}, "optimizers: Ftrl: learning_rate_power must be finite and at most 0, got 1"},
		{optimizers.Ftrl{L1: -1}, "optimizers: Ftrl: l1_regularization_strength must be finite and from 0, got -1"},
		{optimizers.Lion{Beta1: f(0)}, "optimizers: Lion: beta_1 must be above 0 and at most 1, got 0"},
		{optimizers.ScheduleFreeAdamW{Beta1: f(0)}, "optimizers: ScheduleFreeAdamW: beta_1 must be above 0 and up to 1, got 0"},
		{optimizers.Muon{ExcludeLayers: []string{"("}}, `optimizers: Muon: exclude_layers must be regular expressions, got "("`},
		{optimizers.Muon{Steps: f(1.5)}, "optimizers: Muon: ns_steps must be a whole number from 0 to 100, got 1.5"},
		{optimizers.Lamb{Epsilon: f(-1)}, "optimizers: Lamb: epsilon must be finite and from 0, got -1"},
		{optimizers.Adafactor{ClipThreshold: f(0)}, "optimizers: Adafactor: clip_threshold must be finite and positive, got 0"},
		{optimizers.SGD{Common: optimizers.Common{ClipNorm: f(1), ClipValue: f(1)}}, "optimizers: SGD: expected one of clipnorm, clipvalue and global_clipnorm, got 2"},
		{optimizers.Adam{Common: optimizers.Common{ClipNorm: f(-1)}}, "optimizers: Adam: clipnorm must be finite and positive, got -1"},
		{optimizers.Lion{Common: optimizers.Common{AccumulationSteps: 1}}, "optimizers: Lion: gradient_accumulation_steps must be at least 2, got 1"},
		{optimizers.SGD{Common: optimizers.Common{EMAMomentum: f(2)}}, "optimizers: SGD: ema_momentum must be in [0, 1], got 2"},
		{optimizers.SGD{Common: optimizers.Common{EMAOverwrite: -1}}, "optimizers: SGD: ema_overwrite_frequency must be positive, got -1"},
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
		{"SGD", map[string]any{"clipnorm": "x"}, `keras: o.clipnorm: expected a number, got "x"`},
		{"SGD", map[string]any{"use_ema": 1}, "keras: o.use_ema: expected true or false, got 1"},
		{"SGD", map[string]any{"loss_scale_factor": 2}, "keras: o.loss_scale_factor: expected null (nothing else is supported), got 2"},
		{"LossScaleOptimizer", nil, "optimizers: LossScaleOptimizer: this optimizer of Keras's is not offered"},
		{"SGD", map[string]any{"decay": -0.1}, "schedules: InverseTimeDecay: decay_rate must be finite and from 0, got -0.1"},
		{"SGD", map[string]any{"decay": 0.1, "learning_rate": schedules.Object(schedules.CosineDecay{Initial: 1, Steps: 2})},
			"optimizers: o.decay: expected a number as learning rate beside it, got the schedule CosineDecay"},
		{"RMSprop", map[string]any{"keras2": true, "momentum": 0.5}, "optimizers: RMSprop: Keras 2's has no momentum and is not centered, got momentum 0.5, centered false"},
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
