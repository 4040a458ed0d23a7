package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/constraints"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// fakeCells knows one cell.
func fakeCells(name string) (string, error) {
	if name != "cells/my.cell" {
		return "", errors.New("no such file: " + name)
	}
	return "output_t = activation(dot(input_t, W))", nil
}

// same compares Specs: a tensor.Float by its value.
func same(got, want any) string {
	return cmp.Diff(want, got, cmp.Comparer(func(a, b tensor.Float) bool { return a == b }))
}

func TestModelText(t *testing.T) {
	lecture := []layers.Spec{
		layers.Embedding{InputDim: 10000, OutputDim: 32}, layers.SimpleRNN{Units: 32}, layers.Dense{Units: 1, Activation: activations.Sigmoid},
	}
	for _, c := range []struct {
		name, text string
		want       []layers.Spec
	}{
		{"pipeline", "embedding(10000, 32) |> simple_rnn(32) |> dense(1, sigmoid)", lecture},
		{"no spaces", "embedding(10000,32)|>simple_rnn(32)|>dense(1,'sigmoid')", lecture},
		{"names", "embedding(output_dim=32, input_dim=1e4) |> simple_rnn(units=32) |> dense(activation=\"sigmoid\", units=1)", lecture},
		{"lecture in R", "keras_model_sequential() %>% layer_embedding(input_dim = 10000, output_dim = 32) %>% layer_simple_rnn(units = 32) %>% " +
			"layer_dense(units = 1, activation = \"sigmoid\")", lecture},
		{"R with lines", "model <- keras_model_sequential() %>%\r\n  layer_embedding(input_dim = 10000L, # words\n    output_dim = 32L) %>%\n" +
			"  layer_simple_rnn(units = 32) %>%\n  layer_dense(units = 1, activation = “sigmoid”)\n", lecture},
		{"R 4's pipe", "model = keras_model_sequential(name = \"m\") |> layer_embedding(10000, 32, input_length = 500) |> layer_simple_rnn(32) |> layer_dense(1, 'sigmoid')", lecture},
		{"R list", "keras_model_sequential(list(layer_embedding(input_dim=10000, output_dim=32), layer_simple_rnn(units=32), layer_dense(units=1, activation='sigmoid')))", lecture},
		{"stack", "embedding(100, 8) |> lstm(4, return_sequences=TRUE) |> gru(4, reset_after=False, go_backwards=true, recurrent_activation=hard_sigmoid)", []layers.Spec{
			layers.Embedding{InputDim: 100, OutputDim: 8}, layers.LSTM{Units: 4, ReturnSequences: true},
			layers.GRU{Units: 4, NoResetAfter: true, GoBackwards: true, RecurrentActivation: activations.HardSigmoid},
		}},
		{"defaults said", "simple_rnn(4, tanh, True, dropout=0, recurrent_dropout=0.0, kernel_regularizer=NULL, stateful=FALSE, unroll=TRUE)", []layers.Spec{
			layers.SimpleRNN{Units: 4, Activation: activations.Tanh, Unroll: true},
		}},
		{"stateful", "lstm(4, stateful=TRUE) |> bidirectional(gru(2, stateful=true))", []layers.Spec{
			layers.LSTM{Units: 4, Stateful: true}, layers.Bidirectional{Layer: layers.GRU{Units: 2, Stateful: true}},
		}},
		{"cells", "rnn([lstm_cell(4), gru_cell(2, dropout=0.5)], return_sequences=true) |> layer_rnn(cell = list(rnn_cell_simple(units = 3))) |> rnn(rnn_cell_lstm(2), stateful=TRUE)", []layers.Spec{
			layers.RNN{Cells: []layers.Spec{layers.LSTM{Units: 4}, layers.GRU{Units: 2, Dropout: 0.5}}, ReturnSequences: true},
			layers.RNN{Cells: []layers.Spec{layers.SimpleRNN{Units: 3}}}, layers.RNN{Cell: layers.LSTM{Units: 2}, Stateful: true},
		}},
		{"dropout in the layer", "bidirectional(gru(4, dropout=0.2, recurrent_dropout=0.1), backward_layer=lstm(3, go_backwards=true, zero_output_for_mask=true))", []layers.Spec{
			layers.Bidirectional{
				Layer:         layers.GRU{Units: 4, Dropout: 0.2, RecurrentDropout: 0.1},
				BackwardLayer: layers.LSTM{Units: 3, GoBackwards: true, ZeroOutputForMask: true},
			},
		}},
		{"no activation", "dense(3, activation=None, use_bias=F, name='out')", []layers.Spec{
			layers.Dense{Name: "out", Units: 3, Activation: activations.Linear, NoBias: true},
		}},
		{"initializers", "lstm(2, kernel_initializer=he_normal, recurrent_initializer=initializer_orthogonal(gain=0.5), bias_initializer=constant(value=-1), unit_forget_bias=false)", []layers.Spec{
			layers.LSTM{Units: 2, KernelInitializer: initializers.HeNormal{}, RecurrentInitializer: initializers.Orthogonal{Gain: tensor.F(0.5)},
				BiasInitializer: initializers.Constant{Value: -1}, NoUnitForgetBias: true},
		}},
		{"own cell", "input(None, 3) |> recurrent(32, cell=cells/my.cell, proj=8, return_sequences=true)", []layers.Spec{
			layers.Input{Shape: tensor.Shape{tensor.None, 3}},
			layers.Recurrent{Units: 32, Cell: "output_t = activation(dot(input_t, W))", Sizes: map[string]int{"proj": 8}, ReturnSequences: true},
		}},
		{"lecture's LSTM", "lecture_lstm(32, activation=sigmoid)", []layers.Spec{
			layers.Recurrent{Units: 32, Cell: layers.LectureLSTM(1).Cell, Activation: activations.Sigmoid},
		}},
		{"equations that are built in", "projected_lstm(6, proj_size=2, return_sequences=true) |> layer_norm_lstm(3, return_sequences=TRUE) |> layer_normalization() |> irnn(4)", []layers.Spec{
			layers.Recurrent{Units: 6, Cell: layers.ProjectedLSTM(6, 2).Cell, Sizes: map[string]int{"proj_size": 2}, ReturnSequences: true},
			layers.Recurrent{Units: 3, Cell: layers.LayerNormLSTM(3).Cell, ReturnSequences: true},
			layers.LayerNormalization{}, layers.IRNN(4),
		}},
		{"the same in R", "layer_peephole_lstm(units = 3, return_sequences = TRUE) %>% layer_layer_norm_lstm(units = 2, return_sequences = TRUE) %>% layer_minimal_gated_unit(2, return_sequences = TRUE) %>% layer_coupled_lstm(2)", []layers.Spec{
			layers.Recurrent{Units: 3, Cell: layers.PeepholeLSTM(3).Cell, ReturnSequences: true},
			layers.Recurrent{Units: 2, Cell: layers.LayerNormLSTM(3).Cell, ReturnSequences: true},
			layers.Recurrent{Units: 2, Cell: layers.MinimalGatedUnit(3).Cell, ReturnSequences: true}, layers.CoupledLSTM(2),
		}},
		{"bidirectional", "bidirectional(lstm(8, return_sequences=true), merge_mode=sum) |> layer_bidirectional(layer = layer_gru(units = 2))", []layers.Spec{
			layers.Bidirectional{Layer: layers.LSTM{Units: 8, ReturnSequences: true}, MergeMode: "sum"}, layers.Bidirectional{Layer: layers.GRU{Units: 2}},
		}},
		{"shape in the first layer", "layer_lstm(units = 4, input_shape = list(NULL, 14)) %>% layer_dropout(rate = 0.5) %>% layer_dense(1)", []layers.Spec{
			layers.Input{Shape: tensor.Shape{tensor.None, 14}}, layers.LSTM{Units: 4}, layers.Dropout{Rate: 0.5}, layers.Dense{Units: 1},
		}},
		{"layers that draw", "spatial_dropout1d(0.2, seed=3) |> dropout(0.5, noise_shape=(None, 1, None)) |> gaussian_noise(0.1) |> gaussian_dropout(rate=0.2)", []layers.Spec{
			layers.SpatialDropout1D{Rate: 0.2, Seed: tensor.F(3)}, layers.Dropout{Rate: 0.5, NoiseShape: tensor.Shape{tensor.None, 1, tensor.None}},
			layers.GaussianNoise{Stddev: 0.1}, layers.GaussianDropout{Rate: 0.2},
		}},
		{"convolutions", "conv1d(8, 3, 2, same, activation=relu, kernel_regularizer=l2(0.5), bias_constraint=non_neg) |> max_pooling1d() |> average_pooling1d(3, 1, padding='same') |> global_max_pooling1d(keepdims=true) |> global_average_pooling1d()", []layers.Spec{
			layers.Conv1D{Filters: 8, KernelSize: 3, Strides: 2, DilationRate: 1, Groups: 1, Padding: "same", Activation: activations.ReLU,
				KernelRegularizer: regularizers.L2{L2: tensor.F(0.5)}, BiasConstraint: constraints.NonNeg{}},
			layers.MaxPooling1D{PoolSize: 2, Strides: 2, Padding: "valid"}, layers.AveragePooling1D{PoolSize: 3, Strides: 1, Padding: "same"},
			layers.GlobalMaxPooling1D{KeepDims: true}, layers.GlobalAveragePooling1D{},
		}},
		{"convolutions in R", "layer_conv_1d(filters = 32, kernel_size = 7, activation = 'relu', kernel_regularizer = regularizer_l1(l = 0.001), input_shape = c(NA, 4)) %>% layer_global_max_pooling_1d()", []layers.Spec{
			layers.Input{Shape: tensor.Shape{tensor.None, 4}},
			layers.Conv1D{Filters: 32, KernelSize: 7, Strides: 1, DilationRate: 1, Groups: 1, Padding: "valid", Activation: activations.ReLU, KernelRegularizer: regularizers.L1{L1: tensor.F(0.001)}},
			layers.GlobalMaxPooling1D{},
		}},
		{"normalizations", "layer_normalization([1, 2], 0.1, center=false) |> batch_normalization(momentum=0.9, gamma_initializer=constant(value=2), renorm=true) |> normalization(mean=1, variance=4) |> rescaling(0.5, offset=[1, 2])", []layers.Spec{
			layers.LayerNormalization{Axis: []int{1, 2}, Epsilon: tensor.F(0.1), NoCenter: true},
			layers.BatchNormalization{Momentum: tensor.F(0.9), GammaInitializer: initializers.Constant{Value: 2}, Renorm: true},
			layers.Normalization{Mean: []float64{1}, Variance: []float64{4}}, layers.Rescaling{Scale: []float64{0.5}, Offset: []float64{1, 2}},
		}},
		{"normalizations in R", "keras_model_sequential() %>% layer_normalization(axis = -1) %>% layer_layer_normalization(epsilon = 0.5)", []layers.Spec{
			layers.Normalization{Axis: []int{-1}}, layers.LayerNormalization{Epsilon: tensor.F(0.5)},
		}},
		{"shapes", "masking(1.5) |> activation(tanh) |> repeat_vector(3) |> flatten() |> reshape((2, -1)) |> permute((2, 1)) |> time_distributed(dense(4, name=d))", []layers.Spec{
			layers.Masking{MaskValue: 1.5}, layers.Activation{Activation: activations.Tanh}, layers.RepeatVector{N: 3}, layers.Flatten{},
			layers.Reshape{TargetShape: []int{2, -1}}, layers.Permute{Dims: []int{2, 1}}, layers.TimeDistributed{Layer: layers.Dense{Name: "d", Units: 4}},
		}},
		{"penalties", "embedding(9, 4, embeddings_regularizer=l1, embeddings_constraint=max_norm(1, axis=1)) |> dense(3, kernel_regularizer=l1_l2(0.1, 0.2), bias_regularizer=orthogonal_regularizer(mode=columns), activity_regularizer=regularizer_l2(), kernel_constraint=constraint_minmaxnorm(0.5, 2))", []layers.Spec{
			layers.Embedding{InputDim: 9, OutputDim: 4, EmbeddingsRegularizer: regularizers.L1{}, EmbeddingsConstraint: constraints.MaxNorm{MaxValue: tensor.F(1), Axis: []int{1}}},
			layers.Dense{Units: 3, KernelRegularizer: regularizers.L1L2{L1: 0.1, L2: 0.2}, BiasRegularizer: regularizers.Orthogonal{Mode: "columns"},
				ActivityRegularizer: regularizers.L2{}, KernelConstraint: constraints.MinMaxNorm{MinValue: 0.5, MaxValue: tensor.F(2)}},
		}},
		{"ids", "input(500) |> embedding(10, 2, mask_zero=true)", []layers.Spec{
			layers.Input{Shape: tensor.Shape{500}, IDs: true}, layers.Embedding{InputDim: 10, OutputDim: 2, MaskZero: true},
		}},
		{"Python's tuple", "input(shape=(28, 28,), dtype=float32) |> lstm(4)", []layers.Spec{
			layers.Input{Shape: tensor.Shape{28, 28}}, layers.LSTM{Units: 4},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := modelSpecs(c.text, fakeCells, keras3)
			if err != nil {
				t.Fatal(err)
			}
			if diff := same(got, c.want); diff != "" {
				t.Errorf("%s\n(-want +got)\n%s", c.text, diff)
			}
		})
	}
}

// The layers of the lecture's time: the functions of their gates, the reset gate's place, and their names, unless the text says otherwise.
func TestModelTextOfKeras2(t *testing.T) {
	got, err := modelSpecs("layer_lstm(units = 4, return_sequences = TRUE) %>% layer_lstm(3, recurrent_activation = 'sigmoid', return_sequences = TRUE) %>% "+
		"bidirectional(gru(2, return_sequences=true), name='both') |> gru(2, reset_after=true, recurrent_activation=hard_sigmoid) |> dense(1, hard_sigmoid) |> activation(hard_sigmoid)", fakeCells, keras2)
	if err != nil {
		t.Fatal(err)
	}
	hard := activations.HardSigmoidKeras2
	want := []layers.Spec{
		layers.LSTM{Name: "lstm_1", Units: 4, RecurrentActivation: hard, ReturnSequences: true},
		layers.LSTM{Name: "lstm_2", Units: 3, RecurrentActivation: activations.Sigmoid, ReturnSequences: true},
		layers.Bidirectional{Name: "both", Layer: layers.GRU{Name: "gru_1", Units: 2, RecurrentActivation: hard, NoResetAfter: true, ReturnSequences: true}},
		layers.GRU{Name: "gru_2", Units: 2, RecurrentActivation: hard},
		layers.Dense{Name: "dense_1", Units: 1, Activation: hard}, layers.Activation{Name: "activation_1", Activation: hard},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(tensor.Float{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	// In Go too; there nothing tells a GRU that is given its default from one that is not.
	spec := layers.Keras2(layers.LSTM{Units: 4, ReturnSequences: true}, layers.LSTM{Units: 3, RecurrentActivation: activations.Sigmoid, ReturnSequences: true},
		layers.Bidirectional{Name: "both", Layer: layers.GRU{Units: 2, ReturnSequences: true}}, layers.GRU{Units: 2, RecurrentActivation: activations.HardSigmoid},
		layers.Dense{Units: 1, Activation: activations.HardSigmoid}, layers.Activation{Activation: activations.HardSigmoid})
	want[3] = layers.GRU{Name: "gru_2", Units: 2, RecurrentActivation: hard, NoResetAfter: true}
	if d := cmp.Diff(want, spec, cmp.AllowUnexported(tensor.Float{})); d != "" {
		t.Errorf("Keras2 (-want +got):\n%s", d)
	}
}

func TestModelTextMistakes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", `model, column 1: expected a layer, got the end`},
		{"dense", `model, column 6: expected ( after dense, got the end`},
		{"dense(1", `model, column 8: expected , or ) in the arguments of dense, got the end`},
		{"dense(1) dense(2)", `model, column 10: expected |> or %>% and the next layer, or the end, got "dense"`},
		{"dense(1) |>", `model, column 12: expected a layer, got the end`},
		{"dense(1) > dense(2)", `model, column 10: expected |> or %>% and the next layer, or the end, got ">"`},
		{"embedding(10, 3) |> simplernn(32)", `model, column 21: unknown layer "simplernn"; did you mean simple_rnn?`},
		{"embedding(10, 3) |>\n  transformer(32)", `model, line 2, column 3: unknown layer "transformer"; expected one of input, embedding, simple_rnn, lstm, gru, recurrent, lecture_lstm, peephole_lstm, projected_lstm, layer_norm_lstm, minimal_gated_unit, coupled_lstm, irnn, rnn, bidirectional, time_distributed, dense, dropout, spatial_dropout1d, `},
		{"conv1d(8)", `model, column 1: conv1d: expected kernel_size, got none`},
		{"conv1d(8, three)", `model, column 11: kernel_size: expected an integer, got "three"`},
		{"conv1d(8, 3, 2, dilation_rate=2)", `model, column 1: Conv1D: strides must be 1 where dilation_rate is 2, got 2`},
		{"conv1d(8, 3, kernel_regularizer=l3)", `model, column 33: kernel_regularizer: regularizers: expected the name of a regularizer, one of l1, l2, l1l2, orthogonal_regularizer, got "l3"`},
		{"dense(8, kernel_regularizer=l3)", `model, column 29: kernel_regularizer: expected the name of a regularizer, one of l1, l2, l1l2, orthogonal_regularizer, got "l3"`},
		{"dense(8, kernel_constraint=max_norm(big=1))", `model, column 28: kernel_constraint: unknown key "big"`},
		{"dropout(1.5)", `model, column 9: rate: expected a number from 0 to 1, got 1.5`},
		{"max_pooling1d(2, padding=causal)", `model, column 26: padding: expected "valid" or "same", got "causal"`},
		{"time_distributed(3)", `model, column 1: expected a layer in time_distributed(), as in time_distributed(dense(3)), got 3`},
		{"batch_normalization(trainable=false)", `model, column 31: batch_normalization: trainable is not supported, got false`},
		{"layer_dens(1)", `model, column 1: unknown layer "dens"; did you mean dense?`},
		{"lstm(32, return_sequence=true)", `model, column 10: lstm: unknown argument "return_sequence"; did you mean return_sequences`},
		{"lstm()", `model, column 1: lstm: expected units, a whole number, got none`},
		{"lstm(0.5)", `model, column 6: units: expected a whole number, got 0.5`},
		{"lstm('32')", `model, column 6: units: expected a whole number, got "32"`},
		{"lstm(32, tahn)", `model, column 10: activation: expected the name of an activation, got "tahn"; did you mean tanh`},
		{"lstm(32, units=3)", `model, column 10: lstm: expected units once, got it twice`},
		{"dropout(0.5, 1, 2, 3)", `model, column 20: dropout: expected at most 3 arguments without a name, got 3`},
		{"rnn()", "model, column 1: expected a cell or a list of cells in rnn(), as in rnn([lstm_cell(32), gru_cell(16)]), got "},
		{"rnn([3])", "model, column 6: cell: expected a cell, as in lstm_cell(32), got 3"},
		{"rnn(cell=lstn_cell(3))", `model, column 10: unknown layer "lstn"; did you mean lstm`},
		{"lstm(32, return_state=true)", `model, column 23: lstm: return_state is not supported, got true`},
		{"lstm(32, unroll=maybe)", `model, column 17: unroll: expected true or false, got maybe`},
		{"lstm(32, dropout=half)", `model, column 18: dropout: expected a number, got half`},
		{"bidirectional(lstm(3), backward_layer=3)", `model, column 39: backward_layer: expected a recurrent layer, as in lstm(32, go_backwards=true), got 3`},
		{"lstm(32, use_bias=maybe)", `model, column 19: use_bias: expected true or false, got maybe`},
		{"lstm(32, kernel_initializer=glorot_unifrm)", `model, column 29: kernel_initializer: expected the name of an initializer, got "glorot_unifrm"; did you mean glorot_uniform`},
		{"lstm(32, kernel_initializer=random_uniform(1, 2))", `model, column 44: random_uniform: expected NAME=VALUE, got 1`},
		{"dense(1, 'sigmoid)", `model, column 10: expected the closing ' of this text, got the end`},
		{"recurrent(32)", `model, column 1: expected the equations in recurrent(), as in recurrent(32, cell=my.cell), got none`},
		{"recurrent(32, cell=other.cell)", `model, column 20: cell: no such file: other.cell`},
		{"recurrent(32, cell=cells/my.cell, unts=x)", `model, column 35: recurrent: unknown argument "unts"; did you mean units?`},
		{"bidirectional(32)", `model, column 1: expected a recurrent layer in bidirectional(), as in bidirectional(lstm(32)), got 32`},
		{"bidirectional(lstm(2), merge_mode=None)", `model, column 35: expected a merge_mode of concat, sum, mul or ave, got None`},
		{"input()", `model, column 1: expected a shape in input(), as in input(500) or input(None, 12), got none`},
		{"input(0)", `model, column 7: expected the length of an axis, a whole number from 1 or None, got 0`},
		{"dense(2) |> dense(1, input_shape=3)", `model, column 13: expected input_shape on the first layer alone, got it on dense`},
		{"keras_model_sequential()", `model, column 25: expected a layer after keras_model_sequential(), got the end`},
		{"model <- 3", `model, column 10: expected a layer, got "3"`},
		{"dense(1, c(units=3))", `model, column 12: expected values without names in c(), got "units"`},
		{"dense(\xff)", `model, column 7: expected text in UTF-8, got the byte 0xff`},
		{strings.Repeat("bidirectional(", 60), `expected at most 50 parentheses in one another`},
		{strings.Repeat("dense(1) |> ", 6000), `expected at most 65536 bytes`},
	} {
		_, err := modelSpecs(c.text, fakeCells, keras3)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q\n got: %v\nwant: %s", c.text, err, c.want)
		}
	}
}

func FuzzModelText(f *testing.F) {
	f.Add("model <- keras_model_sequential() %>% layer_embedding(input_dim = 10000L, output_dim = 32) %>% layer_dense(units = 1, activation = \"sigmoid\")")
	f.Add("input(shape=(None, 3)) |> bidirectional(recurrent(32, cell='cells/my.cell', proj=8), merge_mode=ave) # end")
	f.Add("lstm(32, kernel_initializer=constant(value=[1, -2e3, {]))")
	f.Fuzz(func(t *testing.T, text string) {
		specs, err := modelSpecs(text, fakeCells, keras3)
		if (err == nil) != (len(specs) > 0) {
			t.Fatalf("%d layers and the error %v", len(specs), err)
		}
		if err == nil {
			return
		}
		var e *textError
		if !errors.As(err, &e) {
			t.Fatalf("an error without a place: %v", err)
		}
		if line, col := place(e.text, e.at); e.at > len(text) || line < 1 || col < 1 {
			t.Fatalf("place %d of %d bytes: line %d, column %d", e.at, len(text), line, col)
		}
		excerpt(&strings.Builder{}, e.text, e.at)
	})
}
