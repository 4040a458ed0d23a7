package unroll

import (
	"errors"
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/tensor"
)

// Updates that need the gradients of whole weights, or of all of them: clipped, accumulated over batches, or by an optimizer that looks at
// a weight's shape; and weights that are averaged. Every value is visited then, in an order that does not depend on the threads.

// gathers reports whether updates are such.
func (c *compiled) gathers() bool {
	_, shaped := c.optimizer.(optimizers.Shaped)
	_, placed := c.optimizer.(optimizers.Placed)
	return shaped || placed || !c.optimizer.Shared().Plain()
}

// gathered is what such updates keep, by weight.
type gathered struct {
	dense    [][]float32            // a table's gradient, written out
	grads    [][]float32            // of this batch; nil of what is not trained
	sums     [][]float32            // gradients of the batches since the last update
	averages [][]float32            // of the weights
	of       []optimizers.Optimizer // nil where all weights have the same, see optimizers.Placed
	swapped  bool                   // averages and weights have changed places, see UseAverages
}

// startGathered makes the arrays.
func (c *compiled) startGathered(m *Model) {
	if c.gathered != nil || !c.gathers() {
		return
	}
	n, shared := len(m.weights), c.optimizer.Shared()
	g := &gathered{dense: make([][]float32, n), grads: make([][]float32, n), sums: make([][]float32, n), averages: make([][]float32, n)}
	for i, w := range m.weights {
		if !w.Trainable {
			continue
		}
		if w.Table {
			g.dense[i] = make([]float32, len(w.Data))
		}
		if shared.AccumulationSteps > 0 {
			g.sums[i] = make([]float32, len(w.Data))
		}
		if shared.UseEMA {
			g.averages[i] = make([]float32, len(w.Data))
		}
	}
	if o, ok := c.optimizer.(optimizers.Placed); ok {
		for _, w := range m.weights {
			g.of = append(g.of, o.For(m.PathOf(w), w.Shape))
		}
	}
	c.gathered = g
}

// of is the optimizer of a weight.
func (c *compiled) of(w *layers.Weight) optimizers.Optimizer {
	if c.gathered != nil && c.gathered.of != nil {
		return c.gathered.of[w.Index]
	}
	return c.optimizer
}

// gather takes the step with the gradients of the batch.
func (s *session) gather() {
	c := s.c
	g, shared := c.gathered, c.optimizer.Shared()
	at := 0
	for i, w := range s.model.weights {
		g.grads[i] = nil
		if !w.Table {
			if w.Trainable {
				g.grads[i] = s.grads.total[at : at+len(w.Data)]
			}
			at += len(w.Data)
		} else if w.Trainable {
			g.grads[i] = s.tableGradOf(w).writeTo(g.dense[i], w.Shape[1])
		}
		penalize(w, g.grads[i])
	}
	update, now := shared.Update(c.iteration)
	if now = g.accumulate(shared, now); now {
		g.clip(shared)
		for i, w := range s.model.weights {
			switch o := c.of(w).(type) {
			case optimizers.Shaped:
				if w.Trainable {
					o.ApplyShaped(w.Shape, update, s.rate, w.Data, g.grads[i], c.slots[i])
				}
			default:
				if w.Trainable {
					o.Apply(update, s.rate, w.Data, g.grads[i], c.slots[i])
				}
			}
		}
	}
	if shared.UseEMA {
		overwrite := shared.EMAOverwrite > 0 && update%int64(shared.EMAOverwrite) == 0
		for i, w := range s.model.weights {
			if a := g.averages[i]; a != nil {
				follow(a, w.Data, shared.Momentum(update))
				if overwrite {
					copy(w.Data, a)
				}
			}
		}
	}
	for _, w := range s.model.weights {
		constrain(w)
	}
}

// writeTo writes the gradient of a table out, zeros included.
func (t *tableGrad) writeTo(dst []float32, width int) []float32 {
	clear(dst)
	for k, id := range t.distinct {
		copy(dst[int(id)*width:(int(id)+1)*width], t.rows[k*width:])
	}
	return dst
}

// accumulate adds the gradients to those of the batches before; when it is time for an update they become the mean of all.
func (g *gathered) accumulate(shared optimizers.Common, now bool) bool {
	if shared.AccumulationSteps == 0 {
		return true
	}
	k := float32(shared.AccumulationSteps)
	for i, grad := range g.grads {
		sum := g.sums[i]
		for j, d := range grad {
			if !now {
				sum[j] += d
				continue
			}
			grad[j] = (d + sum[j]) / k
			sum[j] = 0
		}
	}
	return now
}

// clip limits gradients as the optimizer's arguments say.
func (g *gathered) clip(shared optimizers.Common) {
	switch {
	case shared.ClipNorm.IsSet():
		most := shared.ClipNorm.Or(0)
		for _, grad := range g.grads {
			scale(grad, float32(most/math.Max(math.Sqrt(squares(grad)), most)))
		}
	case shared.GlobalClipNorm.IsSet():
		sum := 0.0
		for _, grad := range g.grads {
			sum += squares(grad)
		}
		norm, most := math.Sqrt(sum), shared.GlobalClipNorm.Or(0)
		// An infinite norm gives NaN, as in Keras: 0 would hide it.
		factor := float32(most*math.Min(1/norm, 1/most) + (norm - norm))
		for _, grad := range g.grads {
			scale(grad, factor)
		}
	case shared.ClipValue.IsSet():
		v := float32(shared.ClipValue.Or(0))
		for _, grad := range g.grads {
			for j, d := range grad {
				grad[j] = min(max(d, -v), v)
			}
		}
	}
}

func squares(x []float32) float64 {
	s := 0.0
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	return s
}

func scale(x []float32, by float32) {
	if by == 1 {
		return
	}
	for i := range x {
		x[i] *= by
	}
}

// follow is a = m a + (1 - m) w.
func follow(a, w []float32, m float64) {
	keep := float32(m)
	rest := 1 - keep
	for i := range a {
		a[i] = float32(keep*a[i]) + float32(rest*w[i])
	}
}

// settleAverages makes the averages the weights, where there are any: so a training ends.
func (m *Model) settleAverages() {
	g := m.compiled.gathered
	if g == nil || !m.compiled.optimizer.Shared().UseEMA {
		return
	}
	for i, a := range g.averages {
		switch {
		case a == nil:
		case g.swapped:
			copy(a, m.weights[i].Data)
		default:
			copy(m.weights[i].Data, a)
		}
	}
	g.swapped = false
	m.changed()
}

// UseAverages makes the moving averages of the weights the weights for a while, and back again; the optimizer must keep them (UseEMA). No
// training step may be taken in between. Fit ends with the averages either way.
func (m *Model) UseAverages(on bool) error {
	if m.compiled == nil {
		return errors.New("unroll: UseAverages: the model must be compiled first")
	}
	if !m.compiled.optimizer.Shared().UseEMA {
		return fmt.Errorf("unroll: UseAverages: expected an optimizer with use_ema, got %s without", m.compiled.optimizer.Class())
	}
	m.compiled.start(m)
	g := m.compiled.gathered
	if g.swapped == on {
		return nil
	}
	for i, a := range g.averages {
		for j, v := range a {
			a[j], m.weights[i].Data[j] = m.weights[i].Data[j], v
		}
	}
	g.swapped = on
	m.changed()
	return nil
}

// variable is an array of an optimizer's state.
type variable struct {
	shape  tensor.Shape
	values []float32
}

// commonState are the arrays that stand before the optimizer's own: averages, then sums of gradients.
func (c *compiled) commonState(m *Model) (vars []variable) {
	if c.gathered == nil {
		return nil
	}
	for _, of := range [][][]float32{c.gathered.averages, c.gathered.sums} {
		for _, w := range m.weights {
			if a := of[w.Index]; a != nil {
				vars = append(vars, variable{w.Shape, a})
			}
		}
	}
	return vars
}

// scalars are the numbers behind all arrays, which follow from the number of updates.
func (c *compiled) scalars() []variable {
	o, ok := c.optimizer.(optimizers.Scaled)
	if !ok {
		return nil
	}
	updates := c.iteration
	if k := int64(c.optimizer.Shared().AccumulationSteps); k > 0 {
		updates /= k
	}
	var vars []variable
	for _, v := range o.Scalars(updates) {
		vars = append(vars, variable{nil, []float32{float32(v)}})
	}
	return vars
}

// slotShapes are the shapes of a weight's slots, group after group.
func (c *compiled) slotShapes(w *layers.Weight) []tensor.Shape {
	if o, ok := c.optimizer.(optimizers.Shaped); ok {
		return o.SlotShapes(w.Shape)
	}
	var shapes []tensor.Shape
	for _, group := range c.of(w).Slots() {
		for range group {
			shapes = append(shapes, w.Shape)
		}
	}
	return shapes
}

// readVariables reads the datasets from number next on.
func readVariables(vars variables, next int, into []variable) error {
	for i, v := range into {
		if err := vars.floats(next+i, v.shape, v.values); err != nil {
			return err
		}
	}
	return nil
}
