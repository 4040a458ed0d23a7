package layers

import (
	"embed"

	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/tensor"
)

// cells are the texts of all cells that are built in.
//
//go:embed cells
var cells embed.FS

// cellNamed is the text of cells/NAME.cell.
func cellNamed(name string) string {
	text, err := cells.ReadFile("cells/" + name + ".cell")
	if err != nil {
		panic("layers: no cell " + name) // a name that stands in this package
	}
	return string(text)
}

// The layers below are equations and nothing else: a Recurrent with a text that is built in. Give it what a Recurrent takes, as in
//
//	l := layers.PeepholeLSTM(32)
//	l.ReturnSequences = true
//
// A file keeps the equations, so it is read whatever becomes of the name.

// LectureLSTM is the LSTM of the lecture: one activation for all gates, a full matrix on the incoming carry at the output, and the output
// itself as the next state.
func LectureLSTM(units int) Recurrent { return equations("LectureLSTM", units) }

// PeepholeLSTM is an LSTM whose gates see the carry, each unit its own: i and f the old one, o the new one. Gers and Schmidhuber, 2000,
// "Recurrent nets that time and count".
func PeepholeLSTM(units int) Recurrent { return equations("PeepholeLSTM", units) }

// ProjectedLSTM is an LSTM with a carry of units values, whose output, which is also its state, is a product of them with a matrix, of
// projection values: proj_size of PyTorch's LSTM. Sak et al., 2014, "Long short-term memory based recurrent neural network architectures
// for large vocabulary speech recognition".
func ProjectedLSTM(units, projection int) Recurrent {
	l := equations("ProjectedLSTM", units)
	l.Sizes = map[string]int{"proj_size": projection}
	return l
}

// LayerNormLSTM is an LSTM that normalizes the sum in every gate, and the carry where it goes out: (x - mean) / √(variance + 0.001) over
// the units, times gamma, plus beta. Ba, Kiros and Hinton, 2016, "Layer normalization"; there all gates' sums are normalized together.
func LayerNormLSTM(units int) Recurrent { return equations("LayerNormLSTM", units) }

// MinimalGatedUnit is a GRU with a single gate, which does the work of both. Zhou et al., 2016, "Minimal gated unit for recurrent neural
// networks".
func MinimalGatedUnit(units int) Recurrent { return equations("MinimalGatedUnit", units) }

// CoupledLSTM is an LSTM without an input gate: what is forgotten makes room for what comes. CIFG in Greff et al., 2017, "LSTM: a search
// space odyssey".
func CoupledLSTM(units int) Recurrent { return equations("CoupledLSTM", units) }

// IRNN is a SimpleRNN with relu, which begins as the identity on its state and with small weights on its input: normal, of standard
// deviation 0.001. Le, Jaitly and Hinton, 2015, "A simple way to initialize recurrent networks of rectified linear units".
func IRNN(units int) Recurrent {
	l := equations("IRNN", units)
	l.KernelInitializer = initializers.RandomNormal{Stddev: tensor.F(0.001)}
	return l
}

// EquationsOf is the text of a recurrent layer with one cell; "" of every other layer.
func EquationsOf(s Spec) string {
	if r, ok := s.(recurrentSpec); ok {
		l, _ := r.recurrent()
		return l.Cell
	}
	return ""
}

// equations is the layer of that class; its text has the class's name in snake case, as a layer in a MODEL has.
func equations(class string, units int) Recurrent {
	return Recurrent{Units: units, Cell: cellNamed(keras.Snake(class))}
}

// Equations are the layers above, in order. Units are 0, and a projection has no width yet.
func Equations() []Recurrent {
	projected := ProjectedLSTM(0, 0)
	projected.Sizes = nil
	return []Recurrent{LectureLSTM(0), PeepholeLSTM(0), projected, LayerNormLSTM(0), MinimalGatedUnit(0), CoupledLSTM(0), IRNN(0)}
}

// classes are what the layers above are called, in the same order.
func classes() []string {
	return []string{"LectureLSTM", "PeepholeLSTM", "ProjectedLSTM", "LayerNormLSTM", "MinimalGatedUnit", "CoupledLSTM", "IRNN"}
}

// Class is the name of the equations where they are one of those that are built in, as "PeepholeLSTM"; otherwise "Recurrent". Keras has
// no such class.
func (l Recurrent) Class() string {
	for _, class := range classes() {
		if l.Cell == cellNamed(keras.Snake(class)) {
			return class
		}
	}
	return "Recurrent"
}
