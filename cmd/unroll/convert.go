package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/convert"
	"github.com/unroll-ml/unroll/convert/onnx"
	"github.com/unroll-ml/unroll/internal/durable"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// onnxEnding is that of files which hold more operators than are read again.
const onnxEnding = ".onnx"

// form is a kind of file that models or their weights are kept in.
type form struct {
	ending string
	whole  bool // with the layers, not the weights alone
	state  bool // a state_dict, which has modules
	read   func(m *unroll.Model, path string, modules map[string]string) ([]convert.Match, error)
	write  func(m *unroll.Model, path string) error
}

// forms are those, longer endings first.
func forms() []form {
	weights := func(m *unroll.Model, path string, _ map[string]string) ([]convert.Match, error) {
		return nil, convert.LoadWeights(m, path, false)
	}
	saveWeights := func(m *unroll.Model, path string) error { return m.SaveWeights(path) }
	npz := func(m *unroll.Model, path string, _ map[string]string) ([]convert.Match, error) {
		return nil, m.LoadWeights(path)
	}
	return []form{
		{".weights.h5", false, false, weights, saveWeights},
		{".keras", true, false, nil, convert.Save},
		{".h5", true, false, weights, convert.Save},
		{".hdf5", true, false, weights, convert.Save},
		{onnxEnding, true, false, nil, func(m *unroll.Model, path string) error { return onnx.WriteFile(path, m) }},
		{".npz", false, false, npz, saveWeights},
		{".safetensors", false, true, convert.LoadTorch, convert.SaveTorch},
		{".pt", false, true, convert.LoadTorch, nil},
		{".pth", false, true, convert.LoadTorch, nil},
		{".bin", false, true, convert.LoadTorch, nil},
	}
}

func formOf(path string) (form, bool) {
	all := forms()
	i := slices.IndexFunc(all, func(f form) bool { return strings.HasSuffix(strings.ToLower(path), f.ending) })
	if i < 0 {
		return form{}, false
	}
	return all[i], true
}

func convertCommand() *cobra.Command {
	var as, modules, keras string
	var p string
	cmd := &cobra.Command{
		Use:   "convert IN [OUT]",
		Short: "Turn a model file of another program or version into one for this or that",
		Long: `convert reads IN and writes OUT, in the forms that their names end in:

  .keras            a model of Keras 3, and of this program
  .h5, .hdf5        a model in the legacy form of Keras 2 and 3, or its weights alone
  .onnx             a model as a graph of operators, for onnxruntime; one of another program is read where layers compute
                    its operators
  .weights.h5       weights of Keras 3
  .npz              weights under their paths, for NumPy
  .safetensors      weights as PyTorch's state_dict
  .pt, .pth, .bin   the same as torch.save writes it; read only

A file of weights needs --as MODEL, which says the layers. Modules of a state_dict find their layers by name, or by shape
where only one fits; --modules says it where neither does. The numbers of a state_dict say nothing of activations and of
the epsilon of normalizations (1e-5 in PyTorch, 1e-3 in Keras): MODEL does.

Before OUT is there it is read again, and must predict what IN did, on random input; the largest difference is printed.

--keras-module FILE.py writes a Python module besides, or alone, with which Keras loads the layers of IN that Keras
lacks: import it before load_model.`,
		Example: `  unroll convert old.h5 new.keras
  unroll convert torch.safetensors new.keras --as 'embedding(10000, 32) |> lstm(32) |> dense(1, sigmoid)'
  unroll convert new.keras torch.safetensors
  unroll convert new.keras new.onnx
  unroll convert peephole.keras --keras-module cells.py`,
		Args: between(1, 2, "IN and OUT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			profile, err := parseProfile(p)
			if err != nil {
				return err
			}
			if len(args) == 1 && keras == "" {
				return usage("convert: expected IN and OUT, got 1; only with --keras-module there may be no OUT")
			}
			if len(args) == 2 {
				if err := checkOut(args[1]); err != nil {
					return err
				}
			}
			m, matches, err := convertFrom(profile, args[0], as, modules)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			for _, match := range matches {
				fmt.Fprintf(out, "%s <- %s\n", match.Layer, match.Module)
			}
			if keras != "" {
				module, err := newOutput("--keras-module", keras, ".py")
				if err != nil {
					return err
				}
				defer module.close()
				if err := module.write(func(w io.Writer) error { return convert.WriteKerasModule(w, m) }); err != nil {
					return err
				}
			}
			if len(args) == 1 {
				return nil
			}
			difference, err := convertTo(cmd.Context(), m, args[1])
			var unread *unreadError
			if errors.As(err, &unread) {
				_, err = fmt.Fprintf(out, "%s: written; not compared with %s, since no layer computes all of its operators: %v\n", args[1], args[0], unread)
				return err
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(out, "%s: predicts as %s does; largest difference on random input %.3g\n", args[1], args[0], difference)
			return err
		},
	}
	cmd.Flags().StringVar(&as, "as", "", "the layers of a file of weights: a MODEL")
	cmd.Flags().StringVar(&modules, "modules", "", "which module a layer's weights are in: 'lstm=encoder.rnn, dense=fc'")
	cmd.Flags().StringVar(&keras, "keras-module", "", "write a Python module with the layers that Keras lacks")
	cmd.Flags().StringVar(&p, "profile", "keras3", "the Keras whose defaults MODEL means: keras2 is the lecture's time")
	return cmd
}

// convertFrom reads a model, or the weights of one.
func convertFrom(p profile, in, as, modules string) (*unroll.Model, []convert.Match, error) {
	f, ok := formOf(in)
	if !ok {
		return nil, nil, usage("convert: expected a file that ends in %s, got %s", either(endings(func(form) bool { return true })), in)
	}
	if _, err := os.Stat(in); err != nil {
		return nil, nil, usage("no such file: %s", in)
	}
	if modules != "" && !f.state {
		return nil, nil, usage("--modules: expected a state_dict, got %s, whose weights stand under the names of layers", in)
	}
	if as == "" && f.whole {
		m, err := convert.Load(in)
		return m, nil, err
	}
	if as == "" {
		return nil, nil, hint(usage("convert: expected --as MODEL, which says the layers, for weights alone: %s", in), "as in --as '%s'", lecture)
	}
	if f.read == nil {
		return nil, nil, usage("--as: expected a file of weights, got %s, which has its layers", in)
	}
	given, err := modulesOf(modules)
	if err != nil {
		return nil, nil, err
	}
	m, err := openModelAs(p, as, true)
	if err != nil {
		return nil, nil, err
	}
	if m.Output() == nil {
		return nil, nil, hint(usage("--as: expected a model that says what comes in, got one that begins with %s", m.specs[0].Class()),
			"begin the text with input(STEPS, WIDTH), None for any number of steps: 'input(None, 12) |> lstm(32) |> …'")
	}
	matches, err := f.read(m.Model, in, given)
	return m.Model, matches, err
}

// endings are those of the forms that do.
func endings(which func(form) bool) (list []string) {
	for _, f := range forms() {
		if which(f) {
			list = append(list, f.ending)
		}
	}
	return list
}

// modulesOf reads 'layer=module, …'.
func modulesOf(text string) (map[string]string, error) {
	if text == "" {
		return nil, nil
	}
	given := map[string]string{}
	for part := range strings.SplitSeq(text, ",") {
		layer, module, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || layer == "" {
			return nil, usage("--modules: expected layer=module, …, got %s", quoted(part))
		}
		given[strings.TrimSpace(layer)] = strings.TrimSpace(module)
	}
	return given, nil
}

// checkOut fails where a file cannot be written under such a name.
func checkOut(out string) error {
	f, ok := formOf(out)
	if !ok || f.write == nil {
		err := usage("convert: expected OUT to end in %s, got %s", either(endings(func(f form) bool { return f.write != nil })), out)
		if ok && f.state {
			return hint(err, "PyTorch reads .safetensors files: safetensors.torch.load_file")
		}
		return err
	}
	if info, err := os.Stat(out); err == nil && info.IsDir() {
		return fmt.Errorf("expected a file, got the folder %s", out)
	}
	return nil
}

// unreadError says why an ONNX file that was written is not read again: it holds operators that no layer computes, as of equations and masks.
type unreadError struct{ error }

// convertTo writes the model beside its place, reads it again, compares, and gives it its name. A file that is not read again has it with an unreadError.
func convertTo(ctx context.Context, m *unroll.Model, out string) (difference float64, err error) {
	f, _ := formOf(out)
	folder, err := os.MkdirTemp(filepath.Dir(out), ".convert-")
	if err != nil {
		return 0, fmt.Errorf("cannot write %s: %w", out, durable.Cause(err))
	}
	defer os.RemoveAll(folder)
	scratch := filepath.Join(folder, "model"+f.ending)
	defer func() { err = instead(err, scratch, out) }()
	data, err := randomRows(m)
	if err != nil {
		return 0, err
	}
	before, err := m.PredictAll(ctx, data)
	if err != nil {
		return 0, err
	}
	if err := f.write(m, scratch); err != nil {
		return 0, err
	}
	again, err := reread(m, f, scratch)
	if err != nil && f.ending == onnxEnding {
		if err := durable.Rename(scratch, out); err != nil {
			return 0, fmt.Errorf("cannot write %s: %w", out, durable.Cause(err))
		}
		return 0, &unreadError{errors.New(strings.TrimPrefix(err.Error(), scratch+": "))}
	}
	if err != nil {
		return 0, fmt.Errorf("%s was not written: it cannot be read again: %w", out, err)
	}
	after, err := again.PredictAll(ctx, data)
	if err != nil {
		return 0, err
	}
	difference, size := 0.0, 1.0
	for i, b := range before {
		for k, v := range b.Data {
			d := math.Abs(float64(v) - float64(after[i].Data[k]))
			if math.IsNaN(d) && (v != v) == (after[i].Data[k] != after[i].Data[k]) {
				continue // neither is a number
			}
			if !(d <= difference) {
				difference = d
			}
			size = max(size, math.Abs(float64(v)))
		}
	}
	if !(difference <= 1e-5*size) {
		return 0, fmt.Errorf("%s was not written: expected the predictions of before, got some that differ by %.3g", out, difference)
	}
	if err := durable.Rename(scratch, out); err != nil {
		return 0, fmt.Errorf("cannot write %s: %w", out, durable.Cause(err))
	}
	return difference, nil
}

// placedError is an error that speaks of the place which the user named, not of the one where a file is tried first.
type placedError struct {
	error
	text string
}

func (e *placedError) Error() string { return e.text }
func (e *placedError) Unwrap() error { return e.error }

func instead(err error, scratch, out string) error {
	if err == nil || !strings.Contains(err.Error(), scratch) {
		return err
	}
	return &placedError{err, strings.ReplaceAll(err.Error(), scratch, out)}
}

// reread is the model with what a file says.
func reread(m *unroll.Model, f form, path string) (*unroll.Model, error) {
	if f.whole {
		return convert.Load(path, unroll.Uncompiled())
	}
	text, err := m.JSON()
	if err != nil {
		return nil, err
	}
	again, err := unroll.FromJSON(text, unroll.Uncompiled())
	if err != nil {
		return nil, err
	}
	_, err = f.read(again, path, nil)
	return again, err
}

// randomRows are a few rows of what the model takes.
func randomRows(m *unroll.Model) (unroll.Data, error) {
	const rows, steps = 3, 7
	r := rand.New(rand.NewPCG(1, 2))
	var x []any
	for _, in := range m.Inputs() {
		shape := tensor.Shape{rows}
		for _, n := range in.Shape[1:] {
			if n == tensor.None {
				n = steps
			}
			shape = append(shape, n)
		}
		if in.Text {
			texts := &tensor.Text{Shape: shape, Data: make([]string, shape.Size())}
			for i := range texts.Data {
				texts.Data[i] = "the film was a " + strconv.Itoa(r.IntN(10)) + " and an awful wonderful one"
			}
			x = append(x, texts)
			continue
		}
		if in.IDs {
			ids := tensor.NewIDs(shape...)
			for i := range ids.Data {
				ids.Data[i] = r.Int32N(int32(wordsOf(m)))
			}
			x = append(x, ids)
			continue
		}
		v := tensor.New(shape...)
		for i := range v.Data {
			v.Data[i] = float32(r.NormFloat64())
		}
		x = append(x, v)
	}
	if len(x) == 1 {
		return unroll.Arrays(x[0], nil)
	}
	return unroll.Arrays(x, nil)
}

// wordsOf is how many ids every embedding of the model has.
func wordsOf(m *unroll.Model) int {
	least := 0
	for _, l := range m.Layers() {
		n := 0
		if e, ok := l.Spec.(layers.Embedding); ok {
			n = e.InputDim
		} else if l.Model != nil {
			n = wordsOf(l.Model)
		}
		if n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	return cmp.Or(least, 1)
}
