package onnx

import (
	"fmt"
	"math"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/onnx"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// channels are operators that have the channels before the steps, (N, C, T), or with an axis of length 1 beside the steps; their layers have them last.
func (m *importer) channels(n *onnx.Node) error {
	x := m.arg(n, 0)
	if x == nil || x.view == nil {
		return fmt.Errorf("expected what layers compute, got numbers")
	}
	v := x.view
	s, err := v.single()
	if err != nil {
		return err
	}
	if v.are(0, 1, 2) {
		name := m.unique(n.Name + "_permute")
		if s, err = m.layer(name, layers.Permute{Name: name, Dims: []int{2, 1}}, nil, nil, s); err != nil {
			return err
		}
		v = &view{parts: []*source{s}, axes: axesOf(0, 2, 1)}
	}
	last := len(s.lengths) - 1
	if len(v.axes) < 2 || !v.axes[1].is(last) {
		return fmt.Errorf("expected values (N, C, T), got axes in the order %s", v.order())
	}
	if n.Op == "BatchNormalization" {
		return m.batchNormalization(n, v)
	}
	at := slices.IndexFunc(v.axes, func(a axis) bool { return a.is(1) }) - 2
	if last != 2 || !v.axes[0].is(0) || at < 0 || slices.ContainsFunc(slices.Delete(slices.Clone(v.axes[2:]), at, at+1), func(a axis) bool { return !a.unit() }) {
		return fmt.Errorf("expected values (N, C, T), got axes in the order %s", v.order())
	}
	w, err := m.windows(n, s, at, len(v.axes)-2)
	if err != nil {
		return err
	}
	from := s
	if s.padded != nil {
		from = s.padded.of
	}
	lengths := slices.Clone(from.lengths)
	if lengths[1] = w.steps(lengths[1]); w.stride > 1 || w.padding == "" && w.size > 1 {
		if !lengths[1].known() {
			lengths[1] = m.open()
		}
	}
	if n.Op == "Conv" {
		y, err := m.convolution(n, w, from)
		if err != nil {
			return err
		}
		lengths[2] = lengthOf(int64(w.filters))
		y.lengths = lengths
		return m.set(n, v.with(y))
	}
	if s.padded != nil && w.padding != "" {
		return fmt.Errorf("expected a pool over the steps themselves, got zeros around them")
	}
	name := m.nameOf(n)
	var spec layers.Spec = layers.AveragePooling1D{Name: name, PoolSize: w.size, Strides: w.stride, Padding: w.padding}
	if n.Op == "MaxPool" {
		spec = layers.MaxPooling1D{Name: name, PoolSize: w.size, Strides: w.stride, Padding: w.padding}
	}
	y, err := m.layer(name, spec, nil, lengths, s)
	if err != nil {
		return err
	}
	return m.set(n, v.with(y))
}

func (m *importer) batchNormalization(n *onnx.Node, v *view) error {
	var arrays [][]float32
	for i := 1; i < 5; i++ {
		t := m.arg(n, i)
		if t == nil || t.array == nil || t.floats == nil || len(t.floats) != v.parts[0].width() {
			return fmt.Errorf("expected a scale, bias, mean and variance of %d known numbers", v.parts[0].width())
		}
		arrays = append(arrays, t.floats)
	}
	if intOf(n, "training_mode", 0) != 0 {
		return fmt.Errorf("expected training_mode 0, for prediction")
	}
	name := m.nameOf(n)
	s, err := m.layer(name, layers.BatchNormalization{Name: name, Epsilon: tensor.F(float64(floatOf(n, "epsilon", 1e-5)))}, arrays, v.parts[0].lengths, v.parts[0])
	if err != nil {
		return err
	}
	return m.set(n, v.with(s))
}

// padded are the steps of a source with zeros before and after.
type padded struct {
	of            *source
	before, after int64
}

// pad is a Pad of steps with zeros, for a convolution.
func (m *importer) pad(n *onnx.Node) error {
	x := m.arg(n, 0)
	pads, err := m.intsOf(n, "pads", 1)
	if err != nil {
		return err
	}
	if x == nil || x.view == nil || len(pads) != 2*len(x.axes) {
		return fmt.Errorf("expected what layers compute, padded on known places")
	}
	s, err := x.single()
	if err != nil {
		return err
	}
	if v := m.arg(n, 2); v != nil && (v.array == nil || !v.isAll(0)) || floatOf(n, "value", 0) != 0 {
		return fmt.Errorf("expected zeros around the values, got others")
	}
	if mode := n.Attribute("mode"); mode != nil && mode.String != "constant" {
		return fmt.Errorf("expected zeros around the values, got mode %s", mode.String)
	}
	p := &padded{of: s}
	for i, a := range x.axes {
		before, after := pads[i], pads[len(x.axes)+i]
		if a.is(1) && before >= 0 && after >= 0 && max(before, after) < math.MaxInt32 {
			p.before, p.after = before, after
		} else if before != 0 || after != 0 {
			return fmt.Errorf("expected zeros around the steps alone, got pads %v", pads)
		}
	}
	lengths := slices.Clone(s.lengths)
	if len(lengths) > 1 {
		if lengths[1].known() {
			lengths[1].n += p.before + p.after
		} else {
			lengths[1] = m.open()
		}
	}
	return m.set(n, x.with(&source{lengths: lengths, make: never("expected zeros around the steps for a convolution, got another use of them"), padded: p}))
}

// windows are a convolution's or pool's.
type windows struct {
	size, stride, dilation int
	padding                string
	filters, groups        int
	kernel                 []float32 // (F, C, K)
	bias                   []float32
}

// steps are how many windows there are over so many steps.
func (w *windows) steps(l length) length {
	if !l.known() {
		return l
	}
	n, stride := l.n, int64(w.stride)
	if w.padding == "" {
		n -= int64((w.size - 1) * w.dilation)
	}
	return lengthOf(max(0, (n+stride-1)/stride))
}

// windows reads a node whose axis at among its spatial ones has the steps; the others have length 1.
func (m *importer) windows(n *onnx.Node, s *source, at, spatial int) (*windows, error) {
	var shape []int
	w := &windows{groups: intOf(n, "group", 1)}
	if n.Op == "Conv" {
		kernel := m.arg(n, 1)
		if kernel == nil || kernel.array == nil || kernel.floats == nil || len(kernel.shape) != 2+spatial || kernel.shape[0] < 1 || kernel.shape[1] < 1 || w.groups < 1 {
			return nil, fmt.Errorf("expected a known kernel (F, C, K)")
		}
		w.filters, w.kernel, shape = kernel.shape[0], kernel.floats, kernel.shape[2:]
		if c := s.width(); c != w.groups*kernel.shape[1] {
			return nil, fmt.Errorf("expected a value of width %d, got shape %s", w.groups*kernel.shape[1], shown(s.lengths))
		}
		if b := m.arg(n, 2); b != nil {
			if b.array == nil || len(b.floats) != w.filters {
				return nil, fmt.Errorf("expected a bias of %d known numbers", w.filters)
			}
			w.bias = b.floats
		}
	}
	var err error
	along := func(name string, otherwise int) int {
		a := n.Attribute(name)
		if a == nil {
			return otherwise
		}
		for i, v := range a.Ints {
			if len(a.Ints) != spatial || v < 1 || v > 1<<20 || i != at && v != 1 {
				err = fmt.Errorf("expected windows over one axis, of positive size, got %s %v", name, a.Ints)
				return 1
			}
		}
		if len(a.Ints) <= at {
			return otherwise
		}
		return int(a.Ints[at])
	}
	w.size = 1
	for i, d := range shape {
		if i == at {
			w.size = d
		} else if d != 1 {
			return nil, fmt.Errorf("expected windows over one axis, got a kernel of shape %v", shape)
		}
	}
	w.size, w.stride, w.dilation = along("kernel_shape", w.size), along("strides", 1), along("dilations", 1)
	if err != nil || w.size < 1 || shape != nil && w.size != shape[at] || w.size > 1<<20 {
		return nil, fmt.Errorf("expected windows over one axis, of positive size, got size %d (%v)", w.size, err)
	}
	if n.Op != "Conv" && (w.dilation != 1 || intOf(n, "ceil_mode", 0) != 0) {
		return nil, fmt.Errorf("expected neither dilations nor ceil_mode")
	}
	if err := m.readPads(n, w, s, at, spatial); err != nil {
		return nil, err
	}
	if n.Op == "AveragePool" && w.padding == "same" && intOf(n, "count_include_pad", 0) != 0 {
		return nil, fmt.Errorf("expected no count_include_pad")
	}
	return w, nil
}

// readPads finds the padding that has these pads.
func (m *importer) readPads(n *onnx.Node, w *windows, s *source, at, spatial int) error {
	var before, after int64
	if s.padded != nil {
		before, after = s.padded.before, s.padded.after
	}
	auto := "NOTSET"
	if a := n.Attribute("auto_pad"); a != nil {
		auto = a.String
	}
	pads := n.Attribute("pads")
	switch {
	case auto == "SAME_UPPER" && s.padded == nil:
		w.padding = "same"
		return nil
	case auto != "NOTSET" && auto != "VALID":
		return fmt.Errorf("expected auto_pad SAME_UPPER or VALID, got %s", auto)
	case auto == "NOTSET" && pads != nil:
		if len(pads.Ints) != 2*spatial {
			return fmt.Errorf("expected %d pads, got %v", 2*spatial, pads.Ints)
		}
		for i, p := range pads.Ints {
			switch {
			case i == at && p >= 0 && p < math.MaxInt32:
				before += p
			case i == at+spatial && p >= 0 && p < math.MaxInt32:
				after += p
			case p != 0:
				return fmt.Errorf("expected pads around the steps alone, got %v", pads.Ints)
			}
		}
	}
	reach := int64((w.size-1)*w.dilation + 1)
	all := reach - 1 // that same adds
	steps := s.lengths[1]
	if s.padded != nil {
		steps = s.padded.of.lengths[1]
	}
	known := w.stride == 1
	if w.stride > 1 && steps.known() {
		all = max(0, ((steps.n+int64(w.stride)-1)/int64(w.stride)-1)*int64(w.stride)+reach-steps.n)
		known = true
	}
	switch {
	case before == 0 && after == 0:
	case known && before == all/2 && after == all-all/2:
		w.padding = "same"
	case n.Op == "Conv" && before == reach-1 && after == 0:
		w.padding = "causal"
	default:
		return fmt.Errorf("expected padding as of valid, same or causal, got %d before and %d after", before, after)
	}
	return nil
}

// convolution is the layer of a Conv. An Add behind it brings the bias.
func (m *importer) convolution(n *onnx.Node, w *windows, s *source) (*source, error) {
	f, size := w.filters, w.size
	c := len(w.kernel) / f / size
	if err := m.spend(len(w.kernel)); err != nil {
		return nil, err
	}
	kernel := make([]float32, len(w.kernel))
	for j := range f {
		for i := range c {
			for k := range size {
				kernel[(k*c+i)*f+j] = w.kernel[(j*c+i)*size+k]
			}
		}
	}
	y := m.biased(w.bias, f, func(bias []float32) (unroll.Symbol, error) {
		symbol, err := s.get()
		if err != nil {
			return symbol, err
		}
		name, weights := m.nameOf(n), [][]float32{kernel}
		if bias != nil {
			weights = append(weights, bias)
		}
		spec := layers.Conv1D{Name: name, Filters: f, KernelSize: size, Strides: w.stride, DilationRate: w.dilation, Groups: w.groups, Padding: w.padding, NoBias: bias == nil}
		return m.apply(name, spec, weights, symbol)
	})
	return y, nil
}
