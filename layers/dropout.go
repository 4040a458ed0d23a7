package layers

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/internal/random"
)

// Dropout sets a part Rate of the values to zero in training and scales the others by 1/(1-Rate); with Rate 1 all are zero.
// Otherwise it does nothing. Source: keras/src/layers/regularization/dropout.py.
type Dropout struct {
	Name string
	Rate float64
}

// Class is "Dropout".
func (Dropout) Class() string { return "Dropout" }

// GivenName is the name that the user gave.
func (l Dropout) GivenName() string { return l.Name }

// Config implements Spec.
func (l Dropout) Config() map[string]any {
	c := config(l)
	c["rate"] = l.Rate
	none(c, "seed", "noise_shape")
	return c
}

// readDropout lets a seed go: draws are keyed by the model's.
func readDropout(r *keras.Reader) Spec {
	r.Ignore("seed")
	onlyNone(r, "noise_shape", "activity_regularizer")
	l := Dropout{Name: base(r), Rate: r.Float("rate")}
	if !(l.Rate >= 0 && l.Rate <= 1) {
		r.Fail("rate", "a number from 0 to 1")
	}
	return l
}

// Build checks the rate.
func (l Dropout) Build(_ *Builder, in []Signature) (Layer, error) {
	if !(l.Rate >= 0 && l.Rate <= 1) {
		return nil, fmt.Errorf("layers: Dropout: rate must be from 0 to 1, got %v", l.Rate)
	}
	d := &dropout{spec: l}
	_, err := d.Output(in)
	return d, err
}

type dropout struct{ spec Dropout }

func (d *dropout) Weights() []*Weight { return nil }

func (d *dropout) Output(in []Signature) ([]Signature, error) {
	if len(in) != 1 || in[0].IDs {
		return nil, fmt.Errorf("layers: Dropout: expected floats, got %s", describe(in))
	}
	return in, nil
}

func (d *dropout) Layout() Layout { return AnyLayout }

func (d *dropout) Prepare(bool) {}

func (d *dropout) ShardRows() int { return 0 }

func (d *dropout) Forward(c *Call) {
	c.Out[0] = c.In[0]
	if !c.Training || d.spec.Rate == 0 {
		return
	}
	in, out := &c.In[0], &c.Out[0]
	mask := c.Floats(0, len(in.Data))
	out.Data = c.Floats(1, len(in.Data))
	drawMask(mask, in, d.spec.Rate, c)
	kernel.Mul(out.Data, in.Data, mask)
}

func (d *dropout) Backward(c *Call) {
	if c.DIn[0] == nil {
		return
	}
	if !c.Training || d.spec.Rate == 0 {
		copy(c.DIn[0], c.DOut[0])
		return
	}
	kernel.Mul(c.DIn[0], c.DOut[0], c.Floats(0, len(c.DIn[0])))
}

// drawMask draws what every value is multiplied by. A row's draws depend on its number in the batch, not on its shard.
func drawMask(mask []float32, v *Value, rate float64, c *Call) {
	var s random.Stream
	n := v.Shape[0]
	steps, width := 1, len(mask)/max(1, n)
	if v.TimeMajor {
		steps, width = v.Shape[1], width/max(1, v.Shape[1])
	}
	for r := range n {
		s.Reset(c.Seed, random.Dropout, uint64(c.Number), uint64(c.Epoch), uint64(c.Step), uint64(c.RowNumber(r)))
		for t := range steps {
			row := mask[(t*n+r)*width:][:width]
			if !v.TimeMajor {
				row = mask[r*width:][:width]
			}
			drop(row, rate, &s)
		}
	}
}

// drop draws zeros in a part rate of mask; the others are what keeps the mean.
func drop(mask []float32, rate float64, s *random.Stream) {
	keep := float32(0)
	if rate < 1 {
		keep = float32(1 / (1 - rate))
	}
	limit := uint64(rate * (1 << 32))
	for k := range mask {
		mask[k] = 0
		if uint64(s.Uint32()) >= limit {
			mask[k] = keep
		}
	}
}
