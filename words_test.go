package unroll

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// Words are those that were marked, by whomever, in order, one first; nothing is left of a batch before.
func TestWords(t *testing.T) {
	s := random.New(2, random.Data)
	var d words
	for _, rows := range []int{1, 7, 8, 9, 64, 100, 3} {
		a, b := marks(rows), marks(rows)
		for range 20 {
			var want []int32
			for id := range rows {
				if s.IntN(3) == 0 {
					a[id] = 1
				}
				if s.IntN(5) == 0 {
					b[id] = 1
				}
				if a[id]+b[id] > 0 {
					want = append(want, int32(id))
				}
			}
			first := int32(s.IntN(rows+1) - 1)
			if first >= 0 {
				want = slices.DeleteFunc(want, func(id int32) bool { return id == first })
				want = slices.Insert(want, 0, first)
			}
			d.collect(rows, first, a, b)
			if !slices.Equal(d.distinct, want) {
				t.Fatalf("%d rows, %d first: got %v, want %v", rows, first, d.distinct, want)
			}
			for id := range rows {
				if got, want := d.number(id), slices.Index(want, int32(id)); got != want {
					t.Fatalf("row %d has number %d, want %d", id, got, want)
				}
			}
			if slices.Contains(a, 1) || slices.Contains(b, 1) {
				t.Fatal("marks are left")
			}
		}
	}
}

// An id that the table does not have is an error that says where, and leaves nothing behind in the workers.
func TestFrontRefusesIDs(t *testing.T) {
	m := fronted(t)
	x := tensor.NewIDs(40, 9)
	for i := range x.Data {
		x.Data[i] = int32(i % 50)
	}
	good, err := Arrays(x, nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := m.Predict(context.Background(), good)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []int32{50, -1, 1 << 30} {
		for _, at := range []int{0, 9*35 + 4} {
			y := &tensor.IDs{Shape: x.Shape, Data: slices.Clone(x.Data)}
			y.Data[at] = bad
			d, err := Arrays(y, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.Predict(context.Background(), d, BatchSize(40)); err == nil || !strings.Contains(err.Error(), "expected ids from 0 to 49") {
				t.Errorf("id %d at %d: %v", bad, at, err)
			}
			for _, w := range m.idle {
				if slices.Contains(w.front.seen, 1) {
					t.Fatal("a worker has words of a batch that was refused")
				}
			}
		}
	}
	got, err := m.Predict(context.Background(), good)
	if err != nil {
		t.Fatal(err)
	}
	wantSameBits(t, "prediction", got.Data, want.Data)
}

// Where distinct words pay, by the sizes of the lecture: from a few rows on, and not for a single one.
func TestWordsFrom(t *testing.T) {
	m, err := Sequential(layers.Embedding{InputDim: 10000, OutputDim: 32}, layers.SimpleRNN{Units: 32}, layers.Dense{Units: 1})
	if err != nil {
		t.Fatal(err)
	}
	if n := m.front.wordsFrom; n <= 500 || n > 8*500 {
		t.Errorf("words are numbered from %d positions on, want more than one review and no more than eight", n)
	}
}
