// Package golden reads the files under testdata/golden, which hold what Keras computed, and compares numbers with them. It is for tests
// only. oracle/README.md says how the files are made and what each array in them is.
package golden

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/internal/npy"
	"github.com/unroll-ml/unroll/tensor"
)

// Batch is one batch of inputs or targets: float32 or ids, the other is nil.
type Batch struct {
	Floats *tensor.Tensor
	IDs    *tensor.IDs
}

// Weight is one weight of the model, in the order of Keras's model.weights.
type Weight struct {
	Path      string // as Keras calls it: "sequential/lstm/lstm_cell/kernel"
	Trainable bool
	Value     *tensor.Tensor // before training; everything in the file was computed from these
	Gradient  *tensor.Tensor // of the loss of X and Y; nil unless Trainable and the file has gradients
	After     *tensor.Tensor // after all Steps; nil when there are none
}

// Step is one batch of a training run and its loss, taken before the weights moved.
type Step struct {
	X, Y Batch
	Loss float32
}

// Run is the outcome of the same Steps under another rule. Keras's own train_on_batch on TensorFlow squares an embedding's gradient
// occurrence by occurrence in RMSprop and Adam; see oracle/backend.py.
type Run struct {
	Losses []float32
	After  []*tensor.Tensor
}

// Case is one file.
type Case struct {
	Meta    Meta
	X       Batch
	Out     *tensor.Tensor // the model's inference output for X
	Weights []Weight

	// Y, Loss and GradX belong to the gradients; HasGradients says whether the file has them. GradX is nil for ids.
	HasGradients bool
	Y            Batch
	Loss         float32
	GradX        *tensor.Tensor

	Steps   []Step // none where dropout would make training random
	Shipped *Run   // nil in most files
	Masks   []Mask // none in most files
}

// Mask is what dropout in a recurrent layer multiplies with, in the loss of X and Y and in every step.
type Mask struct {
	MaskPlace
	Values *tensor.Tensor // (rows, width)
}

// MaskPlace says where a mask belongs.
type MaskPlace struct {
	Layer    int  // number in Keras's model.layers
	Backward bool // of a Bidirectional's backward layer
	State    bool // of the state; otherwise of the input
	Block    int  // of the kernel; -1: all
}

// Meta is what a file says about itself.
type Meta struct {
	Name     string            // path below testdata/golden without extension
	Script   string            // what wrote the file
	Seed     uint32            // of the data
	Versions map[string]string // keras, tensorflow, jax, numpy, python
	Backend  string
	Model    json.RawMessage // as in the config.json of a .keras file, compile_config included
	Compile  struct {
		Optimizer json.RawMessage // a serialized optimizer
		Loss      json.RawMessage // a string, or a serialized loss
	}
	Input struct {
		Dtype string
		Shape []int
	}
	Weights []struct {
		Path      string
		Shape     []int
		Trainable bool
	}
	Initial bool // the weights are as the initializers drew them, so Zeros, Ones, Constant and Identity can be seen
	Train   bool // training was recorded
	// Tolerances are what a reader should hold; Tol is ten times the distance between Keras on TensorFlow and on JAX.
	Tolerances struct{ Out, Grads, Losses, After float64 }
	Tol        struct {
		Out    float64
		Grads  map[string]float64 // "gx", "g/0", …: relative to the tensor's largest magnitude
		Losses float64
		After  map[string]float64 // "0", …
	}
	Masks      []MaskPlace
	OneBackend string `json:"one_backend"` // why JAX was not asked, if it was not
}

// OutTolerance is that of Out.
func (m *Meta) OutTolerance() Tolerance { return Abs(max(m.Tolerances.Out, m.Tol.Out)) }

// GradXTolerance is that of GradX.
func (m *Meta) GradXTolerance() Tolerance { return m.gradTolerance("gx") }

// GradientTolerance is that of weight n's Gradient.
func (m *Meta) GradientTolerance(n int) Tolerance { return m.gradTolerance("g/" + strconv.Itoa(n)) }

// gradTolerance has an absolute part for gradients that are zero in exact arithmetic, where float32 sums leave some 1e-9.
func (m *Meta) gradTolerance(name string) Tolerance {
	return Tolerance{Abs: 1e-9, Rel: max(m.Tolerances.Grads, m.Tol.Grads[name])}
}

// LossTolerance is that of Loss and of every step's: relative above 1, since a crossentropy of saturated predictions is some tens,
// where steps of training leave fewer than seven digits of a float32.
func (m *Meta) LossTolerance() Tolerance {
	t := max(m.Tolerances.Losses, m.Tol.Losses)
	return Tolerance{Abs: t, Rel: t}
}

// AfterTolerance is that of weight n after the steps.
func (m *Meta) AfterTolerance(n int) Tolerance {
	return Abs(max(m.Tolerances.After, m.Tol.After[strconv.Itoa(n)]))
}

// Files are the paths of all .npz files under dir, sorted. None at all is an error, so that a test over them cannot pass by
// finding nothing.
func Files(dir string) ([]string, error) {
	var paths []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".npz") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("golden: %w", err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("golden: expected .npz files under %s, got none", dir)
	}
	slices.Sort(paths)
	return paths, nil
}

// Load reads one file and checks that every array is there, in the shape that its neighbours ask for.
func Load(path string) (*Case, error) {
	arrays, err := npy.ReadNPZ(path)
	if err != nil {
		return nil, fmt.Errorf("golden: %w", err)
	}
	c, err := fromArrays(arrays)
	if err != nil {
		return nil, fmt.Errorf("golden: %s: %w", path, err)
	}
	return c, nil
}

func fromArrays(arrays map[string]*npy.Array) (*Case, error) {
	r := reader{arrays: arrays}
	meta := r.array("meta")
	if r.err != nil {
		return nil, r.err
	}
	c := new(Case)
	if err := json.Unmarshal(meta.Bytes(), &c.Meta); err != nil {
		return nil, fmt.Errorf("meta: %w", err)
	}
	c.X = r.batch("x")
	c.Out = r.floats("out", nil)
	_, c.HasGradients = arrays["loss"]
	if c.HasGradients {
		c.Y = r.batch("y")
		if loss := r.floats("loss", []int{1}); loss != nil {
			c.Loss = loss.Data[0]
		}
		if c.X.Floats != nil {
			c.GradX = r.floats("gx", c.X.Floats.Shape)
		}
	}
	for n, w := range c.Meta.Weights {
		weight := Weight{Path: w.Path, Trainable: w.Trainable, Value: r.floats(fmt.Sprintf("w/%d", n), w.Shape)}
		if c.HasGradients && w.Trainable {
			weight.Gradient = r.floats(fmt.Sprintf("g/%d", n), w.Shape)
		}
		if c.Meta.Train {
			weight.After = r.floats(fmt.Sprintf("after/%d", n), w.Shape)
		}
		c.Weights = append(c.Weights, weight)
	}
	if c.Meta.Train {
		c.Steps = r.steps()
	}
	for n, place := range c.Meta.Masks {
		c.Masks = append(c.Masks, Mask{place, r.floats(fmt.Sprintf("mask/%d", n), nil)})
	}
	if losses, ok := arrays["shipped/losses"]; ok {
		c.Shipped = &Run{Losses: losses.Float32()}
		for n, w := range c.Meta.Weights {
			c.Shipped.After = append(c.Shipped.After, r.floats(fmt.Sprintf("shipped/after/%d", n), w.Shape))
		}
	}
	return c, r.err
}

// reader takes arrays out of a file and keeps the first error; after it everything is nil.
type reader struct {
	arrays map[string]*npy.Array
	err    error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

func (r *reader) array(name string) *npy.Array {
	a, ok := r.arrays[name]
	if !ok {
		r.fail("expected an array %q, got none", name)
	}
	return a
}

// floats is a float32 array; its shape is checked unless shape is nil.
func (r *reader) floats(name string, shape []int) *tensor.Tensor {
	a := r.array(name)
	if a == nil {
		return nil
	}
	if a.Dtype != "<f4" {
		r.fail("%s: expected dtype <f4, got %s", name, a.Dtype)
		return nil
	}
	if shape != nil && !slices.Equal(a.Shape, shape) {
		r.fail("%s: expected shape %v, got %v", name, tensor.Shape(shape), tensor.Shape(a.Shape))
		return nil
	}
	return &tensor.Tensor{Shape: a.Shape, Data: a.Float32()}
}

// batch is an array of float32 or int32.
func (r *reader) batch(name string) Batch {
	a := r.array(name)
	if a == nil {
		return Batch{}
	}
	if a.Dtype != "<i4" {
		return Batch{Floats: r.floats(name, nil)}
	}
	ids, err := a.Int32()
	if err != nil {
		r.fail("%s: %w", name, err)
		return Batch{}
	}
	return Batch{IDs: &tensor.IDs{Shape: a.Shape, Data: ids}}
}

// steps cuts xs and ys, whose first axis counts the steps, into batches.
func (r *reader) steps() []Step {
	xs, ys := r.batch("xs").cut(), r.batch("ys").cut()
	losses := r.floats("losses", nil)
	if r.err != nil {
		return nil
	}
	if len(xs) != len(ys) || len(xs) != len(losses.Data) || len(xs) == 0 {
		r.fail("expected as many batches in xs and ys as losses, got %d, %d and %d", len(xs), len(ys), len(losses.Data))
		return nil
	}
	steps := make([]Step, len(xs))
	for i := range steps {
		steps[i] = Step{X: xs[i], Y: ys[i], Loss: losses.Data[i]}
	}
	return steps
}

// cut is the slices along the first axis.
func (b Batch) cut() []Batch {
	var out []Batch
	switch {
	case b.Floats != nil && len(b.Floats.Shape) > 0:
		shape := b.Floats.Shape[1:]
		size := shape.Size()
		for i := range b.Floats.Len() {
			out = append(out, Batch{Floats: &tensor.Tensor{Shape: shape.Clone(), Data: b.Floats.Data[i*size : (i+1)*size]}})
		}
	case b.IDs != nil && len(b.IDs.Shape) > 0:
		shape := b.IDs.Shape[1:]
		size := shape.Size()
		for i := range b.IDs.Len() {
			out = append(out, Batch{IDs: &tensor.IDs{Shape: shape.Clone(), Data: b.IDs.Data[i*size : (i+1)*size]}})
		}
	}
	return out
}
