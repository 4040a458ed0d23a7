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

// Case is a layer with what is known of it.
type Case struct {
	Name   string
	Spec   layers.Spec
	In     tensor.Shape // of the signature: the batch first, None; other axes may be None too
	Batch  tensor.Shape // of the values that go through; nil: In with 3 for the batch and 5 for other open axes
	IDs    int          // ids below it; 0: floats
	Out    tensor.Shape // expected of the signature
	Params int          // expected number of weights' values
	Mask   Mask
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
			if c.Batch == nil {
				c.Batch = c.In.Clone()
				for i, n := range c.Batch {
					if n == tensor.None {
						c.Batch[i] = 5
					}
				}
				c.Batch[0] = 3
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

func (c *Case) signature() layers.Signature {
	return layers.Signature{Shape: c.In.Clone(), IDs: c.IDs > 0}
}

// build is the layer, its weights drawn and then moved a little, so that none is zero.
func (c *Case) build(t *testing.T, s layers.Spec, in layers.Signature) layers.Layer {
	t.Helper()
	l, err := s.Build(&layers.Builder{Name: "x"}, []layers.Signature{in})
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

// input is the rows of a batch, rows outermost.
func (c *Case) input() layers.Value {
	draw := random.New(9, random.Data)
	v := layers.Value{Shape: c.Batch.Clone()}
	if c.IDs > 0 {
		v.IDs = make([]int32, v.Shape.Size())
		for i := range v.IDs {
			v.IDs[i] = int32(draw.IntN(c.IDs))
		}
		return v
	}
	v.Data = make([]float32, v.Shape.Size())
	for i := range v.Data {
		v.Data[i] = float32(draw.Normal())
	}
	return v
}

// shapes: what Output says is what Forward gives, and the weights are as many as expected.
func (c *Case) shapes(t *testing.T) {
	l := c.build(t, c.Spec, c.signature())
	out, err := l.Output([]layers.Signature{c.signature()})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != 1 || !out[0].Shape.Equal(c.Out) {
		t.Errorf("expected one output of shape %v, got %+v", c.Out, out)
	}
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
	exact := c.signature()
	exact.Shape = c.Batch.Clone()
	if out, err = l.Output([]layers.Signature{exact}); err != nil {
		t.Fatal(err)
	}
	for _, training := range []bool{false, true} {
		p := newPass(l, training)
		l.Prepare(training)
		got := p.forward(c.input())
		if !got.Shape.Equal(out[0].Shape) || len(got.Data) != got.Shape.Size() {
			t.Errorf("training %v: expected a value of shape %v, got %v with %d numbers", training, out[0].Shape, got.Shape, len(got.Data))
		}
	}
	if again, err := l.Output([]layers.Signature{c.signature()}); err != nil || !again[0].Shape.Equal(c.Out) {
		t.Errorf("after a pass: expected Output %v as before, got %+v, %v", c.Out, again, err)
	}
}

// config: the Spec goes through a file and comes back as one that computes the same.
func (c *Case) config(t *testing.T) {
	read, first := through(t, c.Spec, c.signature())
	_, second := through(t, read, c.signature())
	if d := cmp.Diff(first, second); d != "" {
		t.Errorf("the second way through a file changes the config (-first +second):\n%s", d)
	}
	a, b := c.build(t, c.Spec, c.signature()), c.build(t, read, c.signature())
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
	sameBits(t, "after the way through a file", newPass(b, false).forward(c.input()).Data, newPass(a, false).forward(c.input()).Data)
}

// through is the layer after a way through a file, and the config in it.
func through(t *testing.T, s layers.Spec, in layers.Signature) (layers.Spec, map[string]any) {
	t.Helper()
	text, err := keras.Encode(layers.Serialize(s, "x", in, true))
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
	return read, m
}

// masks: a mask is kept, dropped, made or refused, and the signature says so.
func (c *Case) masks(t *testing.T) {
	if len(c.Batch) < 3 {
		return // no steps that a mask could hide
	}
	sig := c.signature()
	sig.Masked = c.IDs == 0
	if c.Mask == Refuses {
		if _, err := c.Spec.Build(&layers.Builder{Name: "x"}, []layers.Signature{sig}); err == nil {
			t.Errorf("expected an error for a masked input, got none")
		}
		return
	}
	l := c.build(t, c.Spec, sig)
	out, err := l.Output([]layers.Signature{sig})
	if err != nil {
		t.Fatal(err)
	}
	if want := c.Mask == Keeps && sig.Masked || c.Mask == Makes; out[0].Masked != want {
		t.Errorf("expected a signature with Masked %v, got %v", want, out[0].Masked)
	}
	v := c.input()
	if sig.Masked {
		v.Mask = someMask(c.Batch[0], c.Batch[1])
	}
	l.Prepare(false)
	got := newPass(l, false).forward(v)
	switch c.Mask {
	case Keeps:
		if !slices.Equal(got.Mask, v.Mask) {
			t.Errorf("expected the mask %v, got %v", v.Mask, got.Mask)
		}
	case Drops:
		if got.Mask != nil {
			t.Errorf("expected no mask, got %v", got.Mask)
		}
	case Makes:
		if len(got.Mask) != c.Batch[0]*c.Batch[1] {
			t.Errorf("expected a mask of %d steps, got %d", c.Batch[0]*c.Batch[1], len(got.Mask))
		}
	}
}

// someMask hides steps at both ends and within, and leaves some in every row.
func someMask(n, t int) []bool {
	m := make([]bool, n*t)
	for r := range n {
		for s := range t {
			m[r*t+s] = (r+s)%3 != 1
		}
	}
	return m
}

// determinism: the same key gives the same bits; another step other ones exactly where the layer draws.
func (c *Case) determinism(t *testing.T) {
	l := c.build(t, c.Spec, c.signature())
	l.Prepare(true)
	before := values(l)
	p := newPass(l, true)
	first := slices.Clone(p.forward(c.input()).Data)
	restore(l, before)
	sameBits(t, "a second pass in the same workspace", p.forward(c.input()).Data, first)
	restore(l, before)
	sameBits(t, "a pass in another workspace", newPass(l, true).forward(c.input()).Data, first)
	restore(l, before)
	p.Step++
	if other := p.forward(c.input()).Data; slices.Equal(other, first) == c.Random {
		t.Errorf("another step: expected other numbers %v, got %v", c.Random, !c.Random)
	}
}

// rows: what a row gives does not depend on the rows beside it, nor on which shard it is in.
func (c *Case) rows(t *testing.T) {
	for _, training := range []bool{false, true} {
		if training && c.Mixes {
			continue
		}
		l := c.build(t, c.Spec, c.signature())
		l.Prepare(training)
		all := slices.Clone(newPass(l, training).forward(c.input()).Data)
		n := c.Batch[0]
		var alone []float32
		for r := range n {
			p := newPass(l, training)
			p.Row = r
			alone = append(alone, p.forward(rowOf(c.input(), r)).Data...)
		}
		sameBits(t, fmt.Sprintf("training %v: row by row", training), alone, all)
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
	l := c.build(t, c.Spec, c.signature())
	training := !c.Mixes // what mixes rows is trained alone
	l.Prepare(training)
	type result struct{ out, din []float32 }
	run := func() result {
		p := newPass(l, training)
		out := slices.Clone(p.forward(c.input()).Data)
		if !training {
			return result{out, nil}
		}
		return result{out, slices.Clone(p.backward(weightsOf(len(out))))}
	}
	want := run()
	results := make(chan result)
	for range 2 {
		go func() { results <- run() }()
	}
	for range 2 {
		got := <-results
		sameBits(t, "one of two passes", got.out, want.out)
		sameBits(t, "gradient of one of two passes", got.din, want.din)
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
