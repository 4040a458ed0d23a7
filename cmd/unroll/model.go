package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/convert"
	"github.com/unroll-ml/unroll/internal/durable"
	"github.com/unroll-ml/unroll/layers"
)

// lecture is the model that is trained when none is named.
const lecture = "embedding(10000, 32) |> simple_rnn(32) |> dense(1, sigmoid)"

// model is what MODEL names.
type model struct {
	*unroll.Model
	specs []layers.Spec
	file  bool // read from a file, with its weights
	// compiled: the file says how the model is trained.
	compiled bool
}

// isText reports whether a MODEL is a text and not the name of a file: a text has a parenthesis, and no file has its name.
func isText(name string) bool {
	if !strings.Contains(name, "(") {
		return false
	}
	_, err := os.Stat(name)
	return err != nil
}

// openModel reads a file, or makes what a text says. A file is read with how its model is trained, unless uncompiled.
func openModel(name string, uncompiled bool) (*model, error) {
	return openModelAs(keras3, name, uncompiled)
}

// openModelAs is openModel with a text as that Keras means it; a file says itself what its layers are.
func openModelAs(p profile, name string, uncompiled bool) (*model, error) {
	if isText(name) {
		specs, err := modelSpecs(name, cellText, p)
		if err != nil {
			return nil, err
		}
		m, err := unroll.Sequential(specs...)
		if err != nil {
			return nil, stackHint(err)
		}
		return &model{Model: m, specs: specs}, nil
	}
	if p == keras2 {
		return nil, usage("--profile keras2: expected a text as MODEL, got %s: a file says itself what its layers are", name)
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, hint(usage("no such model file: %s", name), "a MODEL is a .keras file or a text such as '%s'", lecture)
	case err != nil:
		return nil, fmt.Errorf("cannot read %s: %w", name, durable.Cause(err))
	case info.IsDir():
		return nil, fmt.Errorf("expected a model file, got the folder %s", name)
	case !slices.Contains([]string{".keras", ".h5", ".hdf5", ".onnx"}, strings.ToLower(filepath.Ext(name))):
		return nil, usage("expected a model file that ends in .keras, .h5 or .onnx, got %s", name)
	}
	var opts []unroll.LoadOption
	if uncompiled {
		opts = append(opts, unroll.Uncompiled())
	}
	m, err := convert.Load(name, opts...)
	if err != nil {
		return nil, err
	}
	f := &model{Model: m, file: true, compiled: m.Optimizer() != nil}
	for _, l := range m.Layers() {
		f.specs = append(f.specs, l.Spec)
	}
	if in := m.Inputs(); len(in) > 0 && len(f.specs) > 0 && f.specs[0].Class() != "InputLayer" {
		f.specs = append([]layers.Spec{layers.Input{Shape: in[0].Shape[1:], IDs: in[0].IDs}}, f.specs...)
	}
	return f, nil
}

// needFile refuses a text where a trained model is needed.
func needFile(verb, name string) error {
	if !isText(name) {
		return nil
	}
	return hint(usage("%s: expected a model file, got a text, whose weights are not trained", verb),
		"unroll train MODEL --out FILE.keras makes one")
}

// stackHint gives the command's way to do what an error of Build asks for.
func stackHint(err error) error {
	if strings.Contains(err.Error(), "return_sequences") {
		return hint(err, "in the MODEL text, as in lstm(32, return_sequences=true)")
	}
	if strings.Contains(err.Error(), "the layer sets it") {
		return hint(err, "in the MODEL text, as in recurrent(32, cell=my.cell, proj=8)")
	}
	return err
}

// vectorization is the layer that reads texts; nil where the model begins otherwise.
func (m *model) vectorization() *layers.TextVectorization {
	for _, s := range m.specs[:min(2, len(m.specs))] {
		if l, ok := s.(layers.TextVectorization); ok {
			return &l
		}
	}
	return nil
}

// wants is what the model takes.
func (m *model) wants() wanted {
	w := wanted{}
	specs := m.specs
	if in, ok := specs[0].(layers.Input); ok {
		w.ids, w.shape = in.IDs, in.Shape
		specs = specs[1:]
	}
	if len(specs) == 0 {
		return w
	}
	if _, ok := specs[0].(layers.TextVectorization); ok {
		w.texts = true
	}
	if e, ok := specs[0].(layers.Embedding); ok {
		w.ids, w.words = true, e.InputDim
	}
	w.sequences = layers.IsRecurrent(specs[0])
	return w
}
