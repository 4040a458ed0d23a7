package layers

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/tensor"
)

// maxRank bounds the axes of a value that is walked through axis by axis.
const maxRank = 8

// The two orders of a sequence's axes.
const (
	channelsLast  = "channels_last"  // (N, T, C)
	channelsFirst = "channels_first" // (N, C, T)
)

// checkDataFormat fails on anything but the two; "" is channels_last.
func checkDataFormat(class, format string) error {
	switch format {
	case "", channelsLast, channelsFirst:
		return nil
	}
	return fmt.Errorf("layers: %s: data_format must be channels_last or channels_first, got %q", class, format)
}

// formatConfig is data_format as Keras writes it.
func formatConfig(format string) string {
	if format == "" {
		return channelsLast
	}
	return format
}

// checkFloats fails unless one value of floats comes in, whose rank is from least to most; what says it in words.
func checkFloats(class, what string, in []Signature, least, most int) error {
	if len(in) != 1 || in[0].IDs || len(in[0].Shape) < least || len(in[0].Shape) > most {
		return fmt.Errorf("layers: %s: expected %s, got %s", class, what, describe(in))
	}
	return nil
}

// rowSize is how many values a shape without open axes has, None with them; it fails beyond what an axis may have.
func rowSize(class string, shape tensor.Shape) (int, error) {
	if slices.Contains(shape, tensor.None) {
		return tensor.None, nil
	}
	size := 1
	for _, n := range shape {
		if size *= n; size > maxAxis { // two axes fit an int
			return 0, fmt.Errorf("layers: %s: expected at most %d values a row, got shape %v", class, maxAxis, shape)
		}
	}
	return size, nil
}

// transpose writes src, of this shape, with its axes in the order perm.
func transpose(dst, src []float32, shape tensor.Shape, perm []int) {
	n := len(shape)
	var stride, size, step, at [maxRank]int
	all := 1
	for i := n - 1; i >= 0; i-- {
		stride[i] = all
		all *= shape[i]
	}
	if all == 0 {
		return
	}
	for i, p := range perm {
		size[i], step[i] = shape[p], stride[p]
	}
	inner, apart := size[n-1], step[n-1]
	from := 0
	for to := 0; to < all; to += inner {
		if apart == 1 {
			copy(dst[to:to+inner], src[from:])
		} else {
			for j := range inner {
				dst[to+j] = src[from+j*apart]
			}
		}
		for i := n - 2; i >= 0; i-- {
			at[i]++
			from += step[i]
			if at[i] < size[i] {
				break
			}
			from -= at[i] * step[i]
			at[i] = 0
		}
	}
}

// inverse is the order that undoes perm.
func inverse(perm []int) []int {
	back := make([]int, len(perm))
	for i, p := range perm {
		back[p] = i
	}
	return back
}

// sequence turns values of either data format into steps outermost, (T, N, C), and back.
type sequence struct{ first bool }

// in is the data of v with steps outermost, and how many steps, rows and channels there are; slot is a buffer for it.
func (s sequence) in(c *Call, slot int, v *Value) (data []float32, t, n, width int) {
	if !s.first {
		return v.Data, v.Shape[1], v.Shape[0], v.Shape[2]
	}
	data = c.Floats(slot, len(v.Data))
	transpose(data, v.Data, v.Shape, firstToSteps())
	return data, v.Shape[2], v.Shape[0], v.Shape[1]
}

// grad is a gradient of a value of this shape, plain, with steps outermost.
func (s sequence) grad(c *Call, slot int, shape tensor.Shape, d []float32) []float32 {
	if !s.first {
		return d
	}
	data := c.Floats(slot, len(d))
	transpose(data, d, shape, firstToSteps())
	return data
}

// out is (t, n, width) as the layer's result.
func (s sequence) out(c *Call, slot int, data []float32, t, n, width int) Value {
	if !s.first {
		return Value{Shape: c.Shape(0, nil, n, t, width), Data: data, TimeMajor: true}
	}
	plain := c.Floats(slot, len(data))
	s.back(plain, data, t, n, width)
	return Value{Shape: c.Shape(0, nil, n, width, t), Data: plain}
}

// back writes (t, n, width) as (n, width, t).
func (s sequence) back(dst, data []float32, t, n, width int) {
	shape := [3]int{t, n, width}
	perm := [3]int{1, 2, 0}
	transpose(dst, data, shape[:], perm[:])
}

// layout is that of the layer.
func (s sequence) layout() Layout {
	if s.first {
		return Plain
	}
	return TimeMajor
}

// signature is a sequence of t steps and width channels.
func (s sequence) signature(n, t, width int) Signature {
	if s.first {
		return Signature{Shape: tensor.Shape{n, width, t}}
	}
	return Signature{Shape: tensor.Shape{n, t, width}}
}

// axes are the steps and the channels of a shape.
func (s sequence) axes(shape tensor.Shape) (t, width int) {
	if s.first {
		return shape[2], shape[1]
	}
	return shape[1], shape[2]
}

func firstToSteps() []int { return []int{2, 0, 1} }
