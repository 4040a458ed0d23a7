// Package tensor holds the plain data that models take and give: dense float32 arrays, arrays of integer ids, shapes, and
// numbers that may be unset. It computes nothing.
package tensor

import (
	"fmt"
	"strings"
)

// None is an axis whose length is not known before the data come: the batch, or the time steps.
const None = -1

// Shape is the length of every axis, outermost first; an axis may be None.
type Shape []int

// Size is the number of elements, or None when an axis is None.
func (s Shape) Size() int {
	n := 1
	for _, d := range s {
		if d == None {
			return None
		}
		n *= d
	}
	return n
}

// Equal reports whether both shapes have the same axes; None equals only None.
func (s Shape) Equal(o Shape) bool {
	if len(s) != len(o) {
		return false
	}
	for i := range s {
		if s[i] != o[i] {
			return false
		}
	}
	return true
}

// Clone is a copy that shares nothing.
func (s Shape) Clone() Shape { return append(Shape(nil), s...) }

// String is the shape as Keras prints it: (None, 500, 32), and (None,) for a single axis.
func (s Shape) String() string {
	var b strings.Builder
	b.WriteByte('(')
	for i, d := range s {
		if i > 0 {
			b.WriteString(", ")
		}
		if d == None {
			b.WriteString("None")
		} else {
			fmt.Fprint(&b, d)
		}
	}
	if len(s) == 1 {
		b.WriteByte(',')
	}
	b.WriteByte(')')
	return b.String()
}

// Tensor is a dense row-major array of float32.
type Tensor struct {
	Shape Shape
	Data  []float32
}

// New is a zero tensor of the given shape, whose axes must all be known.
func New(shape ...int) *Tensor {
	s := Shape(shape).Clone()
	return &Tensor{Shape: s, Data: make([]float32, s.Size())}
}

// From wraps data, without copying, in a tensor of the given shape.
func From(data []float32, shape ...int) (*Tensor, error) {
	s := Shape(shape).Clone()
	if s.Size() != len(data) {
		return nil, fmt.Errorf("tensor: shape %v needs %d values, got %d", s, s.Size(), len(data))
	}
	return &Tensor{Shape: s, Data: data}, nil
}

// Len is the length of the first axis: the number of rows of a batch.
func (t *Tensor) Len() int { return firstAxis(t.Shape) }

// IDs is a dense row-major array of integer ids: words, classes.
type IDs struct {
	Shape Shape
	Data  []int32
}

// NewIDs is an array of zeros of the given shape, whose axes must all be known.
func NewIDs(shape ...int) *IDs {
	s := Shape(shape).Clone()
	return &IDs{Shape: s, Data: make([]int32, s.Size())}
}

// Len is the length of the first axis: the number of rows of a batch.
func (t *IDs) Len() int { return firstAxis(t.Shape) }

// Text is a dense row-major array of texts, UTF-8.
type Text struct {
	Shape Shape
	Data  []string
}

// Texts wraps texts, without copying, one a row: shape (N, 1).
func Texts(rows []string) *Text { return &Text{Shape: Shape{len(rows), 1}, Data: rows} }

// Len is the length of the first axis: the number of rows of a batch.
func (t *Text) Len() int { return firstAxis(t.Shape) }

func firstAxis(s Shape) int {
	if len(s) == 0 {
		return 0
	}
	return s[0]
}

// Float is a number that may be unset. The zero value is unset, so that a zero Spec is Keras's default even where that
// default is not 0; F(0) is a zero that was asked for.
type Float struct {
	v   float64
	set bool
}

// F is a set number.
func F(v float64) Float { return Float{v, true} }

// Or is the number, or def when it is unset.
func (f Float) Or(def float64) float64 {
	if f.set {
		return f.v
	}
	return def
}

// IsSet reports whether a number was given.
func (f Float) IsSet() bool { return f.set }
