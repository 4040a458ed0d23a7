package losses_test

import (
	"math"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/tensor"
)

// reads is what steps of classes say: repeated ones once, blanks not at all.
func reads(path []int) (said []int) {
	for i, c := range path {
		if c != 0 && (i == 0 || path[i-1] != c) {
			said = append(said, c)
		}
	}
	return said
}

// CTC is the sum over all ways of saying the labels, counted one by one; the gradient is that of finite differences.
func TestCTC(t *testing.T) {
	const steps, classes = 5, 3
	s := random.New(4, random.Data)
	l := losses.CTC{}.Fit(tensor.Shape{tensor.None, tensor.None, classes})
	for _, labels := range [][]int32{{0, 0, 0}, {1, 0, 0}, {1, 2, 1}, {2, 2, 0}, {1, 1, 2}} {
		logits := make([]float32, steps*classes)
		for i := range logits {
			logits[i] = float32(2 * s.Normal())
		}
		target := losses.Target{IDs: labels}
		var want []int
		for _, c := range labels {
			if c != 0 {
				want = append(want, int(c))
			}
		}
		total := 0.0
		path := make([]int, steps)
		for n := range int(math.Pow(classes, steps)) {
			p := 1.0
			for k := range path {
				path[k] = n % classes
				n /= classes
				sum := 0.0
				for c := range classes {
					sum += math.Exp(float64(logits[k*classes+c]))
				}
				p *= math.Exp(float64(logits[k*classes+path[k]])) / sum
			}
			said := reads(path)
			same := len(said) == len(want)
			for k := 0; same && k < len(said); k++ {
				same = said[k] == want[k]
			}
			if same {
				total += p
			}
		}
		value := func() float64 {
			var v [1]float32
			l.Value(v[:], logits, target, 1, len(logits))
			return float64(v[0])
		}
		if got, want := value(), -math.Log(total); !(math.Abs(got-want) <= 1e-6*want) {
			t.Errorf("%v: expected %v, got %v", labels, want, got)
		}
		d := make([]float32, len(logits))
		l.Grad(d, logits, target, []float32{1}, 1, len(logits))
		for i := range logits {
			const h = 1e-2
			at := logits[i]
			logits[i] = at + h
			up := value()
			logits[i] = at - h
			down := value()
			logits[i] = at
			if want := (up - down) / (2 * h); !(math.Abs(float64(d[i])-want) <= 2e-4) {
				t.Errorf("%v: derivative by logit %d: expected %v, got %v", labels, i, want, d[i])
			}
		}
	}
}

// More labels than steps can say have no probability: the loss is infinite, the gradient finite.
func TestCTCWithoutRoom(t *testing.T) {
	l := losses.CTC{}.Fit(tensor.Shape{1, 2, 3})
	logits, d := make([]float32, 6), make([]float32, 6)
	var v [1]float32
	target := losses.Target{IDs: []int32{1, 1, 2}}
	l.Value(v[:], logits, target, 1, 6)
	l.Grad(d, logits, target, []float32{1}, 1, 6)
	if !math.IsInf(float64(v[0]), 1) {
		t.Errorf("expected an infinite loss, got %v", v[0])
	}
	for i, g := range d {
		if math.IsNaN(float64(g)) || math.IsInf(float64(g), 0) {
			t.Errorf("expected a finite derivative by logit %d, got %v", i, g)
		}
	}
	for want, ids := range map[string][]int32{"expected labels from 1 to 2, and 0 behind them, got 3 in row 0": {3, 0}, "expected labels before the zeros, got 2 behind a 0 in row 0": {0, 2}} {
		if err := l.CheckTarget(losses.Target{IDs: ids}, 1, 6); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected the error %q, got %v", want, err)
		}
	}
}
