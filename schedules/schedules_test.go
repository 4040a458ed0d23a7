package schedules_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/schedules"
	"github.com/unroll-ml/unroll/tensor"
)

// Every row is worked out by hand from the definition.
func TestValues(t *testing.T) {
	cos := func(p float64) float64 { return 0.5 * (1 + math.Cos(math.Pi*p)) }
	for _, c := range []struct {
		s    schedules.Schedule
		want map[int64]float64
	}{
		{schedules.ExponentialDecay{Initial: 0.1, Steps: 10, Rate: 0.5},
			map[int64]float64{0: 0.1, 5: 0.1 * math.Sqrt(0.5), 10: 0.05, 30: 0.0125}},
		{schedules.ExponentialDecay{Initial: 0.1, Steps: 10, Rate: 0.5, Staircase: true}, map[int64]float64{0: 0.1, 9: 0.1, 10: 0.05, 19: 0.05, 20: 0.025}},
		{schedules.InverseTimeDecay{Initial: 0.1, Steps: 10, Rate: 0.5}, map[int64]float64{0: 0.1, 5: 0.1 / 1.25, 10: 0.1 / 1.5}},
		{schedules.InverseTimeDecay{Initial: 0.1, Steps: 10, Rate: 0.5, Staircase: true}, map[int64]float64{9: 0.1, 10: 0.1 / 1.5, 19: 0.1 / 1.5}},
		{schedules.PiecewiseConstantDecay{Boundaries: []float64{5, 20}, Values: []float64{0.1, 0.05, 0.01}},
			map[int64]float64{0: 0.1, 5: 0.1, 6: 0.05, 20: 0.05, 21: 0.01, 1000: 0.01}},
		{schedules.PolynomialDecay{Initial: 0.1, Steps: 15}, map[int64]float64{0: 0.1, 3: 0.0999*0.8 + 0.0001, 15: 0.0001, 99: 0.0001}},
		{schedules.PolynomialDecay{Initial: 0.1, Steps: 15, End: tensor.F(0.01), Power: tensor.F(2), Cycle: true},
			map[int64]float64{0: 0.1, 3: 0.09*0.64 + 0.01, 15: 0.01, 16: 0.09*math.Pow(14.0/30, 2) + 0.01, 30: 0.01}},
		{schedules.CosineDecay{Initial: 0.1, Steps: 15}, map[int64]float64{0: 0.1, 5: 0.075, 15: 0, 99: 0}},
		{schedules.CosineDecay{Initial: 0.1, Steps: 15, Alpha: 0.2, WarmupTarget: tensor.F(0.5), WarmupSteps: 4},
			map[int64]float64{0: 0.1, 1: 0.2, 3: 0.4, 4: 0.5, 9: 0.5 * (0.8*0.75 + 0.2), 19: 0.1, 99: 0.1}},
		// Periods 4, 8, 16 long.
		{schedules.CosineDecayRestarts{Initial: 0.1, Steps: 4}, map[int64]float64{0: 0.1, 3: 0.1 * cos(0.75), 4: 0.1, 8: 0.05, 11: 0.1 * cos(7.0/8), 12: 0.1, 20: 0.05, 28: 0.1}},
		{schedules.CosineDecayRestarts{Initial: 0.1, Steps: 4, TMul: tensor.F(1), MMul: tensor.F(0.5), Alpha: 0.1},
			map[int64]float64{0: 0.1, 2: 0.1 * (0.9*0.5 + 0.1), 4: 0.1 * (0.9*0.5 + 0.1), 8: 0.1 * (0.9*0.25 + 0.1)}},
	} {
		if err := c.s.Check(); err != nil {
			t.Errorf("%+v: %v", c.s, err)
		}
		for step, want := range c.want {
			if got := c.s.At(step); !(math.Abs(got-want) <= 1e-15) {
				t.Errorf("%+v: At(%d) = %v, want %v", c.s, step, got, want)
			}
		}
	}
}

// Every period of restarts begins at the top, whatever the logarithm's rounding: periods of t^i steps begin at 1 + t + ... + t^(i-1).
func TestRestartsBeginAtTheTop(t *testing.T) {
	for _, mul := range []int64{2, 3, 5, 7, 10} {
		s := schedules.CosineDecayRestarts{Initial: 1, Steps: 1, TMul: tensor.F(float64(mul))}
		for begin, length := int64(0), int64(1); begin < 1e12; begin, length = begin+length, length*mul {
			if got := s.At(begin); !(math.Abs(got-1) <= 1e-12) {
				t.Errorf("t_mul %d: At(%d) = %v, want 1", mul, begin, got)
			}
		}
	}
}

func every() []schedules.Schedule {
	return []schedules.Schedule{
		schedules.ExponentialDecay{Initial: 0.1, Steps: 10, Rate: 0.5}, schedules.InverseTimeDecay{Initial: 0.1, Steps: 10.5, Rate: 0.5, Staircase: true, Name: "n"},
		schedules.PiecewiseConstantDecay{Boundaries: []float64{1, 2.5}, Values: []float64{1, 2, 3}}, schedules.PolynomialDecay{Initial: 0.1, Steps: 3},
		schedules.PolynomialDecay{Initial: 0.1, Steps: 3, End: tensor.F(0), Power: tensor.F(2), Cycle: true}, schedules.CosineDecay{Initial: 0.1, Steps: 3},
		schedules.CosineDecay{Initial: 0.1, Steps: 3, Alpha: 0.1, WarmupTarget: tensor.F(1), WarmupSteps: 2}, schedules.CosineDecayRestarts{Initial: 0.1, Steps: 3},
		schedules.CosineDecayRestarts{Initial: 0.1, Steps: 3, TMul: tensor.F(1), MMul: tensor.F(0.5), Alpha: 0.1},
	}
}

func TestConfigRoundTrip(t *testing.T) {
	for _, s := range every() {
		text, err := keras.Encode(schedules.Object(s))
		if err != nil {
			t.Fatal(err)
		}
		file, err := keras.Decode("learning_rate", text)
		if err != nil {
			t.Fatal(err)
		}
		o, err := keras.ParseObject("learning_rate", file)
		if err != nil {
			t.Fatal(err)
		}
		back, err := schedules.FromConfig("learning_rate", o.Class, o.Config)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if d := cmp.Diff(s.Config(), back.Config()); d != "" || back.Class() != s.Class() {
			t.Errorf("%s (-want +got):\n%s", text, d)
		}
	}
	if schedules.Object(nil) != nil {
		t.Error("no schedule is no object")
	}
	// The defaults as Keras 3.15.1 writes them.
	want := map[string]any{"initial_learning_rate": 0.1, "first_decay_steps": 4, "t_mul": 2.0, "m_mul": 1.0, "alpha": 0.0, "name": "SGDRDecay"}
	if d := cmp.Diff(want, schedules.CosineDecayRestarts{Initial: 0.1, Steps: 4}.Config()); d != "" {
		t.Error(d)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		s    schedules.Schedule
		want string
	}{
		{schedules.ExponentialDecay{Initial: 1, Rate: 1}, "schedules: ExponentialDecay: decay_steps must be finite and positive, got 0"},
		{schedules.ExponentialDecay{Initial: -1, Steps: 1}, "schedules: ExponentialDecay: initial_learning_rate must be finite and from 0, got -1"},
		{schedules.InverseTimeDecay{Initial: 1, Steps: 1, Rate: math.NaN()}, "schedules: InverseTimeDecay: decay_rate must be finite and from 0, got NaN"},
		{schedules.PiecewiseConstantDecay{Boundaries: []float64{1}, Values: []float64{1}}, "schedules: PiecewiseConstantDecay: expected at least one boundary and one value more than boundaries, got 1 boundaries and 1 values"},
		{schedules.PiecewiseConstantDecay{Boundaries: []float64{2, 2}, Values: []float64{1, 1, 1}}, "schedules: PiecewiseConstantDecay: boundaries must increase, got [2 2]"},
		{schedules.PiecewiseConstantDecay{Boundaries: []float64{2}, Values: []float64{1, -1}}, "schedules: PiecewiseConstantDecay: values must be finite and from 0, got -1"},
		{schedules.PolynomialDecay{Initial: 1, Steps: 1, Power: tensor.F(-1)}, "schedules: PolynomialDecay: power must be finite and from 0, got -1"},
		{schedules.CosineDecay{Initial: 1, Steps: 1, WarmupSteps: -1}, "schedules: CosineDecay: warmup_steps must be finite and from 0, got -1"},
		{schedules.CosineDecayRestarts{Initial: 1, Steps: 1, TMul: tensor.F(0.5)}, "schedules: CosineDecayRestarts: t_mul must be finite and from 1, got 0.5"},
		{schedules.CosineDecayRestarts{Initial: 1}, "schedules: CosineDecayRestarts: first_decay_steps must be finite and positive, got 0"},
	} {
		if err := c.s.Check(); err == nil || err.Error() != c.want {
			t.Errorf("%+v: got error %v, want %s", c.s, err, c.want)
		}
	}
	for _, c := range []struct {
		class  string
		config map[string]any
		want   string
	}{
		{"CosinDecay", nil, `schedules: expected the name of a schedule, got "CosinDecay"; did you mean CosineDecay`},
		{"CosineDecay", map[string]any{"initial_learning_rate": 1}, `keras: s: expected the key "decay_steps", got none`},
		{"CosineDecay", map[string]any{"initial_learning_rate": 1, "decay_steps": 0}, `schedules: CosineDecay: decay_steps must be finite and positive, got 0`},
		{"PiecewiseConstantDecay", map[string]any{"boundaries": 3}, `keras: s.boundaries: expected a list of numbers, got 3`},
		{"ExponentialDecay", map[string]any{"initial_learning_rate": 1, "decay_steps": 1, "decay_rate": 1, "gamma": 1}, `keras: s: unknown key "gamma"`},
	} {
		if _, err := schedules.FromConfig("s", c.class, c.config); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s %v: got error %v, want %s", c.class, c.config, err, c.want)
		}
	}
}
