package layers

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/tensor"
)

// noise is every layer that only in training changes its input, by draws: it multiplies with them, or adds them.
type noise struct {
	class string
	off   bool // there is nothing to draw
	adds  bool
	shape tensor.Shape // 1 where an axis shares its draws; nil: no axis does
	seed  tensor.Float
	draw  func(dst []float32, s *random.Stream)

	source NoiseSource // of the draws; nil: drawn
}

// NoiseSource fills in what the layer multiplies with, or adds, for every value of v, ordered as v.
type NoiseSource func(c *Call, v *Value, dst []float32)

// NoiseBy takes the draws from elsewhere, for comparisons; nil draws again. It must not run beside a pass.
func (d *noise) NoiseBy(source NoiseSource) { d.source = source }

// Draws reports whether training draws anything.
func (d *noise) Draws() bool { return !d.off }

func newNoise(d *noise, in []Signature) (Layer, error) {
	if err := checkSeed(d.seed); err != nil {
		return nil, fmt.Errorf("layers: %s: %w", d.class, err)
	}
	_, err := d.Output(in)
	return d, err
}

func (d *noise) Weights() []*Weight { return nil }

func (d *noise) Output(in []Signature) ([]Signature, error) {
	if len(in) != 1 || in[0].IDs {
		return nil, fmt.Errorf("layers: %s: expected floats, got %s", d.class, describe(in))
	}
	if d.shape == nil {
		return in, nil
	}
	fits := len(d.shape) == len(in[0].Shape) && len(d.shape) <= maxRank
	for i, n := range d.shape {
		fits = fits && (n == tensor.None || n == 1 || i > 0 && n == in[0].Shape[i])
	}
	if !fits {
		return nil, fmt.Errorf("layers: %s: noise_shape must have an entry for every axis of %v, 1 or None (or the axis itself), got %v",
			d.class, in[0].Shape, d.shape)
	}
	return in, nil
}

func (d *noise) Layout() Layout { return AnyLayout }

func (d *noise) Prepare(bool) {}

func (d *noise) ShardRows() int { return 0 }

// The buffers of a Call.
const (
	noiseDraws = iota
	noiseOut
	noiseRow
)

func (d *noise) Forward(c *Call) {
	c.Out[0] = c.In[0]
	if !c.Training || d.off {
		return
	}
	in, out := &c.In[0], &c.Out[0]
	draws := c.Floats(noiseDraws, len(in.Data))
	out.Data = c.Floats(noiseOut, len(in.Data))
	switch {
	case d.source != nil:
		d.source(c, in, draws)
	case d.shape == nil && c.Share.Worth(drawWork*len(draws)):
		d.fillShared(draws, in, c)
	default:
		s, ok := c.Keep.(*random.Stream)
		if !ok {
			s = new(random.Stream)
			c.Keep = s
		}
		d.fill(draws, in, c, s, 0, in.Shape[0])
	}
	if d.adds {
		kernel.Add(out.Data, in.Data, draws)
	} else {
		kernel.Mul(out.Data, in.Data, draws)
	}
}

func (d *noise) Backward(c *Call) {
	if c.DIn[0] == nil {
		return
	}
	if !c.Training || d.off || d.adds {
		copy(c.DIn[0], c.DOut[0])
		return
	}
	kernel.Mul(c.DIn[0], c.DOut[0], c.Floats(noiseDraws, len(c.DIn[0])))
}

// drawWork is how many operations of a product take as long as a draw.
const drawWork = 128

func (d *noise) fillShared(dst []float32, v *Value, c *Call) {
	c.Share.Split(v.Shape[0], func(lo, hi int) { d.fill(dst, v, c, new(random.Stream), lo, hi) })
}

// fill draws for every value of the rows from lo to before hi. A row's draws depend on its number in the batch, not on its shard.
func (d *noise) fill(dst []float32, v *Value, c *Call, s *random.Stream, lo, hi int) {
	seed := c.Seed
	if d.seed.IsSet() {
		seed = uint64(d.seed.Or(0))
	}
	n := v.Shape[0]
	all := len(dst) / max(1, n)
	steps, width := 1, all
	if v.TimeMajor {
		steps, width = v.Shape[1], all/max(1, v.Shape[1])
	}
	for r := lo; r < hi; r++ {
		row := c.RowNumber(r)
		if d.shape != nil && d.shape[0] == 1 {
			row = 0 // one fate for all rows
		}
		s.Reset(seed, random.Dropout, uint64(c.Number), uint64(c.Epoch), uint64(c.Step), uint64(row))
		var shared []float32
		if d.shape != nil {
			shared = d.sharedRow(c, v, all, s)
		}
		for t := range steps {
			at := r * all
			if v.TimeMajor {
				at = (t*n + r) * width
			}
			if shared != nil {
				copy(dst[at:at+width], shared[t*width:])
			} else {
				d.draw(dst[at:at+width], s)
			}
		}
	}
}

// sharedRow is the draws of a row of all values, of which some axes share theirs.
func (d *noise) sharedRow(c *Call, v *Value, all int, s *random.Stream) []float32 {
	row := c.Floats(noiseRow, 2*all)
	drawn, full := row[:all], row[all:]
	var at, stride [maxRank]int
	rank, size := len(v.Shape), 1
	for i := rank - 1; i > 0; i-- {
		if d.shape[i] != 1 {
			stride[i] = size
			size *= v.Shape[i]
		}
	}
	d.draw(drawn[:size], s)
	from := 0
	for k := range full {
		full[k] = drawn[from]
		for i := rank - 1; i > 0; i-- {
			at[i]++
			from += stride[i]
			if at[i] < v.Shape[i] {
				break
			}
			from -= at[i] * stride[i]
			at[i] = 0
		}
	}
	return full
}
