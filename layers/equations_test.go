package layers_test

import (
	"math"
	"os"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// The layers that are equations are named by their texts: the class, the file, and the word in a MODEL are one name.
func TestEquations(t *testing.T) {
	for _, l := range layers.Equations() {
		text, err := os.ReadFile("cells/" + keras.Snake(l.Class()) + ".cell")
		if err != nil || string(text) != l.Cell {
			t.Errorf("%s: the text is not that of the file, %v", l.Class(), err)
		}
		if !strings.HasPrefix(l.Cell, "# ") {
			t.Errorf("%s: the text does not say where it comes from", l.Class())
		}
	}
	own := layers.PeepholeLSTM(2)
	own.Cell += "x_t = 2 * output_t\n"
	if got := own.Class(); got != "Recurrent" {
		t.Errorf("other equations are of class Recurrent, got %s", got)
	}
}

// How the cells begin: the paper's starts, which are part of what the cells are.
func TestEquationsBegin(t *testing.T) {
	l := layers.IRNN(3)
	built, err := l.Build(&layers.Builder{Name: "x"}, []layers.Signature{{Shape: tensor.Shape{tensor.None, tensor.None, 200}}})
	if err != nil {
		t.Fatal(err)
	}
	stream := random.New(1, random.Init)
	for _, w := range built.Weights() {
		if err := w.Init(stream); err != nil {
			t.Fatal(err)
		}
	}
	kernel, recurrent, bias := built.Weights()[0].Data, built.Weights()[1].Data, built.Weights()[2].Data
	squares := 0.0
	for _, v := range kernel {
		squares += float64(v) * float64(v)
	}
	if deviation := math.Sqrt(squares / float64(len(kernel))); !(math.Abs(deviation-0.001) <= 1e-4) {
		t.Errorf("IRNN: expected a kernel of deviation 0.001, got %g", deviation)
	}
	for i, v := range recurrent {
		if want := map[bool]float32{true: 1}[i/3 == i%3]; v != want {
			t.Errorf("IRNN: recurrent kernel [%d] is %g, expected %g", i, v, want)
		}
	}
	for i, v := range bias {
		if v != 0 {
			t.Errorf("IRNN: bias [%d] is %g, expected 0", i, v)
		}
	}
}
