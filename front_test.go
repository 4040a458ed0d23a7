package unroll

import (
	"context"
	"fmt"
	"math"
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

// frontData is sequences with padding in front, behind, in between, or everywhere.
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

// Each of the savings gives what the plain way gives: predictions to the bit, training up to the order of sums.
func TestSavings(t *testing.T) {
	const rows, steps = 45, 13
	stacks := map[string][]layers.Spec{
		"simple_rnn":   {layers.SimpleRNN{Units: 5}},
		"lstm":         {layers.LSTM{Units: 6}},
		"gru":          {layers.GRU{Units: 4}},
		"gru_before":   {layers.GRU{Units: 4, NoResetAfter: true}},
		"lecture_lstm": {layers.LectureLSTM(3)},
		"stack":        {layers.SimpleRNN{Units: 5, ReturnSequences: true}, layers.GRU{Units: 4, ReturnSequences: true}, layers.LSTM{Units: 3}},
		"held":         {layers.GRU{Units: 4, KernelRegularizer: regularizers.L2{}, RecurrentConstraint: constraints.MaxNorm{}}, layers.BatchNormalization{}},
		"no_state":     {layers.Recurrent{Units: 4, Cell: "output_t = tanh(dot(input_t, W) + b)"}},
		"residual":     {layers.Recurrent{Units: 7, Cell: "output_t = input_t + tanh(dot(input_t, W) + dot(state_t, U) + b)"}},
		"next_output":  {layers.Recurrent{Units: 4, Cell: "state_t+1 = tanh(dot(input_t, W) + dot(state_t, U) + b)\noutput_t = sigmoid(dot(state_t+1, V) + d)"}},
	}
	for name, stack := range stacks {
		for _, mask := range []bool{false, true} {
			for _, padding := range []string{"none", "front", "back", "holes"} {
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
					for k := 1; k < 16; k++ {
						s := savings{rows: k&1 != 0, prefix: k&2 != 0, active: k&4 != 0, touched: k&8 != 0}
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
