package initializers_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/tensor"
)

func fill(t *testing.T, i initializers.Initializer, key uint64, shape ...int) []float32 {
	t.Helper()
	w := tensor.New(shape...)
	for j := range w.Data {
		w.Data[j] = float32(math.NaN()) // what Fill leaves out shows
	}
	if err := i.Fill(w.Data, w.Shape, random.New(1, random.Init, key)); err != nil {
		t.Fatal(err)
	}
	return w.Data
}

// Mean, variance and range of every distribution, against the formulas of the papers.
func TestMoments(t *testing.T) {
	shape := []int{300, 700} // fan in 300, fan out 700
	truncated := func(variance float64) (float64, float64) {
		return variance, 2 * math.Sqrt(variance) / 0.87962566103423978
	}
	uniform := func(variance float64) (float64, float64) { return variance, math.Sqrt(3 * variance) }
	normal := func(variance float64) (float64, float64) { return variance, math.Inf(1) }
	for _, c := range []struct {
		i               initializers.Initializer
		mean            float64
		variance, limit float64 // limit: the largest distance from the mean
	}{
		{i: initializers.RandomUniform{}, variance: 0.1 * 0.1 / 12, limit: 0.05},
		{i: initializers.RandomUniform{Min: tensor.F(0), Max: tensor.F(3)}, mean: 1.5, variance: 9.0 / 12, limit: 1.5},
		{i: initializers.RandomNormal{}, variance: 0.05 * 0.05, limit: math.Inf(1)},
		{i: initializers.RandomNormal{Mean: 2, Stddev: tensor.F(3)}, mean: 2, variance: 9, limit: math.Inf(1)},
		{i: initializers.TruncatedNormal{Mean: -1, Stddev: tensor.F(2)}, mean: -1, variance: 4 * math.Pow(0.87962566103423978, 2), limit: 4},
		with(initializers.GlorotUniform{}, uniform, 2.0/1000),
		with(initializers.GlorotNormal{}, truncated, 2.0/1000),
		with(initializers.HeUniform{}, uniform, 2.0/300),
		with(initializers.HeNormal{}, truncated, 2.0/300),
		with(initializers.LecunUniform{}, uniform, 1.0/300),
		with(initializers.LecunNormal{}, truncated, 1.0/300),
		with(initializers.VarianceScaling{}, truncated, 1.0/300),
		with(initializers.VarianceScaling{Scale: tensor.F(3), Mode: initializers.FanOut, Distribution: initializers.Uniform}, uniform, 3.0/700),
		with(initializers.VarianceScaling{Mode: initializers.FanAvg, Distribution: initializers.UntruncatedGaussian}, normal, 1.0/500),
	} {
		w := fill(t, c.i, 3, shape...)
		var mean, variance, far float64
		for _, v := range w {
			mean += float64(v) / float64(len(w))
		}
		for _, v := range w {
			variance += (float64(v) - mean) * (float64(v) - mean) / float64(len(w))
			far = math.Max(far, math.Abs(float64(v)-c.mean))
		}
		// Five standard errors: of the mean, and of the variance of a normal, the widest of these.
		n := float64(len(w))
		if !(math.Abs(mean-c.mean) <= 5*math.Sqrt(c.variance/n)) {
			t.Errorf("%+v: mean %g, want %g", c.i, mean, c.mean)
		}
		if !(math.Abs(variance-c.variance) <= 5*c.variance*math.Sqrt(2/n)) {
			t.Errorf("%+v: variance %g, want %g", c.i, variance, c.variance)
		}
		// With 210,000 draws the bound is nearly met, and the one rounding to float32 is allowed for.
		if !(far <= c.limit*(1+1e-6)) || !math.IsInf(c.limit, 1) && !(far >= c.limit*0.99) {
			t.Errorf("%+v: furthest %g from the mean, want %g", c.i, far, c.limit)
		}
	}
}

func with(i initializers.Initializer, bounds func(float64) (float64, float64), v float64) (c struct {
	i               initializers.Initializer
	mean            float64
	variance, limit float64
}) {
	c.i = i
	c.variance, c.limit = bounds(v)
	return c
}

func TestFans(t *testing.T) {
	for _, c := range []struct {
		shape   tensor.Shape
		in, out int
	}{
		{nil, 1, 1}, {tensor.Shape{7}, 7, 7}, {tensor.Shape{32, 128}, 32, 128}, {tensor.Shape{5, 3, 8}, 15, 40}, {tensor.Shape{2, 5, 3, 8}, 30, 80},
	} {
		if in, out := initializers.Fans(c.shape); in != c.in || out != c.out {
			t.Errorf("Fans(%v) = %d, %d, want %d, %d", c.shape, in, out, c.in, c.out)
		}
	}
}

// gram is the largest distance of the products of n vectors from gain^2 times the identity.
func gram(n, length int, at func(j, k int) float32, gain float64) float64 {
	worst := 0.0
	for a := range n {
		for b := range n {
			s := 0.0
			for k := range length {
				s += float64(at(a, k)) * float64(at(b, k))
			}
			if a == b {
				s -= gain * gain
			}
			worst = math.Max(worst, math.Abs(s))
		}
	}
	return worst
}

func TestOrthogonal(t *testing.T) {
	for _, shape := range [][]int{{1, 1}, {1, 5}, {5, 1}, {32, 32}, {32, 128}, {128, 32}, {100, 101}, {3, 4, 5}, {2, 3, 40}} {
		for _, gain := range []float64{1, 1.5} {
			i := initializers.Orthogonal{Gain: tensor.F(gain)}
			w := fill(t, i, 9, shape...)
			cols := shape[len(shape)-1]
			rows := len(w) / cols
			var worst float64
			if rows <= cols {
				worst = gram(rows, cols, func(j, k int) float32 { return w[j*cols+k] }, gain)
			} else {
				worst = gram(cols, rows, func(j, k int) float32 { return w[k*cols+j] }, gain)
			}
			// Values are rounded to float32 (6e-8) and their products summed: a unit vector's norm moves by at most 2 gain^2 * 6e-8.
			if !(worst <= gain*gain*1.3e-7) {
				t.Errorf("shape %v, gain %v: products differ from the identity by %g", shape, gain, worst)
			}
		}
	}
}

// Drawn uniformly, every element of an orthogonal matrix has mean 0 and variance 1/n; the first element of a decomposition without
// the fix of the signs would always have one sign.
func TestOrthogonalIsUniform(t *testing.T) {
	const draws, n = 4000, 4
	var mean, square [n * n]float64
	for d := range draws {
		for j, v := range fill(t, initializers.Orthogonal{}, uint64(d), n, n) {
			mean[j] += float64(v) / draws
			square[j] += float64(v) * float64(v) / draws
		}
	}
	for j := range mean {
		if !(math.Abs(mean[j]) <= 5*math.Sqrt(1.0/n/draws)) || !(math.Abs(square[j]-1.0/n) <= 5*math.Sqrt(1.0/8/draws)) {
			t.Errorf("element %d: mean %g, mean square %g, want 0 and %g", j, mean[j], square[j], 1.0/n)
		}
	}
}

func TestConstants(t *testing.T) {
	for _, c := range []struct {
		i    initializers.Initializer
		want []float32
	}{
		{initializers.Zeros{}, []float32{0, 0, 0, 0, 0, 0}},
		{initializers.Ones{}, []float32{1, 1, 1, 1, 1, 1}},
		{initializers.Constant{Value: -2.5}, []float32{-2.5, -2.5, -2.5, -2.5, -2.5, -2.5}},
		{initializers.Identity{}, []float32{1, 0, 0, 0, 1, 0}},
		{initializers.Identity{Gain: tensor.F(3)}, []float32{3, 0, 0, 0, 3, 0}},
	} {
		if d := cmp.Diff(c.want, fill(t, c.i, 0, 2, 3)); d != "" {
			t.Errorf("%+v (-want +got):\n%s", c.i, d)
		}
	}
}

func every() []initializers.Initializer {
	seed := tensor.F(7)
	return []initializers.Initializer{
		initializers.Zeros{}, initializers.Ones{}, initializers.Constant{Value: 2.5}, initializers.Identity{}, initializers.Identity{Gain: tensor.F(2)},
		initializers.RandomUniform{}, initializers.RandomUniform{Min: tensor.F(0), Max: tensor.F(1), Seed: seed},
		initializers.RandomNormal{}, initializers.RandomNormal{Mean: 1, Stddev: tensor.F(2), Seed: seed},
		initializers.TruncatedNormal{}, initializers.TruncatedNormal{Mean: 1, Stddev: tensor.F(2), Seed: seed},
		initializers.VarianceScaling{}, initializers.VarianceScaling{Scale: tensor.F(2), Mode: initializers.FanAvg, Distribution: initializers.Uniform, Seed: seed},
		initializers.GlorotUniform{}, initializers.GlorotUniform{Seed: seed}, initializers.GlorotNormal{}, initializers.GlorotNormal{Seed: seed},
		initializers.HeUniform{}, initializers.HeUniform{Seed: seed}, initializers.HeNormal{}, initializers.HeNormal{Seed: seed},
		initializers.LecunUniform{}, initializers.LecunUniform{Seed: seed}, initializers.LecunNormal{}, initializers.LecunNormal{Seed: seed},
		initializers.Orthogonal{}, initializers.Orthogonal{Gain: tensor.F(2), Seed: seed},
	}
}

// A config that goes through a file makes an initializer with the same config and the same draws.
func TestConfigRoundTrip(t *testing.T) {
	for _, i := range every() {
		text, err := keras.Encode(i.Config())
		if err != nil {
			t.Fatal(err)
		}
		config, err := keras.Decode("config", text)
		if err != nil {
			t.Fatal(err)
		}
		back, err := initializers.FromConfig("config", i.Class(), config)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(i.Config(), back.Config()); d != "" {
			t.Errorf("%s (-want +got):\n%s", i.Class(), d)
		}
		if d := cmp.Diff(fill(t, i, 5, 4, 6), fill(t, back, 5, 4, 6)); d != "" {
			t.Errorf("%s: other values after a round trip:\n%s", i.Class(), d)
		}
	}
}

// What Keras 3.15.1 writes for the defaults, and Keras 2 wrote.
func TestReadsKerasConfigs(t *testing.T) {
	for _, c := range []struct {
		class, config string
		want          initializers.Initializer
	}{
		{"GlorotUniform", `{"seed": null, "input_axes": null, "output_axes": null}`, initializers.GlorotUniform{}},
		{"GlorotUniform", `{"seed": 7, "dtype": "float32"}`, initializers.GlorotUniform{Seed: tensor.F(7)}},
		{"Orthogonal", `{"seed": {"class_name": "SeedGenerator", "config": {"seed": 3, "name": "s"}}, "gain": 1.0}`,
			initializers.Orthogonal{Gain: tensor.F(1), Seed: tensor.F(3)}},
		{"VarianceScaling", `{"scale": 1, "mode": "fan_avg", "distribution": "normal", "seed": null}`,
			initializers.VarianceScaling{Scale: tensor.F(1), Mode: initializers.FanAvg, Distribution: initializers.TruncatedGaussian}},
		{"RandomUniform", `{"seed": null, "minval": -0.05, "maxval": 0.05}`, initializers.RandomUniform{Min: tensor.F(-0.05), Max: tensor.F(0.05)}},
		{"Constant", `{"value": 2}`, initializers.Constant{Value: 2}},
	} {
		config, err := keras.Decode("config", []byte(c.config))
		if err != nil {
			t.Fatal(err)
		}
		got, err := initializers.FromConfig("config", c.class, config)
		if err != nil || got != c.want {
			t.Errorf("%s %s: got %+v, %v, want %+v", c.class, c.config, got, err, c.want)
		}
	}
}

func TestSeeds(t *testing.T) {
	same := func(a, b []float32) bool { return cmp.Equal(a, b) }
	for _, i := range every() {
		switch i.(type) {
		case initializers.Zeros, initializers.Ones, initializers.Constant, initializers.Identity:
			continue
		}
		c, err := json.Marshal(i.Config())
		if err != nil {
			t.Fatal(err)
		}
		seeded := strings.Contains(string(c), `"seed":7`)
		if got := same(fill(t, i, 1, 3, 4), fill(t, i, 2, 3, 4)); got != seeded {
			t.Errorf("%s: two weights are equal: %v, want %v", c, got, seeded)
		}
		if !same(fill(t, i, 1, 3, 4), fill(t, i, 1, 3, 4)) {
			t.Errorf("%s: the same stream gave two results", c)
		}
	}
}

func TestByName(t *testing.T) {
	for name, want := range map[string]initializers.Initializer{
		"glorot_uniform": initializers.GlorotUniform{}, "GlorotUniform": initializers.GlorotUniform{}, "uniform": initializers.RandomUniform{},
		"normal": initializers.RandomNormal{}, "zero": initializers.Zeros{}, "ones": initializers.Ones{}, "orthogonal": initializers.Orthogonal{},
		"OrthogonalInitializer": initializers.Orthogonal{}, "he_normal": initializers.HeNormal{}, "IdentityInitializer": initializers.Identity{},
	} {
		got, err := initializers.ByName(name)
		if err != nil || got.Class() != want.Class() || !cmp.Equal(got.Config(), want.Config()) {
			t.Errorf("ByName(%q) = %+v, %v, want %+v", name, got, err, want)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		class  string
		config map[string]any
		want   string
	}{
		{"glorot_unifrom", nil, `initializers: expected the name of an initializer, got "glorot_unifrom"; did you mean glorot_uniform`},
		{"STFT", nil, `initializers: expected the name of an initializer`},
		{"Zeros", map[string]any{"value": 1}, `keras: c: unknown key "value"`},
		{"Constant", map[string]any{"value": "x"}, `keras: c.value: expected a number, got "x"`},
		{"VarianceScaling", map[string]any{"mode": "fan"}, `keras: c.mode: expected fan_in, fan_out or fan_avg, got "fan"`},
		{"VarianceScaling", map[string]any{"distribution": "cauchy"}, `keras: c.distribution: expected truncated_normal, untruncated_normal or uniform, got "cauchy"`},
		{"GlorotUniform", map[string]any{"seed": -1}, `keras: c.seed: expected an integer from 0, got -1`},
		{"GlorotUniform", map[string]any{"seed": uint64(1) << 60}, `keras: c.seed: expected a whole number from 0 to 2^53, got 1152921504606846976`},
		{"GlorotUniform", map[string]any{"input_axes": []any{0}}, `keras: c.input_axes: expected null (nothing else is supported), got a list of 1`},
	} {
		if _, err := initializers.FromConfig("c", c.class, c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: got error %v, want %s", c.class, c.config, err, c.want)
		}
	}
	two := tensor.Shape{2, 3}
	nan := tensor.F(math.NaN())
	for _, c := range []struct {
		i     initializers.Initializer
		shape tensor.Shape
		want  string
	}{
		{initializers.Zeros{}, tensor.Shape{2, 2}, "initializers: Zeros: expected 4 values for shape (2, 2), got 6"},
		{initializers.GlorotUniform{}, tensor.Shape{tensor.None, 3}, "initializers: GlorotUniform: expected a shape with known axes, got (None, 3)"},
		{initializers.Identity{}, tensor.Shape{6}, "initializers: Identity: expected a matrix, got shape (6,)"},
		{initializers.Orthogonal{}, tensor.Shape{6}, "initializers: Orthogonal: expected at least two axes, got shape (6,)"},
		{initializers.Orthogonal{Gain: nan}, two, "initializers: Orthogonal: gain must be finite, got NaN"},
		{initializers.RandomUniform{Min: tensor.F(1)}, two, "initializers: RandomUniform: expected minval <= maxval, both finite, got 1 and 0.05"},
		{initializers.RandomUniform{Min: nan}, two, "initializers: RandomUniform: expected minval <= maxval, both finite, got NaN and 0.05"},
		{initializers.RandomNormal{Stddev: tensor.F(-1)}, two, "initializers: RandomNormal: expected a finite mean and a finite stddev from 0, got 0 and -1"},
		{initializers.TruncatedNormal{Mean: math.Inf(1)}, two, "initializers: TruncatedNormal: expected a finite mean and a finite stddev from 0, got +Inf and 0.05"},
		{initializers.VarianceScaling{Scale: tensor.F(0)}, two, "initializers: VarianceScaling: scale must be positive and finite, got 0"},
		{initializers.VarianceScaling{Mode: "fan"}, two, `initializers: VarianceScaling: mode must be fan_in, fan_out or fan_avg, got "fan"`},
		{initializers.VarianceScaling{Distribution: "beta"}, two, `initializers: VarianceScaling: distribution must be truncated_normal, untruncated_normal or uniform, got "beta"`},
		{initializers.HeNormal{Seed: tensor.F(1.5)}, two, "initializers: HeNormal: seed must be a whole number from 0 to 2^53, got 1.5"},
		{initializers.Orthogonal{Seed: tensor.F(-1)}, two, "initializers: Orthogonal: seed must be a whole number from 0 to 2^53, got -1"},
	} {
		if err := c.i.Fill(make([]float32, 6), c.shape, random.New(1, random.Init)); err == nil || err.Error() != c.want {
			t.Errorf("%+v: got error %v, want %s", c.i, err, c.want)
		}
	}
}
