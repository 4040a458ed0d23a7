package layers

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/unroll-ml/unroll/internal/keras"
)

// Config implements Spec. Both layers stand in it, the copy too.
func (l Bidirectional) Config() map[string]any {
	c := config(l)
	switch l.MergeMode {
	case "":
		c["merge_mode"] = "concat"
	case "none":
		c["merge_mode"] = nil
	default:
		c["merge_mode"] = l.MergeMode
	}
	activityConfig(c, l.ActivityRegularizer)
	for key, s := range map[string]Spec{"layer": l.forward(), "backward_layer": l.backward()} {
		if s == nil {
			continue // Build refuses it
		}
		o := Serialize(s, layerName(s), Signature{}, true)
		o.Build = nil
		if walks(s) { // as both are run
			o.Config["zero_output_for_mask"] = o.Config["return_sequences"]
		}
		c[key] = o
	}
	return c
}

// setBuild writes the shapes that Keras builds both layers with.
func (l Bidirectional) setBuild(o *keras.Object, in Signature) {
	for key, s := range map[string]Spec{"layer": l.forward(), "backward_layer": l.backward()} {
		part, ok := o.Config[key].(*keras.Object)
		if !ok {
			continue
		}
		part.Build = inputShape(in.Shape)
		if r, ok := s.(RNN); ok {
			r.setBuild(part, in)
		}
	}
}

// forward is Layer under the name that it has in the model.
func (l Bidirectional) forward() Spec {
	if l.Layer == nil {
		return nil
	}
	return renamed(l.Layer, "forward_"+layerName(l.Layer))
}

// backward is BackwardLayer, or Layer the other way.
func (l Bidirectional) backward() Spec {
	if l.BackwardLayer != nil || l.Layer == nil {
		return l.BackwardLayer
	}
	switch s := renamed(l.Layer, "backward_"+layerName(l.Layer)).(type) {
	case SimpleRNN:
		s.GoBackwards = !s.GoBackwards
		return s
	case LSTM:
		s.GoBackwards = !s.GoBackwards
		return s
	case GRU:
		s.GoBackwards = !s.GoBackwards
		return s
	case RNN:
		s.GoBackwards = !s.GoBackwards
		return s
	case Recurrent:
		s.GoBackwards = !s.GoBackwards
		return s
	}
	return l.Layer
}

// renamed is the recurrent layer under another name.
func renamed(s Spec, name string) Spec {
	switch l := s.(type) {
	case SimpleRNN:
		l.Name = name
		return l
	case LSTM:
		l.Name = name
		return l
	case GRU:
		l.Name = name
		return l
	case RNN:
		l.Name = name
		return l
	case Recurrent:
		l.Name = name
		return l
	}
	return s
}

func readBidirectional(r *keras.Reader) Spec {
	l := Bidirectional{Name: base(r), MergeMode: "concat"}
	trainable := r.Bool("trainable", true)
	l.ActivityRegularizer = regularizer(r, "activity_regularizer")
	switch {
	case r.Has("merge_mode") && r.Null("merge_mode"):
		l.MergeMode = "none"
	case r.Has("merge_mode"):
		switch l.MergeMode = r.String("merge_mode"); l.MergeMode {
		case "concat", "sum", "mul", "ave":
		default:
			r.Fail("merge_mode", `"concat", "sum", "mul", "ave" or null`)
		}
	}
	forward := readDirection(r, "layer", trainable)
	if r.Err() == nil && forward == nil {
		r.Fail("layer", "a recurrent layer")
	}
	backward := readDirection(r, "backward_layer", trainable)
	if r.Err() != nil {
		return l
	}
	l.Layer = renamed(forward, strings.TrimPrefix(forward.GivenName(), "forward_"))
	if backward != nil && !reflect.DeepEqual(backward.Config(), l.backward().Config()) {
		l.BackwardLayer = backward
	}
	if err := l.check(); err != nil {
		r.Keep(fmt.Errorf("keras: %s: %w", strings.TrimSuffix(r.Path(""), ".config."), err))
	}
	return l
}

// readDirection reads one of the two layers; nil when there is none.
func readDirection(r *keras.Reader, key string, trainable bool) Spec {
	o := r.Object(key)
	if o == nil {
		return nil
	}
	c := make(map[string]any, len(o.Config))
	for k, v := range o.Config {
		// Keras overwrites it with return_sequences on both layers, whatever stands here.
		if k != "zero_output_for_mask" {
			c[k] = v
		}
	}
	path := r.Path(key)
	s, err := FromConfig(path, &keras.Object{Class: o.Class, RegisteredName: o.RegisteredName, Config: c})
	if err != nil {
		r.Keep(err)
		return nil
	}
	if !walks(s) {
		r.Keep(fmt.Errorf("keras: %s: expected a recurrent layer, got %s", path, s.Class()))
		return nil
	}
	checkTrainable(r, keras.Read(path+".config", c), trainable, "Bidirectional")
	return s
}
