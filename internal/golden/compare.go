package golden

import (
	"fmt"
	"math"
	"testing"
)

// Tolerance is how far a number may lie from the one wanted: Abs, or Rel times the largest magnitude among all wanted numbers of
// the array, whichever is larger. Relative to each number alone would ask for digits that a sum has already lost.
type Tolerance struct {
	Abs, Rel float64
}

// Abs is an absolute tolerance.
func Abs(tol float64) Tolerance { return Tolerance{Abs: tol} }

// Rel is a tolerance relative to the largest wanted magnitude. An array of zeros is then met by zeros alone.
func Rel(tol float64) Tolerance { return Tolerance{Rel: tol} }

// Compare fails the test when got is not want within tol, and goes on with it. See Difference.
func Compare[F float32 | float64](t testing.TB, what string, got, want []F, tol Tolerance) {
	t.Helper()
	if err := Difference(got, want, tol); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// Difference is nil when got is as long as want and every number is within tol of its twin; otherwise it says how many are not, and of the
// first and the farthest of them the index, got and want. NaN is within no tolerance, not even of NaN; an infinity only of
// itself.
func Difference[F float32 | float64](got, want []F, tol Tolerance) error {
	if len(got) != len(want) {
		return fmt.Errorf("expected %d numbers, got %d", len(want), len(got))
	}
	largest := 0.0
	for _, w := range want {
		largest = max(largest, math.Abs(float64(w))) // NaN if any is: then nothing passes
	}
	allowed := tol.Abs
	if tol.Rel != 0 { // 0 times an infinity would be NaN
		allowed = max(allowed, tol.Rel*largest)
	}
	if math.IsInf(allowed, 1) {
		return fmt.Errorf("expected a finite tolerance, got %v + %v relative to the largest wanted magnitude %v", tol.Abs, tol.Rel, largest)
	}
	count, first, worst, worstErr := 0, 0, 0, 0.0
	for i := range want {
		err := math.Abs(float64(got[i]) - float64(want[i]))
		if got[i] == want[i] { // also equal infinities, whose difference is NaN
			err = 0
		}
		if !(err <= allowed) {
			if count == 0 {
				first, worst, worstErr = i, i, err
			}
			if err > worstErr || math.IsNaN(err) && !math.IsNaN(worstErr) {
				worst, worstErr = i, err
			}
			count++
		}
	}
	if count == 0 {
		return nil
	}
	text := fmt.Sprintf("%d of %d numbers are not within %.3g; first: index %d: got %v, want %v", count, len(want), allowed, first, got[first], want[first])
	if worst != first {
		text += fmt.Sprintf("; farthest: index %d: got %v, want %v", worst, got[worst], want[worst])
	}
	return fmt.Errorf("%s (off by %.3g)", text, worstErr)
}
