package unroll_test

import (
	"fmt"
	"log"
	"os"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/tensor"
)

// A translator: the state that an encoder ends with is the one that a decoder begins with. Both read words through one embedding.
func ExampleFunctional() {
	words := tensor.Shape{tensor.None} // sentences of any length
	source := unroll.Input(layers.Input{Name: "source", Shape: words, IDs: true})
	target := unroll.Input(layers.Input{Name: "target", Shape: words, IDs: true})
	embed := unroll.Share(layers.Embedding{InputDim: 5000, OutputDim: 64})

	encoder := unroll.Apply(layers.LSTM{Name: "encoder", Units: 128, ReturnState: true}, unroll.Apply(embed, source))
	state, carry := encoder.At(1), encoder.At(2)
	decoder := unroll.Apply(layers.LSTM{Name: "decoder", Units: 128, ReturnSequences: true}, unroll.Apply(embed, target), state, carry)
	next := unroll.Apply(layers.Dense{Name: "next", Units: 5000, Activation: activations.Softmax}, decoder)

	model, err := unroll.Functional([]unroll.Symbol{source, target}, []unroll.Symbol{next})
	if err != nil {
		log.Fatal(err) // names the layer, what it expected and what it got
	}
	if err := model.Compile(optimizers.Adam{}, losses.SparseCategoricalCrossentropy{}, metrics.Accuracy{}); err != nil {
		log.Fatal(err)
	}
	// The encoder alone: the same layers, the same weights.
	encode, err := unroll.Functional([]unroll.Symbol{source}, []unroll.Symbol{state, carry})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(encode.Weights()), "of", len(model.Weights()), "weights are the encoder's")
	if err := model.Summary(os.Stdout, unroll.Keras3); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 4 of 9 weights are the encoder's
	// Model: "functional"
	// ┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━┓
	// ┃ Layer (type)                  ┃ Output Shape              ┃         Param # ┃ Connected to               ┃
	// ┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━━┩
	// │ target (InputLayer)           │ (None, None)              │               0 │ -                          │
	// ├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
	// │ source (InputLayer)           │ (None, None)              │               0 │ -                          │
	// ├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
	// │ embedding (Embedding)         │ (None, None, 64)          │         320,000 │ source[0][0], target[0][0] │
	// ├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
	// │ encoder (LSTM)                │ [(None, 128), (None,      │          98,816 │ embedding[0][0]            │
	// │                               │ 128), (None, 128)]        │                 │                            │
	// ├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
	// │ decoder (LSTM)                │ (None, None, 128)         │          98,816 │ embedding[1][0],           │
	// │                               │                           │                 │ encoder[0][1],             │
	// │                               │                           │                 │ encoder[0][2]              │
	// ├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
	// │ next (Dense)                  │ (None, None, 5000)        │         645,000 │ decoder[0][0]              │
	// └───────────────────────────────┴───────────────────────────┴─────────────────┴────────────────────────────┘
	//  Total params: 1,162,632 (4.44 MB)
	//  Trainable params: 1,162,632 (4.44 MB)
	//  Non-trainable params: 0 (0.00 B)
}
