package layers

import (
	"fmt"
	"reflect"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/internal/keras"
)

// Keras2 are the layers that Keras 2.2.4, under R's keras up to 2.6, makes of the same arguments:
//   - LSTM and GRU have hard_sigmoid as RecurrentActivation where none is given;
//   - hard_sigmoid is min(max(0.2 x + 0.5, 0), 1), activations.HardSigmoidKeras2, wherever it is named;
//   - the reset gate of a GRU acts before the product;
//   - layers without a name are numbered from 1.
//
// The rest of that time's numbers is elsewhere: optimizers.RMSprop, losses.BinaryCrossentropy and the callbacks EarlyStopping and
// ReduceLROnPlateau have a field Keras2. Histories show the loss first in either.
func Keras2(specs ...Spec) []Spec {
	changed := make([]Spec, len(specs))
	for i, s := range specs {
		changed[i] = keras2(s)
	}
	return NumberedFrom1(changed...)
}

func keras2(s Spec) Spec {
	gate := func(a activations.Activation) activations.Activation {
		return keras2Activation(a.Or(activations.HardSigmoid))
	}
	switch l := s.(type) {
	case LSTM:
		l.Activation, l.RecurrentActivation = keras2Activation(l.Activation), gate(l.RecurrentActivation)
		return l
	case GRU:
		l.Activation, l.RecurrentActivation, l.NoResetAfter = keras2Activation(l.Activation), gate(l.RecurrentActivation), true
		return l
	case SimpleRNN:
		l.Activation = keras2Activation(l.Activation)
		return l
	case Recurrent:
		l.Activation, l.RecurrentActivation = keras2Activation(l.Activation), keras2Activation(l.RecurrentActivation)
		return l
	case Dense:
		l.Activation = keras2Activation(l.Activation)
		return l
	case Conv1D:
		l.Activation = keras2Activation(l.Activation)
		return l
	case Activation:
		l.Activation = keras2Activation(l.Activation)
		return l
	case Bidirectional:
		l.Layer, l.BackwardLayer = keras2(l.Layer), keras2(l.BackwardLayer)
		return l
	case TimeDistributed:
		l.Layer = keras2(l.Layer)
		return l
	}
	return s
}

// keras2Activation is the function that Keras 2 had under a name.
func keras2Activation(a activations.Activation) activations.Activation {
	if a == activations.HardSigmoid {
		return activations.HardSigmoidKeras2
	}
	return a
}

// NumberedFrom1 are the layers with Keras 2's names where they have none: lstm_1, lstm_2. A layer within another is made, and counts, before it.
func NumberedFrom1(specs ...Spec) []Spec {
	used, named := map[string]int{}, make([]Spec, len(specs))
	for i, s := range specs {
		named[i] = numbered(used, s)
	}
	return named
}

func numbered(used map[string]int, s Spec) Spec {
	switch l := s.(type) {
	case nil:
		return nil
	case Input: // is no layer to Keras 2, but what the first one takes
		return s
	case Bidirectional:
		l.Layer, l.BackwardLayer = numbered(used, l.Layer), numbered(used, l.BackwardLayer)
		s = l
	case TimeDistributed:
		l.Layer = numbered(used, l.Layer)
		s = l
	}
	// Every Spec here is a struct with a Name; somebody else's may be anything.
	v := reflect.New(reflect.TypeOf(s)).Elem()
	v.Set(reflect.ValueOf(s))
	if s.GivenName() != "" || v.Kind() != reflect.Struct || v.FieldByName("Name").Kind() != reflect.String {
		return s
	}
	base := keras.Snake(s.Class())
	used[base]++
	v.FieldByName("Name").SetString(fmt.Sprintf("%s_%d", base, used[base]))
	return v.Interface().(Spec)
}
