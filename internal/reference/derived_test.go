package reference

import (
	"math"
	"testing"
)

// Derive agrees in float64 with the tape, which agrees with difference quotients: both are exact up to rounding.
func TestDeriveAgreesWithTape(t *testing.T) {
	seeds := uint64(600)
	if testing.Short() {
		seeds = 100
	}
	for seed := range seeds {
		r, err := NewRandomCell(seed)
		if err != nil {
			t.Fatal(err)
		}
		want, got := r.Run.Gradient(r.DY, r.DStates), r.Run.Derived(r.DY, r.DStates)
		for i, w := range want.Weights {
			close64(t, "the weight "+r.Run.Cell.Weights[i].Name, got.Weights[i], w)
		}
		for row := range want.X {
			for s, w := range want.X[row] {
				close64(t, "the input", got.X[row][s], w)
			}
			for s, w := range want.Init[row] {
				close64(t, "the initial "+r.Run.Cell.States[s].Name, got.Init[row][s], w)
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d, options %+v:\n%s", seed, r.Options, r.Text)
		}
	}
}

func close64(t *testing.T, what string, got, want []float64) {
	t.Helper()
	for i := range want {
		if err := math.Abs(got[i] - want[i]); !(err <= 1e-9*max(1, math.Abs(want[i]))) {
			t.Errorf("gradient of %s [%d]: derived %v, tape %v", what, i, got[i], want[i])
			return
		}
	}
}
