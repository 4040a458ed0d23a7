package layers

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/keras"
)

// Rescaling is x · Scale + Offset. Each is one number, or one for every place of the last axis. Source:
// keras/src/layers/preprocessing/rescaling.py.
type Rescaling struct {
	Name   string
	Scale  []float64
	Offset []float64 // unset: 0
}

// Class is "Rescaling".
func (Rescaling) Class() string { return "Rescaling" }

// GivenName is the name that the user gave.
func (l Rescaling) GivenName() string { return l.Name }

// Config implements Spec.
func (l Rescaling) Config() map[string]any {
	c := config(l)
	c["scale"], c["offset"] = numbersConfig(l.Scale), numbersConfig(l.offset())
	return c
}

func (l Rescaling) offset() []float64 {
	if l.Offset == nil {
		return []float64{0}
	}
	return l.Offset
}

func readRescaling(r *keras.Reader) Spec {
	onlyNone(r, "activity_regularizer")
	if r.Null("scale") {
		r.Fail("scale", "a number or a list of numbers")
	}
	return Rescaling{Name: base(r), Scale: numbers(r, "scale"), Offset: numbers(r, "offset")}
}

// numbers reads one number or a list of them; nil where there is none.
func numbers(r *keras.Reader, key string) []float64 {
	if r.Null(key) {
		return nil
	}
	if _, list := r.Value(key).([]any); list {
		return r.Floats(key)
	}
	return []float64{r.Float(key)}
}

// numbersConfig is one number, or a list.
func numbersConfig(values []float64) any {
	if len(values) == 1 {
		return values[0]
	}
	l := make([]any, len(values))
	for i, v := range values {
		l[i] = v
	}
	return l
}

// Build checks the arguments.
func (l Rescaling) Build(_ *Builder, in []Signature) (Layer, error) {
	if len(l.Scale) == 0 {
		return nil, fmt.Errorf("layers: Rescaling: scale must be a number or a list of them, got none")
	}
	s := &affine{class: "Rescaling"}
	if _, err := s.Output(in); err != nil {
		return nil, err
	}
	width := in[0].Shape[len(in[0].Shape)-1]
	for _, a := range []struct {
		name   string
		values []float64
		to     *[]float32
	}{{"scale", l.Scale, &s.scale}, {"offset", l.offset(), &s.offset}} {
		if n := len(a.values); n != 1 && n != width {
			return nil, fmt.Errorf("layers: Rescaling: %s must be one number, or one for each of the last axis of %v, got %d", a.name, in[0].Shape, n)
		}
		for _, v := range a.values {
			*a.to = append(*a.to, float32(v))
		}
	}
	return s, nil
}

// affine is x · scale + offset along the last axis; a single number goes for all.
type affine struct {
	class         string
	scale, offset []float32
}

func (s *affine) Weights() []*Weight { return nil }

func (s *affine) Output(in []Signature) ([]Signature, error) {
	if err := checkFloats(s.class, "floats (N, …)", in, 2, maxRank); err != nil {
		return nil, err
	}
	return in, nil
}

func (s *affine) Layout() Layout { return AnyLayout }

func (s *affine) Prepare(bool) {}

func (s *affine) ShardRows() int { return 0 }

func (s *affine) Forward(c *Call) {
	in, out := &c.In[0], &c.Out[0]
	*out = *in
	out.Data = c.Floats(0, len(in.Data))
	rows, width := rowsOf(in)
	for r := range rows {
		x, y := in.Data[r*width:(r+1)*width], out.Data[r*width:(r+1)*width]
		for j, v := range x {
			y[j] = float32(v*at(s.scale, j)) + at(s.offset, j)
		}
	}
}

// at is element j, or the only one.
func at(values []float32, j int) float32 {
	if len(values) == 1 {
		return values[0]
	}
	return values[j]
}

func (s *affine) Backward(c *Call) {
	din := c.DIn[0]
	if din == nil {
		return
	}
	rows, width := rowsOf(&c.In[0])
	for r := range rows {
		dx, dy := din[r*width:(r+1)*width], c.DOut[0][r*width:(r+1)*width]
		for j, g := range dy {
			dx[j] = g * at(s.scale, j)
		}
	}
}
