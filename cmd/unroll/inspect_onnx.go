package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/internal/onnx"
)

// onnxReport is what an .onnx file has besides initializers.
type onnxReport struct {
	Producer  string            `json:"producer,omitempty"`
	Version   string            `json:"producer_version,omitempty"`
	IR        int64             `json:"ir_version"`
	Opsets    []opsetReport     `json:"opsets"`
	Graph     string            `json:"graph,omitempty"`
	Inputs    []valueReport     `json:"inputs"`
	Outputs   []valueReport     `json:"outputs"`
	Nodes     int               `json:"nodes"`
	Operators map[string]int    `json:"operators"` // those of graphs within nodes too
	Recurrent []recurrentReport `json:"recurrent,omitempty"`
	Functions int               `json:"functions,omitempty"` // of the model's own, whose bodies are not read
	Sparse    int               `json:"sparse_initializers,omitempty"`
}

type opsetReport struct {
	Domain  string `json:"domain"`
	Version int64  `json:"version"`
}

// valueReport is an input or output: an axis is a length, an open one its name, or null where it has none; null for a shape that is not known.
type valueReport struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Shape []any  `json:"shape"`
}

type recurrentReport struct {
	Name       string `json:"name"`
	Operator   string `json:"operator"`
	Direction  string `json:"direction"`
	HiddenSize int64  `json:"hidden_size,omitempty"`
}

// onnx reads an .onnx file, whatever its operators.
func (r *fileReport) onnx(f io.ReaderAt, size int64) error {
	r.Format = "onnx"
	const most = 2 << 30 // a message of protocol buffers is no longer
	if size > most {
		return fmt.Errorf("onnx: expected a file of at most %d bytes, got %d", most, size)
	}
	data := make([]byte, size)
	if _, err := f.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	m, err := onnx.Read(data)
	if err != nil {
		return err
	}
	o := &onnxReport{Producer: m.Producer, Version: m.ProducerVersion, IR: m.IRVersion, Graph: m.Graph.Name, Functions: m.Functions,
		Opsets: []opsetReport{}, Inputs: []valueReport{}, Outputs: []valueReport{}, Operators: map[string]int{}}
	for _, set := range m.Opsets {
		o.Opsets = append(o.Opsets, opsetReport{cmp.Or(set.Domain, "ai.onnx"), set.Version})
	}
	weights := map[string]bool{} // which are inputs too until version 4 of the format
	for _, t := range m.Graph.Initializers {
		weights[t.Name] = true
	}
	for _, v := range m.Graph.Inputs {
		if !weights[v.Name] {
			o.Inputs = append(o.Inputs, valueOf(v))
		}
	}
	for _, v := range m.Graph.Outputs {
		o.Outputs = append(o.Outputs, valueOf(v))
	}
	r.ONNX = o
	r.graph(m.Graph, "")
	return nil
}

func valueOf(v *onnx.Value) valueReport {
	report := valueReport{Name: v.Name, Type: "no tensor"}
	if v.Type != 0 {
		report.Type = v.Type.String()
	}
	if !v.Ranked {
		return report
	}
	report.Shape = []any{}
	for _, d := range v.Shape {
		switch {
		case d.Length >= 0:
			report.Shape = append(report.Shape, d.Length)
		case d.Name != "":
			report.Shape = append(report.Shape, d.Name)
		default:
			report.Shape = append(report.Shape, nil)
		}
	}
	return report
}

// graph takes the nodes and initializers of a graph and of those within its nodes.
func (r *fileReport) graph(g *onnx.Graph, within string) {
	r.ONNX.Sparse += g.Sparse
	for _, t := range g.Initializers {
		a := arrayReport{Path: within + t.Name, Type: t.Type.String(), Shape: []int{}}
		for _, d := range t.Shape {
			a.Shape = append(a.Shape, int(d))
		}
		a.read(t.Float64s())
		r.Arrays = append(r.Arrays, a)
	}
	for _, n := range g.Nodes {
		r.ONNX.Nodes++
		operator := n.Op
		if n.Domain != "" && n.Domain != "ai.onnx" {
			operator = n.Domain + "." + n.Op
		}
		r.ONNX.Operators[operator]++
		name := cmp.Or(append([]string{n.Name}, n.Outputs...)...)
		if slices.Contains([]string{"RNN", "GRU", "LSTM"}, operator) {
			one := recurrentReport{Name: within + name, Operator: operator, Direction: "forward"}
			if a := n.Attribute("direction"); a != nil {
				one.Direction = a.String
			}
			if a := n.Attribute("hidden_size"); a != nil {
				one.HiddenSize = a.Int
			}
			r.ONNX.Recurrent = append(r.ONNX.Recurrent, one)
		}
		for _, a := range n.Attributes {
			if a.Graph != nil {
				r.graph(a.Graph, clipped(within+name)+"/")
			}
		}
	}
}

// versions are of what wrote the file.
func (o *onnxReport) versions() string {
	var b strings.Builder
	if o.Producer != "" {
		b.WriteString(", " + strings.TrimSpace(o.Producer+" "+o.Version))
	}
	fmt.Fprintf(&b, ", IR version %d", o.IR)
	for _, set := range o.Opsets {
		fmt.Fprintf(&b, ", opset %s", strings.TrimPrefix(fmt.Sprint(set.Domain, " ", set.Version), "ai.onnx "))
	}
	return b.String()
}

func (o *onnxReport) print(w io.Writer) {
	fmt.Fprintf(w, "graph: %s\n", o.Graph)
	for _, side := range []struct {
		what   string
		values []valueReport
	}{{"input", o.Inputs}, {"output", o.Outputs}} {
		for _, v := range side.values {
			fmt.Fprintf(w, "  %s (%s): %s %s\n", v.Name, side.what, v.Type, v.shape())
		}
	}
	fmt.Fprintf(w, "nodes: %d\n", o.Nodes)
	for _, operator := range slices.Sorted(maps.Keys(o.Operators)) {
		fmt.Fprintf(w, "  %s: %d\n", operator, o.Operators[operator])
	}
	if len(o.Recurrent) > 0 {
		fmt.Fprintln(w, "recurrent:")
	}
	for _, n := range o.Recurrent {
		fmt.Fprintf(w, "  %s (%s): %s", n.Name, n.Operator, n.Direction)
		if n.HiddenSize != 0 {
			fmt.Fprintf(w, ", hidden_size %d", n.HiddenSize)
		}
		fmt.Fprintln(w)
	}
	if o.Functions > 0 {
		fmt.Fprintf(w, "functions of its own: %d, whose bodies are not read\n", o.Functions)
	}
	if o.Sparse > 0 {
		fmt.Fprintf(w, "sparse initializers: %d, which are not read\n", o.Sparse)
	}
}

// shape is an axis after the other; ? is one without a name.
func (v *valueReport) shape() string {
	if v.Shape == nil {
		return "of any shape"
	}
	axes := make([]string, len(v.Shape))
	for i, d := range v.Shape {
		axes[i] = "?"
		if d != nil {
			axes[i] = fmt.Sprint(d)
		}
	}
	return "(" + strings.Join(axes, ", ") + ")"
}
