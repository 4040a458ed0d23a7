package convert

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/internal/durable"
	"github.com/unroll-ml/unroll/internal/pickle"
	"github.com/unroll-ml/unroll/internal/safetensors"
	"github.com/unroll-ml/unroll/internal/torch"
	"github.com/unroll-ml/unroll/tensor"
)

// state is a state_dict: arrays under their names. inOrder: they come in the order of the module, not of the alphabet.
type state struct {
	arrays  []array
	inOrder bool
}

// readState reads a .safetensors file, or one of torch.save: .pt, .pth, .bin.
func readState(path string) (*state, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, durable.Cause(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, durable.Cause(err)
	}
	if strings.ToLower(filepath.Ext(path)) == ".safetensors" {
		return readSafetensors(f, info.Size())
	}
	return readTorch(f, info.Size())
}

func readSafetensors(r io.ReaderAt, size int64) (*state, error) {
	f, err := safetensors.Open(r, size)
	if err != nil {
		return nil, err
	}
	s := &state{}
	for _, t := range f.Tensors {
		data, err := t.Float32()
		if err != nil {
			return nil, err
		}
		s.arrays = append(s.arrays, array{t.Name, t.Shape, data})
	}
	return s, nil
}

// readTorch reads the state_dict of a file of torch.save.
func readTorch(r io.ReaderAt, size int64) (*state, error) {
	f, err := torch.Open(r, size)
	if err != nil {
		return nil, err
	}
	d, ok := f.Root.(*pickle.Dict)
	if !ok {
		return nil, fmt.Errorf("expected a state_dict, got %T", f.Root)
	}
	if d, err = stateDict(d, 0); err != nil {
		return nil, err
	}
	s := &state{inOrder: true}
	for i, k := range d.Keys {
		name, is := k.(string)
		t, ok := d.Values[i].(*pickle.Tensor)
		if !is || !ok {
			continue // a checkpoint's numbers beside the tensors
		}
		shape, err := f.Shape(t)
		var data []float32
		if err == nil {
			data, err = torch.Values[float32](f, t)
		}
		if err != nil {
			return nil, fmt.Errorf("%.80q: %w", name, err)
		}
		s.arrays = append(s.arrays, array{name, shape, data})
	}
	return s, nil
}

// stateDict is the dict that has the tensors: the file's own, or one that a checkpoint has under one of the usual names, some deep, for a dict may be within itself.
func stateDict(d *pickle.Dict, depth int) (*pickle.Dict, error) {
	if slices.ContainsFunc(d.Values, func(v any) bool { _, is := v.(*pickle.Tensor); return is }) {
		return d, nil
	}
	var keys []string
	for i, k := range d.Keys {
		name, _ := k.(string)
		keys = append(keys, fmt.Sprintf("%.40q", name))
		inner, is := d.Values[i].(*pickle.Dict)
		if is && depth < 4 && slices.Contains([]string{"state_dict", "model_state_dict", "model", "module", "net", "network"}, name) {
			return stateDict(inner, depth+1)
		}
	}
	return nil, fmt.Errorf("expected tensors, or a state_dict under state_dict, model_state_dict or model, got the keys %s", strings.Join(keys[:min(20, len(keys))], ", "))
}

// shapeOf is a shape as errors show it.
func shapeOf(s tensor.Shape) string { return fmt.Sprint([]int(s)) }
