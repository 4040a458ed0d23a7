package golden

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestDifference(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		name      string
		got, want []float32
		tol       Tolerance
		says      string // empty: within tolerance
	}{
		{"equal", []float32{1, 2}, []float32{1, 2}, Tolerance{}, ""},
		{"empty", nil, nil, Tolerance{}, ""},
		{"at the bound", []float32{1.5}, []float32{1}, Abs(0.5), ""},
		{"beyond the bound", []float32{1, 1.5, 3}, []float32{1, 1, 1}, Abs(0.25), "2 of 3 numbers are not within 0.25; first: index 1: got 1.5, want 1; farthest: index 2: got 3, want 1 (off by 2)"},
		{"no tolerance", []float32{math.Nextafter32(1, 2)}, []float32{1}, Tolerance{}, "index 0"},
		{"relative to the largest", []float32{0.5, 100}, []float32{0, -100}, Rel(0.01), "index 1: got 100, want -100"},
		{"relative passes the small", []float32{0.5, 100}, []float32{0, 100}, Rel(0.01), ""},
		{"the larger of both", []float32{0.5, 1}, []float32{0, 1}, Tolerance{Abs: 0.6, Rel: 0.01}, ""},
		{"relative to zeros", []float32{1e-30}, []float32{0}, Rel(0.5), "index 0"},
		{"lengths", []float32{1}, []float32{1, 2}, Abs(9), "expected 2 numbers, got 1"},
		{"got NaN", []float32{1, nan}, []float32{1, 1}, Abs(9), "index 1: got NaN, want 1"},
		{"want NaN", []float32{1}, []float32{nan}, Abs(9), "got 1, want NaN"},
		{"both NaN", []float32{nan}, []float32{nan}, Abs(9), "got NaN, want NaN"},
		{"NaN elsewhere, relative", []float32{1, nan}, []float32{1, nan}, Rel(1), "index 1"},
		{"NaN is farthest", []float32{5, nan}, []float32{1, 1}, Abs(1), "farthest: index 1: got NaN"},
		{"equal infinities", []float32{inf, -inf}, []float32{inf, -inf}, Abs(1), ""},
		{"opposite infinities", []float32{inf}, []float32{-inf}, Abs(1), "got +Inf, want -Inf"},
		{"infinity against a number", []float32{1}, []float32{inf}, Abs(1), "got 1, want +Inf"},
		{"infinity makes no tolerance", []float32{7, inf}, []float32{1, inf}, Rel(1), "expected a finite tolerance"},
		{"infinite tolerance", []float32{7}, []float32{1}, Abs(math.Inf(1)), "expected a finite tolerance"},
		{"NaN tolerance", []float32{7}, []float32{1}, Abs(math.NaN()), "index 0: got 7, want 1"},
	} {
		err := Difference(c.got, c.want, c.tol)
		if c.says == "" && err != nil {
			t.Errorf("%s: expected no error, got %v", c.name, err)
		}
		if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: expected an error with %q, got %v", c.name, c.says, err)
		}
	}
}

// recorder is a test that keeps its errors.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func TestCompareFailsTheTest(t *testing.T) {
	r := &recorder{TB: t}
	Compare(r, "fine", []float64{1}, []float64{1}, Abs(1e-9))
	if len(r.errors) != 0 {
		t.Errorf("expected no error, got %q", r.errors)
	}
	Compare(r, "kernel", []float64{1, 3}, []float64{1, 2}, Abs(1e-9))
	want := "kernel: 1 of 2 numbers are not within 1e-09; first: index 1: got 3, want 2 (off by 1)"
	if len(r.errors) != 1 || r.errors[0] != want {
		t.Errorf("expected %q, got %q", want, r.errors)
	}
}
