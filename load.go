package unroll

import (
	"fmt"
	"io"

	"github.com/unroll-ml/unroll/internal/durable"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// LoadOption is a setting of Load.
type LoadOption func(*loadOptions)

type loadOptions struct {
	uncompiled bool
	room       *int // how many values the weights may have; nil: as many as the layers ask for
}

// Uncompiled leaves out how the model was trained, which a model that only predicts does not need: an optimizer, loss or metric
// that is not offered here is then no error.
func Uncompiled() LoadOption { return func(o *loadOptions) { o.uncompiled = true } }

// Load reads a `.keras` file of Keras 3, or of Save: a Sequential model with its weights. A compiled model goes on where it
// stopped, with its optimizer's state. What would change the numbers and is not offered here is an error that says where it
// stands. Foreign files are bounded: what is allocated is a small multiple of the file's size.
func Load(path string, opts ...LoadOption) (*Model, error) {
	var o loadOptions
	for _, set := range opts {
		set(&o)
	}
	f, size, err := openRegular(path)
	if err != nil {
		return nil, fmt.Errorf("unroll: Load: %s: %w", path, durable.Cause(err))
	}
	defer f.Close()
	m, err := load(f, size, o)
	if err != nil {
		return nil, fmt.Errorf("unroll: Load: %s: %w", path, err)
	}
	return m, nil
}

func load(r io.ReaderAt, size int64, o loadOptions) (*Model, error) {
	a, err := keras.OpenArchive(r, size)
	if err != nil {
		return nil, err
	}
	// A weight takes at least two bytes of the file.
	room := int(size / 2)
	m, err := modelOf("config.json", a.Config, &room)
	if err != nil {
		return nil, err
	}
	member, err := a.Weights()
	if err != nil {
		return nil, err
	}
	file, err := openWeights("model.weights.h5", member, member.Size())
	if err != nil {
		return nil, err
	}
	for _, g := range m.groups() {
		if err := g.read(file); err != nil {
			return nil, err
		}
	}
	if err := m.readTexts(a, file, int(size/2)); err != nil {
		return nil, err
	}
	if o.uncompiled || len(a.Config.Compile) == 0 {
		return m, nil
	}
	if err := m.compileFrom(a.Config.Compile, file); err != nil {
		return nil, fmt.Errorf("%w (to predict only, load it with unroll.Uncompiled)", err)
	}
	return m, nil
}

// LoadWeights reads a `.weights.h5` or `.npz` file of Keras 3, or of SaveWeights, into a built model with the same layers; a compiled model takes over the
// optimizer's state too, where the file has one. A TextVectorization keeps its vocabulary and takes over the weights of tf_idf, as in Keras.
func (m *Model) LoadWeights(path string) error {
	if !m.built {
		return fmt.Errorf("unroll: LoadWeights: %s: the model is not built yet: build it for a shape first", path)
	}
	f, size, err := openRegular(path)
	if err != nil {
		return fmt.Errorf("unroll: LoadWeights: %s: %w", path, durable.Cause(err))
	}
	defer f.Close()
	if err := m.readWeights(path, f, size); err != nil {
		return fmt.Errorf("unroll: LoadWeights: %s: %w", path, err)
	}
	return nil
}

func (m *Model) readWeights(name string, r io.ReaderAt, size int64) error {
	file, err := openWeights(name, r, size)
	if err != nil {
		return err
	}
	defer m.changed()
	for _, g := range m.groups() {
		if err := g.read(file); err != nil {
			return err
		}
	}
	if err := m.readTexts(nil, file, int(size/2)); err != nil {
		return err
	}
	if m.compiled == nil || !file.has("optimizer/vars") {
		return nil
	}
	vars, err := file.group("optimizer/vars")
	if err != nil {
		return err
	}
	return m.compiled.restore(m, vars)
}

// modelOf is the model of a config, its weights all zero; room bounds how many values they have.
func modelOf(path string, o *keras.Object, room *int) (*Model, error) {
	class := o.Class
	if o.RegisteredName != "" {
		class = o.RegisteredName // somebody's own
	}
	top := path + ".config"
	r := keras.Read(top, o.Config)
	r.Ignore("trainable") // the layers say so themselves
	r.Float32("dtype")
	name := r.String("name", "")
	switch class {
	case "Functional", "Model":
		objects := r.Objects("layers")
		r.Value("input_layers")
		r.Value("output_layers")
		if err := r.Done(); err != nil {
			return nil, err
		}
		m, err := functionalOf(top, r, name, objects, room)
		if err != nil {
			return nil, err
		}
		for _, p := range m.parts {
			p.setTrainable(!p.frozen)
		}
		return m, nil
	case "Sequential":
		return sequentialOf(top, r, name, room)
	}
	return nil, fmt.Errorf("%s: expected a Sequential or a Functional model, got %q", path, class)
}

// specOf is the layer, or the model as a layer, that a file has at path, and whether it is trained.
func specOf(path string, o *keras.Object, room *int) (s layers.Spec, trainable bool, err error) {
	switch o.Class {
	case "Functional", "Sequential", "Model":
		m, err := modelOf(path, o, room)
		if err != nil {
			return nil, false, err
		}
		return m.AsLayer(), true, nil
	}
	s, err = layers.FromConfig(path, o)
	return s, keras.Read("", o.Config).Bool("trainable", true), err
}

func sequentialOf(top string, r *keras.Reader, name string, room *int) (*Model, error) {
	m := &Model{name: name}
	shape, objects := tensor.Shape(r.Axes("build_input_shape")), r.Objects("layers")
	if err := r.Done(); err != nil {
		return nil, err
	}
	var names []string
	var trainable []bool
	for i, part := range objects {
		s, trained, err := specOf(fmt.Sprintf("%s.layers[%d]", top, i), part, room)
		if err != nil {
			return nil, err
		}
		m.specs, names, trainable = append(m.specs, s), append(names, s.GivenName()), append(trainable, trained)
	}
	if err := checkNames(names); err != nil {
		return nil, fmt.Errorf("%s.layers: %w", top, err)
	}
	given := 0
	if len(m.specs) > 0 {
		if in, ok := m.specs[0].(layers.Input); ok {
			given, shape = 1, in.Signature().Shape
		}
	}
	if len(m.specs) == given {
		return nil, fmt.Errorf("%s.layers: expected at least one layer besides the input, got none", top)
	}
	_, texts := m.specs[given].(layers.TextVectorization)
	if len(shape) < 2 && !(texts && len(shape) == 1) {
		return nil, fmt.Errorf("%s: expected a built model, got one without weights: its input's shape is not known", top)
	}
	// Keras looks ids up in whatever number type they come; here they are ids.
	_, ids := m.specs[given].(layers.Embedding)
	in := layers.Signature{Shape: append(tensor.Shape{tensor.None}, shape[1:]...), IDs: ids, Text: texts}
	if given == 1 {
		input := m.specs[0].(layers.Input)
		input.IDs, input.Text = ids, texts
		m.specs[0] = input
	}
	if err := m.assemble(in, room); err != nil {
		return nil, err
	}
	for i, n := range m.nodes {
		n.setTrainable(trainable[given+i])
	}
	return m, nil
}

// setTrainable freezes a layer, or trains it.
func (p *part) setTrainable(trainable bool) {
	if _, nested := p.layer.(*modelLayer); nested {
		return // its layers have said so themselves
	}
	for _, w := range p.weights {
		w.Trainable = trainable && !w.Statistic
	}
	if l, ok := p.layer.(interface{ SetTrainable(bool) }); ok {
		l.SetTrainable(trainable)
	}
}

// read fills the group's weights from the file.
func (g *group) read(file weightFile) error {
	if len(g.weights) == 0 {
		return nil
	}
	vars, err := file.group(g.vars())
	if err != nil {
		return err
	}
	if vars.count != len(g.weights) {
		return fmt.Errorf("%s: expected %d weights, got %d", g.vars(), len(g.weights), vars.count)
	}
	for i, w := range g.weights {
		read := vars.floats
		if w.Integer {
			read = vars.integers
		}
		if err := read(i, w.Shape, w.Data); err != nil {
			return err
		}
	}
	return nil
}
