package sequence

import (
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/tensor"
)

// The wanted rows are those of Keras 3's documentation of pad_sequences and of its rules: see the names.
func TestPad(t *testing.T) {
	seqs := [][]int32{{1}, {2, 3}, {4, 5, 6}, {}}
	for _, c := range []struct {
		name string
		o    PadOptions
		want []int32
	}{
		{"defaults", PadOptions{}, []int32{0, 0, 1, 0, 2, 3, 4, 5, 6, 0, 0, 0}},
		{"value", PadOptions{Value: -1}, []int32{-1, -1, 1, -1, 2, 3, 4, 5, 6, -1, -1, -1}},
		{"padding post", PadOptions{Padding: Post}, []int32{1, 0, 0, 2, 3, 0, 4, 5, 6, 0, 0, 0}},
		{"maxlen 2 keeps the last", PadOptions{MaxLen: 2}, []int32{0, 1, 2, 3, 5, 6, 0, 0}},
		{"truncating post keeps the first", PadOptions{MaxLen: 2, Truncating: Post}, []int32{0, 1, 2, 3, 4, 5, 0, 0}},
		{"both post", PadOptions{MaxLen: 2, Padding: Post, Truncating: Post}, []int32{1, 0, 2, 3, 4, 5, 0, 0}},
		{"maxlen 4", PadOptions{MaxLen: 4, Padding: Post, Value: 9}, []int32{1, 9, 9, 9, 2, 3, 9, 9, 4, 5, 6, 9, 9, 9, 9, 9}},
	} {
		got := Pad(seqs, c.o)
		steps := len(c.want) / len(seqs)
		if !got.Shape.Equal(tensor.Shape{len(seqs), steps}) || !slices.Equal(got.Data, c.want) {
			t.Errorf("%s: got %v %v, want %v", c.name, got.Shape, got.Data, c.want)
		}
	}
	if got := Pad(nil, PadOptions{}); !got.Shape.Equal(tensor.Shape{0, 0}) {
		t.Errorf("no sequences: got shape %v", got.Shape)
	}
	if got := Pad([][]int32{{1, 2}}, PadOptions{MaxLen: -5}); !slices.Equal(got.Data, []int32{1, 2}) {
		t.Errorf("a negative MaxLen: got %v", got.Data)
	}
}
