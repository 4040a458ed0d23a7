package convert

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/durable"
	"github.com/unroll-ml/unroll/internal/npy"
	"github.com/unroll-ml/unroll/tensor"
)

// SaveNPZ writes a built model's weights for NumPy, each under its path: numpy.load(path)["lstm/lstm_cell/kernel"].
func SaveNPZ(m *unroll.Model, path string) error {
	var names []string
	arrays := map[string]*npy.Array{}
	for _, w := range m.Weights() {
		if arrays[w.Path] != nil {
			return fmt.Errorf("convert: SaveNPZ: %s: expected a path of its own for every weight, got %q twice", path, w.Path)
		}
		names, arrays[w.Path] = append(names, w.Path), npy.From(w.Data, w.Shape...)
	}
	if err := durable.Write(path, func(w io.Writer) error { return npy.WriteNPZ(w, names, arrays) }); err != nil {
		return fmt.Errorf("convert: SaveNPZ: %s: %w", path, err)
	}
	return nil
}

// LoadNPZ fills a built model's weights from such a file; it must have all of them, and nothing else.
func LoadNPZ(m *unroll.Model, path string) error {
	if err := loadNPZ(m, path); err != nil {
		return fmt.Errorf("convert: LoadNPZ: %s: %w", path, err)
	}
	m.Touch()
	return nil
}

func loadNPZ(m *unroll.Model, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return durable.Cause(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return durable.Cause(err)
	}
	file, err := npy.OpenNPZ(f, info.Size())
	if err != nil {
		return err
	}
	if names := file.Names(); len(names) != len(m.Weights()) {
		return fmt.Errorf("expected %d arrays, one a weight, got %d: %.200s", len(m.Weights()), len(names), strings.Join(names, ", "))
	}
	for _, w := range m.Weights() {
		a, err := file.Array(w.Path)
		if err != nil {
			return err
		}
		if a.Kind() != 'f' || !tensor.Shape(a.Shape).Equal(w.Shape) {
			return fmt.Errorf("%s: expected floats of shape %v, got %s of shape %v", w.Path, w.Shape, a.Dtype, a.Shape)
		}
		copy(w.Data, a.Float32())
	}
	return nil
}
