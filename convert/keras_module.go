package convert

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// kerasModule is what such modules have in common: the layers, in Python.
//
//go:embed keras_module.py
var kerasModule string

// WriteKerasModule writes a Python module with the layers of a model that Keras lacks, layers.Recurrent and its named equations: when it is imported, Keras loads
// the model's file, predicts with it and trains it. Every cell's step is written out, as the equations have it; dropout within such a layer is not
// offered there.
func WriteKerasModule(w io.Writer, m *unroll.Model) error {
	g := &moduleWriter{}
	if err := g.model(m); err != nil {
		return fmt.Errorf("convert: WriteKerasModule: %w", err)
	}
	if len(g.cells) == 0 {
		return errors.New("convert: WriteKerasModule: expected a model with layers that Keras lacks, such as recurrent or peephole_lstm, got one of Keras's alone")
	}
	var b strings.Builder
	b.WriteString(kerasModule)
	for i, c := range g.cells {
		fmt.Fprintf(&b, "\n\nclass Cell%d(Equations):\n%s", i, c.text)
	}
	b.WriteString("\n\n# The cells, by what a layer's config says.\n")
	for i, c := range g.cells {
		fmt.Fprintf(&b, "CELLS[%s] = Cell%d\n", c.key, i)
	}
	var classes []string
	for _, c := range g.cells {
		if c.class == "Recurrent" || slices.Contains(classes, c.class) {
			continue
		}
		classes = append(classes, c.class)
		fmt.Fprintf(&b, "\n\n@keras.saving.register_keras_serializable(package=\"unroll\", name=%q)\nclass %s(Recurrent):\n    pass\n\n\nCLASSES[%s] = %s\n", c.class, c.class, pythonText(c.equations), c.class)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// moduleCell is a cell in Python.
type moduleCell struct {
	class, equations string
	key, text        string
}

type moduleWriter struct{ cells []moduleCell }

func (g *moduleWriter) model(m *unroll.Model) error {
	for _, l := range m.Layers() {
		switch {
		case l.Model != nil:
			if err := g.model(l.Model); err != nil {
				return err
			}
		case len(l.In) > 0:
			if err := g.layer(l.Spec, l.In[0].Shape); err != nil {
				return fmt.Errorf("layer %q: %w", l.Name, err)
			}
		}
	}
	return nil
}

func (g *moduleWriter) layer(s layers.Spec, in tensor.Shape) error {
	switch s := s.(type) {
	case layers.Bidirectional:
		if err := g.layer(s.Layer, in); err != nil || s.BackwardLayer == nil {
			return err
		}
		return g.layer(s.BackwardLayer, in)
	case layers.Recurrent:
		return g.cell(s, in[len(in)-1])
	}
	return nil
}

func (g *moduleWriter) cell(l layers.Recurrent, inputs int) error {
	parsed, err := cell.Parse(l.Cell)
	if err != nil {
		return err
	}
	activation, recurrent := l.Activation.Or(activations.Tanh).Name(), l.RecurrentActivation.Or(activations.Sigmoid).Name()
	c, err := parsed.Resolve(cell.Options{Units: l.Units, Input: inputs, Sizes: l.Sizes, Activation: activation, RecurrentActivation: recurrent, NoBias: l.NoBias})
	if err != nil {
		return err
	}
	var sizes []string
	for name, n := range l.Sizes {
		sizes = append(sizes, fmt.Sprintf("(%q, %d)", name, n))
	}
	slices.Sort(sizes)
	tuple := "(" + strings.Join(sizes, ", ")
	if len(sizes) == 1 {
		tuple += ","
	}
	key := fmt.Sprintf("(%s, %d, %d, %q, %q, %s, %s))", pythonText(l.Cell), inputs, l.Units, activation, recurrent, pythonBool(!l.NoBias), tuple)
	if slices.ContainsFunc(g.cells, func(c moduleCell) bool { return c.key == key }) {
		return nil
	}
	text, err := pythonCell(c, inputs)
	if err != nil {
		return err
	}
	g.cells = append(g.cells, moduleCell{l.Class(), l.Cell, key, text})
	return nil
}

func pythonBool(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

// pythonText is a string of Python's.
func pythonText(s string) string { return strconv.QuoteToASCII(s) }

// pythonCell is the body of a class: shapes, and the step.
func pythonCell(c *cell.Cell, inputs int) (string, error) {
	var b strings.Builder
	var shapes, widths []string
	for _, w := range c.Weights {
		var axes []string
		for _, n := range w.Shape() {
			axes = append(axes, strconv.Itoa(n))
		}
		shapes = append(shapes, fmt.Sprintf("(%q, (%s,), %q)", w.Name, strings.Join(axes, ", "), roleName(w.Role)))
	}
	for _, s := range c.States {
		widths = append(widths, strconv.Itoa(s.Width))
	}
	fmt.Fprintf(&b, "    inputs, output_width, widths = %d, %d, [%s]\n", inputs, c.Nodes[c.Output].Width, strings.Join(widths, ", "))
	fmt.Fprintf(&b, "    shapes = [%s]\n\n    def step(self, x, states, w):\n", strings.Join(shapes, ", "))
	for i := range c.Nodes {
		e, err := pythonNode(c, &c.Nodes[i])
		if err != nil {
			return "", err
		}
		note := ""
		if c.Nodes[i].Name != "" {
			note = "  # " + c.Nodes[i].Name
		}
		fmt.Fprintf(&b, "        v%d = %s%s\n", i, e, note)
	}
	var next []string
	for _, s := range c.States {
		next = append(next, fmt.Sprintf("rows(v%d, x, %d)", s.Next, s.Width))
	}
	fmt.Fprintf(&b, "        return rows(v%d, x, %d), [%s]\n", c.Output, c.Nodes[c.Output].Width, strings.Join(next, ", "))
	return b.String(), nil
}

func roleName(r cell.Role) string {
	switch r {
	case cell.Kernel:
		return "kernel"
	case cell.Recurrent:
		return "recurrent"
	case cell.Bias:
		return "bias"
	}
	return ""
}

// pythonNode is the expression of a node.
func pythonNode(c *cell.Cell, n *cell.Node) (string, error) {
	arg := func(k int) string { return "v" + strconv.Itoa(n.Args[k]) }
	infix := func(op string) string { return arg(0) + " " + op + " " + arg(1) }
	switch n.Op {
	case cell.OpInput:
		return "x", nil
	case cell.OpState:
		return fmt.Sprintf("states[%d]", n.Index), nil
	case cell.OpVector, cell.OpDot:
		w := &c.Weights[n.Weight]
		block := w.Blocks[n.Block]
		columns := fmt.Sprintf("%d:%d", block.Start, block.Start+block.Width)
		switch {
		case n.Op == cell.OpVector && w.Rows > 0:
			return fmt.Sprintf("w[%d][%d, %s]", n.Weight, n.Row, columns), nil
		case n.Op == cell.OpVector:
			return fmt.Sprintf("w[%d][%s]", n.Weight, columns), nil
		}
		part := fmt.Sprintf("w[%d][:, %s]", n.Weight, columns)
		if w.OutIn {
			part = fmt.Sprintf("w[%d][%s, :]", n.Weight, columns)
		}
		if n.Left {
			part = fmt.Sprintf("ops.transpose(%s)", part)
		}
		return fmt.Sprintf("ops.matmul(%s, %s)", arg(0), part), nil
	case cell.OpConst:
		return strconv.FormatFloat(n.Value, 'g', -1, 64), nil
	case cell.OpAdd:
		return infix("+"), nil
	case cell.OpSub:
		return infix("-"), nil
	case cell.OpMul:
		return infix("*"), nil
	case cell.OpDiv:
		return infix("/"), nil
	case cell.OpMin:
		return fmt.Sprintf("ops.minimum(%s, %s)", arg(0), arg(1)), nil
	case cell.OpMax:
		return fmt.Sprintf("ops.maximum(%s, %s)", arg(0), arg(1)), nil
	case cell.OpNeg:
		return "-" + arg(0), nil
	case cell.OpPow:
		return fmt.Sprintf("ops.power(%s, %s)", arg(0), strconv.FormatFloat(n.Value, 'g', -1, 64)), nil
	case cell.OpSoftmax:
		return fmt.Sprintf("ops.softmax(rows(%s, x, %d), axis=-1)", arg(0), n.Width), nil
	case cell.OpLayerNorm:
		gain, bias := "1.0", "0.0"
		if len(n.Args) > 1 {
			gain = arg(1)
		}
		if len(n.Args) > 2 {
			bias = arg(2)
		}
		return fmt.Sprintf("layer_norm(%s, %s, %s)", arg(0), gain, bias), nil
	case cell.OpFunc:
		switch n.Func {
		case "exp", "log", "sqrt", "abs", "square":
			return fmt.Sprintf("ops.%s(%s)", n.Func, arg(0)), nil
		case "hard_sigmoid_keras2":
			return fmt.Sprintf("ops.clip(0.2 * %s + 0.5, 0.0, 1.0)", arg(0)), nil
		}
		return fmt.Sprintf("keras.activations.%s(%s)", n.Func, arg(0)), nil
	}
	return "", fmt.Errorf("line %d: expected an operation of a text, got number %d", n.Line, n.Op)
}
