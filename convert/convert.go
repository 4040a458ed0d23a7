// Package convert reads and writes models in the forms of other programs: legacy HDF5 files of Keras 2 and 3, ONNX, and PyTorch's state_dict in
// safetensors and .pt files. What a model is in between is a Model of package unroll.
package convert

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/convert/onnx"
	"github.com/unroll-ml/unroll/internal/durable"
	"github.com/unroll-ml/unroll/internal/hdf5"
)

// Load reads a whole model: a `.keras` file as unroll.Load does, an `.h5` file of Keras 2 or 3, as their model.save wrote it, or
// an `.onnx` file as onnx.Read does, which is compiled nowhere.
func Load(path string, opts ...unroll.LoadOption) (*unroll.Model, error) {
	if strings.ToLower(filepath.Ext(path)) == ".keras" {
		return unroll.Load(path, opts...)
	}
	if strings.ToLower(filepath.Ext(path)) == ".onnx" {
		return onnx.ReadFile(path)
	}
	var m *unroll.Model
	err := withHDF5(path, func(root *hdf5.Group, size int64) (err error) {
		m, err = loadLegacy(root, size, opts)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("convert: Load: %s: %w", path, err)
	}
	return m, nil
}

// Save writes a whole model: a `.keras` file as Model.Save does, or a legacy `.h5` or `.hdf5` file, which Keras 2 and 3 load.
func Save(m *unroll.Model, path string) error {
	switch {
	case strings.HasSuffix(path, ".keras"):
		return m.Save(path)
	case strings.HasSuffix(path, ".h5") && !strings.HasSuffix(path, ".weights.h5"), strings.HasSuffix(path, ".hdf5"):
	default:
		return fmt.Errorf("convert: Save: expected a file name that ends in .keras, .h5 or .hdf5, got %q", path)
	}
	root, err := legacyTree(m)
	if err == nil {
		err = durable.Write(path, func(w io.Writer) error { return hdf5.Write(w, root) })
	}
	if err != nil {
		return fmt.Errorf("convert: Save: %s: %w", path, err)
	}
	return nil
}

// LoadWeights fills a built model's weights from a file: `.weights.h5` of Keras 3, or a legacy `.h5` file, with its model or without, where the layers
// that have weights are taken in order; with byName those are filled whose name is in the file, and no others.
func LoadWeights(m *unroll.Model, path string, byName bool) error {
	legacy := false
	err := withHDF5(path, func(root *hdf5.Group, _ int64) error {
		group, err := legacyWeights(root)
		if err != nil || group == nil {
			return err
		}
		legacy = true
		return fillModel(m, group, byName)
	})
	if err == nil && !legacy {
		return m.LoadWeights(path)
	}
	if err != nil {
		return fmt.Errorf("convert: LoadWeights: %s: %w", path, err)
	}
	m.Touch()
	return nil
}

// legacyWeights is the group that has a legacy file's layers; nil where the file is none of that form.
func legacyWeights(root *hdf5.Group) (*hdf5.Group, error) {
	if root.Has("model_weights") {
		return root.Group("model_weights")
	}
	if _, ok := names(root, "layer_names"); ok {
		return root, nil
	}
	return nil, nil
}

func withHDF5(path string, read func(root *hdf5.Group, size int64) error) error {
	f, err := os.Open(path)
	if err != nil {
		return durable.Cause(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return durable.Cause(err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("expected a file, got %v", info.Mode().Type())
	}
	file, err := hdf5.Open(f, info.Size())
	if err != nil {
		return err
	}
	return read(file.Root(), info.Size())
}
