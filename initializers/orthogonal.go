package initializers

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/tensor"
)

// Orthogonal draws a matrix with orthonormal columns, or rows when it is wider than high, times Gain; uniformly among all such
// matrices (Saxe et al., 2014). More than two axes are taken as a matrix whose rows are all axes but the last. A fused
// recurrent kernel (units, 4 units) so has orthonormal rows as a whole, not four orthogonal blocks: Keras's rule.
type Orthogonal struct {
	Gain tensor.Float // 1
	Seed tensor.Float // unset: the model's
}

func (Orthogonal) Class() string { return "Orthogonal" }

func (i Orthogonal) Config() map[string]any {
	return map[string]any{"gain": i.Gain.Or(1), "seed": seedConfig(i.Seed)}
}

// Fill implements Initializer. It takes time in proportion to (shorter side)^2 times the longer one: half a second for (512, 2048).
func (i Orthogonal) Fill(dst []float32, shape tensor.Shape, s *random.Stream) error {
	if err := checkShape(i.Class(), dst, shape); err != nil {
		return err
	}
	if len(shape) < 2 {
		return fmt.Errorf("initializers: Orthogonal: expected at least two axes, got shape %v", shape)
	}
	gain := i.Gain.Or(1)
	if math.IsNaN(gain) || math.IsInf(gain, 0) {
		return fmt.Errorf("initializers: Orthogonal: gain must be finite, got %v", gain)
	}
	s, err := stream(i.Class(), i.Seed, s)
	if err != nil {
		return err
	}
	rows, cols := shape[:len(shape)-1].Size(), shape[len(shape)-1]
	n, length := min(rows, cols), max(rows, cols)
	q := orthonormal(n, length, s)
	// The n vectors are the rows of a wide matrix and the columns of a high one.
	step, next := 1, cols
	if rows > cols {
		step, next = cols, 1
	}
	for j := range n {
		for k, v := range q[j*length:][:length] {
			dst[j*next+k*step] = float32(gain * v)
		}
	}
	return nil
}

// orthonormal makes n orthonormal vectors out of normal ones by the modified Gram-Schmidt process. That is the QR decomposition
// whose R has a positive diagonal, which is what Keras's multiplication with the signs of the diagonal amounts to.
func orthonormal(n, length int, s *random.Stream) []float64 {
	q := make([]float64, n*length)
	for j := range n {
		v := q[j*length:][:length]
		for before := 0.0; ; {
			for before == 0 {
				for k := range v {
					v[k] = s.Normal()
				}
				before = dot(v, v)
			}
			for k := range j {
				u := q[k*length:][:length]
				subtract(v, dot(v, u), u)
			}
			after := dot(v, v)
			// What lost more than half of its length carries the rounding of what it lost: once more (Daniel et al., 1976; they show that
			// twice is enough).
			if after > before/4 {
				scale(v, 1/math.Sqrt(after))
				break
			}
			before = after
		}
	}
	return q
}

// dot adds four sums side by side, in an order that depends on the length alone.
func dot(a, b []float64) float64 {
	var s0, s1, s2, s3 float64
	b = b[:len(a)]
	for ; len(a) >= 4; a, b = a[4:], b[4:] {
		s0 += float64(a[0] * b[0])
		s1 += float64(a[1] * b[1])
		s2 += float64(a[2] * b[2])
		s3 += float64(a[3] * b[3])
	}
	for i := range a {
		s0 += float64(a[i] * b[i])
	}
	return (s0 + s1) + (s2 + s3)
}

// subtract is v -= c u.
func subtract(v []float64, c float64, u []float64) {
	u = u[:len(v)]
	for i := range v {
		v[i] -= float64(c * u[i])
	}
}

func scale(v []float64, c float64) {
	for i := range v {
		v[i] *= c
	}
}
