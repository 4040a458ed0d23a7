package layers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Called is a Spec some of whose fields Keras has as arguments of the layer's call, not of the layer. A model's file keeps them beside the
// inputs, where the layer is called.
type Called interface {
	Spec
	// CallArguments are those that differ from Keras's defaults, by Keras's names.
	CallArguments() map[string]any
	// WithCallArguments is the Spec with these. An unknown one, or a value that is not offered here, is an error.
	WithCallArguments(map[string]any) (Spec, error)
}

// Several is a Spec that takes several inputs.
type Several interface {
	Spec
	// InputNames are the arguments of the call that the inputs are in Keras, in order, of which the last may be left out; nil where they are one
	// argument, a list, be there only one in it.
	InputNames() []string
}

// attentionCall are the arguments of a call of attention.
type attentionCall struct{ causal, scores bool }

const (
	useCausalMask = "use_causal_mask"
	returnScores  = "return_attention_scores"
)

func (a attentionCall) arguments() map[string]any {
	m := map[string]any{}
	if a.causal {
		m[useCausalMask] = true
	}
	if a.scores {
		m[returnScores] = true
	}
	return m
}

// readAttentionCall reads them. What Keras fills in while it calls, a null mask and training, says nothing.
func readAttentionCall(class string, given map[string]any) (a attentionCall, err error) {
	known := map[string]*bool{useCausalMask: &a.causal, returnScores: &a.scores}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		v := given[key]
		switch dst, ok := known[key]; {
		case ok:
			if *dst, ok = v.(bool); !ok {
				return a, fmt.Errorf("layers: %s: call argument %s must be true or false, got %v", class, key, v)
			}
		case v == nil && (key == "training" || strings.HasSuffix(key, "mask") || key == "key"):
		default:
			return a, fmt.Errorf("layers: %s: expected the call arguments %s and %s, got %s = %v", class, returnScores, useCausalMask, key, v)
		}
	}
	return a, nil
}
