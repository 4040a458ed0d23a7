package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/npy"
	"github.com/unroll-ml/unroll/tensor"
)

// several reports whether a model has more than one input or output.
func (m *model) several() bool { return len(m.InputNames()) > 1 || len(m.OutputNames()) > 1 }

// openRows reads the data and makes them fit the model; test is nil where they are not divided. Unless the request says noTarget, there are targets.
func openRows(ctx context.Context, w io.Writer, r dataRequest, m *model) (train, test unroll.Data, err error) {
	if m.several() {
		train, err = loadGraph(m, r)
		return train, nil, err
	}
	set, err := loadData(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	if set.train.y == nil && !r.noTarget {
		return nil, nil, noTargets(r.name)
	}
	return set.prepare(w, r, m)
}

// loadGraph reads the data of a model with several inputs or outputs: an .npz with an array for every input and every output, under its name, or under x0, x1 … and y0, y1 …
// (x and y where there is one). Without targets the outputs' arrays may be absent.
func loadGraph(m *model, r dataRequest) (unroll.Data, error) {
	if strings.ToLower(filepath.Ext(r.name)) != ".npz" {
		return nil, hint(usage("--data: expected an .npz for a model with %d inputs and %d outputs, got %s", len(m.InputNames()), len(m.OutputNames()), quoted(r.name)),
			"its arrays are named as inputs and outputs are: %s", strings.Join(append(m.InputNames(), m.OutputNames()...), ", "))
	}
	f, size, err := open(r.name)
	if err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	defer f.Close()
	z, err := npy.OpenNPZ(f, size)
	if err != nil {
		return nil, fmt.Errorf("--data: %s: %w", r.name, err)
	}
	x, err := graphArrays(z, "x", m.InputNames(), false)
	if err != nil {
		return nil, fmt.Errorf("--data: %s: %w", r.name, err)
	}
	for i, in := range m.Inputs() {
		if x[i], err = asInput(x[i], in.IDs); err != nil {
			return nil, fmt.Errorf("--data: %s: %s: %w", r.name, m.InputNames()[i], err)
		}
	}
	y, err := graphArrays(z, "y", m.OutputNames(), r.noTarget)
	if err != nil {
		return nil, fmt.Errorf("--data: %s: %w", r.name, err)
	}
	if y == nil {
		return unroll.Arrays(x, nil)
	}
	return unroll.Arrays(x, y)
}

// graphArrays are the arrays of these names, or of letter and number; nil where none is there and they are optional.
func graphArrays(z *npy.NPZ, letter string, names []string, optional bool) ([]any, error) {
	var all []any
	for i, name := range names {
		key := name
		if !z.Has(key) {
			key = fmt.Sprintf("%s%d", letter, i)
		}
		if !z.Has(key) && len(names) == 1 {
			key = letter
		}
		if !z.Has(key) {
			if optional {
				return nil, nil
			}
			return nil, fmt.Errorf("expected an array %s (or %s%d), got none", name, letter, i)
		}
		a, err := z.Array(key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		v, err := numbers(a)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		all = append(all, v)
	}
	return all, nil
}

// asInput is an array as an input takes it: whole numbers as floats, where it takes those.
func asInput(v any, ids bool) (any, error) {
	whole, is := v.(*tensor.IDs)
	if !is && ids {
		return nil, fmt.Errorf("expected whole numbers, got %v", v.(*tensor.Tensor).Shape)
	}
	if !is || ids {
		return v, nil
	}
	t := tensor.New(whole.Shape...)
	for i, n := range whole.Data {
		t.Data[i] = float32(n)
	}
	return t, nil
}

// writeOutputs writes the predictions of several outputs: an array each under its name, or a JSON object a row.
func writeOutputs(w io.Writer, format string, names []string, all []*tensor.Tensor) error {
	if format == "npz" {
		arrays := map[string]*npy.Array{}
		for i, y := range all {
			arrays[names[i]] = npy.From(y.Data, y.Shape...)
		}
		return npy.WriteNPZ(w, names, arrays)
	}
	out := bufio.NewWriter(w)
	for row := range all[0].Shape[0] {
		fmt.Fprint(out, "{")
		for i, y := range all {
			width := max(1, y.Shape[1:].Size())
			b, err := json.Marshal(nested(y.Data[row*width:(row+1)*width], y.Shape[1:]))
			if err != nil {
				return err
			}
			if i > 0 {
				fmt.Fprint(out, ",")
			}
			fmt.Fprintf(out, "%q:%s", names[i], b)
		}
		fmt.Fprintln(out, "}")
	}
	return out.Flush()
}
