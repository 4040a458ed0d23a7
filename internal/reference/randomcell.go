package reference

import (
	"fmt"
	"math"
	"strings"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/random"
)

// How far the values of a RandomCell stay from a corner and from a pole, and the largest of them: a change of 1e-5 in a weight
// crosses no corner, and a difference quotient is accurate to 1e-6.
const (
	cornerMargin = 1e-3
	poleMargin   = 0.05
	largest      = 12
)

// RandomCell is a made-up cell with data: a text, options, weights, sequences with masks, and the gradients that come for its
// outputs and last states.
type RandomCell struct {
	Text     string
	Options  cell.Options
	Run      CellRun
	DY       [][][]float64 // as CellOutput.Y
	DStates  [][][]float64 // as CellOutput.States
	Attempts int           // how many were thrown away for a value near a corner
}

// NewRandomCell makes up a cell, the same one for the same seed. An error means that the language refused a text.
func NewRandomCell(seed uint64) (*RandomCell, error) {
	for attempt := range 1000 {
		s := random.New(seed, random.Data, uint64(attempt))
		r := &RandomCell{Text: randomText(s), Attempts: attempt}
		r.Options = cell.Options{Units: 1 + s.IntN(4), Input: 1 + s.IntN(4), NoBias: s.IntN(5) == 0}
		names := append(cell.Funcs(), "")
		r.Options.Activation, r.Options.RecurrentActivation = names[s.IntN(len(names))], names[s.IntN(len(names))]
		c, err := cell.Parse(r.Text)
		if err != nil {
			return nil, fmt.Errorf("reference: RandomCell %d: %w\n%s", seed, err, r.Text)
		}
		if strings.Contains(r.Text, "size=other") {
			r.Options.Sizes = map[string]int{"other": 1 + s.IntN(4)}
		}
		resolved, err := c.Resolve(r.Options)
		if err != nil {
			return nil, fmt.Errorf("reference: RandomCell %d: %w\n%s", seed, err, r.Text)
		}
		r.draw(s, resolved)
		if r.smooth() {
			return r, nil
		}
	}
	return nil, fmt.Errorf("reference: RandomCell %d: expected a cell away from corners in 1000 attempts, found none", seed)
}

// draw fills weights and sequences.
func (r *RandomCell) draw(s *random.Stream, c *cell.Cell) {
	r.Run.Cell = c
	r.Run.Backwards = s.IntN(4) == 0
	for _, w := range c.Weights {
		n := 1
		for _, d := range w.Shape() {
			n *= d
		}
		r.Run.Weights = append(r.Run.Weights, normal(s, n, 0.6))
	}
	rows, steps := 1+s.IntN(3), 1+s.IntN(4)
	masked, given := s.IntN(2) == 0, s.IntN(2) == 0
	for range rows {
		var x, dy, first, ds [][]float64
		mask := make([]bool, steps)
		for t := range steps {
			x = append(x, normal(s, r.Options.Input, 1))
			dy = append(dy, normal(s, c.Nodes[c.Output].Width, 1))
			mask[t] = s.IntN(4) > 0
		}
		for _, st := range c.States {
			first = append(first, normal(s, st.Width, 0.7))
			ds = append(ds, normal(s, st.Width, 1))
		}
		r.Run.X, r.DY, r.DStates = append(r.Run.X, x), append(r.DY, dy), append(r.DStates, ds)
		if masked {
			r.Run.Mask = append(r.Run.Mask, mask)
		}
		if given {
			r.Run.Init = append(r.Run.Init, first)
		}
	}
}

func normal(s *random.Stream, n int, scale float64) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = scale * s.Normal()
	}
	return v
}

// smooth reports whether no value of the run is near a corner or a pole, or large.
func (r *RandomCell) smooth() bool {
	ok := true
	for row := range r.Run.X {
		r.Run.row(row, func(n *cell.Node, args []*vec, y *vec) {
			for i, v := range y.v {
				ok = ok && math.Abs(v) <= largest && clear(n, args, i)
			}
		})
	}
	return ok
}

// clear reports whether element i of the operation is away from its corners and poles.
func clear(n *cell.Node, args []*vec, i int) bool {
	arg := func(k int) float64 { return args[k].v[place(args[k], i)] }
	away := func(v, margin float64) bool { return math.Abs(v) >= margin }
	switch n.Op {
	case cell.OpMin, cell.OpMax:
		return away(arg(0)-arg(1), cornerMargin)
	case cell.OpDiv:
		return away(arg(1), poleMargin)
	case cell.OpPow:
		whole := n.Value == math.Trunc(n.Value)
		return whole && n.Value >= 0 || arg(0) >= poleMargin
	case cell.OpFunc:
		if n.Func == "log" || n.Func == "sqrt" {
			return arg(0) >= poleMargin
		}
		for _, c := range elementwise(n.Func).corners {
			if !away(arg(0)-c, cornerMargin) {
				return false
			}
		}
	}
	return true
}
