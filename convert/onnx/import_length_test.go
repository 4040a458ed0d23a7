package onnx

import "testing"

// Lengths are equal where they are so for every batch, and whole quotients are those that are so for every batch.
func TestLengths(t *testing.T) {
	steps, other := length{1, "O"}, length{1, "P"}
	rows, ok := batch.times(steps)
	if swapped, _ := steps.times(batch); !ok || rows != swapped || rows == batch {
		t.Errorf("expected N·O both ways, got %v and %v", rows, swapped)
	}
	wide, _ := rows.times(lengthOf(6))
	if q, ok := wide.over(length{2, "O"}); !ok || q != (length{3, "N"}) {
		t.Errorf("expected 6·N·O over 2·O to be 3·N, got %v, %v", q, ok)
	}
	for _, by := range []length{other, lengthOf(4), lengthOf(0), {1, "NN"}} {
		if q, ok := wide.over(by); ok {
			t.Errorf("expected no quotient of %v over %v, got %v", wide, by, q)
		}
	}
	if p, ok := lengthOf(1 << 62).times(lengthOf(4)); ok {
		t.Errorf("expected no product beyond 64 bits, got %v", p)
	}
	long := batch
	for range maxFactors - 1 {
		long, ok = long.times(steps)
	}
	if _, more := long.times(steps); !ok || more {
		t.Errorf("expected a product of %d axes and none of more, got %v, %v", maxFactors, ok, more)
	}
}

// Axes are taken together and apart where their lengths say so, whatever the lengths are, and in no other way.
func TestRegrouped(t *testing.T) {
	steps := length{1, "O"}
	s := &source{lengths: []length{batch, steps, lengthOf(6)}}
	rows, _ := batch.times(steps)
	for _, c := range []struct {
		axes    []axis
		lengths []length
		want    string
	}{
		{axesOf(0, 1, 2), []length{rows, lengthOf(6)}, "[[0 1] 2]"},
		{[]axis{{of: []int{0, 1}}, {of: []int{2}}}, []length{batch, steps, lengthOf(6)}, "[0 1 2]"},
		{[]axis{{of: []int{0, 1}}, {of: []int{2}}}, []length{steps, batch, lengthOf(6)}, ""},
		{axesOf(1, 0, 2), []length{rows, lengthOf(6)}, "[[1 0] 2]"},
		{axesOf(0, 1, 2), []length{one, rows, lengthOf(6), one}, "[- [0 1] 2 -]"},
		{axesOf(0, 1, 2), []length{batch, {3, "O"}, lengthOf(2)}, ""},
		{axesOf(0, 1, 2), []length{batch, {6, "O"}}, "[0 [1 2]]"},
	} {
		got := ""
		if v := regrouped(&view{parts: []*source{s}, axes: c.axes}, c.lengths); v != nil {
			got = v.order()
		}
		if got != c.want {
			t.Errorf("axes %v as %s: expected %q, got %q", c.axes, shown(c.lengths), c.want, got)
		}
	}
}
