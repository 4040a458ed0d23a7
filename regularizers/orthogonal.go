package regularizers

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/tensor"
)

// Orthogonal is Keras's OrthogonalRegularizer: Factor times the mean of |cos| between any two rows of a matrix, or columns.
type Orthogonal struct {
	Factor tensor.Float // unset: 0.01
	Mode   string       // "rows" or "columns"; "": rows
}

// tiny is keras.config.epsilon(): a norm below it counts as it.
const tiny = 1e-7

// Class is "OrthogonalRegularizer".
func (Orthogonal) Class() string { return "OrthogonalRegularizer" }

func (r Orthogonal) mode() string {
	if r.Mode == "" {
		return "rows"
	}
	return r.Mode
}

// Config implements Regularizer.
func (r Orthogonal) Config() map[string]any {
	return map[string]any{"factor": r.Factor.Or(0.01), "mode": r.mode()}
}

// Check implements Regularizer.
func (r Orthogonal) Check(shape tensor.Shape) error {
	if err := checkFactor("OrthogonalRegularizer", "factor", r.Factor.Or(0.01)); err != nil {
		return err
	}
	axis := map[string]int{"rows": 0, "columns": 1}
	a, ok := axis[r.mode()]
	switch {
	case !ok:
		return fmt.Errorf("regularizers: OrthogonalRegularizer: mode must be rows or columns, got %q", r.Mode)
	case len(shape) != 2:
		return fmt.Errorf("regularizers: OrthogonalRegularizer: expected a matrix, got shape %v", shape)
	case shape[a] == 1:
		return fmt.Errorf("regularizers: OrthogonalRegularizer: expected at least two %s, got shape %v", r.mode(), shape)
	}
	return nil
}

// vectors are the rows of a matrix, or its columns: vector i has element k at i*apart + k*step.
type vectors struct {
	x                        []float32
	count, size, apart, step int
}

func (r Orthogonal) vectors(x []float32, shape tensor.Shape) vectors {
	rows, cols := shape[0], shape[1]
	if r.mode() == "columns" {
		return vectors{x, cols, rows, 1, cols}
	}
	return vectors{x, rows, cols, cols, 1}
}

func (v *vectors) dot(i, j int) float64 {
	s := 0.0
	for k := range v.size {
		s += float64(float64(v.x[i*v.apart+k*v.step]) * float64(v.x[j*v.apart+k*v.step]))
	}
	return s
}

// inverse is 1 over the norm of vector i, and whether the norm counts as it is.
func (v *vectors) inverse(i int) (inv float64, free bool) {
	inv = 1 / math.Sqrt(v.dot(i, i))
	if inv > 1/tiny {
		return 1 / tiny, false
	}
	return inv, true
}

// Value implements Regularizer.
func (r Orthogonal) Value(x []float32, shape tensor.Shape) float64 {
	v := r.vectors(x, shape)
	sum := 0.0
	for i := range v.count {
		a, _ := v.inverse(i)
		for j := range i {
			b, _ := v.inverse(j)
			sum += math.Abs(v.dot(i, j) * a * b)
		}
	}
	return r.Factor.Or(0.01) * sum / v.pairs()
}

func (v *vectors) pairs() float64 { return float64(v.count) * float64(v.count-1) / 2 }

// AddGrad implements Regularizer. With n = w/|w| and g = n·m, the gradient of g to w is (m - g n)/|w|.
func (r Orthogonal) AddGrad(dst, x []float32, shape tensor.Shape, scale float32) {
	v := r.vectors(x, shape)
	each := float64(scale) * r.Factor.Or(0.01) / v.pairs()
	for i := range v.count {
		a, free := v.inverse(i)
		for j := range v.count {
			if i == j {
				continue
			}
			b, _ := v.inverse(j)
			g := v.dot(i, j) * a * b
			c := each
			switch {
			case g < 0:
				c = -each
			case g == 0:
				continue
			}
			for k := range v.size {
				d := float64(v.x[j*v.apart+k*v.step]) * b
				if free {
					d -= g * a * float64(v.x[i*v.apart+k*v.step])
				}
				dst[i*v.apart+k*v.step] += float32(c * a * d)
			}
		}
	}
}
