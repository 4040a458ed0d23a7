package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll/internal/durable"
	"github.com/unroll-ml/unroll/internal/hdf5"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/npy"
)

func inspectCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Print what is in a file of a model, of weights or of arrays",
		Long: `inspect prints the layers, arrays and versions that a file has, with each array's norm and range, and the
optimizer's step. The file is only read: nothing in it runs, and it need not be a model that is offered here.`,
		Example: `  unroll inspect lstm.keras
  unroll inspect imdb.npz --json`,
		Args: between(1, 1, "a FILE (.keras, .h5, .npz, .npy or .safetensors)"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := inspect(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), r)
			}
			return r.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	return cmd
}

// fileReport is what a file has.
type fileReport struct {
	File      string           `json:"file"`
	Format    string           `json:"format"`
	Bytes     int64            `json:"bytes"`
	Keras     string           `json:"keras_version,omitempty"`
	Saved     string           `json:"saved,omitempty"`
	Model     string           `json:"model,omitempty"`
	Layers    []layerReport    `json:"layers,omitempty"`
	Optimizer *optimizerReport `json:"optimizer,omitempty"`
	Arrays    []arrayReport    `json:"arrays"`
	Metadata  map[string]any   `json:"metadata,omitempty"`
	Note      string           `json:"note,omitempty"` // why there are no arrays
}

type layerReport struct {
	Name  string `json:"name"`
	Class string `json:"class"`
}

type optimizerReport struct {
	Name string   `json:"name"`
	Step *float64 `json:"step,omitempty"`
	Rate *float64 `json:"learning_rate,omitempty"`
}

// arrayReport is an array; of numbers that were read it has statistics, over those that are finite.
type arrayReport struct {
	Path  string `json:"path"`
	Type  string `json:"type"`
	Shape []int  `json:"shape"` // null where that was not read
	*statistics
	Note string `json:"note,omitempty"` // why there are none

	first float64
}

type statistics struct {
	L2  float64 `json:"l2"`
	Min float64 `json:"min"`
	Max float64 `json:"max"`
	NaN int     `json:"nan"`
	Inf int     `json:"inf"`
}

func (a *arrayReport) measure(values []float64) {
	if len(values) == 0 {
		return
	}
	s := &statistics{Min: math.Inf(1), Max: math.Inf(-1)}
	sum := 0.0
	for _, v := range values {
		switch {
		case v != v:
			s.NaN++
		case math.IsInf(v, 0):
			s.Inf++
		default:
			sum += v * v
			s.Min, s.Max = min(s.Min, v), max(s.Max, v)
		}
	}
	s.L2 = math.Sqrt(sum)
	if s.Min > s.Max { // no number is finite; JSON has no infinity
		s.Min, s.Max = 0, 0
	}
	if math.IsInf(s.L2, 0) {
		s.L2 = math.MaxFloat64
	}
	a.statistics, a.first = s, values[0]
}

func inspect(path string) (*fileReport, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, durable.Cause(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, durable.Cause(err))
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: expected a file, got %v", path, info.Mode().Type())
	}
	r := &fileReport{File: path, Bytes: info.Size(), Arrays: []arrayReport{}}
	read := map[string]func(io.ReaderAt, int64) error{
		"keras": r.keras, "h5": r.hdf5, "hdf5": r.hdf5, "npz": r.npz, "npy": r.npy, "safetensors": r.safetensors,
	}[extension(path)]
	if read == nil {
		return nil, usage("inspect: expected a file that ends in .keras, .h5, .npz, .npy or .safetensors, got %s", path)
	}
	if err := read(f, info.Size()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// keras reads a .keras file.
func (r *fileReport) keras(f io.ReaderAt, size int64) error {
	a, err := keras.OpenArchive(f, size)
	if err != nil {
		return err
	}
	r.Keras = a.Metadata.KerasVersion
	if !a.Metadata.DateSaved.IsZero() {
		r.Saved = a.Metadata.DateSaved.Format("2006-01-02 15:04:05")
	}
	r.describe(map[string]any{"class_name": a.Config.Class, "config": a.Config.Config})
	if opt, ok := a.Config.Compile["optimizer"].(map[string]any); ok {
		class, _ := opt["class_name"].(string)
		r.Optimizer = &optimizerReport{Name: class}
	}
	member, err := a.Weights()
	if err != nil {
		r.Format, r.Note = "keras", err.Error() // the layers can be shown all the same
		return nil
	}
	err = r.hdf5(member, member.Size())
	r.Format = "keras"
	return err
}

// describe takes the layers of a model's config, those of models in it too.
func (r *fileReport) describe(config map[string]any) {
	r.Model, _ = config["class_name"].(string)
	var walk func(config map[string]any, within string, depth int)
	walk = func(config map[string]any, within string, depth int) {
		inner, _ := config["config"].(map[string]any)
		layers, _ := inner["layers"].([]any)
		for _, l := range layers {
			object, _ := l.(map[string]any)
			class, _ := object["class_name"].(string)
			of, _ := object["config"].(map[string]any)
			name, _ := of["name"].(string)
			r.Layers = append(r.Layers, layerReport{within + name, class})
			if depth < 20 {
				walk(object, within+name+"/", depth+1)
			}
		}
	}
	walk(config, "", 0)
}

// hdf5 reads a .weights.h5 file, or an .h5 file of any kind.
func (r *fileReport) hdf5(f io.ReaderAt, size int64) error {
	r.Format = "hdf5"
	h, err := hdf5.Open(f, size)
	if err != nil {
		return err
	}
	root := h.Root()
	text := func(o hdf5.Object, name string) string {
		if a, ok := o.Attr(name); ok {
			s, _ := a.Text()
			return s
		}
		return ""
	}
	if v := text(root, "keras_version"); v != "" {
		r.Keras = v
	}
	if s := text(root, "model_config"); s != "" {
		if config, err := keras.Decode("model_config", []byte(s)); err == nil {
			r.describe(config)
		}
	}
	if s := text(root, "training_config"); s != "" {
		if config, err := keras.Decode("training_config", []byte(s)); err == nil {
			opt, _ := config["optimizer_config"].(map[string]any)
			class, _ := opt["class_name"].(string)
			r.Optimizer = &optimizerReport{Name: class}
		}
	}
	if vars, err := root.Group("optimizer/vars"); err == nil && r.Optimizer == nil {
		r.Optimizer = &optimizerReport{Name: text(vars, "name")}
	}
	r.group(root)
	r.progress()
	return nil
}

// group takes the datasets of a group and of all below it.
func (r *fileReport) group(g *hdf5.Group) {
	for _, key := range naturally(g.Keys()) {
		path := strings.TrimPrefix(strings.TrimSuffix(g.Path(), "/")+"/"+key, "/")
		o, err := g.Lookup(key)
		if err != nil {
			note := err.Error()
			if at := strings.LastIndex(note, "not supported: "); at >= 0 {
				note = note[at:]
			}
			r.Arrays = append(r.Arrays, arrayReport{Path: path, Note: note})
			continue
		}
		switch o := o.(type) {
		case *hdf5.Group:
			r.group(o)
		case *hdf5.Dataset:
			a := arrayReport{Path: path, Type: o.Type().String(), Shape: append([]int{}, o.Shape()...)}
			switch o.Type().Kind {
			case hdf5.Float, hdf5.BFloat, hdf5.Int, hdf5.Uint, hdf5.Bool:
				values := make([]float64, o.Len())
				if err := o.ReadFloat64(values); err != nil {
					a.Note = err.Error()
				} else {
					a.measure(values)
				}
			default:
				a.Note = "not numbers"
			}
			r.Arrays = append(r.Arrays, a)
		}
	}
}

// naturally sorts names so that 10 comes behind 9.
func naturally(names []string) []string {
	slices.SortStableFunc(names, func(a, b string) int {
		if isNumber(a) && isNumber(b) && len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return names
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// progress finds the optimizer's step and rate among the arrays: they have no axes.
func (r *fileReport) progress() {
	if r.Optimizer == nil {
		return
	}
	for _, a := range r.Arrays {
		if a.statistics == nil || len(a.Shape) > 0 {
			continue
		}
		switch name := a.Path[strings.LastIndexByte(a.Path, '/')+1:]; {
		case a.Path == "optimizer/vars/0", strings.HasPrefix(a.Path, "optimizer_weights/") && strings.HasPrefix(name, "iteration"):
			r.Optimizer.Step = &a.first
		case a.Path == "optimizer/vars/1", strings.HasPrefix(a.Path, "optimizer_weights/") && strings.HasPrefix(name, "learning_rate"):
			r.Optimizer.Rate = &a.first
		}
	}
}

// npz reads a .npz file. Pickles in it are left alone.
func (r *fileReport) npz(f io.ReaderAt, size int64) error {
	r.Format = "npz"
	z, err := npy.OpenNPZ(f, size)
	if err != nil {
		return err
	}
	for _, name := range z.Names() {
		h, body, err := z.Open(name)
		if err != nil {
			return err
		}
		body.Close()
		a := arrayReport{Path: name, Type: typeName(h.Dtype), Shape: h.Shape}
		if strings.ContainsAny(h.Dtype[1:2], "fiub") {
			array, err := z.Array(name)
			if err != nil {
				return err
			}
			a.measure(array.Float64())
		} else {
			a.Note = unread(h)
		}
		r.Arrays = append(r.Arrays, a)
		if name == "optimizer/vars/0" {
			r.Optimizer = &optimizerReport{}
		}
	}
	r.progress()
	return nil
}

// typeName is how NumPy prints a dtype: float32 for <f4.
func typeName(dtype string) string {
	kinds := map[byte]string{'f': "float", 'i': "int", 'u': "uint"}
	if dtype == "|b1" {
		return "bool"
	}
	if kind, ok := kinds[dtype[1]]; ok {
		return fmt.Sprintf("%s%d", kind, 8*int(dtype[2]-'0'))
	}
	return strings.TrimLeft(dtype, "<|")
}

// unread says why an array has no statistics.
func unread(h *npy.Header) string {
	if h.Dtype == "|O" {
		return "objects: a pickle, which is not run"
	}
	return "not numbers"
}

// npy reads a .npy file.
func (r *fileReport) npy(f io.ReaderAt, size int64) error {
	r.Format = "npy"
	s := io.NewSectionReader(f, 0, size)
	h, err := npy.ReadHeader(s)
	if err != nil {
		return err
	}
	a := arrayReport{Path: "", Type: typeName(h.Dtype), Shape: h.Shape, Note: unread(h)}
	if strings.ContainsAny(h.Dtype[1:2], "fiub") {
		if _, err := s.Seek(0, io.SeekStart); err != nil {
			return err
		}
		array, err := npy.ReadNPY(s)
		if err != nil {
			return err
		}
		a.Note = ""
		a.measure(array.Float64())
	}
	r.Arrays = append(r.Arrays, a)
	return nil
}

// safetensors reads the header of a .safetensors file: eight bytes of length, then JSON.
func (r *fileReport) safetensors(f io.ReaderAt, size int64) error {
	r.Format = "safetensors"
	var length [8]byte
	if _, err := f.ReadAt(length[:], 0); err != nil {
		return errors.New("expected a .safetensors file, got one of less than 8 bytes")
	}
	const most = 100 << 20 // the format's own limit
	n := binary.LittleEndian.Uint64(length[:])
	if n > most || n > uint64(size)-8 {
		return fmt.Errorf("safetensors: expected a header of at most %d bytes in a file of %d, got %d", most, size, n)
	}
	text := make([]byte, n)
	if _, err := f.ReadAt(text, 8); err != nil {
		return err
	}
	var header map[string]json.RawMessage
	if err := json.Unmarshal(text, &header); err != nil {
		return fmt.Errorf("safetensors: expected a header of JSON: %w", err)
	}
	for name, raw := range header {
		if name == "__metadata__" {
			if err := json.Unmarshal(raw, &r.Metadata); err != nil {
				return fmt.Errorf("safetensors: __metadata__: %w", err)
			}
			continue
		}
		var t struct {
			Dtype string `json:"dtype"`
			Shape []int  `json:"shape"`
		}
		if err := json.Unmarshal(raw, &t); err != nil {
			return fmt.Errorf("safetensors: %s: %w", name, err)
		}
		r.Arrays = append(r.Arrays, arrayReport{Path: name, Type: t.Dtype, Shape: append([]int{}, t.Shape...), Note: "only the header is read"})
	}
	slices.SortFunc(r.Arrays, func(a, b arrayReport) int { return strings.Compare(a.Path, b.Path) })
	return nil
}

// print prints the report as a table.
func (r *fileReport) print(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s, %d bytes", r.File, r.Format, r.Bytes)
	if r.Keras != "" {
		fmt.Fprintf(w, ", Keras %s", r.Keras)
	}
	if r.Saved != "" {
		fmt.Fprintf(w, ", saved %s", r.Saved)
	}
	fmt.Fprintln(w)
	if r.Model != "" {
		fmt.Fprintf(w, "model: %s\n", r.Model)
	}
	for _, l := range r.Layers {
		fmt.Fprintf(w, "  %s (%s)\n", l.Name, l.Class)
	}
	if o := r.Optimizer; o != nil {
		var said []string
		if o.Name != "" {
			said = append(said, o.Name)
		}
		if o.Step != nil {
			said = append(said, fmt.Sprintf("step %.0f", *o.Step))
		}
		if o.Rate != nil {
			said = append(said, fmt.Sprintf("learning rate %.6g", *o.Rate))
		}
		fmt.Fprintf(w, "optimizer: %s\n", strings.Join(said, ", "))
	}
	for _, key := range slices.Sorted(maps.Keys(r.Metadata)) {
		fmt.Fprintf(w, "%s: %v\n", key, r.Metadata[key])
	}
	if r.Note != "" {
		_, err := fmt.Fprintf(w, "no arrays: %s\n", r.Note)
		return err
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "array\ttype\tshape\tL2\tmin\tmax")
	values, broken := 0, 0
	for _, a := range r.Arrays {
		shape := ""
		if a.Shape != nil {
			n := 1
			for _, d := range a.Shape {
				n *= d
			}
			values += n
			shape = "(" + strings.ReplaceAll(strings.Trim(fmt.Sprint(a.Shape), "[]"), " ", ", ") + ")"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t", a.Path, a.Type, shape)
		switch s := a.statistics; {
		case s == nil:
			fmt.Fprint(t, a.Note)
		case s.NaN+s.Inf > 0:
			broken++
			fmt.Fprintf(t, "%.5g\t%.5g\t%.5g\t%d NaN, %d infinite", s.L2, s.Min, s.Max, s.NaN, s.Inf)
		default:
			fmt.Fprintf(t, "%.5g\t%.5g\t%.5g", s.L2, s.Min, s.Max)
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	state := "all numbers are finite"
	if broken > 0 {
		state = fmt.Sprintf("%d arrays have numbers that are not finite", broken)
	} else if !slices.ContainsFunc(r.Arrays, func(a arrayReport) bool { return a.statistics != nil }) {
		state = "no numbers were read"
	}
	_, err := fmt.Fprintf(w, "\narrays: %d, values: %d; %s\n", len(r.Arrays), values, state)
	return err
}
