package layers

import (
	"testing"

	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/tensor"
)

// BenchmarkArguments is a step of training of an LSTM(32), 128 rows of 500 steps of 32 values in shards of 16, there and back, for what may be asked of the
// layer: nanoseconds a row and step. None may cost half as much again as the plain layer; a stack of two cells is to be compared with two layers.
func BenchmarkArguments(b *testing.B) {
	const rows, shard, steps, width = 128, 16, 500, 32
	s := random.New(1, random.Data)
	draw := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = 2*s.Float32() - 1
		}
		return x
	}
	holes, right := make([]bool, shard*steps), make([]bool, shard*steps)
	for i := range holes {
		holes[i], right[i] = s.Float32() < 0.7, i/shard <= i%shard*steps/shard
	}
	x, given, dy, dseq := draw(shard*steps*width), draw(shard*width), draw(shard*width), draw(shard*steps*width)
	lstm := LSTM{Units: width}
	with := func(change func(l *LSTM)) []Spec {
		l := lstm
		change(&l)
		return []Spec{l}
	}
	for _, c := range []struct {
		name   string
		layers []Spec
		given  bool
		mask   []bool
	}{
		{"plain", []Spec{lstm}, false, nil},
		{"initial_state, return_state", with(func(l *LSTM) { l.ReturnState = true }), true, nil},
		{"stateful", with(func(l *LSTM) { l.Stateful = true }), false, nil},
		{"recurrent_dropout", with(func(l *LSTM) { l.RecurrentDropout = 0.2 }), false, nil},
		{"dropout, recurrent_dropout", with(func(l *LSTM) { l.Dropout, l.RecurrentDropout = 0.2, 0.2 }), false, nil},
		{"go_backwards", with(func(l *LSTM) { l.GoBackwards = true }), false, nil},
		{"masked ends", []Spec{lstm}, false, right},
		{"masks with holes", []Spec{lstm}, false, holes},
		{"masks with holes, states", with(func(l *LSTM) { l.ReturnState = true }), true, holes},
		{"masks with holes, zero_output_for_mask", with(func(l *LSTM) { l.ZeroOutputForMask = true }), false, holes},
		{"return_sequences", with(func(l *LSTM) { l.ReturnSequences = true }), false, nil},
		{"return_sequences, masks with holes, zero_output_for_mask", with(func(l *LSTM) { l.ReturnSequences, l.ZeroOutputForMask = true, true }), false, holes},
		{"two layers", []Spec{LSTM{Units: width, ReturnSequences: true}, lstm}, false, nil},
		{"RNN of two cells", []Spec{RNN{Cells: []Spec{lstm, LSTM{Units: width}}}}, false, nil},
		{"two layers, masks with holes", []Spec{LSTM{Units: width, ReturnSequences: true}, lstm}, false, holes},
		{"RNN of two cells, masks with holes", []Spec{RNN{Cells: []Spec{lstm, LSTM{Units: width}}}}, false, holes},
	} {
		b.Run(c.name, func(b *testing.B) {
			pass := &Pass{Training: true, Batch: rows, Grads: &Grads{}}
			var all []Layer
			var calls []*Call
			for i, spec := range c.layers {
				in := []Signature{{Shape: tensor.Shape{tensor.None, tensor.None, width}}}
				call := &Call{Pass: pass, Number: i, In: []Value{{Shape: tensor.Shape{shard, steps, width}, Data: x, Mask: c.mask, TimeMajor: true}}, DIn: [][]float32{make([]float32, len(x))}}
				for range 2 {
					if c.given {
						in = append(in, Signature{Shape: tensor.Shape{tensor.None, width}})
						call.In, call.DIn = append(call.In, Value{Shape: tensor.Shape{shard, width}, Data: given}), append(call.DIn, make([]float32, len(given)))
					}
				}
				l, err := spec.Build(&Builder{Name: "x"}, in)
				if err != nil {
					b.Fatal(err)
				}
				out, err := l.Output(in)
				if err != nil {
					b.Fatal(err)
				}
				call.Out, call.DOut = make([]Value, len(out)), make([][]float32, len(out))
				for k := range out {
					call.DOut[k] = dy
				}
				if r, ok := l.(*recurrent); ok && r.spec.ReturnSequences {
					call.DOut[0] = dseq
				}
				for k, w := range l.Weights() {
					w.Index = len(pass.Grads.Dense)
					if err := w.Init(random.New(1, random.Init, uint64(k))); err != nil {
						b.Fatal(err)
					}
					pass.Grads.Dense = append(pass.Grads.Dense, make([]float32, len(w.Data)))
				}
				all, calls = append(all, l), append(calls, call)
			}
			for b.Loop() {
				for _, l := range all {
					l.Prepare(true)
				}
				for row := 0; row < rows; row += shard {
					pass.Row = row
					for i, l := range all {
						if i > 0 {
							calls[i].In[0] = calls[i-1].Out[0]
						}
						l.Forward(calls[i])
					}
					for i := len(all) - 1; i >= 0; i-- {
						if i < len(all)-1 {
							calls[i].DOut[0] = calls[i+1].DIn[0]
						}
						all[i].Backward(calls[i])
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows*steps), "ns/row-step")
		})
	}
}
