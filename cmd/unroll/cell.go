package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/durable"
)

// maxCell is how long a text of equations may be: the language's own bound is 64 KB.
const maxCell = 1 << 20

// cellFault is a mistake in a file of equations.
type cellFault struct {
	file, text string
	err        *cell.Error
}

func (f *cellFault) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", f.file, f.err.Line, f.err.Col, f.err.Msg)
	if f.err.Hint != "" {
		s += "; " + f.err.Hint
	}
	return s
}

// report prints the mistake as compilers do, with the line and a mark.
func (f *cellFault) report(w io.Writer) {
	fmt.Fprintln(w, f.Error())
	lines := strings.SplitAfter(f.text, "\n")
	at := 0
	for _, l := range lines[:min(f.err.Line-1, len(lines))] {
		at += len(l)
	}
	excerpt(w, f.text, min(at+f.err.Col-1, len(f.text)))
}

// cellText is the equations of a file, or those that are built in under a name, parsed once to find mistakes.
func cellText(name string) (string, error) {
	if l, ok := findEquations(name); ok {
		return l.Cell, nil
	}
	if slices.Contains([]string{"simple_rnn", "lstm", "gru"}, name) {
		return "", fmt.Errorf("expected a file or one of %s, got the layer %s: write %s(…)", strings.Join(equationNames(), ", "), name, name)
	}
	info, err := os.Stat(name)
	switch {
	case err == nil && info.IsDir():
		return "", fmt.Errorf("expected a file, got the folder %s", name)
	case err == nil && info.Size() > maxCell:
		return "", fmt.Errorf("expected equations of at most 64 KB, got a file of %d bytes: %s", info.Size(), name)
	case errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("no such file: %s (built in: %s)", name, strings.Join(equationNames(), ", "))
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("cannot read %s: %w", name, durable.Cause(err))
	}
	_, err = cell.Parse(string(text))
	return string(text), faultIn(name, string(text), err)
}

// faultIn gives a mistake in equations its file.
func faultIn(file, text string, err error) error {
	var e *cell.Error
	if errors.As(err, &e) {
		return &cellFault{file, text, e}
	}
	return err
}

func cellCommand() *cobra.Command {
	var units, input int
	var sizes map[string]int
	var asJSON, asText bool
	var activation, recurrent string
	cmd := &cobra.Command{
		Use:   "cell FILE.cell",
		Short: "Check a cell's equations and show what becomes of them",
		Long: `cell checks the equations of a recurrent cell and prints its parameters, its states, and how a step is computed.
FILE may be the name of equations that are built in: ` + strings.Join(equationNames(), ", ") + `;
--text prints them, to begin with.`,
		Example: `  unroll cell my.cell
  unroll cell my.cell --units 64 --input 100 --size proj=16
  unroll cell lecture_lstm
  unroll cell peephole_lstm --text > mine.cell`,
		Args: between(1, 1, "a file of equations"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := cellText(args[0])
			if err != nil {
				return err
			}
			c, err := cell.Parse(text)
			if err != nil {
				return faultIn(args[0], text, err)
			}
			c, err = c.Resolve(cell.Options{Units: units, Input: input, Sizes: sizes, Activation: activation, RecurrentActivation: recurrent})
			if err != nil {
				err = faultIn(args[0], text, err)
				if strings.Contains(err.Error(), "the layer sets it") {
					return hint(err, "--size NAME=N sets it")
				}
				return err
			}
			if asText {
				_, err := io.WriteString(cmd.OutOrStdout(), text)
				return err
			}
			d := describeCell(args[0], units, input, c, cell.NewPlan(c))
			if asJSON {
				return printJSON(cmd.OutOrStdout(), d)
			}
			return d.print(cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.IntVar(&units, "units", 32, "width of the output, and of what nothing else fixes")
	f.IntVar(&input, "input", 32, "width of input_t")
	f.StringToIntVar(&sizes, "size", nil, "width that a `value` line names, as NAME=N")
	f.StringVar(&activation, "activation", "tanh", "what activation(x) is")
	f.StringVar(&recurrent, "recurrent-activation", "sigmoid", "what recurrent_activation(x) is")
	f.BoolVar(&asText, "text", false, "print the equations")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// cellReport is what the verb shows.
type cellReport struct {
	File       string       `json:"file"`
	Units      int          `json:"units"`
	Input      int          `json:"input"`
	Output     int          `json:"output"`
	Parameters []cellWeight `json:"parameters"`
	Params     int          `json:"params"`
	States     []cellState  `json:"states"`
	Stages     []cellStage  `json:"stages"`
	// Operations of one step of one sequence: a multiplication with its addition is one.
	MultiplyAdds int      `json:"multiply_adds"`
	Functions    int      `json:"functions"`
	Pointwise    int      `json:"pointwise"`
	Notes        []string `json:"notes"`
}

type cellWeight struct {
	Name        string   `json:"name"`
	Shape       []int    `json:"shape"`
	Role        string   `json:"role"`
	Initializer string   `json:"initializer"`
	Blocks      []string `json:"blocks,omitempty"`
}

type cellState struct {
	Name  string `json:"name"`
	Width int    `json:"width"`
}

type cellStage struct {
	Name         string   `json:"name"`
	Products     []string `json:"products"`
	MultiplyAdds int      `json:"multiply_adds"`
	Functions    int      `json:"functions"`
	Pointwise    int      `json:"pointwise"`
}

func describeCell(file string, units, input int, c *cell.Cell, p *cell.Plan) *cellReport {
	d := &cellReport{File: file, Units: units, Input: input, Output: p.Slots[p.Output].Width, Notes: append([]string{}, c.Notes...), States: []cellState{}}
	for i := range c.Weights {
		w := &c.Weights[i]
		row := cellWeight{Name: w.Name, Shape: w.Shape()}
		row.Role, row.Initializer = role(w)
		for _, b := range w.Blocks {
			if b.Name == "" {
				continue
			}
			s := b.Name
			if b.Init != "" {
				s += " (init " + b.Init + ")"
			}
			row.Blocks = append(row.Blocks, s)
		}
		n := 1
		for _, axis := range row.Shape {
			n *= axis
		}
		d.Params += n
		d.Parameters = append(d.Parameters, row)
	}
	for _, s := range c.States {
		d.States = append(d.States, cellState{s.Name + "_t", s.Width})
	}
	if len(p.Hoist) > 0 {
		d.add("all steps together", c, p, p.Hoist)
	}
	for i, s := range p.Steps {
		d.add(fmt.Sprintf("step, stage %d", i+1), c, p, s.Instrs)
	}
	return d
}

// role is a weight's role, and how its first values are drawn.
func role(w *cell.Weight) (name, initializer string) {
	switch w.Role {
	case cell.Kernel:
		name, initializer = "kernel", "glorot_uniform"
	case cell.Recurrent:
		name, initializer = "recurrent", "orthogonal"
	case cell.Bias:
		name, initializer = "bias", "zeros"
	case cell.Gain:
		name, initializer = "gain", "ones"
	case cell.Vector:
		name, initializer = "vector", "glorot_uniform"
	}
	if w.Init != "" {
		initializer = w.Init
	}
	return name, initializer
}

// add counts a part of the plan.
func (d *cellReport) add(name string, c *cell.Cell, p *cell.Plan, code []cell.Instr) {
	s := cellStage{Name: name}
	for _, i := range code {
		width := p.Slots[i.D].Width
		switch i.Code {
		case cell.MatMul, cell.MatMulAcc, cell.MatMulFrom:
			k := p.Packs[i.Pack]
			s.MultiplyAdds += k.K * k.M
			s.Products = append(s.Products, fmt.Sprintf("%s (%d × %d)", packName(c, k), k.K, k.M))
		case cell.Apply:
			s.Functions += width
		case cell.Softmax, cell.Normalize:
			s.Functions += width
		case cell.Copy, cell.Fill, cell.Load:
		default:
			s.Pointwise += width
		}
	}
	d.MultiplyAdds += s.MultiplyAdds
	d.Functions += s.Functions
	d.Pointwise += s.Pointwise
	d.Stages = append(d.Stages, s)
}

// packName is the weight of a product, with its block where the product is with that block alone.
func packName(c *cell.Cell, k cell.Pack) string {
	w := &c.Weights[k.Weight]
	if k.Block >= 0 && k.Block < len(w.Blocks) && w.Blocks[k.Block].Name != "" && w.Blocks[k.Block].Width == k.M {
		return w.Name + "." + w.Blocks[k.Block].Name
	}
	return w.Name
}

func (d *cellReport) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 3, ' ', 0)
	fmt.Fprintf(w, "%s: input %d, units %d, output %d\n\n", d.File, d.Input, d.Units, d.Output)
	blocks := ""
	if slices.ContainsFunc(d.Parameters, func(p cellWeight) bool { return len(p.Blocks) > 0 }) {
		blocks = "blocks"
	}
	tableRow(w, "parameter", "shape", "role", "initializer", blocks)
	for _, p := range d.Parameters {
		tableRow(w, p.Name, shapeText(p.Shape), p.Role, p.Initializer, strings.Join(p.Blocks, ", "))
	}
	w.Flush()
	fmt.Fprintf(out, "Total params: %s\n\n", thousands(d.Params))
	fmt.Fprintf(w, "state\twidth\n")
	for _, s := range d.States {
		fmt.Fprintf(w, "%s\t%d\n", s.Name, s.Width)
	}
	if len(d.States) == 0 {
		fmt.Fprintln(w, "none")
	}
	fmt.Fprintln(w)
	tableRow(w, "stage", "multiply-adds", "functions", "pointwise", "products")
	for _, s := range d.Stages {
		tableRow(w, s.Name, thousands(s.MultiplyAdds), thousands(s.Functions), thousands(s.Pointwise), strings.Join(s.Products, ", "))
	}
	tableRow(w, "a step of one sequence", thousands(d.MultiplyAdds), thousands(d.Functions), thousands(d.Pointwise))
	if err := w.Flush(); err != nil {
		return err
	}
	for _, n := range d.Notes {
		if _, err := fmt.Fprintf(out, "note: %s\n", n); err != nil {
			return err
		}
	}
	return nil
}

// tableRow writes the cells of a row; an empty last one leaves no blanks.
func tableRow(w io.Writer, cells ...string) {
	fmt.Fprintln(w, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
}

func shapeText(shape []int) string {
	s := fmt.Sprint(shape)
	return "(" + strings.ReplaceAll(s[1:len(s)-1], " ", ", ") + ")"
}

// thousands is a count with commas.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
