package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// fileReport is what a file has.
type fileReport struct {
	File      string           `json:"file"`
	Format    string           `json:"format"`
	Bytes     int64            `json:"bytes"`
	Keras     string           `json:"keras_version,omitempty"`
	Saved     string           `json:"saved,omitempty"`
	Model     string           `json:"model,omitempty"`
	Layers    []layerReport    `json:"layers,omitempty"`
	ONNX      *onnxReport      `json:"onnx,omitempty"`
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

// read measures what was read; where it was not, the note says why.
func (a *arrayReport) read(values []float64, err error) {
	if err != nil {
		a.Note = err.Error()
		return
	}
	a.measure(values)
}

// finite is a number that JSON has, or nil.
func finite(v float64) *float64 {
	if v != v || math.IsInf(v, 0) {
		return nil
	}
	return &v
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

// print prints the report as a table.
func (r *fileReport) print(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s, %d bytes", r.File, r.Format, r.Bytes)
	if r.ONNX != nil {
		fmt.Fprint(w, r.ONNX.versions())
	}
	if r.Keras != "" {
		fmt.Fprintf(w, ", Keras %s", r.Keras)
	}
	if r.Saved != "" {
		fmt.Fprintf(w, ", saved %s", r.Saved)
	}
	fmt.Fprintln(w)
	if r.ONNX != nil {
		r.ONNX.print(w)
	}
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
	values, broken := 0.0, 0
	for _, a := range r.Arrays {
		shape := ""
		if a.Shape != nil {
			values += sizeOf(a.Shape)
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
	_, err := fmt.Fprintf(w, "\narrays: %d, values: %.0f; %s\n", len(r.Arrays), values, state)
	return err
}

// sizeOf is how many values a shape has, which of a tensor that was not read may be any number.
func sizeOf(shape []int) float64 {
	n := 1.0
	for _, d := range shape {
		n *= float64(d)
	}
	return n
}

// clipped is the beginning of a path as it stands before the names of its parts: long ones would be there once for each.
func clipped(path string) string {
	if len(path) > 100 {
		return path[:100] + "…"
	}
	return path
}
