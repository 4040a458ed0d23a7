package constraints

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/tensor"
)

// maxRank bounds the axes of a weight, so that walks over them need no memory.
const maxRank = 8

func checkAxes(class string, axes []int, shape tensor.Shape) error {
	seen := [maxRank]bool{}
	if len(shape) > maxRank {
		return fmt.Errorf("constraints: %s: expected a weight of at most %d axes, got shape %v", class, maxRank, shape)
	}
	if axes == nil {
		axes = []int{0}
	}
	for _, a := range axes {
		at := a
		if a < 0 {
			at += len(shape)
		}
		if at < 0 || at >= len(shape) || seen[at] {
			return fmt.Errorf("constraints: %s: axis must name different axes of the weight's shape %v, got %v", class, shape, axes)
		}
		seen[at] = true
	}
	return nil
}

// axisConfig is an axis as Keras has it: a number, or a list.
func axisConfig(axes []int) any {
	switch len(axes) {
	case 0:
		if axes == nil {
			return 0
		}
	case 1:
		return axes[0]
	}
	list := make([]any, len(axes))
	for i, a := range axes {
		list[i] = a
	}
	return list
}

// walk counts through some axes of a shape, the last fastest.
type walk struct {
	n            int
	size, stride [maxRank]int
	at           [maxRank]int
	offset       int
}

// next goes on; false after the last place, back at the first.
func (w *walk) next() bool {
	for i := w.n - 1; i >= 0; i-- {
		w.at[i]++
		w.offset += w.stride[i]
		if w.at[i] < w.size[i] {
			return true
		}
		w.offset -= w.at[i] * w.stride[i]
		w.at[i] = 0
	}
	return false
}

// eachNorm multiplies the values that share a norm, which is taken over axes, with what factor says of it.
func eachNorm(w []float32, shape tensor.Shape, axes []int, factor func(norm float64) float64) {
	if len(w) == 0 {
		return
	}
	over := [maxRank]bool{axes == nil}
	for _, a := range axes {
		if a < 0 {
			a += len(shape)
		}
		over[a] = true
	}
	var kept, summed walk
	stride := len(w)
	for i, n := range shape {
		stride /= n
		to := &kept
		if over[i] {
			to = &summed
		}
		to.size[to.n], to.stride[to.n] = n, stride
		to.n++
	}
	for more := true; more; more = kept.next() {
		sum := 0.0
		for inner := true; inner; inner = summed.next() {
			v := float64(w[kept.offset+summed.offset])
			sum += float64(v * v)
		}
		f := float32(factor(math.Sqrt(sum)))
		for inner := true; inner; inner = summed.next() {
			w[kept.offset+summed.offset] *= f
		}
	}
}
