package layers

// Where windows stand that do not fit into the steps.
const (
	padValid  = "valid"  // within the steps alone
	padSame   = "same"   // one for every stride, padded evenly on both sides, the odd one behind
	padCausal = "causal" // one for every stride, padded before, so that a window sees no later step
)

// windows lie over the steps of a sequence: of size taps, dilation steps apart, a stride from window to window.
type windows struct {
	size, stride, dilation int
	padding                string
}

// reach is how many steps a window spans.
func (w windows) reach() int { return (w.size-1)*w.dilation + 1 }

// count is how many windows t steps have; 0 or less: too few steps.
func (w windows) count(t int) int {
	switch w.padding {
	case padSame:
		return (t + w.stride - 1) / w.stride
	case padCausal:
		t += w.reach() - 1
	}
	if t < w.reach() {
		return 0
	}
	return (t-w.reach())/w.stride + 1
}

// before is how many steps of padding stand before the first step.
func (w windows) before(t int) int {
	switch w.padding {
	case padSame:
		return max(0, (w.count(t)-1)*w.stride+w.reach()-t) / 2
	case padCausal:
		return w.reach() - 1
	}
	return 0
}

// inside are the steps first to before last of window o, without the padding. The taps are next to each other.
func (w windows) inside(o, t int) (first, last int) {
	first = o*w.stride - w.before(t)
	return max(0, first), min(t, first+w.size)
}

// tap are the windows first to before last whose tap k falls on a step; that of window o is o*stride + at.
func (w windows) tap(k, t int) (first, last, at int) {
	at = k*w.dilation - w.before(t)
	if at < 0 {
		first = (-at + w.stride - 1) / w.stride
	}
	last = min(w.count(t), (t-at+w.stride-1)/w.stride)
	return first, max(first, last), at
}
