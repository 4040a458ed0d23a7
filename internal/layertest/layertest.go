// Package layertest is the conformance suite that every layer runs: shapes, parameters, the way of its Spec through a file, masks,
// determinism, two passes at once, and gradients against finite differences. It is for tests only.
//
// What a layer computes is not asked here: that is compared with Keras (testdata/golden).
package layertest

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// Mask is what a layer does with the mask of its input.
type Mask int

// What becomes of a mask.
const (
	Keeps   Mask = iota // it goes on as it came
	Drops               // it ends here
	Makes               // the layer makes one, whatever came
	Refuses             // Build fails
)

// Input is one input of a layer.
type Input struct {
	In    tensor.Shape // of the signature: the batch first, None; other axes may be None too
	Batch tensor.Shape // of the values that go through; nil: In with 3 for the batch and 5 for other open axes
	IDs   int          // ids below it; 0: floats
}

// Case is a layer with what is known of it.
type Case struct {
	Name    string
	Spec    layers.Spec
	In      tensor.Shape // as in Input
	Batch   tensor.Shape
	IDs     int
	More    []Input        // the inputs after the first
	Out     tensor.Shape   // expected of the signature
	MoreOut []tensor.Shape // expected of the outputs after the first, which have no mask
	Params  int            // expected number of weights' values
	// Mask is what becomes of the mask of the first input. Every other input that has steps (a rank above 2) is masked with it.
	Mask Mask
	// Random: training draws by row. Mixes: training looks at the whole batch. Kinks: values in which the layer has corners lie within
	// the finite differences, so that they are not taken.
	Random, Mixes, Kinks bool
}

// Run asks all of it.
func Run(t *testing.T, cases ...Case) {
	for _, c := range cases {
		name := c.Name
		if name == "" {
			name = c.Spec.Class()
		}
		t.Run(name, func(t *testing.T) {
			c.Batch = batchOf(c.In, c.Batch)
			c.More = slices.Clone(c.More)
			for i, in := range c.More {
				c.More[i].Batch = batchOf(in.In, in.Batch)
			}
			t.Run("shapes", c.shapes)
			t.Run("config", c.config)
			t.Run("masks", c.masks)
			t.Run("determinism", c.determinism)
			t.Run("rows", c.rows)
			t.Run("concurrency", c.concurrency)
			t.Run("gradients", c.gradients)
		})
	}
}

// batchOf is the shape of the values for a signature's, unless it is given.
func batchOf(in, given tensor.Shape) tensor.Shape {
	if given != nil {
		return given
	}
	batch := in.Clone()
	for i, n := range batch {
		if n == tensor.None {
			batch[i] = 5
		}
	}
	batch[0] = 3
	return batch
}

func (c *Case) all() []Input { return append([]Input{{c.In, c.Batch, c.IDs}}, c.More...) }

// signatures are those of the inputs; masked: of those that have steps.
func (c *Case) signatures(masked bool) []layers.Signature {
	var all []layers.Signature
	for _, in := range c.all() {
		all = append(all, layers.Signature{Shape: in.In.Clone(), IDs: in.IDs > 0, Masked: masked && in.IDs == 0 && len(in.In) > 2})
	}
	return all
}

// hasSteps reports whether the first input has steps that a mask could hide.
func (c *Case) hasSteps() bool { return len(c.Batch) > 2 }

// pass is a pass of the layer.
func (c *Case) pass(l layers.Layer, training bool) *pass {
	return newPass(l, 1+len(c.More), 1+len(c.MoreOut), training)
}

// build is the layer, its weights drawn and then moved a little, so that none is zero.
func (c *Case) build(t *testing.T, s layers.Spec, in []layers.Signature) layers.Layer {
	t.Helper()
	l, err := s.Build(&layers.Builder{Name: "x"}, in)
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	for i, w := range l.Weights() {
		w.Index = i
		draw := random.New(5, random.Init, uint64(i))
		if err := w.Init(draw); err != nil {
			t.Fatal(err)
		}
		for k := range w.Data {
			w.Data[k] += 0.1 * float32(draw.Normal())
		}
	}
	return l
}

// inputs are the rows of a batch, rows outermost.
func (c *Case) inputs() []layers.Value {
	draw := random.New(9, random.Data)
	var all []layers.Value
	for _, in := range c.all() {
		v := layers.Value{Shape: in.Batch.Clone()}
		if in.IDs > 0 {
			v.IDs = make([]int32, v.Shape.Size())
			for i := range v.IDs {
				v.IDs[i] = int32(draw.IntN(in.IDs))
			}
		} else {
			v.Data = make([]float32, v.Shape.Size())
			for i := range v.Data {
				v.Data[i] = float32(draw.Normal())
			}
		}
		all = append(all, v)
	}
	return all
}

// mask gives masks to the inputs that signatures calls masked: with apart 0 one and the same.
func (c *Case) mask(in []layers.Value, apart int) {
	for i, s := range c.signatures(true) {
		if s.Masked {
			in[i].Mask = someMask(in[i].Shape[0], in[i].Shape[1], i*apart)
		}
	}
}

// shapes: what Output says is what Forward gives, and the weights are as many as expected.
func (c *Case) shapes(t *testing.T) {
	l := c.build(t, c.Spec, c.signatures(false))
	out, err := l.Output(c.signatures(false))
	if err != nil {
		t.Fatal(err)
	}
	c.expect(t, "Output", out)
	params := 0
	seen := map[string]bool{}
	for _, w := range l.Weights() {
		params += len(w.Data)
		if seen[w.Path] || w.Path == "" {
			t.Errorf("expected a path of its own for every weight, got %q", w.Path)
		}
		seen[w.Path] = true
		if w.Shape.Size() != len(w.Data) {
			t.Errorf("%s: expected %d values for shape %v, got %d", w.Path, w.Shape.Size(), w.Shape, len(w.Data))
		}
	}
	if params != c.Params {
		t.Errorf("expected %d parameters, got %d", c.Params, params)
	}
	exact := c.signatures(false)
	for i, in := range c.all() {
		exact[i].Shape = in.Batch.Clone()
	}
	if out, err = l.Output(exact); err != nil {
		t.Fatal(err)
	}
	for _, training := range []bool{false, true} {
		p := c.pass(l, training)
		l.Prepare(training)
		for i, got := range p.forward(c.inputs()) {
			if !got.Shape.Equal(out[i].Shape) || len(got.Data) != got.Shape.Size() {
				t.Errorf("training %v: output %d: expected a value of shape %v, got %v with %d numbers", training, i, out[i].Shape, got.Shape, len(got.Data))
			}
		}
	}
	again, err := l.Output(c.signatures(false))
	if err != nil {
		t.Fatal(err)
	}
	c.expect(t, "Output after a pass", again)
}

// expect: these are the signatures of the outputs.
func (c *Case) expect(t *testing.T, what string, out []layers.Signature) {
	t.Helper()
	want := append([]tensor.Shape{c.Out}, c.MoreOut...)
	if len(out) != len(want) {
		t.Fatalf("%s: expected %d outputs, got %+v", what, len(want), out)
	}
	for i, s := range out {
		if !s.Shape.Equal(want[i]) || s.IDs || i > 0 && s.Masked {
			t.Errorf("%s: output %d: expected floats %v, got %+v", what, i, want[i], s)
		}
	}
}

// config: the Spec goes through a file and comes back as one that computes the same.
func (c *Case) config(t *testing.T) {
	read, first := through(t, c.Spec, c.signatures(false))
	_, second := through(t, read, c.signatures(false))
	if d := cmp.Diff(first, second); d != "" {
		t.Errorf("the second way through a file changes the config (-first +second):\n%s", d)
	}
	a, b := c.build(t, c.Spec, c.signatures(false)), c.build(t, read, c.signatures(false))
	if got, want := len(b.Weights()), len(a.Weights()); got != want {
		t.Fatalf("expected %d weights after the way through a file, got %d", want, got)
	}
	for i, w := range b.Weights() {
		from := a.Weights()[i]
		if w.Path != from.Path || !w.Shape.Equal(from.Shape) {
			t.Fatalf("expected weight %s %v after the way through a file, got %s %v", from.Path, from.Shape, w.Path, w.Shape)
		}
		copy(w.Data, from.Data)
	}
	a.Prepare(false)
	b.Prepare(false)
	sameOutputs(t, "after the way through a file", c.pass(b, false).forward(c.inputs()), c.pass(a, false).forward(c.inputs()))
}

// through is the layer after a way through a file, and the config in it.
func through(t *testing.T, s layers.Spec, in []layers.Signature) (layers.Spec, map[string]any) {
	t.Helper()
	text, err := keras.Encode(layers.Serialize(s, "x", in[0], true, in[1:]...))
	if err != nil {
		t.Fatal(err)
	}
	m, err := keras.Decode("layer", text)
	if err != nil {
		t.Fatal(err)
	}
	o, err := keras.ParseObject("layer", m)
	if err != nil {
		t.Fatal(err)
	}
	read, err := layers.FromConfig("layer", o)
	if err != nil {
		t.Fatal(err)
	}
	if called, ok := s.(layers.Called); ok { // a file has these where the layer is called
		if read, err = read.(layers.Called).WithCallArguments(called.CallArguments()); err != nil {
			t.Fatal(err)
		}
	}
	return read, m
}

// masks: a mask is kept, dropped, made or refused, and the signature says so.
func (c *Case) masks(t *testing.T) {
	if !c.hasSteps() {
		return
	}
	sig := c.signatures(true)
	if c.Mask == Refuses {
		if _, err := c.Spec.Build(&layers.Builder{Name: "x"}, sig); err == nil {
			t.Errorf("expected an error for a masked input, got none")
		}
		return
	}
	l := c.build(t, c.Spec, sig)
	out, err := l.Output(sig)
	if err != nil {
		t.Fatal(err)
	}
	if want := c.Mask == Keeps && sig[0].Masked || c.Mask == Makes; out[0].Masked != want {
		t.Errorf("expected a signature with Masked %v, got %v", want, out[0].Masked)
	}
	c.expect(t, "Output with a mask", out)
	in := c.inputs()
	c.mask(in, 0)
	l.Prepare(false)
	values := c.pass(l, false).forward(in)
	for i, v := range values[1:] {
		if v.Mask != nil {
			t.Errorf("output %d: expected no mask, got %v", 1+i, v.Mask)
		}
	}
	got := values[0]
	switch c.Mask {
	case Keeps:
		if !slices.Equal(got.Mask, in[0].Mask) {
			t.Errorf("expected the mask %v, got %v", in[0].Mask, got.Mask)
		}
	case Drops:
		if got.Mask != nil {
			t.Errorf("expected no mask, got %v", got.Mask)
		}
	case Makes:
		if want := got.Shape[0] * got.Shape[1]; len(got.Mask) != want {
			t.Errorf("expected a mask of %d steps, got %d", want, len(got.Mask))
		}
	}
}

// someMask hides steps at both ends and within, and leaves some in every row; where follows from shift.
func someMask(n, t, shift int) []bool {
	m := make([]bool, n*t)
	for r := range n {
		for s := range t {
			m[r*t+s] = (r+s+shift)%3 != 1
		}
	}
	return m
}

// determinism: the same key gives the same bits; another step other ones exactly where the layer draws.
func (c *Case) determinism(t *testing.T) {
	l := c.build(t, c.Spec, c.signatures(false))
	l.Prepare(true)
	before := values(l)
	p := c.pass(l, true)
	first := kept(p.forward(c.inputs()))
	restore(l, before)
	sameOutputs(t, "a second pass in the same workspace", p.forward(c.inputs()), first)
	restore(l, before)
	sameOutputs(t, "a pass in another workspace", c.pass(l, true).forward(c.inputs()), first)
	restore(l, before)
	p.Step++
	if other := p.forward(c.inputs()); slices.Equal(other[0].Data, first[0].Data) == c.Random {
		t.Errorf("another step: expected other numbers %v, got %v", c.Random, !c.Random)
	}
}

// rows: what a row gives does not depend on the rows beside it, nor on which shard it is in.
func (c *Case) rows(t *testing.T) {
	for _, training := range []bool{false, true} {
		if training && c.Mixes {
			continue
		}
		l := c.build(t, c.Spec, c.signatures(false))
		l.Prepare(training)
		all := kept(c.pass(l, training).forward(c.inputs()))
		alone := make([]layers.Value, len(all))
		for r := range c.Batch[0] {
			p := c.pass(l, training)
			p.Row = r
			in := c.inputs()
			for i, v := range in {
				in[i] = rowOf(v, r)
			}
			for i, v := range p.forward(in) {
				alone[i].Data = append(alone[i].Data, v.Data...)
			}
		}
		sameOutputs(t, fmt.Sprintf("training %v: row by row", training), alone, all)
	}
}

// rowOf is row r of a batch.
func rowOf(v layers.Value, r int) layers.Value {
	w := v.Shape[1:].Size()
	v.Shape = v.Shape.Clone()
	v.Shape[0] = 1
	if v.Data != nil {
		v.Data = v.Data[r*w : (r+1)*w]
	}
	if v.IDs != nil {
		v.IDs = v.IDs[r*w : (r+1)*w]
	}
	return v
}

// concurrency: passes at once do not disturb each other. The race detector looks on where it runs.
func (c *Case) concurrency(t *testing.T) {
	l := c.build(t, c.Spec, c.signatures(false))
	if _, ok := layers.StatefulOf(l); ok {
		return // works on one batch at a time
	}
	training := !c.Mixes // what mixes rows is trained alone
	l.Prepare(training)
	type result struct {
		out []layers.Value
		din [][]float32
	}
	run := func() result {
		p := c.pass(l, training)
		out := kept(p.forward(c.inputs()))
		if !training {
			return result{out, nil}
		}
		return result{out, p.backward(weightsOf(out))}
	}
	want := run()
	results := make(chan result)
	for range 2 {
		go func() { results <- run() }()
	}
	for range 2 {
		got := <-results
		sameOutputs(t, "one of two passes", got.out, want.out)
		for i := range want.din {
			sameBits(t, fmt.Sprintf("gradient of input %d of one of two passes", i), got.din[i], want.din[i])
		}
	}
}

// kept is outputs that outlive the next pass.
func kept(out []layers.Value) []layers.Value {
	out = slices.Clone(out)
	for i := range out {
		out[i].Data = slices.Clone(out[i].Data)
	}
	return out
}

func sameOutputs(t *testing.T, what string, got, want []layers.Value) {
	t.Helper()
	for i := range want {
		sameBits(t, fmt.Sprintf("%s: output %d", what, i), got[i].Data, want[i].Data)
	}
}

func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: expected %d numbers, got %d", what, len(want), len(got))
	}
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: index %d: expected the bits of %v, got %v", what, i, want[i], got[i])
		}
	}
}
