package unroll_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/datasets"
	"github.com/unroll-ml/unroll/datasets/reviews"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/sequence"
	"github.com/unroll-ml/unroll/tensor"
)

// The lecture's model, on the first rows of the made-up reviews.
func Example() {
	ctx := context.Background()
	split, _, err := reviews.Load(datasets.Options{NumWords: 10000})
	if err != nil {
		log.Fatal(err)
	}
	const rows = 640
	x := sequence.Pad(split.X[:rows], sequence.PadOptions{MaxLen: 100})
	train, err := unroll.Arrays(x, &tensor.IDs{Shape: tensor.Shape{rows}, Data: split.Y[:rows]})
	if err != nil {
		log.Fatal(err)
	}
	model, err := unroll.Sequential(
		layers.Embedding{InputDim: 10000, OutputDim: 32},
		layers.SimpleRNN{Units: 32},
		layers.Dense{Units: 1, Activation: activations.Sigmoid},
	)
	if err != nil {
		log.Fatal(err)
	}
	if err := model.Compile(optimizers.RMSprop{}, losses.BinaryCrossentropy{}, metrics.Accuracy{Name: "acc"}); err != nil {
		log.Fatal(err)
	}
	history, err := model.Fit(ctx, train, unroll.Epochs(2), unroll.BatchSize(128), unroll.ValidationSplit(0.2))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(history.Keys(), "of", len(history.Epoch), "epochs,", history.Samples, "rows to train on and", history.ValidationSamples, "to validate")
	// Output: [loss acc val_loss val_acc] of 2 epochs, 512 rows to train on and 128 to validate
}

// A layer from equations: the lecture's recurrent network, pasted.
func ExampleSequential_equations() {
	model, err := unroll.Sequential(
		layers.Embedding{InputDim: 10000, OutputDim: 32},
		layers.Recurrent{Units: 32, Cell: `output_t <- tanh(as.numeric((W %*% input_t) + (U %*% state_t) + b))`},
		layers.Dense{Units: 1, Activation: activations.Sigmoid},
	)
	if err != nil {
		log.Fatal(err)
	}
	for _, w := range model.Weights()[1:4] {
		fmt.Println(w.Path, w.Shape)
	}
	// Output:
	// recurrent/cell/W (32, 32)
	// recurrent/cell/U (32, 32)
	// recurrent/cell/b (32,)
}

// The summary as the lecture prints it.
func ExampleModel_Summary() {
	model, err := unroll.Sequential(
		layers.Embedding{InputDim: 1000, OutputDim: 8},
		layers.LSTM{Units: 4},
		layers.Dense{Units: 1, Activation: activations.Sigmoid},
	)
	if err != nil {
		log.Fatal(err)
	}
	if err := model.Summary(os.Stdout, unroll.Keras3); err != nil {
		log.Fatal(err)
	}
	// Output:
	// Model: "sequential"
	// ┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━┓
	// ┃ Layer (type)                         ┃ Output Shape                ┃         Param # ┃
	// ┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━┩
	// │ embedding (Embedding)                │ (None, None, 8)             │           8,000 │
	// ├──────────────────────────────────────┼─────────────────────────────┼─────────────────┤
	// │ lstm (LSTM)                          │ (None, 4)                   │             208 │
	// ├──────────────────────────────────────┼─────────────────────────────┼─────────────────┤
	// │ dense (Dense)                        │ (None, 1)                   │               5 │
	// └──────────────────────────────────────┴─────────────────────────────┴─────────────────┘
	//  Total params: 8,213 (32.08 KB)
	//  Trainable params: 8,213 (32.08 KB)
	//  Non-trainable params: 0 (0.00 B)
}
