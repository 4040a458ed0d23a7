package losses_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/tensor"
)

const none = tensor.None

// reference is the loss of one item in float64, written from the definitions and nothing else.
func reference(l losses.Loss, pred []float64, y []float64) float64 {
	m := float64(len(pred))
	sum, exps, loss := 0.0, 0.0, 0.0
	for _, p := range pred {
		sum += p
		exps += math.Exp(p)
	}
	class := func(fromLogits bool, j int) float64 {
		if fromLogits {
			return math.Exp(pred[j]) / exps
		}
		return clip(pred[j] / sum)
	}
	switch l := l.(type) {
	case losses.BinaryCrossentropy:
		for j, p := range pred {
			if l.FromLogits {
				p = 1 / (1 + math.Exp(-p))
			} else {
				p = clip(p)
			}
			z := y[j]*(1-l.LabelSmoothing) + l.LabelSmoothing/2
			loss -= (z*math.Log(p) + (1-z)*math.Log(1-p)) / m
		}
	case losses.CategoricalCrossentropy:
		for j := range pred {
			loss -= (y[j]*(1-l.LabelSmoothing) + l.LabelSmoothing/m) * math.Log(class(l.FromLogits, j))
		}
	case losses.SparseCategoricalCrossentropy:
		loss = -math.Log(class(l.FromLogits, int(y[0])))
	case losses.MeanSquaredError:
		for j, p := range pred {
			loss += (p - y[j]) * (p - y[j]) / m
		}
	case losses.MeanAbsoluteError:
		for j, p := range pred {
			loss += math.Abs(p-y[j]) / m
		}
	case losses.MeanAbsolutePercentageError:
		for j, p := range pred {
			loss += 100 * math.Abs(p-y[j]) / math.Max(math.Abs(y[j]), 1e-7) / m
		}
	case losses.MeanSquaredLogarithmicError:
		for j, p := range pred {
			e := math.Log(math.Max(p, 1e-7)+1) - math.Log(math.Max(y[j], 1e-7)+1)
			loss += e * e / m
		}
	case losses.Huber:
		for j, p := range pred {
			e, d := math.Abs(p-y[j]), l.Delta.Or(1)
			if e <= d {
				loss += e * e / 2 / m
			} else {
				loss += (d*e - d*d/2) / m
			}
		}
	case losses.LogCosh:
		for j, p := range pred {
			loss += math.Log(math.Cosh(p-y[j])) / m
		}
	case losses.Hinge:
		for j, p := range pred {
			loss += math.Max(1-y[j]*p, 0) / m
		}
	case losses.SquaredHinge:
		for j, p := range pred {
			loss += math.Pow(math.Max(1-y[j]*p, 0), 2) / m
		}
	case losses.CategoricalHinge:
		pos, neg := 0.0, math.Inf(-1)
		for j, p := range pred {
			pos += y[j] * p
			neg = math.Max(neg, (1-y[j])*p)
		}
		loss = math.Max(neg-pos+1, 0)
	case losses.KLDivergence:
		for j, p := range pred {
			t := math.Min(math.Max(y[j], 1e-7), 1)
			loss += t * math.Log(t/math.Min(math.Max(p, 1e-7), 1))
		}
	case losses.Poisson:
		for j, p := range pred {
			loss += (p - y[j]*math.Log(p+1e-7)) / m
		}
	case losses.CosineSimilarity:
		dot, pp, yy := 0.0, 0.0, 0.0
		for j, p := range pred {
			dot += p * y[j]
			pp += p * p
			yy += y[j] * y[j]
		}
		loss = -dot / math.Sqrt(pp*yy)
	case losses.CategoricalGeneralizedCrossEntropy:
		q := l.Q.Or(0.5)
		loss = (1 - math.Pow(pred[int(y[0])], q)) / q
	case losses.BinaryFocalCrossentropy:
		for j, p := range pred {
			if l.FromLogits {
				p = 1 / (1 + math.Exp(-p))
			}
			z := y[j]*(1-l.LabelSmoothing) + l.LabelSmoothing/2
			v := math.Pow(1-(z*p+(1-z)*(1-p)), l.Gamma.Or(2)) * -(z*math.Log(clip(p)) + (1-z)*math.Log(1-clip(p)))
			if l.Balancing {
				v *= z*l.Alpha.Or(0.25) + (1-z)*(1-l.Alpha.Or(0.25))
			}
			loss += v / m
		}
	case losses.CategoricalFocalCrossentropy:
		for j := range pred {
			p := clip(class(l.FromLogits, j))
			loss -= (y[j]*(1-l.LabelSmoothing) + l.LabelSmoothing/m) * l.Alpha.Or(0.25) * math.Pow(1-p, l.Gamma.Or(2)) * math.Log(p)
		}
	case losses.Dice:
		both, all := 0.0, 1e-7
		for j, p := range pred {
			both += p * y[j]
			all += p + y[j]
		}
		loss = 1 - 2*both/all
	case losses.Tversky:
		both, only, missed := 0.0, 0.0, 0.0
		for j, p := range pred {
			both += p * y[j]
			only += (1 - p) * y[j]
			missed += p * (1 - y[j])
		}
		loss = 1 - both/(both+l.Alpha.Or(0.5)*only+l.Beta.Or(0.5)*missed+1e-7)
	}
	return loss
}

func clip(p float64) float64 {
	return math.Min(math.Max(p, float64(float32(1e-7))), float64(float32(1-1e-7)))
}

func every() []losses.Loss {
	return []losses.Loss{
		losses.BinaryCrossentropy{}, losses.BinaryCrossentropy{LabelSmoothing: 0.2}, losses.BinaryCrossentropy{FromLogits: true},
		losses.BinaryCrossentropy{FromLogits: true, LabelSmoothing: 0.2},
		losses.CategoricalCrossentropy{}, losses.CategoricalCrossentropy{LabelSmoothing: 0.3}, losses.CategoricalCrossentropy{FromLogits: true},
		losses.CategoricalCrossentropy{FromLogits: true, LabelSmoothing: 0.3},
		losses.SparseCategoricalCrossentropy{}, losses.SparseCategoricalCrossentropy{FromLogits: true},
		losses.MeanSquaredError{}, losses.MeanAbsoluteError{}, losses.MeanAbsolutePercentageError{}, losses.MeanSquaredLogarithmicError{},
		losses.Huber{}, losses.Huber{Delta: tensor.F(0.5)}, losses.LogCosh{}, losses.Hinge{}, losses.SquaredHinge{}, losses.CategoricalHinge{},
		losses.KLDivergence{}, losses.Poisson{}, losses.CosineSimilarity{},
		losses.CategoricalGeneralizedCrossEntropy{}, losses.CategoricalGeneralizedCrossEntropy{Q: tensor.F(0.2)},
		losses.BinaryFocalCrossentropy{}, losses.BinaryFocalCrossentropy{Balancing: true, Alpha: tensor.F(0.4), Gamma: tensor.F(1.5), LabelSmoothing: 0.1},
		losses.BinaryFocalCrossentropy{FromLogits: true, Balancing: true}, losses.BinaryFocalCrossentropy{Gamma: tensor.F(0)},
		losses.CategoricalFocalCrossentropy{}, losses.CategoricalFocalCrossentropy{FromLogits: true, LabelSmoothing: 0.1, Gamma: tensor.F(1.5), Alpha: tensor.F(0.5)},
		losses.CategoricalFocalCrossentropy{Gamma: tensor.F(0)}, losses.CategoricalFocalCrossentropy{FromLogits: true},
		losses.Dice{Axis: losses.LastAxis}, losses.Tversky{Axis: losses.LastAxis, Alpha: tensor.F(0.3), Beta: tensor.F(0.9)},
	}
}

func logits(l losses.Loss) bool { return l.Config()["from_logits"] == true }

func sparse(l losses.Loss) bool {
	switch l.(type) {
	case losses.SparseCategoricalCrossentropy, losses.CategoricalGeneralizedCrossEntropy:
		return true
	}
	return false
}

// signed is a loss whose predictions are any numbers.
func signed(l losses.Loss) bool {
	switch l.(type) {
	case losses.MeanSquaredError, losses.MeanAbsoluteError, losses.MeanAbsolutePercentageError, losses.Huber, losses.LogCosh, losses.Hinge,
		losses.SquaredHinge, losses.CategoricalHinge, losses.CosineSimilarity:
		return true
	}
	return logits(l)
}

// items makes n items of m predictions with targets: probabilities that do not sum to 1 and soft targets where those are legal.
func items(l losses.Loss, s *random.Stream, n, m int) (pred []float32, y [][]float64, target losses.Target) {
	pred = make([]float32, n*m)
	for i := range pred {
		switch {
		case signed(l):
			pred[i] = float32(3 * s.Normal())
		default:
			pred[i] = 0.02 + 0.96*s.Float32()
		}
	}
	y = make([][]float64, n)
	if sparse(l) {
		target.IDs = make([]int32, n)
		for i := range y {
			target.IDs[i] = int32(s.IntN(m))
			y[i] = []float64{float64(target.IDs[i])}
		}
		return pred, y, target
	}
	target.Values = make([]float32, n*m)
	for i := range target.Values {
		target.Values[i] = s.Float32()
		if strings.HasSuffix(l.Class(), "Hinge") && l.Class() != "CategoricalHinge" {
			target.Values[i] = float32(2*s.IntN(2) - 1)
		}
	}
	for i := range y {
		for _, v := range target.Values[i*m:][:m] {
			y[i] = append(y[i], float64(v))
		}
	}
	return pred, y, target
}

func wide(x []float32) []float64 {
	w := make([]float64, len(x))
	for i, v := range x {
		w[i] = float64(v)
	}
	return w
}

func TestValueAndGradient(t *testing.T) {
	for _, l := range every() {
		for _, m := range []int{1, 2, 3, 46, 300} {
			if m == 1 && strings.Contains(l.Class(), "Categorical") {
				continue
			}
			const n = 5
			s := random.New(3, random.Data, uint64(m))
			pred, y, target := items(l, s, n, m)
			name := fmt.Sprintf("%+v, m %d", l, m)

			value := make([]float32, n)
			l.Value(value, pred, target, n, m)
			for i := range n {
				want := reference(l, wide(pred[i*m:][:m]), y[i])
				// One rounding to float32, and exponentials within 2.5 ulp in the sum of a softmax.
				// A loss may be a small difference of sums; 1 - p of a float32 is good to 6e-8, to any power.
				if !(math.Abs(float64(value[i])-want) <= 5e-7*math.Max(1, math.Abs(want))) {
					t.Errorf("%s: item %d: got %v, want %v", name, i, value[i], want)
				}
			}

			scale := []float32{1, 0.5, 0, 2, -1}
			d := make([]float32, n*m)
			l.Grad(d, pred, target, scale, n, m)
			for i := range n {
				row := wide(pred[i*m:][:m])
				for j := range row {
					at := row[j]
					const h = 1e-5
					row[j] = at + h
					up := reference(l, row, y[i])
					row[j] = at - h
					down := reference(l, row, y[i])
					row[j] = at
					want := float64(scale[i]) * (up - down) / (2 * h)
					// The difference quotient is good to h^2 times the third derivative, at most 2/p^3 = 3e5 for the smallest p here.
					if !(math.Abs(float64(d[i*m+j])-want) <= 3e-6*math.Max(1, math.Abs(want))) {
						t.Errorf("%s: gradient of item %d, value %d: got %v, want %v", name, i, j, d[i*m+j], want)
					}
				}
			}

			// In place, and a part of the items alone.
			in := append([]float32(nil), pred...)
			l.Grad(in, in, target, scale, n, m)
			if diff := cmp.Diff(d, in); diff != "" {
				t.Errorf("%s: Grad in place differs:\n%s", name, diff)
			}
			per := target.Len() / n
			part := make([]float32, 2*m)
			l.Grad(part, pred[3*m:], target.Slice(3*per, 5*per), scale[3:], 2, m)
			if diff := cmp.Diff(d[3*m:], part); diff != "" {
				t.Errorf("%s: a shard's gradient differs:\n%s", name, diff)
			}
			if a := testing.AllocsPerRun(5, func() { l.Value(value, pred, target, n, m); l.Grad(d, pred, target, scale, n, m) }); a != 0 {
				t.Errorf("%s: allocates %v times", name, a)
			}
		}
	}
}

// Probabilities at and beyond the bounds: finite losses, and no gradient through the clipping.
func TestClipping(t *testing.T) {
	for _, c := range []struct {
		l     losses.Loss
		p     []float32
		y     losses.Target
		want  float64
		grads []float32
	}{
		{losses.BinaryCrossentropy{}, []float32{0}, losses.Target{Values: []float32{1}}, -math.Log(float64(float32(1e-7))), []float32{0}},
		{losses.BinaryCrossentropy{}, []float32{1}, losses.Target{Values: []float32{1}}, -math.Log(float64(float32(1 - 1e-7))), []float32{0}},
		{losses.BinaryCrossentropy{}, []float32{1}, losses.Target{Values: []float32{0}}, -math.Log(1 - float64(float32(1-1e-7))), []float32{0}},
		{losses.CategoricalCrossentropy{}, []float32{1, 0}, losses.Target{Values: []float32{0, 1}}, -math.Log(float64(float32(1e-7))), []float32{0, 0}},
		{losses.SparseCategoricalCrossentropy{}, []float32{1, 0}, losses.Target{IDs: []int32{1}}, -math.Log(float64(float32(1e-7))), []float32{0, 0}},
	} {
		m := len(c.p)
		v, d := make([]float32, 1), make([]float32, m)
		c.l.Value(v, c.p, c.y, 1, m)
		c.l.Grad(d, c.p, c.y, []float32{1}, 1, m)
		if !(math.Abs(float64(v[0])-c.want) <= 1e-6*c.want) || !cmp.Equal(d, c.grads) {
			t.Errorf("%+v of %v: got %v, gradient %v, want %v, %v", c.l, c.p, v[0], d, c.want, c.grads)
		}
	}
}

// Logits far out: the loss stays exact where exp would overflow or a probability round to 1.
func TestLargeLogits(t *testing.T) {
	for _, c := range []struct {
		l    losses.Loss
		x    []float32
		y    losses.Target
		want []float64
		grad []float64
	}{
		{losses.BinaryCrossentropy{FromLogits: true}, []float32{1000}, losses.Target{Values: []float32{0}}, []float64{1000}, []float64{1}},
		{losses.BinaryCrossentropy{FromLogits: true}, []float32{-1000}, losses.Target{Values: []float32{0}}, []float64{0}, []float64{0}},
		{losses.BinaryCrossentropy{FromLogits: true}, []float32{30}, losses.Target{Values: []float32{1}}, []float64{math.Log1p(math.Exp(-30))}, []float64{0}},
		{losses.CategoricalCrossentropy{FromLogits: true}, []float32{1000, 0}, losses.Target{Values: []float32{0, 1}}, []float64{1000}, []float64{1, -1}},
		{losses.SparseCategoricalCrossentropy{FromLogits: true}, []float32{1000, 999}, losses.Target{IDs: []int32{0}}, []float64{math.Log1p(math.Exp(-1))},
			[]float64{-1 / (1 + math.E), 1 / (1 + math.E)}},
	} {
		m := len(c.x)
		v, d := make([]float32, 1), make([]float32, m)
		c.l.Value(v, c.x, c.y, 1, m)
		c.l.Grad(d, c.x, c.y, []float32{1}, 1, m)
		if !(math.Abs(float64(v[0])-c.want[0]) <= 4e-7*c.want[0]) {
			t.Errorf("%+v of %v: got %v, want %v", c.l, c.x, v[0], c.want[0])
		}
		for j, g := range c.grad {
			if !(math.Abs(float64(d[j])-g) <= 1e-6) {
				t.Errorf("%+v of %v: gradient %v, want %v", c.l, c.x, d, c.grad)
			}
		}
	}
}

// Not a number in the predictions is not a number in loss and gradient: nothing swallows it.
func TestNaN(t *testing.T) {
	nan := float32(math.NaN())
	for _, l := range every() {
		y := losses.Target{Values: []float32{1, 0}}
		if sparse(l) {
			y = losses.Target{IDs: []int32{0}}
		}
		v, d := make([]float32, 1), make([]float32, 2)
		l.Value(v, []float32{nan, 0.5}, y, 1, 2)
		l.Grad(d, []float32{nan, 0.5}, y, []float32{1}, 1, 2)
		if v[0] == v[0] || d[0] == d[0] {
			t.Errorf("%+v: got loss %v, gradient %v, want NaN", l, v, d)
		}
	}
}

// A loss on logits equals the loss on the activation's value, and so do the gradients through the activation.
func TestAsLogits(t *testing.T) {
	for _, l := range every() {
		want := ""
		switch l.(type) {
		case losses.BinaryCrossentropy, losses.BinaryFocalCrossentropy:
			want = "sigmoid"
		case losses.CategoricalCrossentropy, losses.SparseCategoricalCrossentropy:
			want = "softmax"
		}
		for _, a := range []string{"sigmoid", "softmax", "tanh", "linear", ""} {
			on, ok := l.AsLogits(a)
			if ok != (a == want && a != "") || ok != (on != nil) {
				t.Errorf("%+v: AsLogits(%q) = %v, %v", l, a, on, ok)
			}
			if ok && !logits(on) {
				t.Errorf("%+v: AsLogits(%q) = %+v, which is not on logits", l, a, on)
			}
		}
		if want == "" || logits(l) {
			continue
		}
		on, _ := l.AsLogits(want)
		s := random.New(4, random.Data)
		x, y, target := items(on, s, 3, 4)
		p := make([]float64, 4)
		v := make([]float32, 3)
		on.Value(v, x, target, 3, 4)
		for i := range 3 {
			row, sum := wide(x[i*4:][:4]), 0.0
			for j := range p {
				sum += math.Exp(row[j])
			}
			for j := range p {
				if p[j] = math.Exp(row[j]) / sum; want == "sigmoid" {
					p[j] = 1 / (1 + math.Exp(-row[j]))
				}
			}
			if r := reference(l, p, y[i]); !(math.Abs(float64(v[i])-r) <= 1e-6*math.Max(1, r)) {
				t.Errorf("%+v: item %d: got %v, want %v", on, i, v[i], r)
			}
		}
	}
}

// A loss of the whole batch is that of one long item, and so is its gradient, which takes the sum of all scales.
func TestWhole(t *testing.T) {
	for _, c := range [][2]losses.Loss{{losses.Dice{}, losses.Dice{Axis: losses.LastAxis}}, {losses.Tversky{Alpha: tensor.F(0.2)}, losses.Tversky{Alpha: tensor.F(0.2), Axis: losses.LastAxis}}} {
		whole, last := c[0], c[1]
		if !whole.(losses.Whole).Whole() || last.(losses.Whole).Whole() {
			t.Errorf("%+v is whole and %+v is not", whole, last)
		}
		pred, _, y := items(last, random.New(5, random.Data), 4, 3)
		v, one := make([]float32, 4), make([]float32, 1)
		whole.Value(v, pred, y, 4, 3)
		last.Value(one, pred, y, 1, 12)
		d, d1 := make([]float32, 12), make([]float32, 12)
		whole.Grad(d, pred, y, []float32{1, 0.5, 0, 0.25}, 4, 3)
		last.Grad(d1, pred, y, []float32{1.75}, 1, 12)
		if diff := cmp.Diff([]float32{one[0], one[0], one[0], one[0]}, v) + cmp.Diff(d1, d); diff != "" {
			t.Errorf("%+v:\n%s", whole, diff)
		}
	}
}

// An item of the ignored class has no loss and no gradient, whatever stands in its predictions.
func TestIgnoreClass(t *testing.T) {
	nan := float32(math.NaN())
	for _, l := range []losses.SparseCategoricalCrossentropy{{IgnoreClass: tensor.F(-1)}, {IgnoreClass: tensor.F(-1), FromLogits: true}} {
		y := losses.Target{IDs: []int32{-1, 1}}
		if err := l.CheckTarget(y, 2, 2); err != nil {
			t.Error(err)
		}
		if l.CheckTarget(losses.Target{IDs: []int32{-2, 1}}, 2, 2) == nil {
			t.Error("-2 is no class")
		}
		v, d := make([]float32, 2), make([]float32, 4)
		l.Value(v, []float32{nan, nan, 0.3, 0.7}, y, 2, 2)
		l.Grad(d, []float32{nan, nan, 0.3, 0.7}, y, []float32{1, 1}, 2, 2)
		if v[0] != 0 || d[0] != 0 || d[1] != 0 || !(v[1] > 0) || !(d[3] < 0) || !l.Hides(y, 0) || l.Hides(y, 1) || !l.Hiding() {
			t.Errorf("%+v: got %v and %v", l, v, d)
		}
	}
}

func TestDivisor(t *testing.T) {
	for _, c := range []struct {
		r       losses.Reduction
		items   int
		weights float64
		want    float64
	}{
		{losses.BinaryCrossentropy{}.Reduce(), 128, 64, 128}, {losses.Mean, 128, 64, 128}, {losses.Sum, 128, 64, 1},
		{losses.MeanWithSampleWeight, 128, 64, 64}, {losses.SumOverBatchSize, 0, 0, 1}, {losses.MeanWithSampleWeight, 5, 0, 1},
	} {
		if got := c.r.Divisor(c.items, c.weights); got != c.want {
			t.Errorf("%s of %d items, weights %v: got %v, want %v", c.r, c.items, c.weights, got, c.want)
		}
	}
}

func TestConfigRoundTrip(t *testing.T) {
	for _, l := range append(every(), losses.MeanSquaredError{Reduction: losses.Sum, Name: "mine"}, losses.MeanAbsoluteError{Name: "mine"}) {
		text, err := keras.Encode(map[string]any{"loss": losses.Object(l)})
		if err != nil {
			t.Fatal(err)
		}
		file, err := keras.Decode("compile_config", text)
		if err != nil {
			t.Fatal(err)
		}
		back, err := losses.Deserialize("compile_config.loss", file["loss"])
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(l.Config(), back.Config()); d != "" || back.Class() != l.Class() {
			t.Errorf("%s (-want +got):\n%s", text, d)
		}
	}
	// The defaults as Keras 3.15.1 writes them.
	for _, c := range []struct {
		l    losses.Loss
		want map[string]any
	}{
		{losses.BinaryCrossentropy{}, map[string]any{"name": "binary_crossentropy", "reduction": "sum_over_batch_size", "from_logits": false, "label_smoothing": 0.0, "axis": -1}},
		{losses.CategoricalCrossentropy{}, map[string]any{"name": "categorical_crossentropy", "reduction": "sum_over_batch_size", "from_logits": false, "label_smoothing": 0.0, "axis": -1}},
		{losses.SparseCategoricalCrossentropy{}, map[string]any{"name": "sparse_categorical_crossentropy", "reduction": "sum_over_batch_size", "from_logits": false, "ignore_class": nil}},
		{losses.MeanSquaredError{}, map[string]any{"name": "mean_squared_error", "reduction": "sum_over_batch_size"}},
		{losses.MeanAbsoluteError{}, map[string]any{"name": "mean_absolute_error", "reduction": "sum_over_batch_size"}},
	} {
		if d := cmp.Diff(c.want, c.l.Config()); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.l.Class(), d)
		}
	}
}

func TestByName(t *testing.T) {
	for name, class := range map[string]string{"bce": "BinaryCrossentropy", "binary_crossentropy": "BinaryCrossentropy", "BinaryCrossentropy": "BinaryCrossentropy",
		"categorical_crossentropy": "CategoricalCrossentropy", "sparse_categorical_crossentropy": "SparseCategoricalCrossentropy", "mse": "MeanSquaredError", "MSE": "MeanSquaredError",
		"mae": "MeanAbsoluteError", "mean_absolute_error": "MeanAbsoluteError", "KLD": "KLDivergence", "kl_divergence": "KLDivergence", "mape": "MeanAbsolutePercentageError",
		"MSLE": "MeanSquaredLogarithmicError", "log_cosh": "LogCosh", "huber": "Huber", "dice": "Dice", "categorical_hinge": "CategoricalHinge",
		"binary_focal_crossentropy": "BinaryFocalCrossentropy", "CategoricalGeneralizedCrossEntropy": "CategoricalGeneralizedCrossEntropy"} {
		if l, err := losses.ByName(name); err != nil || l.Class() != class {
			t.Errorf("ByName(%q) = %+v, %v, want %s", name, l, err, class)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		l            losses.Loss
		pred, target tensor.Shape
		want         string // "" for none
	}{
		{losses.BinaryCrossentropy{}, tensor.Shape{none, 1}, tensor.Shape{none}, ""},
		{losses.BinaryCrossentropy{}, tensor.Shape{none, none, 1}, tensor.Shape{128, 20}, ""},
		{losses.BinaryCrossentropy{}, tensor.Shape{none, 20, 1}, tensor.Shape{128, 20, 1}, ""},
		{losses.BinaryCrossentropy{}, tensor.Shape{none}, tensor.Shape{128, 1}, ""},
		{losses.BinaryCrossentropy{}, tensor.Shape{none, 1}, tensor.Shape{none, 5}, "losses: BinaryCrossentropy: expected targets of the predictions' shape, got predictions (None, 1) and targets (None, 5)"},
		{losses.BinaryCrossentropy{}, tensor.Shape{none, 20, 1}, tensor.Shape{none}, "losses: BinaryCrossentropy: expected targets of the predictions' shape, got predictions (None, 20, 1) and targets (None,)"},
		{losses.BinaryCrossentropy{}, nil, nil, "losses: BinaryCrossentropy: expected targets"},
		{losses.BinaryCrossentropy{LabelSmoothing: 1.5}, tensor.Shape{none, 1}, tensor.Shape{none}, "losses: BinaryCrossentropy: label_smoothing must be in [0, 1], got 1.5"},
		{losses.BinaryCrossentropy{Reduction: "none"}, tensor.Shape{none, 1}, tensor.Shape{none}, `losses: BinaryCrossentropy: reduction must be sum_over_batch_size, mean, sum or mean_with_sample_weight, got "none"`},
		{losses.CategoricalCrossentropy{}, tensor.Shape{none, 46}, tensor.Shape{128, 46}, ""},
		{losses.CategoricalCrossentropy{}, tensor.Shape{none, 46}, tensor.Shape{128}, "losses: CategoricalCrossentropy: expected targets of the predictions' shape, one value for each class, got predictions (None, 46) and targets (128,) (class ids need SparseCategoricalCrossentropy)"},
		{losses.CategoricalCrossentropy{}, tensor.Shape{none, 1}, tensor.Shape{128, 1}, "losses: CategoricalCrossentropy: expected predictions with at least 2 classes on the last axis, got (None, 1)"},
		{losses.CategoricalCrossentropy{LabelSmoothing: math.NaN()}, tensor.Shape{none, 2}, tensor.Shape{none, 2}, "losses: CategoricalCrossentropy: label_smoothing must be in [0, 1], got NaN"},
		{losses.SparseCategoricalCrossentropy{}, tensor.Shape{none, 46}, tensor.Shape{128}, ""},
		{losses.SparseCategoricalCrossentropy{}, tensor.Shape{none, 46}, tensor.Shape{128, 1}, ""},
		{losses.SparseCategoricalCrossentropy{}, tensor.Shape{none, 20, 46}, tensor.Shape{128, 20}, ""},
		{losses.SparseCategoricalCrossentropy{}, tensor.Shape{none, 46}, tensor.Shape{128, 46}, "losses: SparseCategoricalCrossentropy: expected a class id for each prediction, got predictions (None, 46) and targets (128, 46) (one value for each class needs CategoricalCrossentropy)"},
		{losses.SparseCategoricalCrossentropy{}, tensor.Shape{none, 46}, tensor.Shape{128, 20}, "losses: SparseCategoricalCrossentropy: expected a class id for each prediction, got predictions (None, 46) and targets (128, 20)"},
		{losses.SparseCategoricalCrossentropy{}, tensor.Shape{none, 1}, tensor.Shape{128}, "losses: SparseCategoricalCrossentropy: expected predictions with at least 2 classes"},
		{losses.MeanSquaredError{}, tensor.Shape{none, 3}, tensor.Shape{none, 3}, ""},
		{losses.MeanAbsoluteError{}, tensor.Shape{none, 1}, tensor.Shape{none}, ""},
		{losses.MeanAbsoluteError{}, tensor.Shape{none, 3}, tensor.Shape{none}, "losses: MeanAbsoluteError: expected targets of the predictions' shape"},
		{losses.MeanAbsoluteError{Reduction: "median"}, tensor.Shape{none, 3}, tensor.Shape{none, 3}, "losses: MeanAbsoluteError: reduction must be"},
		{losses.MeanSquaredError{}, tensor.Shape{none, 3}, tensor.Shape{none}, "losses: MeanSquaredError: expected targets of the predictions' shape"},
		{losses.MeanSquaredError{Reduction: "median"}, tensor.Shape{none, 3}, tensor.Shape{none, 3}, "losses: MeanSquaredError: reduction must be"},
	} {
		err := c.l.Check(c.pred, c.target)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%+v, %v, %v: got error %v, want %s", c.l, c.pred, c.target, err, c.want)
		}
	}
	s := losses.SparseCategoricalCrossentropy{}
	for _, c := range []struct {
		y    losses.Target
		want string
	}{
		{losses.Target{IDs: []int32{0, 2}}, ""},
		{losses.Target{Values: []float32{0, 2}}, ""},
		{losses.Target{IDs: []int32{0, 3}}, "losses: SparseCategoricalCrossentropy: class ids must be whole numbers from 0 to 2, got 3 at item 1"},
		{losses.Target{IDs: []int32{-1, 0}}, "losses: SparseCategoricalCrossentropy: class ids must be whole numbers from 0 to 2, got -1 at item 0"},
		{losses.Target{Values: []float32{0.5, 0}}, "losses: SparseCategoricalCrossentropy: class ids must be whole numbers from 0 to 2, got 0.5 at item 0"},
		{losses.Target{Values: []float32{0, float32(math.NaN())}}, "losses: SparseCategoricalCrossentropy: class ids must be whole numbers from 0 to 2, got NaN at item 1"},
	} {
		if err := s.CheckTarget(c.y, 2, 3); c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%v: got error %v, want %s", c.y, err, c.want)
		}
	}
	for _, c := range []struct {
		l    losses.Loss
		y    []float32
		want string
	}{
		{losses.Hinge{}, []float32{0, 1, 1}, ""}, {losses.Hinge{}, []float32{-1, 1}, ""}, {losses.SquaredHinge{}, []float32{0.5, -3}, ""},
		{losses.Hinge{}, []float32{0, -1}, "losses: Hinge: expected targets of -1 and 1, or of 0 and 1, got 0 and -1 in one batch"},
	} {
		if err := c.l.CheckTarget(losses.Target{Values: c.y}, len(c.y), 1); c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%s, %v: got error %v, want %s", c.l.Class(), c.y, err, c.want)
		}
	}
	for _, l := range every() {
		if !sparse(l) && l.CheckTarget(losses.Target{Values: []float32{-3, 7}}, 1, 2) != nil {
			t.Errorf("%+v: any number is a target", l)
		}
	}
	for _, c := range []struct {
		class  string
		config map[string]any
		want   string
	}{
		{"binary_crossentrophy", nil, `losses: expected the name of a loss, got "binary_crossentrophy"; did you mean binary_crossentropy or binary_focal_crossentropy?`},
		{"BinaryCrossentropy", map[string]any{"axis": 1}, `keras: l.axis: expected -1 (nothing else is supported), got 1`},
		{"BinaryCrossentropy", map[string]any{"label_smoothing": 2.0}, `keras: l.label_smoothing: expected a number in [0, 1], got 2`},
		{"MeanSquaredError", map[string]any{"label_smoothing": 0.1}, `keras: l: unknown key "label_smoothing"`},
		{"MeanSquaredError", map[string]any{"reduction": nil}, `keras: l.reduction: expected sum_over_batch_size, mean, sum or mean_with_sample_weight, got null`},
		{"MeanSquaredError", map[string]any{"reduction": "none"}, `keras: l.reduction: expected sum_over_batch_size, mean, sum or mean_with_sample_weight, got "none"`},
		{"SparseCategoricalCrossentropy", map[string]any{"ignore_class": 0.5}, `keras: l.ignore_class: expected an integer, got 0.5`},
		{"Huber", map[string]any{"delta": -1}, `losses: Huber: delta must be finite and from 0, got -1`},
		{"Tversky", map[string]any{"beta": -1}, `losses: Tversky: beta must be finite and from 0, got -1`},
		{"Dice", map[string]any{"axis": 1}, `keras: l.axis: expected null or -1 (nothing else is supported), got 1`},
		{"BinaryFocalCrossentropy", map[string]any{"gamma": -1}, `losses: BinaryFocalCrossentropy: gamma must be finite and from 0, got -1`},
		{"CategoricalFocalCrossentropy", map[string]any{"alpha": -1}, `losses: CategoricalFocalCrossentropy: alpha must be finite and from 0, got -1`},
		{"CategoricalGeneralizedCrossEntropy", map[string]any{"q": 1}, `losses: CategoricalGeneralizedCrossEntropy: q must be above 0 and below 1, got 1`},
		{"Circle", map[string]any{"gamma": -1}, `losses: Circle: gamma must be finite and from 0, got -1`},
		{"CTC", map[string]any{"blank": 1}, `keras: l: unknown key "blank"`},
	} {
		if _, err := losses.FromConfig("l", c.class, c.config); err == nil || err.Error() != c.want {
			t.Errorf("%s %v: got error %v, want %s", c.class, c.config, err, c.want)
		}
	}
	if l, err := losses.FromConfig("l", "MeanSquaredError", map[string]any{"reduction": "auto"}); err != nil || l.Reduce() != losses.SumOverBatchSize {
		t.Errorf("auto: got %+v, %v", l, err)
	}
}
