package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/plot"
)

// traceFlags are what `unroll trace` takes.
type traceFlags struct {
	dataFlags
	gradients, json bool
	rows            int
	loss, out       string
	seed            uint64
}

func traceCommand() *cobra.Command {
	var f traceFlags
	cmd := &cobra.Command{
		Use:   "trace MODEL...",
		Short: "Show what a recurrent layer keeps over time: how far back its gradient reaches",
		Long: `trace takes rows of DATA through a MODEL, there and back as in training, and shows, step by step back in time, how large
the gradient of the loss by a recurrent layer's state is (by h and c together for an LSTM), as a part of what it is at the last
step: the middle of the rows, and the middle eight tenths of them as a band. What falls to nothing is not learned.

Several MODELs come into one picture. A text has its first weights, a file those that were trained.`,
		Example: `  unroll trace rnn.keras lstm.keras --gradients --out gradients.png
  unroll trace 'embedding(10000, 32) |> simple_rnn(32) |> dense(1, sigmoid)' --gradients --data imdb`,
		Args: between(1, -1, "one MODEL or more"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	fs := cmd.Flags()
	f.register(fs, "reviews")
	fs.BoolVar(&f.gradients, "gradients", false, "trace the gradients of the states")
	fs.IntVar(&f.rows, "rows", 256, "how many rows, the first of the test rows where there are such")
	fs.StringVar(&f.loss, "loss", "binary_crossentropy", "a loss by its Keras name, of a MODEL that has none")
	fs.Uint64Var(&f.seed, "seed", 0, "decides the first weights of a text")
	fs.StringVar(&f.out, "out", "", "draw to `FILE`: .svg, .png or .pdf")
	fs.BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

// tracedLayer is a walk of a recurrent layer of a model.
type tracedLayer struct {
	Model     string `json:"model"`
	Layer     string `json:"layer"`
	Class     string `json:"class"`
	Cell      int    `json:"cell"` // of a stack of cells
	Backwards bool   `json:"backwards"`
	// Of the rows, by steps back: the tenth, the middle and the ninetieth of a hundred.
	Low    []float64 `json:"low"`
	Middle []float64 `json:"middle"`
	High   []float64 `json:"high"`
}

func (f *traceFlags) run(cmd *cobra.Command, names []string) error {
	if !f.gradients {
		return hint(usage("trace: expected what to trace, got none"), "--gradients traces the gradients of the states")
	}
	if f.rows < 1 {
		return usage("--rows: expected 1 or more, got %d", f.rows)
	}
	if err := f.check(); err != nil {
		return err
	}
	out, err := newOutput("--out", f.out, ".svg", ".png", ".pdf")
	if err != nil {
		return err
	}
	defer out.close()
	labels := traceLabels(names)
	var all []tracedLayer
	for i, name := range names {
		traced, err := f.trace(cmd, name)
		if err != nil {
			return err
		}
		for k := range traced {
			traced[k].Model = labels[i]
		}
		all = append(all, traced...)
	}
	if err := out.write(func(w io.Writer) error {
		return plot.WriteDecays(w, extension(f.out), decays(all)...)
	}); err != nil {
		return err
	}
	if f.json {
		return printJSON(cmd.OutOrStdout(), all)
	}
	return printDecays(cmd.OutOrStdout(), all)
}

// traceLabels are the models' names in a legend: of a file its name alone, a text as it is.
func traceLabels(names []string) []string {
	labels := labelsOf(names)
	for i, name := range names {
		if isText(name) {
			labels[i] = name
		}
	}
	return labels
}

func (f *traceFlags) trace(cmd *cobra.Command, name string) ([]tracedLayer, error) {
	m, err := openModel(name, false)
	if err != nil {
		return nil, err
	}
	if !m.compiled {
		loss, err := parseLoss(f.loss)
		if err != nil {
			return nil, asUsage(err)
		}
		if !m.file {
			if err := m.Init(f.seed); err != nil {
				return nil, err
			}
		}
		if err := m.Compile(optimizers.SGD{}, loss); err != nil {
			return nil, err
		}
	}
	request := f.request(m.wants(), cmd.ErrOrStderr())
	data, test, err := openRows(cmd.Context(), cmd.ErrOrStderr(), request, m)
	if err != nil {
		return nil, err
	}
	if test != nil {
		data = test
	}
	rows := make([]int, min(f.rows, data.Len()))
	for i := range rows {
		rows[i] = i
	}
	traces, err := m.TraceGradients(data, rows)
	if err != nil {
		return nil, err
	}
	padding, err := paddingOf(data, rows)
	if err != nil {
		return nil, err
	}
	var layers []tracedLayer
	for _, t := range traces {
		l := tracedLayer{Layer: t.Layer, Class: t.Class, Cell: t.Cell, Backwards: t.Backwards}
		if padding.front != nil && !t.Backwards { // whose walk begins with the padding in front: those steps are no words
			for r := range t.Norms {
				t.Norms[r] = t.Norms[r][:max(1, len(t.Norms[r])-padding.front[r])]
			}
		}
		l.Low, l.Middle, l.High = quantiles(t.Norms)
		layers = append(layers, l)
	}
	return layers, nil
}

// quantiles are those of the rows' norms by steps back, each as a part of the row's first; of the steps that a tenth of the rows have.
func quantiles(norms [][]float64) (low, middle, high []float64) {
	var at []float64
	for k := 0; ; k++ {
		at = at[:0]
		for _, row := range norms {
			if k < len(row) && row[0] > 0 {
				at = append(at, row[k]/row[0])
			}
		}
		if len(at) == 0 || len(at)*10 < len(norms) {
			return low, middle, high
		}
		slices.Sort(at)
		of := func(part float64) float64 { return at[int(part*float64(len(at)-1)+0.5)] }
		low, middle, high = append(low, of(0.1)), append(middle, of(0.5)), append(high, of(0.9))
	}
}

// decays are the layers as curves; a layer is named where its model has several.
func decays(layers []tracedLayer) []plot.Decay {
	var curves []plot.Decay
	for _, l := range layers {
		curves = append(curves, plot.Decay{Label: l.label(layers), Low: l.Low, Middle: l.Middle, High: l.High})
	}
	return curves
}

func (l *tracedLayer) label(among []tracedLayer) string {
	ways, cells, layers := 0, 0, 0
	for _, o := range among {
		if o.Model != l.Model {
			continue
		}
		layers++
		if o.Layer == l.Layer && o.Cell == l.Cell {
			ways++
		}
		if o.Layer == l.Layer {
			cells = max(cells, o.Cell+1)
		}
	}
	label := l.Model
	if layers > 1 {
		label += ": " + l.Layer
	}
	if cells > 1 {
		label += fmt.Sprintf(", cell %d", l.Cell)
	}
	if ways > 1 {
		label += map[bool]string{false: ", forwards", true: ", backwards"}[l.Backwards]
	}
	return label
}

// printDecays prints the middles at some steps.
func printDecays(w io.Writer, layers []tracedLayer) error {
	longest := 0
	for _, l := range layers {
		longest = max(longest, len(l.Middle))
	}
	t := tabwriter.NewWriter(w, 0, 8, 3, ' ', 0)
	head := []string{"steps back"}
	for _, l := range layers {
		head = append(head, l.label(layers))
	}
	tableRow(t, head...)
	for _, k := range []int{0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000} {
		if k >= longest {
			break
		}
		row := []string{strconv.Itoa(k)}
		for _, l := range layers {
			cell := "-"
			if k < len(l.Middle) {
				cell = fmt.Sprintf("%.2g", l.Middle[k])
			}
			row = append(row, cell)
		}
		tableRow(t, row...)
	}
	return t.Flush()
}
