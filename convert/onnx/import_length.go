package onnx

import (
	"fmt"
	"slices"
	"strings"
)

// length is the length of an axis: n times axes that are open until the model runs, each a rune of open, in order. Two lengths that are equal as values are equal
// whatever comes in; two that differ may be equal only by chance.
type length struct {
	n    int64
	open string
}

// batch is how many rows a batch has.
var batch = length{1, "N"}

var one = length{n: 1}

// maxFactors is how many open axes a length may be the product of: no more than a value has axes.
const maxFactors = 8

// lengthOf is a whole number as a length.
func lengthOf(n int64) length { return length{n: n} }

func (l length) known() bool { return l.open == "" }

func (l length) String() string {
	switch {
	case l.known():
		return fmt.Sprint(l.n)
	case l.n == 1:
		return strings.Join(strings.Split(l.open, ""), "·")
	}
	return fmt.Sprintf("%d·%s", l.n, strings.Join(strings.Split(l.open, ""), "·"))
}

// shown is the shape of a value, for errors.
func shown(all []length) string {
	list := make([]string, len(all))
	for i, l := range all {
		list[i] = l.String()
	}
	return "(" + strings.Join(list, ", ") + ")"
}

// times is the product; false where it is none that is kept.
func (l length) times(by length) (length, bool) {
	n := l.n * by.n
	if by.n != 0 && n/by.n != l.n {
		return length{}, false
	}
	open := []rune(l.open + by.open)
	slices.Sort(open)
	return length{n, string(open)}, len(open) <= maxFactors
}

// over is the quotient; false where there is no whole one for every batch.
func (l length) over(by length) (length, bool) {
	if by.n == 0 || l.n%by.n != 0 {
		return length{}, false
	}
	open := []rune(l.open)
	for _, r := range by.open {
		i := slices.Index(open, r)
		if i < 0 {
			return length{}, false
		}
		open = slices.Delete(open, i, i+1)
	}
	return length{l.n / by.n, string(open)}, true
}

// product of lengths.
func product(all []length) (length, error) {
	p := one
	for _, l := range all {
		var ok bool
		if p, ok = p.times(l); !ok {
			return p, fmt.Errorf("expected a product of lengths of at most %d axes, got one of %s", maxFactors, shown(all))
		}
	}
	return p, nil
}

// wholes are lengths as numbers; false where one is open.
func wholes(all []length) ([]int64, bool) {
	list := make([]int64, len(all))
	for i, l := range all {
		if !l.known() {
			return nil, false
		}
		list[i] = l.n
	}
	return list, true
}
