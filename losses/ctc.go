package losses

import (
	"fmt"
	"math"
	"sync"

	"github.com/unroll-ml/unroll/tensor"
)

// CTC is minus the logarithm of the probability that a sequence of logits (T, C) reads as a shorter sequence of labels, whatever the steps at which they come: class 0 is the blank,
// which says nothing, and a class that goes on is said once. Targets are (N, L) classes from 1, then zeros. An item is a row. Masks are not taken. Graves et al., 2006,
// "Connectionist temporal classification". Source: keras/src/losses/losses.py, ctc.
type CTC struct {
	Reduction Reduction // SumOverBatchSize
	Name      string    // "ctc"
}

// Fitted is a loss that must know the shape of the predictions before it computes.
type Fitted interface {
	Loss
	// Fit is the loss for predictions of this shape.
	Fit(pred tensor.Shape) Loss
}

// ByRow is a loss whose items are rows, steps and all.
type ByRow interface{ ByRow() bool }

// ItemsOf are the items of a loss in one row of predictions, and the values of each.
func ItemsOf(l Loss, pred tensor.Shape) (perRow, width int) {
	if r, ok := l.(ByRow); ok && r.ByRow() {
		return 1, pred[1:].Size()
	}
	return Items(pred)
}

func (CTC) Class() string { return "CTC" }

// Config implements Loss.
func (l CTC) Config() map[string]any { return base(l.Class(), l.Name, l.Reduction) }

// Reduce implements Loss.
func (l CTC) Reduce() Reduction { return l.Reduction.or() }

// ByRow implements ByRow.
func (CTC) ByRow() bool { return true }

// AsLogits implements Loss: predictions are logits.
func (CTC) AsLogits(string) (Loss, bool) { return nil, false }

// Check implements Loss.
func (l CTC) Check(pred, target tensor.Shape) error {
	if err := checkReduction(l.Class(), l.Reduction); err != nil {
		return err
	}
	if len(pred) != 3 || len(target) != 2 || !fit(pred[:1], target[:1]) || pred[2] == tensor.None {
		return misfit(l.Class(), "logits (N, T, C) and labels (N, L)", pred, target)
	}
	return nil
}

// CheckTarget, Value and Grad are those of the loss that Fit returns; the number of classes is not known here.
func (CTC) CheckTarget(Target, int, int) error                   { panic("losses: CTC: not fitted") }
func (CTC) Value([]float32, []float32, Target, int, int)         { panic("losses: CTC: not fitted") }
func (CTC) Grad(_, _ []float32, _ Target, _ []float32, _, _ int) { panic("losses: CTC: not fitted") }

// Fit implements Fitted.
func (l CTC) Fit(pred tensor.Shape) Loss {
	return &ctc{CTC: l, classes: pred[2], work: &sync.Pool{New: func() any { return new(ctcWork) }}}
}

// ctc is a CTC that knows its number of classes.
type ctc struct {
	CTC
	classes int
	work    *sync.Pool // of *ctcWork, one a shard at work
}

// ctcWork is the workspace of a row: logarithms of probabilities. States are blank, label, blank, label … blank.
type ctcWork struct {
	labels      []int     // of the states
	logp        []float64 // (T, C)
	alpha, beta []float64 // (T, states)
}

// CheckTarget fails on a label that is no class, or that follows a 0.
func (l *ctc) CheckTarget(target Target, n, _ int) error {
	per := target.Len() / max(1, n)
	for i := range target.Len() {
		c := target.At(i)
		if c != math.Trunc(c) || c < 0 || int(c) >= l.classes {
			return fmt.Errorf("losses: CTC: expected labels from 1 to %d, and 0 behind them, got %v in row %d", l.classes-1, c, i/per)
		}
		if i%per > 0 && c != 0 && target.At(i-1) == 0 {
			return fmt.Errorf("losses: CTC: expected labels before the zeros, got %v behind a 0 in row %d", c, i/per)
		}
	}
	return nil
}

// Value implements Loss.
func (l *ctc) Value(dst, pred []float32, target Target, n, m int) {
	w := l.work.Get().(*ctcWork)
	defer l.work.Put(w)
	for i := range n {
		dst[i] = float32(-w.forward(pred[i*m:(i+1)*m], target.item(i, n), l.classes))
	}
}

// Grad implements Loss.
func (l *ctc) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	w := l.work.Get().(*ctcWork)
	defer l.work.Put(w)
	for i := range n {
		logits := pred[i*m : (i+1)*m]
		total := w.forward(logits, target.item(i, n), l.classes)
		w.backward(dpred[i*m:(i+1)*m], total, float64(scale[i]), l.classes)
	}
}

// forward is the logarithm of the probability of the labels. alpha is that of having read a state's beginning of them after a step.
func (w *ctcWork) forward(logits []float32, y Target, classes int) float64 {
	w.labels = append(w.labels[:0], 0)
	for k := range y.Len() {
		if c := int(y.At(k)); c != 0 {
			w.labels = append(w.labels, c, 0)
		}
	}
	t, s := len(logits)/classes, len(w.labels)
	if t == 0 {
		return 0
	}
	w.logp, w.alpha, w.beta = grown(w.logp, t*classes), grown(w.alpha, t*s), grown(w.beta, t*s)
	for k := range t {
		logSoftmax(w.logp[k*classes:(k+1)*classes], logits[k*classes:])
	}
	for k := range t {
		p := w.logp[k*classes:]
		for j, c := range w.labels {
			a := math.Inf(-1)
			if k == 0 {
				if j < 2 {
					a = 0
				}
			} else {
				before := w.alpha[(k-1)*s : k*s]
				a = before[j]
				if j > 0 {
					a = logAdd(a, before[j-1])
				}
				if w.skips(j) {
					a = logAdd(a, before[j-2])
				}
			}
			w.alpha[k*s+j] = a + p[c]
		}
	}
	last := w.alpha[(t-1)*s : t*s]
	total := last[s-1]
	if s > 1 {
		total = logAdd(total, last[s-2])
	}
	return total
}

// skips reports whether state j may follow the label before the last: it is another one.
func (w *ctcWork) skips(j int) bool {
	return j >= 2 && w.labels[j] != 0 && w.labels[j] != w.labels[j-2]
}

// backward writes scale times the derivative of minus total by the logits: the probability of a class, less that of being read there. beta is the logarithm of the
// probability of the rest of the labels after a state's step.
func (w *ctcWork) backward(d []float32, total, scale float64, classes int) {
	t, s := len(d)/classes, len(w.labels)
	for k := t - 1; k >= 0; k-- {
		for j := range s {
			b := math.Inf(-1)
			if k == t-1 {
				if j >= s-2 {
					b = 0
				}
			} else {
				p, next := w.logp[(k+1)*classes:], w.beta[(k+1)*s:(k+2)*s]
				b = next[j] + p[w.labels[j]]
				if j+1 < s {
					b = logAdd(b, next[j+1]+p[w.labels[j+1]])
				}
				if j+2 < s && w.skips(j+2) {
					b = logAdd(b, next[j+2]+p[w.labels[j+2]])
				}
			}
			w.beta[k*s+j] = b
		}
		row := d[k*classes : (k+1)*classes]
		for c := range row {
			row[c] = float32(scale * math.Exp(w.logp[k*classes+c]))
		}
		if math.IsInf(total, -1) {
			continue // more labels than steps can say
		}
		for j, c := range w.labels {
			row[c] -= float32(scale * math.Exp(w.alpha[k*s+j]+w.beta[k*s+j]-total))
		}
	}
}

// logSoftmax writes the logarithms of the softmax of the first values of x.
func logSoftmax(dst []float64, x []float32) {
	top := math.Inf(-1)
	for i := range dst {
		top = math.Max(top, float64(x[i]))
	}
	sum := 0.0
	for i := range dst {
		sum += math.Exp(float64(x[i]) - top)
	}
	sum = top + math.Log(sum)
	for i := range dst {
		dst[i] = float64(x[i]) - sum
	}
}

// logAdd is the logarithm of the sum of two numbers of which logarithms are given.
func logAdd(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if math.IsInf(b, -1) {
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}

func grown(b []float64, n int) []float64 {
	if cap(b) < n {
		return make([]float64, n)
	}
	return b[:n]
}
