package convert

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/hdf5"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// fillOptimizer takes the state of an optimizer over. Keras 3, and Keras 2 since 2.11, have the number of steps, the learning rate where no schedule says it,
// then group after group the arrays of each weight side by side; older ones have no rate, and kind after kind of arrays, each for all weights.
func fillOptimizer(m *unroll.Model, group *hdf5.Group, e era) error {
	arrays, err := arraysOf(group)
	if err != nil {
		return err
	}
	if len(arrays) == 0 {
		return nil
	}
	var numbers []float64
	for len(arrays) > 0 && len(arrays[0].shape) == 0 && len(numbers) < 2 {
		numbers = append(numbers, float64(arrays[0].data[0]))
		arrays = arrays[1:]
	}
	if len(numbers) > 0 {
		if n := numbers[0]; !(n >= 0 && n < 1<<53) || n != math.Trunc(n) {
			return fmt.Errorf("%s: expected a number of steps first, got %v", group.Path(), n)
		}
	}
	slots, err := m.OptimizerSlots()
	if err != nil {
		return err
	}
	at, err := places(m, group.Path(), e)
	if err != nil {
		return err
	}
	if e.alone && len(arrays) > len(at) { // Adam without amsgrad keeps numbers in the place of its third kind
		trained := len(at) / kinds(m)
		if len(arrays) == len(at)+trained && arrays[len(at)].shape.Equal(tensor.Shape{1}) {
			arrays = arrays[:len(at)]
		}
	}
	if len(arrays) == 0 && (len(numbers) == 0 || numbers[0] == 0) {
		return nil // saved before its first step
	}
	if len(arrays) < len(at) {
		return fmt.Errorf("%s: expected %d arrays of %s, got %d", group.Path(), len(at), m.Optimizer().Class(), len(arrays))
	}
	for i, k := range at {
		if !arrays[i].shape.Equal(tensor.Shape(slots[k].Shape)) {
			return fmt.Errorf("%s: expected shape %v, got %v", arrays[i].path, slots[k].Shape, arrays[i].shape)
		}
	}
	for _, a := range arrays[len(at):] {
		if len(a.shape) > 0 {
			return fmt.Errorf("%s: expected %d arrays of %s, got %d", group.Path(), len(at), m.Optimizer().Class(), len(arrays))
		}
	}
	for i, k := range at {
		copy(slots[k].Data, arrays[i].data)
	}
	if len(numbers) > 1 && !e.oldOptimizer {
		if _, schedule := m.Optimizer().Rate(); schedule == nil {
			if rate, _ := m.Optimizer().Rate(); float32(rate) != float32(numbers[1]) { // the config may have said it in more digits
				if err := m.SetLearningRate(numbers[1]); err != nil {
					return err
				}
			}
		}
	}
	if len(numbers) > 0 {
		return m.SetBatches(int64(numbers[0]))
	}
	return nil
}

// kinds is how many arrays an optimizer keeps of a weight.
func kinds(m *unroll.Model) int {
	n := 0
	for _, g := range m.Optimizer().Slots() {
		n += len(g)
	}
	return max(1, n)
}

// places are the numbers, among the model's slots, of the arrays in the order of the file. The file has the layers in an order of its own.
func places(m *unroll.Model, where string, e era) ([]int, error) {
	rank := map[*layers.Weight]int{}
	for _, w := range m.Weights() {
		if w.Trainable {
			rank[w] = len(rank)
		}
	}
	order, err := fileOrder(m, e)
	if err != nil {
		return nil, err
	}
	if len(order) != len(rank) {
		return nil, fmt.Errorf("%s: expected the layers of the model, got others", where)
	}
	var at []int
	shared := m.Optimizer().Shared()
	from := 0
	for _, on := range []bool{shared.UseEMA, shared.AccumulationSteps > 0} {
		if on {
			for _, w := range order {
				at = append(at, from+rank[w])
			}
			from += len(rank)
		}
	}
	for _, g := range m.Optimizer().Slots() {
		if e.oldOptimizer {
			for k := range g {
				for _, w := range order {
					at = append(at, from+rank[w]*len(g)+k)
				}
			}
		} else {
			for _, w := range order {
				for k := range g {
					at = append(at, from+rank[w]*len(g)+k)
				}
			}
		}
		from += len(rank) * len(g)
	}
	return at, nil
}

// fileOrder are the trained weights in the order of the file's layers.
func fileOrder(m *unroll.Model, e era) ([]*layers.Weight, error) {
	var order []*layers.Weight
	byName := map[string]unroll.LayerOf{}
	for _, l := range m.Layers() {
		byName[l.Name] = l
	}
	for _, name := range e.layers {
		l, ok := byName[name]
		if !ok {
			return nil, fmt.Errorf("model_weights: expected the layers of the model, got %q", name)
		}
		for _, w := range l.Weights {
			if w.Trainable {
				order = append(order, w)
			}
		}
	}
	return order, nil
}
