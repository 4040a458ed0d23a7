package unroll

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"runtime"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/constraints"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// frontData is sequences with padding in front, behind, on both sides, in between, or of whole rows.
func frontData(t *testing.T, padding string, rows, steps int) Data {
	t.Helper()
	s := random.New(3, random.Data)
	x, y := tensor.NewIDs(rows, steps), tensor.New(rows)
	for r := range rows {
		row := x.Data[r*steps : (r+1)*steps]
		for i := range row {
			row[i] = int32(1 + s.IntN(19))
		}
		n := s.IntN(steps + 1)
		switch padding {
		case "front":
			clear(row[:n])
		case "back":
			clear(row[n:])
		case "ends":
			clear(row[:n/2])
			clear(row[steps-s.IntN(steps/2+1):])
		case "whole":
			if s.IntN(3) > 0 {
				clear(row)
			}
		case "holes":
			for i := range row {
				if s.IntN(3) == 0 {
					row[i] = 0
				}
			}
		}
		y.Data[r] = float32(r % 2)
	}
	d, err := Arrays(x, y)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// fronts are stacks behind an embedding that savings are taken of.
func fronts() map[string][]layers.Spec {
	const nextOutput = "state_t+1 = tanh(dot(input_t, W) + dot(state_t, U) + b)\noutput_t = sigmoid(dot(state_t+1, V) + d)"
	const residual = "output_t = input_t + tanh(dot(input_t, W) + dot(state_t, U) + b)"
	both := func(mode string, l, back layers.Spec) []layers.Spec {
		return []layers.Spec{layers.Bidirectional{Layer: l, BackwardLayer: back, MergeMode: mode}}
	}
	return map[string][]layers.Spec{
		"simple_rnn":   {layers.SimpleRNN{Units: 5}},
		"lstm":         {layers.LSTM{Units: 6}},
		"gru":          {layers.GRU{Units: 4}},
		"gru_before":   {layers.GRU{Units: 4, NoResetAfter: true}},
		"lecture_lstm": {layers.LectureLSTM(3)}, "peephole_lstm": {layers.PeepholeLSTM(3)}, "projected_lstm": {layers.ProjectedLSTM(5, 3)},
		"stack":       {layers.SimpleRNN{Units: 5, ReturnSequences: true}, layers.GRU{Units: 4, ReturnSequences: true}, layers.LSTM{Units: 3}},
		"held":        {layers.GRU{Units: 4, KernelRegularizer: regularizers.L2{}, RecurrentConstraint: constraints.MaxNorm{}}, layers.BatchNormalization{}},
		"no_state":    {layers.Recurrent{Units: 4, Cell: "output_t = tanh(dot(input_t, W) + b)"}},
		"residual":    {layers.Recurrent{Units: 7, Cell: residual}},
		"next_output": {layers.Recurrent{Units: 4, Cell: nextOutput}},

		"backwards simple_rnn":  {layers.SimpleRNN{Units: 5, GoBackwards: true}},
		"backwards lstm":        {layers.LSTM{Units: 6, GoBackwards: true}},
		"backwards gru":         {layers.GRU{Units: 4, GoBackwards: true}},
		"backwards next_output": {layers.Recurrent{Units: 4, Cell: nextOutput, GoBackwards: true}},

		"both concat":      both("", layers.LSTM{Units: 6}, nil),
		"both sum":         both("sum", layers.GRU{Units: 4}, nil),
		"both mul":         both("mul", layers.SimpleRNN{Units: 5}, nil),
		"both ave":         both("ave", layers.GRU{Units: 4, NoResetAfter: true}, nil),
		"both next_output": both("mul", layers.Recurrent{Units: 4, Cell: nextOutput}, nil),
		"both residual":    both("ave", layers.Recurrent{Units: 7, Cell: residual}, nil),
		"both own":         both("concat", layers.GRU{Units: 4}, layers.LSTM{Units: 3, GoBackwards: true}),
		"both turned":      both("concat", layers.LSTM{Units: 3, GoBackwards: true}, layers.SimpleRNN{Units: 5}),

		// Of these, predictions alone.
		"dropout inside":  {layers.LSTM{Units: 6, Dropout: 0.2, RecurrentDropout: 0.2}},
		"dropout between": {layers.Dropout{Rate: 0.3}, layers.GRU{Units: 4, ReturnSequences: true}, layers.Dropout{Rate: 0.2}, layers.SimpleRNN{Units: 5}},
		"dropout of both": both("sum", layers.GRU{Units: 4}, layers.GRU{Units: 4, RecurrentDropout: 0.4, GoBackwards: true}),
		"dropout of none": {layers.Dropout{}, layers.LSTM{Units: 6}},
	}
}

// Each of the savings gives what the plain way gives: predictions to the bit, training up to the order of sums.
func TestSavings(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // these batches are too small to be shared
	const rows = 45
	for name, stack := range fronts() {
		steps := 13
		if name == "gru" || name == "backwards gru" || name == "both sum" {
			steps = 2*arrangeSteps + 5 // places are listed in more than one block
		}
		for _, mask := range []bool{false, true} {
			for _, padding := range []string{"none", "front", "back", "ends", "holes", "whole"} {
				t.Run(fmt.Sprintf("%s/mask=%v/%s", name, mask, padding), func(t *testing.T) {
					data := frontData(t, padding, rows, steps)
					run := func(s savings) (before, after []float32, weights [][]float32) {
						table := layers.Embedding{InputDim: 20, OutputDim: 7, MaskZero: mask}
						if name == "held" {
							table.EmbeddingsRegularizer, table.EmbeddingsConstraint = regularizers.L1{}, constraints.MaxNorm{MaxValue: tensor.F(0.1), Axis: []int{1}}
						}
						specs := append([]layers.Spec{table}, stack...)
						specs = append(specs, layers.Dropout{Rate: 0.2}, layers.Dense{Units: 1, Activation: activations.Sigmoid})
						m, err := Sequential(specs...)
						if err != nil {
							t.Fatal(err)
						}
						if m.front == nil {
							t.Fatal("the model has no front")
						}
						m.savings, m.front.wordsFrom = s, 0
						if err := m.Compile(optimizers.SGD{LearningRate: tensor.F(0.5)}, losses.BinaryCrossentropy{}); err != nil {
							t.Fatal(err)
						}
						p, err := m.Predict(context.Background(), data, BatchSize(40))
						if err != nil {
							t.Fatal(err)
						}
						if _, err := m.Fit(context.Background(), data, Epochs(2), BatchSize(40)); err != nil {
							t.Fatal(err)
						}
						q, err := m.Predict(context.Background(), data, BatchSize(40))
						if err != nil {
							t.Fatal(err)
						}
						for _, w := range m.weights {
							weights = append(weights, w.Data)
						}
						return p.Data, q.Data, weights
					}
					want, wantAfter, wantW := run(savings{})
					for k := range 8 { // TestTouched has what touched does with the others
						s := savings{rows: k&1 != 0, prefix: k&2 != 0, active: k&4 != 0, touched: bits.OnesCount(uint(k))%2 == 0}
						got, gotAfter, gotW := run(s)
						for i := range want {
							if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
								t.Fatalf("%+v: prediction of row %d is %v, the plain way %v", s, i, got[i], want[i])
							}
							if err := math.Abs(float64(gotAfter[i] - wantAfter[i])); !(err <= 1e-5) {
								t.Fatalf("%+v: trained prediction of row %d is %v, the plain way %v", s, i, gotAfter[i], wantAfter[i])
							}
						}
						for i, w := range wantW {
							for j := range w {
								if err := math.Abs(float64(gotW[i][j] - w[j])); !(err <= 1e-5) {
									t.Fatalf("%+v: weight %d[%d] is %v, the plain way %v", s, i, j, gotW[i][j], w[j])
								}
							}
						}
					}
				})
			}
		}
	}
}

// Where values are dropped, training goes the plain way and predictions do not; where the rate is 0, nothing is dropped.
func TestFrontOfDropout(t *testing.T) {
	no := false
	for name, drops := range map[string]string{
		"dropout inside": "lstm", "dropout between": "dropout", "dropout of both": "bidirectional", "dropout of none": "", "both sum": "",
	} {
		m := benched(t, &no, fronts()[name]...)
		if m.front == nil || m.front.drops != drops {
			t.Fatalf("%s: front %+v, want one where %q drops", name, m.front, drops)
		}
		if err := m.Compile(optimizers.SGD{}, losses.BinaryCrossentropy{}); err != nil {
			t.Fatal(err)
		}
		for _, training := range []bool{false, true} {
			s := m.newSession(m.compiled, training)
			if plain := s.front == nil; plain != (training && drops != "") {
				t.Errorf("%s: training %v, plain %v", name, training, plain)
			}
			s.close()
		}
	}
}

// Two directions stand in one order: of rows that nothing masks, that one has a prefix which saves more; of masked rows, both leave out
// what is masked.
func TestLanes(t *testing.T) {
	no, yes := false, true
	row := func(ids ...int32) []int32 { return ids }
	for _, c := range []struct {
		name          string
		mask          *bool
		rows          [][]int32
		want          [2]struct{ begin, end []int }
		ahead, shared int
	}{
		{"front", &no, [][]int32{row(0, 0, 0, 5, 6), row(0, 0, 1, 2, 0), row(1, 2, 3, 0, 0)},
			[2]struct{ begin, end []int }{{[]int{3, 2, 0}, []int{5, 5, 5}}, {[]int{0, 0, 0}, []int{5, 5, 5}}}, 0, 3},
		{"back", &no, [][]int32{row(5, 6, 0, 0, 0), row(0, 2, 1, 0, 0), row(0, 0, 3, 2, 1)},
			[2]struct{ begin, end []int }{{[]int{0, 0, 0}, []int{5, 5, 5}}, {[]int{3, 2, 0}, []int{5, 5, 5}}}, 1, 3},
		{"masked in front", &yes, [][]int32{row(0, 0, 0, 5, 6), row(0, 0, 1, 2, 0), row(0, 0, 0, 0, 0)},
			[2]struct{ begin, end []int }{{[]int{3, 2, 4}, []int{5, 5, 5}}, {[]int{0, 0, 0}, []int{2, 3, 1}}}, -1, 0},
		{"masked behind", &yes, [][]int32{row(5, 6, 0, 0, 0), row(0, 2, 1, 0, 0), row(1, 2, 3, 4, 5)},
			[2]struct{ begin, end []int }{{[]int{0, 0, 0}, []int{2, 3, 5}}, {[]int{3, 2, 0}, []int{5, 5, 5}}}, -1, 0},
	} {
		x := tensor.NewIDs(len(c.rows), 5)
		for r, ids := range c.rows {
			copy(x.Data[r*5:], ids)
		}
		data, err := Arrays(x, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := benched(t, c.mask, fronts()["both concat"]...).newSession(nil, false)
		if err := s.load(data, []int{0, 1, 2}); err != nil {
			t.Fatal(err)
		}
		s.front.plan()
		ahead := -1
		for i := range s.front.lanes {
			l := &s.front.lanes[i]
			if l == s.front.ahead {
				ahead = i
			}
			if want := c.want[i]; !slices.Equal(l.begin, want.begin) || !slices.Equal(l.end, want.end) {
				t.Errorf("%s, lane %d: begin %v, end %v; want %v, %v", c.name, i, l.begin, l.end, want.begin, want.end)
			}
			if want := c.shared; i == c.ahead && l.shared != want || i != c.ahead && l.shared != 0 {
				t.Errorf("%s, lane %d: %d steps are shared, want %d of lane %d", c.name, i, l.shared, want, c.ahead)
			}
		}
		if ahead != c.ahead {
			t.Errorf("%s: lane %d has a prefix, want %d", c.name, ahead, c.ahead)
		}
		s.close()
	}
}
