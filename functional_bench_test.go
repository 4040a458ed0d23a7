package unroll

import (
	"testing"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/tensor"
)

// BenchmarkTranslator is a training step of an encoder and a decoder, LSTM(128), 64 pairs of sentences of 20 words, 2000 words, masked.
func BenchmarkTranslator(b *testing.B) {
	const rows, steps, vocabulary, units = 64, 20, 2000, 128
	words := tensor.Shape{tensor.None}
	source, target := Input(layers.Input{Shape: words, IDs: true}), Input(layers.Input{Shape: words, IDs: true})
	embed := Share(layers.Embedding{InputDim: vocabulary, OutputDim: 64, MaskZero: true})
	encoder := Apply(layers.LSTM{Units: units, ReturnState: true}, Apply(embed, source))
	decoder := ApplyMasked(layers.LSTM{Units: units, ReturnSequences: true}, Apply(embed, target), encoder.At(1), encoder.At(2))
	m, err := Functional([]Symbol{source, target}, []Symbol{Apply(layers.Dense{Units: vocabulary, Activation: activations.Softmax}, decoder)})
	if err != nil {
		b.Fatal(err)
	}
	if err := m.Compile(optimizers.Adam{}, losses.SparseCategoricalCrossentropy{}); err != nil {
		b.Fatal(err)
	}
	s := random.New(1, random.Data)
	draw := func() *tensor.IDs {
		x := tensor.NewIDs(rows, steps)
		for r := range rows {
			for t := range 5 + s.IntN(steps-4) {
				x.Data[r*steps+t] = int32(1 + s.IntN(vocabulary-1))
			}
		}
		return x
	}
	d, err := Arrays([]any{draw(), draw()}, draw())
	if err != nil {
		b.Fatal(err)
	}
	if err := m.ready(d); err != nil {
		b.Fatal(err)
	}
	session := m.newSession(m.compiled, true)
	defer session.close()
	all := make([]int, rows)
	for i := range all {
		all[i] = i
	}
	total := newSums(m.compiled)
	for b.Loop() {
		if _, err := session.train(d, all, 0, 0, &total); err != nil {
			b.Fatal(err)
		}
	}
}
