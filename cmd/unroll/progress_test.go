package main

import (
	"math"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/callbacks"
)

func TestNewProgress(t *testing.T) {
	for verbose, want := range []callbacks.Verbosity{callbacks.Silent, callbacks.Bar, callbacks.Line} {
		if p := newProgress(&strings.Builder{}, unroll.Keras2, verbose); p.Verbose != want || p.Live || p.Style != unroll.Keras2 {
			t.Errorf("--verbose %d: got %+v", verbose, p)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0.84766: "0.8477", 1234.5: "1234.5000", 0.001: "1.0000e-03", -0.5: "-0.5000", 0: "0.0000e+00", math.Inf(1): "inf", math.Inf(-1): "-inf",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
	if got := number(math.NaN()); got != "nan" {
		t.Errorf("number(NaN) = %q", got)
	}
}
