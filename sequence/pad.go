// Package sequence makes arrays of equal length out of sequences that are not.
package sequence

import "github.com/unroll-ml/unroll/tensor"

// Side is where padding is put, or items are taken away.
type Side int

const (
	Pre  Side = iota // before the sequence, at its start
	Post             // after it, at its end
)

// PadOptions are the arguments of Keras's pad_sequences; the zero value is its defaults.
type PadOptions struct {
	MaxLen     int   // T; 0 or less is the length of the longest sequence
	Padding    Side  // where Value goes in a sequence shorter than T
	Truncating Side  // where a longer sequence loses items: Pre keeps its last T
	Value      int32 // what stands where there is no word
}

// Pad copies sequences into the rows of an (N, T) array, as Keras's pad_sequences does. An empty sequence is a row of Value.
func Pad(seqs [][]int32, o PadOptions) *tensor.IDs {
	steps := max(o.MaxLen, 0)
	if steps == 0 {
		for _, s := range seqs {
			steps = max(steps, len(s))
		}
	}
	ids := tensor.NewIDs(len(seqs), steps)
	if o.Value != 0 {
		for i := range ids.Data {
			ids.Data[i] = o.Value
		}
	}
	for i, s := range seqs {
		row := ids.Data[i*steps : (i+1)*steps]
		if over := len(s) - steps; over > 0 {
			if o.Truncating == Pre {
				s = s[over:]
			} else {
				s = s[:steps]
			}
		}
		if o.Padding == Pre {
			row = row[steps-len(s):]
		}
		copy(row, s)
	}
	return ids
}
