package optimizers

import (
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/schedules"
	"github.com/unroll-ml/unroll/tensor"
)

// Muon steps a matrix by its momentum made nearly orthogonal: m = Momentum m + g, G = g + Momentum m (m itself with NoNesterov), X = G / (|G| + 1e-7), then
// Steps times X = A X + (B S + C S S) X with S = X Xᵀ, and w -= lr X √max(n, m) RMSRate. Every other weight, every weight with "embedding" in its path and
// those whose path one of ExcludeLayers matches are stepped by Adam. Jordan, 2024; Liu et al., 2025. Source: keras/src/optimizers/muon.py.
type Muon struct {
	LearningRate         tensor.Float       // 0.001
	Schedule             schedules.Schedule // instead of LearningRate
	AdamBeta1, AdamBeta2 tensor.Float       // 0.9, 0.999
	AdamWeightDecay      tensor.Float       // 0.004
	Epsilon              tensor.Float       // 1e-7, of Adam
	ExcludeLayers        []string           // regular expressions
	NoExcludeEmbeddings  bool
	A, B, C              tensor.Float // muon_a 3.4445, muon_b -4.775, muon_c 2.0315
	AdamLRRatio          tensor.Float // 1: Adam's rate, of the learning rate
	Momentum             tensor.Float // 0.95
	Steps                tensor.Float // ns_steps 5
	NoNesterov           bool
	RMSRate              tensor.Float // 0.2
	NoRMSRate            bool         // rms_rate None: steps are not scaled by the size of the matrix
	WeightDecay          tensor.Float // 0.004
	Name                 string       // "muon"
	Common
}

func (Muon) Class() string { return "Muon" }

func (o Muon) Config() map[string]any {
	c := config(o, o.LearningRate, 0.001, o.Schedule, tensor.F(o.WeightDecay.Or(0.004)), o.Name, o.Common)
	c["adam_beta_1"], c["adam_beta_2"], c["epsilon"] = o.AdamBeta1.Or(0.9), o.AdamBeta2.Or(0.999), o.Epsilon.Or(1e-7)
	c["adam_weight_decay"], c["adam_lr_ratio"], c["exclude_embeddings"] = o.AdamWeightDecay.Or(0.004), o.AdamLRRatio.Or(1), !o.NoExcludeEmbeddings
	layers := []any{}
	for _, l := range o.ExcludeLayers {
		layers = append(layers, l)
	}
	c["exclude_layers"], c["muon_a"], c["muon_b"], c["muon_c"] = layers, o.A.Or(3.4445), o.B.Or(-4.775), o.C.Or(2.0315)
	c["momentum"], c["ns_steps"], c["nesterov"], c["rms_rate"] = o.Momentum.Or(0.95), int(o.Steps.Or(5)), !o.NoNesterov, nil
	if !o.NoRMSRate {
		c["rms_rate"] = o.RMSRate.Or(0.2)
	}
	return c
}

// Check implements Optimizer.
func (o Muon) Check() error {
	for _, l := range o.ExcludeLayers {
		if _, err := regexp.Compile(l); err != nil {
			return fmt.Errorf("optimizers: Muon: exclude_layers must be regular expressions, got %q", l)
		}
	}
	if s := o.Steps.Or(5); !(s >= 0 && s <= 100) || s != math.Trunc(s) {
		return fmt.Errorf("optimizers: Muon: ns_steps must be a whole number from 0 to 100, got %v", s)
	}
	return first(checkRate("Muon", o.LearningRate, o.Schedule), below1("Muon", "adam_beta_1", o.AdamBeta1.Or(0.9)), below1("Muon", "adam_beta_2", o.AdamBeta2.Or(0.999)),
		atLeast0("Muon", "epsilon", o.Epsilon.Or(1e-7)), atLeast0("Muon", "weight_decay", o.WeightDecay.Or(0)),
		atLeast0("Muon", "adam_weight_decay", o.AdamWeightDecay.Or(0)), atLeast0("Muon", "adam_lr_ratio", o.AdamLRRatio.Or(1)),
		fraction("Muon", "momentum", o.Momentum.Or(0.95)), o.Common.check("Muon"))
}

// Rate implements Optimizer.
func (o Muon) Rate() (float64, schedules.Schedule) { return start(o.LearningRate, 0.001, o.Schedule) }

// Slots implements Optimizer: those of a weight that Adam steps.
func (o Muon) Slots() [][]Slot { return [][]Slot{{{Name: "momentum"}, {Name: "velocity"}}} }

// Traits implements Optimizer.
func (o Muon) Traits() Traits { return o.traits(Traits{Decay: 1}) }

// Apply implements Optimizer, for a vector.
func (o Muon) Apply(step int64, lr float64, w, g []float32, slots [][]float32) {
	decay(w, lr, tensor.F(o.AdamWeightDecay.Or(0.004)))
	Adam{Beta1: o.AdamBeta1, Beta2: o.AdamBeta2, Epsilon: o.Epsilon}.Apply(step, lr*o.AdamLRRatio.Or(1), w, g, slots)
}

// For implements Placed.
func (o Muon) For(path string, shape tensor.Shape) Optimizer {
	adam := len(shape) != 2 || !o.NoExcludeEmbeddings && strings.Contains(strings.ToLower(path), "embedding")
	for _, l := range o.ExcludeLayers {
		adam = adam || regexp.MustCompile(l).MatchString(path)
	}
	if adam {
		return o
	}
	return &muonMatrix{Muon: o, rows: shape[0], cols: shape[1]}
}

// muonMatrix is the Muon of one matrix, with its workspace.
type muonMatrix struct {
	Muon
	rows, cols         int
	x, next, s, t      []float32 // x is (k, l) with k <= l; s and t are (k, k)
	factor, transposed kernel.Packed
}

// Slots implements Optimizer.
func (*muonMatrix) Slots() [][]Slot { return [][]Slot{{{Name: "momentum"}}} }

// Apply implements Optimizer.
func (o *muonMatrix) Apply(_ int64, lr float64, w, g []float32, slots [][]float32) {
	decay(w, lr, tensor.F(o.WeightDecay.Or(0.004)))
	m, keep := slots[0], float32(o.Momentum.Or(0.95))
	if o.x == nil {
		k := min(o.rows, o.cols)
		o.x, o.next, o.s, o.t = make([]float32, len(w)), make([]float32, len(w)), make([]float32, k*k), make([]float32, k*k)
	}
	sum := 0.0
	for i, d := range g {
		m[i] += d + float32(m[i]*(keep-1))
		x := m[i]
		if !o.NoNesterov {
			x = d + float32(keep*m[i])
		}
		o.x[o.place(i)] = x
		sum += float64(x) * float64(x)
	}
	size := float32(math.Sqrt(sum)) + 1e-7
	for i := range o.x {
		o.x[i] /= size
	}
	for range int(o.Steps.Or(5)) {
		o.iterate()
	}
	by := float32(lr)
	if !o.NoRMSRate {
		by = float32(lr * math.Sqrt(float64(max(o.rows, o.cols))) * o.RMSRate.Or(0.2))
	}
	for i := range w {
		w[i] -= float32(by * o.x[o.place(i)])
	}
}

// place is where value i of the weight stands in x, which lies on its longer side.
func (o *muonMatrix) place(i int) int {
	if o.rows <= o.cols {
		return i
	}
	return i%o.cols*o.rows + i/o.cols
}

// iterate is one step of Newton and Schulz.
func (o *muonMatrix) iterate() {
	k, l := min(o.rows, o.cols), max(o.rows, o.cols)
	a, b, c := float32(o.A.Or(3.4445)), float32(o.B.Or(-4.775)), float32(o.C.Or(2.0315))
	o.transposed.PackT(o.x, l, l, k)
	kernel.MatMul(o.s, k, o.x, l, &o.transposed, k)
	o.factor.Pack(o.s, k, k, k)
	kernel.MatMul(o.t, k, o.s, k, &o.factor, k)
	for i := range o.t {
		o.t[i] = float32(b*o.s[i]) + float32(c*o.t[i])
	}
	o.factor.Pack(o.x, l, k, l)
	kernel.MatMul(o.next, l, o.t, k, &o.factor, k)
	for i := range o.x {
		o.x[i] = float32(a*o.x[i]) + o.next[i]
	}
}
