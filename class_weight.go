package unroll

import (
	"fmt"
	"math"
)

// ClassWeight says how much the rows of a class count in the training's loss and in weighted metrics, not in those of the validation. Classes that are not named count 1.
// The model must have one output; targets are class ids, one number each (rounded), or one value a class (the largest counts). Keras: class_weight.
func ClassWeight(weights map[int]float64) FitOption {
	return func(o *fitOptions) { o.class = weights }
}

// weighClasses makes sample weights of the loaded batch out of the classes of its targets.
func (s *session) weighClasses() error {
	if s.class == nil {
		return nil
	}
	if len(s.batch.Y) != 1 {
		return fmt.Errorf("unroll: class_weight: expected a model with one output, got %d", len(s.batch.Y))
	}
	y := &s.batch.Y[0]
	if y.Weights != nil {
		return fmt.Errorf("unroll: class_weight: expected data without sample weights, got both")
	}
	perRow, _ := s.c.heads[0].items(s.returned[0])
	items := s.n * perRow
	s.classWeights = resize(s.classWeights, items)
	per := y.Len() / max(1, items)
	for i := range items {
		c := 0
		switch {
		case y.IDs != nil && per == 1:
			c = int(y.IDs[i])
		case y.IDs != nil:
			c = largest(y.IDs[i*per : (i+1)*per])
		case per == 1:
			c = int(math.RoundToEven(float64(y.Values[i])))
		default:
			c = largest(y.Values[i*per : (i+1)*per])
		}
		s.classWeights[i] = 1
		if w, ok := s.class[c]; ok {
			s.classWeights[i] = float32(w)
		}
	}
	y.Weights = s.classWeights
	return nil
}

// largest is where the largest value stands, the first of several.
func largest[E int32 | float32](values []E) int {
	at := 0
	for i, v := range values {
		if v > values[at] {
			at = i
		}
	}
	return at
}
