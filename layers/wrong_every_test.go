package layers_test

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/constraints"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// wrongValues are values that no argument of that type takes.
func wrongValues(field reflect.StructField) []any {
	switch field.Type {
	case reflect.TypeFor[activations.Activation]():
		return []any{activations.Activation("tahn")}
	case reflect.TypeFor[regularizers.Regularizer]():
		return []any{regularizers.L2{L2: tensor.F(-1)}, regularizers.L1{L1: tensor.F(math.NaN())}}
	case reflect.TypeFor[constraints.Constraint]():
		return []any{constraints.MaxNorm{Axis: []int{7}}}
	case reflect.TypeFor[initializers.Initializer]():
		return []any{initializers.RandomNormal{Stddev: tensor.F(-1)}}
	case reflect.TypeFor[tensor.Float]():
		return []any{tensor.F(math.NaN()), tensor.F(-2.5)}
	case reflect.TypeFor[float64]():
		return []any{math.NaN(), -0.5, math.Inf(1)}
	case reflect.TypeFor[int]():
		return []any{-3}
	case reflect.TypeFor[[]int]():
		return []any{[]int{-9}}
	case reflect.TypeFor[string]():
		return []any{"nonsense"}
	}
	return nil
}

// Every argument of every layer that can be wrong is refused where it is, by its name in Keras, with what came; when the layer is built, or when its weights are drawn.
func TestEveryWrongArgument(t *testing.T) {
	sequences, vectors, ids := tensor.Shape{open, 6, 4}, tensor.Shape{open, 4}, tensor.Shape{open, open}
	one := func(shapes ...tensor.Shape) (in []layers.Signature) {
		for _, s := range shapes {
			in = append(in, layers.Signature{Shape: s, IDs: len(s) == 2 && s[1] == open})
		}
		return in
	}
	tried := 0
	for _, c := range []struct {
		spec layers.Spec
		in   []layers.Signature
		free string // fields that take any value of their type
	}{
		{layers.Embedding{InputDim: 5, OutputDim: 3}, one(ids), ""},
		{layers.SimpleRNN{Units: 3}, one(sequences), ""},
		{layers.LSTM{Units: 3}, one(sequences), ""},
		{layers.GRU{Units: 3}, one(sequences), ""},
		{layers.PeepholeLSTM(3), one(sequences), ""},
		{layers.RNN{Cell: layers.GRU{Units: 2}}, one(sequences), "StackName"},
		{layers.Bidirectional{Layer: layers.GRU{Units: 2}}, one(sequences), ""},
		{layers.Dense{Units: 3}, one(vectors), ""},
		{layers.Activation{Activation: activations.Tanh}, one(vectors), ""},
		{layers.Masking{}, one(sequences), "MaskValue"},
		{layers.Dropout{Rate: 0.5}, one(vectors), ""},
		{layers.SpatialDropout1D{Rate: 0.5}, one(sequences), ""},
		{layers.GaussianNoise{Stddev: 0.5}, one(vectors), ""},
		{layers.GaussianDropout{Rate: 0.5}, one(vectors), ""},
		{layers.LayerNormalization{}, one(vectors), ""},
		{layers.BatchNormalization{}, one(vectors), ""},
		{layers.Conv1D{Filters: 3, KernelSize: 2}, one(sequences), ""},
		{layers.MaxPooling1D{}, one(sequences), ""},
		{layers.AveragePooling1D{}, one(sequences), ""},
		{layers.GlobalMaxPooling1D{}, one(sequences), ""},
		{layers.GlobalAveragePooling1D{}, one(sequences), ""},
		{layers.RepeatVector{N: 2}, one(vectors), ""},
		{layers.Flatten{}, one(sequences), ""},
		{layers.Reshape{TargetShape: []int{2, 12}}, one(sequences), ""},
		{layers.Permute{Dims: []int{2, 1}}, one(sequences), ""},
		{layers.Concatenate{}, one(vectors, vectors), ""},
		{layers.Dot{Axes: []int{1}}, one(vectors, vectors), ""},
		{layers.Attention{}, one(sequences, sequences), ""},
		{layers.AdditiveAttention{}, one(sequences, sequences), ""},
		{layers.MultiHeadAttention{NumHeads: 2, KeyDim: 3}, one(sequences, sequences), ""},
	} {
		fields := reflect.TypeOf(c.spec)
		for i := range fields.NumField() {
			f := fields.Field(i)
			if f.Name == "Name" || f.Name == c.free || !f.IsExported() {
				continue
			}
			for _, wrong := range wrongValues(f) {
				tried++
				edited := reflect.New(fields).Elem()
				edited.Set(reflect.ValueOf(c.spec))
				edited.Field(i).Set(reflect.ValueOf(wrong))
				spec := edited.Interface().(layers.Spec)
				err := built(spec, c.in)
				argument := keras.Snake(f.Name)
				if spec, ok := spec.(layers.Recurrent); ok && spec.Class() == "Recurrent" {
					continue // other equations are another layer
				}
				if err == nil || !strings.Contains(err.Error(), c.spec.Class()) || !strings.Contains(err.Error(), argument) {
					t.Errorf("%s.%s = %v: expected an error that names %s and %s, got %v", c.spec.Class(), f.Name, wrong, c.spec.Class(), argument, err)
				}
			}
		}
	}
	if tried < 150 {
		t.Errorf("expected to try 150 arguments at least, got %d", tried)
	}
}

// built builds a layer and draws its weights.
func built(s layers.Spec, in []layers.Signature) error {
	l, err := s.Build(&layers.Builder{Name: "x"}, in)
	if err != nil {
		return err
	}
	for i, w := range l.Weights() {
		if err := w.Init(random.New(1, random.Init, uint64(i))); err != nil {
			return fmt.Errorf("%s: %w", s.Class(), err)
		}
	}
	return nil
}
