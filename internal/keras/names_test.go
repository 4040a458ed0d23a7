package keras_test

import (
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/keras"
)

// Wanted names are those that Keras 3.15.1's to_snake_case returns.
func TestSnake(t *testing.T) {
	for class, want := range map[string]string{
		"LSTM": "lstm", "SimpleRNN": "simple_rnn", "GRU": "gru", "LSTMCell": "lstm_cell", "StackedRNNCells": "stacked_rnn_cells",
		"RMSprop": "rm_sprop", "SGD": "sgd", "AdamW": "adam_w", "Dense": "dense", "GlobalMaxPooling1D": "global_max_pooling1d",
		"ConvLSTM1D": "conv_lstm1d", "TimeDistributed": "time_distributed", "RNN": "rnn", "GlorotUniform": "glorot_uniform",
		"MeanSquaredError": "mean_squared_error", "CTC": "ctc", "F1Score": "f1_score", "SpatialDropout1D": "spatial_dropout1d",
		"ReLU": "re_lu", "PReLU": "p_re_lu", "ELU": "elu", "LeakyReLU": "leaky_re_lu", "my_Layer": "my__layer", "a_B": "a_b", "Conv2DTranspose": "conv2d_transpose", "BinaryIoU": "binary_io_u", "": "",
	} {
		if got := keras.Snake(class); got != want {
			t.Errorf("Snake(%q) = %q, want %q", class, got, want)
		}
	}
}

func TestUnknownNamesWhatIsNear(t *testing.T) {
	known := []string{"tanh", "hard_tanh", "sigmoid", "hard_sigmoid"}
	for name, want := range map[string]string{
		"tahn":     `activations: expected the name of an activation, got "tahn"; did you mean tanh?`,
		"Sigmoyd":  `activations: expected the name of an activation, got "Sigmoyd"; did you mean sigmoid?`,
		"entirely": `activations: expected the name of an activation, one of tanh, hard_tanh, sigmoid, hard_sigmoid, got "entirely"`,
		strings.Repeat("s", 100): `activations: expected the name of an activation, one of tanh, hard_tanh, sigmoid, hard_sigmoid, got "` +
			strings.Repeat("s", 40) + `"…`,
	} {
		if got := keras.Unknown("activations", "an activation", name, known).Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
