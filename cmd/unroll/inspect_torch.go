package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/internal/pickle"
	"github.com/unroll-ml/unroll/internal/torch"
)

// torch reads a file of torch.save: every tensor in it, not those of a state_dict alone, and the plain values beside them.
func (r *fileReport) torch(f io.ReaderAt, size int64) error {
	r.Format = "torch"
	file, err := torch.Open(f, size)
	if err != nil {
		return err
	}
	r.Metadata = map[string]any{}
	w := torchWalk{report: r, file: file, seen: map[any]bool{}, room: size}
	return w.walk(file.Root, "", 0)
}

// torchWalk goes through what was saved, once through each object, for an object may be within itself.
type torchWalk struct {
	report *fileReport
	file   *torch.File
	seen   map[any]bool // dicts and lists
	room   int64        // how many values may still come: tuples may be in many places
}

func (w *torchWalk) walk(v any, path string, depth int) error {
	const deepest = 50
	if w.room--; w.room < 0 || depth > deepest {
		return fmt.Errorf("expected values at most %d deep that the file has room for, got more at %.80q", deepest, path)
	}
	within := func(key any) string { return strings.TrimPrefix(fmt.Sprintf("%s/%v", clipped(path), key), "/") }
	switch v := v.(type) {
	case *pickle.Tensor:
		w.tensor(v, path)
	case *pickle.Dict:
		if w.seen[v] {
			return nil
		}
		w.seen[v] = true
		w.optimizer(v)
		for i, key := range v.Keys {
			if err := w.walk(v.Values[i], within(key), depth+1); err != nil {
				return err
			}
		}
	case *pickle.List:
		if _, numbers := v.Ints(); numbers || w.seen[v] {
			return nil
		}
		w.seen[v] = true
		for i := range v.Len() {
			if err := w.walk(v.At(i), within(i), depth+1); err != nil {
				return err
			}
		}
	case pickle.Tuple:
		for i, e := range v {
			if err := w.walk(e, within(i), depth+1); err != nil {
				return err
			}
		}
	case float64:
		if depth == 1 { // a checkpoint's loss
			w.report.Metadata[path] = v
			if finite(v) == nil {
				w.report.Metadata[path] = fmt.Sprint(v)
			}
		}
	case string, bool, int64:
		if depth == 1 {
			w.report.Metadata[path] = v
		}
	}
	return nil
}

func (w *torchWalk) tensor(t *pickle.Tensor, path string) {
	a := arrayReport{Path: path, Type: torch.DType(t)}
	var err error
	if a.Shape, err = w.file.Shape(t); err != nil {
		a.Note = err.Error()
	} else {
		a.read(torch.Values[float64](w.file, t))
	}
	w.report.Arrays = append(w.report.Arrays, a)
}

// optimizer takes the rate and the step of the first parameter out of an optimizer's state_dict.
func (w *torchWalk) optimizer(d *pickle.Dict) {
	groups, ok := entry(d, "param_groups").(*pickle.List)
	if !ok || groups.Len() == 0 || w.report.Optimizer != nil {
		return
	}
	o := &optimizerReport{}
	first, _ := groups.At(0).(*pickle.Dict)
	if rate, ok := entry(first, "lr").(float64); ok {
		o.Rate = finite(rate)
	}
	state, _ := entry(d, "state").(*pickle.Dict)
	if state != nil && len(state.Values) > 0 {
		of, _ := state.Values[0].(*pickle.Dict)
		switch step := entry(of, "step").(type) {
		case int64:
			o.Step = finite(float64(step))
		case *pickle.Tensor:
			if n, err := torch.Values[float64](w.file, step); err == nil && len(n) == 1 {
				o.Step = finite(n[0])
			}
		}
	}
	w.report.Optimizer = o
}

// entry is a value of a dict; nil where there is none.
func entry(d *pickle.Dict, key string) any {
	if d == nil {
		return nil
	}
	i := slices.IndexFunc(d.Keys, func(k any) bool { return k == any(key) })
	if i < 0 {
		return nil
	}
	return d.Values[i]
}
