package engine

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/internal/reference"
)

// loops are the parts of the work that run at every step.
func loops(c *Cell) []Path {
	var out []Path
	for _, p := range c.Paths() {
		if p.Part == "step" || p.Part == "step back" {
			p.Walk = "" // TestWalks
			out = append(out, p)
		}
	}
	return out
}

// What a program cannot run, and why, is said.
func TestWalks(t *testing.T) {
	if !kernel.Programs() {
		t.Skip("no programs without assembly")
	}
	for _, c := range []struct {
		text       string
		units      int
		step, back string
	}{
		{"output_t = tanh(dot(input_t, W) + dot(state_t, U))", 16, "many in one call", "many in one call"},
		{"output_t = tanh(dot(input_t, W) + dot(state_t, U))", 20, "many in one call", "many in one call"},
		{"output_t = tanh(dot(input_t, W) + dot(state_t, U))", 300, "one by one, a product of 300 by 300", "one by one, a product of 300 by 300"},
		{"output_t = softmax(dot(input_t, W) + dot(state_t, U))", 16, "many in one call", "many in one call"},
		{layerNormLSTM, 16, "many in one call", "many in one call"},
		{"output_t = tanh_shrink(dot(input_t, W) + dot(state_t, U))", 16, "one by one, tanh_shrink has no kernel", "one by one, tanh_shrink' has no kernel"},
	} {
		got := map[string]string{}
		for _, p := range New(planOf(t, c.text, cell.Options{Units: c.units, Input: 5})).Paths() {
			got[p.Part] = p.Walk
		}
		if got["step"] != c.step || got["step back"] != c.back || got["inputs"] != "" {
			t.Errorf("%s, %d units: got %q", c.text, c.units, got)
		}
	}
}

// results are all that a run hands on, forward and back.
func results(c *Cell, s Shape, in Input, dseq, last []float32, sizes []int) [][]float32 {
	var run Run
	run.Forward(c, s, in)
	out := [][]float32{slices.Clone(run.Sequence()), slices.Clone(run.Last())}
	for i := range run.states {
		out = append(out, slices.Clone(run.Final(i)))
	}
	g := Gradient{Sequence: dseq, Last: last, X: make([]float32, len(in.X))}
	for _, n := range sizes {
		g.Weights = append(g.Weights, make([]float32, n))
	}
	run.Backward(g)
	out = append(append(out, g.X), g.Weights...)
	for i := range run.states {
		out = append(out, slices.Clone(run.Initial(i)))
	}
	run.Forward(c, Shape{T: s.T, N: s.N}, in)
	return append(out, slices.Clone(run.Last()))
}

// checkFused compares a plan with and without fused loops, bit for bit: they run the same formulas, rounded as often.
func checkFused(t *testing.T, p *cell.Plan, n, steps int, scale float32) {
	t.Helper()
	s := random.New(uint64(n*steps), random.Data)
	var weights [][]float32
	var sizes []int
	for i := range p.Cell.Weights {
		size := 1
		for _, d := range p.Cell.Weights[i].Shape() {
			size *= d
		}
		weights, sizes = append(weights, uniform(s, size, scale)), append(sizes, size)
	}
	inputs := 0
	for _, sl := range p.Slots {
		if sl.Kind == cell.InputSlot {
			inputs = sl.Width
		}
	}
	in := Input{X: uniform(s, steps*n*inputs, 1)}
	if n > 1 {
		in.Mask = make([]bool, steps*n)
		for i := range in.Mask {
			in.Mask[i] = s.IntN(5) > 0
		}
	}
	for _, m := range p.Masks {
		in.Drop = append(in.Drop, uniform(s, n*m.Width, 1))
		for k, v := range in.Drop[len(in.Drop)-1] {
			in.Drop[len(in.Drop)-1][k] = float32(math.Floor(float64(v+1))) * 1.25
		}
	}
	dseq, last := uniform(s, steps*n*width(p), 1), uniform(s, n*width(p), 1)
	var got [2][][]float32
	for i, fuse := range []bool{true, false} {
		c := newCell(p, fuse)
		c.Bind(weights, true)
		got[i] = results(c, Shape{T: steps, N: n, Training: true, Sequences: true}, in, dseq, last, sizes)
	}
	for i := range got[0] {
		for k, v := range got[0][i] {
			if w := got[1][i][k]; math.Float32bits(v) != math.Float32bits(w) && (v == v || w == w) {
				t.Fatalf("result %d of %d, N %d, T %d: [%d] = %g fused, %g one by one", i, len(got[0]), n, steps, k, v, w)
			}
		}
	}
}

// The switch: every text there is gives the same bits with fused loops and without.
func TestFusedIsTheSame(t *testing.T) {
	files, err := filepath.Glob("../cell/testdata/*.cell")
	if err != nil || len(files) < 6 {
		t.Fatalf("expected six references, got %d (%v)", len(files), err)
	}
	layers, err := filepath.Glob("../../layers/cells/*.cell")
	if err != nil || len(layers) < 11 {
		t.Fatalf("expected eleven cells of layers, got %d (%v)", len(layers), err)
	}
	texts := map[string]string{"peephole": peepholeLSTM, "minimal gated unit": minimalGatedUnit, "coupled": coupledLSTM}
	for _, f := range append(files, layers...) {
		texts[f] = fileText(t, f)
	}
	for name, text := range texts {
		t.Run(filepath.Base(name), func(t *testing.T) {
			for _, width := range []int{1, 3, 8, 13, 32} {
				o := cell.Options{Units: width, Input: 5}
				for _, size := range []string{"proj", "proj_size"} {
					if strings.Contains(text, "size="+size+"\n") {
						o.Sizes = map[string]int{size: 4}
					}
				}
				p := planOf(t, text, o)
				for _, n := range []int{1, 2, 7} {
					checkFused(t, p, n, 6, 0.5)
				}
				checkFused(t, p, 3, 4, 40) // saturated gates, and infinities where nothing saturates
				drop, err := cell.NewDropoutPlan(p.Cell, cell.Dropout{Input: true, State: true, Each: true})
				if err != nil {
					t.Fatal(err)
				}
				checkFused(t, drop, 3, 4, 0.5)
			}
		})
	}
}

// Random cells hardly ever have a group that has a kernel; what they test is the order of a schedule.
func TestFusedIsTheSameForRandomCells(t *testing.T) {
	for seed := range uint64(100) {
		r, err := reference.NewRandomCell(seed)
		if err != nil {
			t.Fatal(err)
		}
		checkFused(t, cell.NewPlan(r.Run.Cell), 3, 4, 0.5)
	}
}

const coupledLSTM = `f_t = sigmoid(dot(input_t, kernel.f) + dot(state_t, recurrent.f) + bias.f)
g_t = tanh(dot(input_t, kernel.c) + dot(state_t, recurrent.c) + bias.c)
o_t = sigmoid(dot(input_t, kernel.o) + dot(state_t, recurrent.o) + bias.o)
c_t+1 = f_t * c_t + (1 - f_t) * g_t
output_t = o_t * tanh(c_t+1)`

// Speed belongs to the equations: whatever the names, the order of gates and of operands, the fused loops run, and nothing is left
// alone in the loop that the layer's own text does not leave.
func TestEquationsFindTheirLoops(t *testing.T) {
	for _, c := range []struct {
		cell  string // of a layer, or a text
		want  string // what runs in the loops
		texts map[string]string
	}{
		{fileText(t, "../../layers/cells/lstm.cell"), "step: 4 products, LSTMStep1; step back: 4 products, LSTMBack1", map[string]string{
			"other names": `
in_t = sigmoid(dot(input_t, Wi) + dot(state_t, Ui) + bi)
keep_t = sigmoid(dot(input_t, Wk) + dot(state_t, Uk) + bk)
new_t = tanh(dot(input_t, Wn) + dot(state_t, Un) + bn)
show_t = sigmoid(dot(input_t, Ws) + dot(state_t, Us) + bs)
memory_t+1 = keep_t * memory_t + in_t * new_t
output_t = show_t * tanh(memory_t+1)`,
			"other order of gates": `
o_t = sigmoid(dot(input_t, kernel.o) + dot(state_t, recurrent_kernel.o) + bias.o)
g_t = tanh(dot(input_t, kernel.c) + dot(state_t, recurrent_kernel.c) + bias.c)
f_t = sigmoid(dot(input_t, kernel.f) + dot(state_t, recurrent_kernel.f) + bias.f)
i_t = sigmoid(dot(input_t, kernel.i) + dot(state_t, recurrent_kernel.i) + bias.i)
c_t+1 = f_t * c_t + i_t * g_t
output_t = o_t * tanh(c_t+1)`,
			"other order of operands": `
i_t = sigmoid(bias.i + dot(state_t, recurrent_kernel.i) + dot(input_t, kernel.i))
f_t = sigmoid(dot(state_t, recurrent_kernel.f) + bias.f + dot(input_t, kernel.f))
g_t = tanh(dot(input_t, kernel.c) + (bias.c + dot(state_t, recurrent_kernel.c)))
o_t = sigmoid(dot(input_t, kernel.o) + dot(state_t, recurrent_kernel.o) + bias.o)
c_t+1 = g_t * i_t + c_t * f_t
output_t = tanh(c_t+1) * o_t`,
			"in three lines": `
f_t = sigmoid(dot(Wf, input_t) + dot(Uf, state_t))
c_t+1 = sigmoid(dot(Wi, input_t) + dot(Ui, state_t)) * tanh(dot(Wc, input_t) + dot(Uc, state_t)) + f_t * c_t
output_t = tanh(c_t+1) * sigmoid(dot(Wo, input_t) + dot(Uo, state_t))`,
			"in R": `
i_t <- recurrent_activation((Wi %*% input_t) + (Ui %*% state_t) + bi)
o_t <- recurrent_activation((Wo %*% input_t) + (Uo %*% state_t) + bo)
c_t+1 <- recurrent_activation((Wf %*% input_t) + (Uf %*% state_t) + bf) * c_t + i_t * activation((Wc %*% input_t) + (Uc %*% state_t) + bc)
output_t <- o_t * activation(c_t+1)`,
		}},
		{fileText(t, "../../layers/cells/gru.cell"), "step: 3 products, GRUStep1; step back: 3 products, GRUBack1, alone: mul-add", map[string]string{
			"other names and orders": `
candidate_t = bias[0].h + dot(input_t, kernel.h)
reset_t = sigmoid(bias[0].r + dot(state_t, recurrent.r) + bias[1].r + dot(input_t, kernel.r))
new_t = tanh(reset_t * (bias[1].h + dot(state_t, recurrent.h)) + candidate_t)
update_t = sigmoid(dot(state_t, recurrent.z) + bias[0].z + bias[1].z + dot(input_t, kernel.z))
output_t = (1 - update_t) * new_t + update_t * state_t`,
		}},
		{fileText(t, "../../layers/cells/gru_reset_before.cell"),
			"step: 3 products, GRUResetBeforeStep1, GRUResetBeforeStep2; step back: 3 products, GRUResetBeforeBack1, GRUResetBeforeBack2, GRUResetBeforeBack3",
			map[string]string{"other names and orders": `
b_t = sigmoid(Br + dot(state_t, Ur) + dot(input_t, Wr))
a_t = sigmoid(dot(state_t, Uz) + Bz + dot(input_t, Wz))
n_t = tanh(dot(state_t * b_t, Uh) + dot(input_t, Wh) + Bh)
output_t = n_t * (1 - a_t) + state_t * a_t`,
			}},
		{fileText(t, "../../layers/cells/lecture_lstm.cell"), "step: 5 products, LectureLSTMStep1; step back: 5 products, LectureLSTMBack1, alone: mul-add", map[string]string{
			"other names and orders": `
q_t = tanh(Bq + dot(carry_t, Vq) + dot(state_t, Uq) + dot(input_t, Wq))
x_t = tanh(dot(state_t, Ux) + dot(input_t, Wx) + Bx)
y_t = tanh(dot(state_t, Uy) + dot(input_t, Wy) + By)
z_t = tanh(dot(input_t, Wz) + Bz + dot(state_t, Uz))
carry_t+1 = carry_t * x_t + z_t * y_t
output_t = q_t`,
		}},
		{fileText(t, "../../layers/cells/peephole_lstm.cell"), "step: 4 products, PeepholeLSTMStep1; step back: 4 products, PeepholeLSTMBack1", map[string]string{"other names": peepholeLSTM}},
		{fileText(t, "../../layers/cells/minimal_gated_unit.cell"), "step: 2 products, MinimalGatedUnitStep1, MinimalGatedUnitStep2; step back: 2 products, MinimalGatedUnitBack1, MinimalGatedUnitBack2, GRUResetBeforeBack3",
			map[string]string{"other names": minimalGatedUnit}},
		{fileText(t, "../../layers/cells/coupled_lstm.cell"), "step: 3 products, CoupledLSTMStep1; step back: 3 products, CoupledLSTMBack1", map[string]string{"other names": coupledLSTM}},
		{fileText(t, "../../layers/cells/irnn.cell"), "step: 1 product, alone: relu; step back: 1 product, alone: relu'", nil},
		{fileText(t, "../../layers/cells/simple_rnn.cell"), "step: 1 product, alone: tanh; step back: 1 product, alone: tanh'", nil},
	} {
		texts := map[string]string{"itself": c.cell}
		for name, text := range c.texts {
			texts[name] = text
		}
		for name, text := range texts {
			for _, o := range []cell.Options{{Units: 32, Input: 16}, {Units: 8, Input: 8}, {Units: 8, Input: 4, NoBias: true}} {
				var got []string
				for _, p := range loops(New(planOf(t, text, o))) {
					got = append(got, p.String())
				}
				if strings.Join(got, "; ") != c.want {
					t.Errorf("%s, %+v: got\n%s\nwant\n%s\nfor\n%s", name, o, strings.Join(got, "; "), c.want, text)
				}
			}
		}
	}
}

// Row functions stand between loops: each is a pass of its own, of assembly too.
func TestLayerNormHasLoops(t *testing.T) {
	const rows = "layer_norm, layer_norm, layer_norm, layer_norm, layer_norm"
	for _, text := range []string{fileText(t, "../../layers/cells/layer_norm_lstm.cell"), layerNormLSTM} {
		for noBias, loop := range map[bool]string{false: "LayerNormLSTMStep1, LayerNormLSTMStep2", true: "LayerNormLSTMStep3, LayerNormLSTMStep4"} {
			var got []string
			for _, path := range loops(New(planOf(t, text, cell.Options{Units: 32, Input: 16, NoBias: noBias}))) {
				got = append(got, path.String())
			}
			want := "step: 4 products, " + loop + ", alone: " + rows + "; step back: 4 products, LayerNormLSTMBack1, LayerNormLSTMBack2, alone: " +
				strings.ReplaceAll(rows, "norm", "norm'")
			if strings.Join(got, "; ") != want {
				t.Errorf("without biases %v: got\n%s\nwant\n%s", noBias, strings.Join(got, "; "), want)
			}
		}
	}
}

// A mask a gate makes products of their own, and two more loops.
func TestDropoutHasLoops(t *testing.T) {
	for file, want := range map[string]string{
		"lstm.cell": "step: 4 products, LSTMStep2, LSTMStep1; step back: 4 products, LSTMBack1, LSTMBack2",
		"gru.cell":  "step: 3 products, GRUStep2, GRUStep1; step back: 3 products, GRUBack1, LSTMBack2",
	} {
		p, err := cell.NewDropoutPlan(planOf(t, fileText(t, "../../layers/cells/"+file), cell.Options{Units: 32, Input: 16}).Cell,
			cell.Dropout{Input: true, State: true, Each: true})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, path := range loops(New(p)) {
			got = append(got, path.String())
		}
		if strings.Join(got, "; ") != want {
			t.Errorf("%s: got\n%s\nwant\n%s", file, strings.Join(got, "; "), want)
		}
	}
}

// A cell that has no loops of its own says what it runs.
func TestPathsShowWhatRunsAlone(t *testing.T) {
	p := planOf(t, "g_t = softmax(dot(input_t, W) + dot(state_t, U))\noutput_t = g_t * relu(state_t) + 2 * state_t", cell.Options{Units: 4, Input: 3})
	var got []string
	for _, path := range New(p).Paths() {
		got = append(got, path.String())
	}
	want := "step: 1 product, alone: softmax, relu, times2, mul, add"
	if !slices.ContainsFunc(got, func(s string) bool {
		return strings.HasPrefix(s, "step: 1 product, alone: ") && strings.Contains(s, "softmax") && strings.Contains(s, "relu")
	}) {
		t.Errorf("the paths are\n%s\nwant among them something like %q", strings.Join(got, "\n"), want)
	}
	for _, path := range newCell(planOf(t, minimalGatedUnit, cell.Options{Units: 4, Input: 3}), false).Paths() {
		if len(path.Fused) > 0 {
			t.Errorf("%s, with the switch off", path)
		}
	}
}
