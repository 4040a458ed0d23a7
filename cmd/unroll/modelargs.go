package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/constraints"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// arguments are those of one call, by name.
type arguments struct {
	m      *meaning
	call   *call
	byName map[string]*value
	read   map[string]bool
}

// everyLayer are the arguments that Keras's every layer has.
func everyLayer() []string {
	return []string{"name", "input_shape", "batch_input_shape", "trainable", "dtype", "autocast"}
}

// bind gives every argument of the call its name: those without one take the names in Keras's order.
func (m *meaning) bind(c *call, names ...string) *arguments {
	a := &arguments{m: m, call: c, byName: map[string]*value{}, read: map[string]bool{}}
	known := append(slices.Clone(names), everyLayer()...)
	place := 0
	for i := range c.args {
		arg := &c.args[i]
		name := arg.name
		switch {
		case name != "":
			if !slices.Contains(known, name) {
				m.fail(arg.at, "%s: %s", clip(c.name), unknown("argument", name, known))
			}
		case place < len(names):
			name = names[place]
			place++
		default:
			m.fail(arg.at, "%s: expected at most %d arguments without a name, got %s", clip(c.name), len(names), arg.value)
		}
		if a.byName[name] != nil {
			m.fail(arg.at, "%s: expected %s once, got it twice", clip(c.name), name)
		}
		a.byName[name] = &arg.value
	}
	return a
}

// get is the value of an argument, nil where it was not given.
func (a *arguments) get(name string) *value {
	a.read[name] = true
	return a.byName[name]
}

func (a *arguments) fail(v *value, name, want string) {
	a.m.fail(v.at, "%s: expected %s, got %s", name, want, v)
}

// needInt is a whole number that must be given.
func (a *arguments) needInt(name string) int {
	v := a.get(name)
	if v == nil {
		a.m.fail(a.call.at, "%s: expected %s, a whole number, got none", clip(a.call.name), name)
	}
	n, ok := v.int()
	if !ok {
		a.fail(v, name, "a whole number")
	}
	return n
}

// needFloat is a number that must be given.
func (a *arguments) needFloat(name string) float64 {
	v := a.get(name)
	if v == nil {
		a.m.fail(a.call.at, "%s: expected %s, a number, got none", clip(a.call.name), name)
	}
	f, err := strconv.ParseFloat(strings.TrimSuffix(v.text, "L"), 64)
	if v.kind != numberValue || err != nil {
		a.fail(v, name, "a number")
	}
	return f
}

// float is a number, 0 where there is none.
func (a *arguments) float(name string) float64 {
	if v := a.get(name); v == nil || v.null() {
		return 0
	}
	return a.needFloat(name)
}

func (a *arguments) bool(name string, def bool) bool {
	v := a.get(name)
	if v == nil {
		return def
	}
	if b, ok := v.bool(); ok {
		return b
	}
	a.fail(v, name, "true or false")
	return false
}

// text is a word, quoted or not; "" where none was given.
func (a *arguments) text(name string) string {
	v := a.get(name)
	if v == nil || v.null() {
		return ""
	}
	if v.kind != stringValue && v.kind != wordValue {
		a.fail(v, name, "a name")
	}
	return v.text
}

func (a *arguments) activation(name string) activations.Activation {
	v := a.get(name)
	switch {
	case v == nil:
		return ""
	case v.null():
		return activations.Linear
	case v.kind != stringValue && v.kind != wordValue:
		a.fail(v, name, "the name of an activation")
	}
	act, err := activations.ByName(a.m.profile.function(strings.TrimPrefix(v.text, "activation_")))
	if err != nil {
		a.m.fail(v.at, "%s: %s", name, without(err, "activations: "))
	}
	return act
}

func (a *arguments) initializer(name string) initializers.Initializer {
	v := a.get(name)
	if v == nil || v.null() {
		return nil
	}
	var i initializers.Initializer
	var err error
	switch v.kind {
	case stringValue, wordValue:
		i, err = initializers.ByName(strings.TrimPrefix(v.text, "initializer_"))
	case callValue:
		i, err = initializers.FromConfig(name, strings.TrimPrefix(v.call.name, "initializer_"), a.m.config(v.call, ""))
	default:
		a.fail(v, name, "the name of an initializer")
	}
	if err != nil {
		a.m.fail(v.at, "%s: %s", name, without(err, "initializers: ", "keras: ", name+"."))
	}
	return i
}

// class is the name of a class of Keras's with its arguments; "" where none was given.
func (a *arguments) class(name string) (v *value, class string, config map[string]any) {
	v = a.get(name)
	switch {
	case v == nil || v.null():
		return nil, "", nil
	case v.kind == stringValue || v.kind == wordValue:
		return v, objectName(v.text), nil
	case v.kind == callValue:
		o := a.m.object(v.call)
		return v, o.Class, o.Config
	}
	a.fail(v, name, "a name")
	return nil, "", nil
}

func (a *arguments) regularizer(name string) regularizers.Regularizer {
	v, class, config := a.class(name)
	if v == nil {
		return nil
	}
	r, err := regularizers.FromConfig(name, class, config)
	if err != nil {
		a.m.fail(v.at, "%s: %s", name, without(err, "regularizers: ", "keras: ", name+".", name+": "))
	}
	return r
}

func (a *arguments) constraint(name string) constraints.Constraint {
	v, class, config := a.class(name)
	if v == nil {
		return nil
	}
	c, err := constraints.FromConfig(name, class, config)
	if err != nil {
		a.m.fail(v.at, "%s: %s", name, without(err, "constraints: ", "keras: ", name+".", name+": "))
	}
	return c
}

// shape is a list of axes, or one number for one axis; nil where none was given.
func (a *arguments) shape(name string) tensor.Shape {
	v := a.get(name)
	switch {
	case v == nil:
		return nil
	case v.kind == listValue:
		return a.m.axes(v.list)
	case v.kind == numberValue:
		return a.m.axes([]value{*v})
	}
	a.fail(v, name, "the axes of one row, as in (None, 12)")
	return nil
}

// harmless are the values of an argument that change nothing here: Keras's default, or a way to compute, not a result.
func harmless(name string) []string {
	switch name {
	case "trainable", "autocast":
		return []string{"true"}
	case "dtype":
		return []string{"float32"}
	case "use_cudnn":
		return []string{"auto", "true", "false"}
	case "implementation":
		return []string{"0", "1", "2"}
	}
	return []string{"false", "0", "0.0"}
}

// done refuses the arguments that nobody has read, unless they say what Keras does without them: no regularizer, no constraint,
// no dropout in the layer, no state, and so on.
func (a *arguments) done() {
	for i := range a.call.args {
		v := &a.call.args[i].value
		for name, w := range a.byName {
			if v == w && !a.read[name] && !v.null() && !slices.Contains(harmless(name), strings.ToLower(v.text)) {
				a.m.fail(v.at, "%s: %s is not supported, got %s", clip(a.call.name), name, v)
			}
		}
	}
}

// config is a call as Keras's config of it: first is the name of an argument without one.
func (m *meaning) config(c *call, first string) map[string]any {
	config := map[string]any{}
	for i, a := range c.args {
		name := a.name
		if name == "" && i == 0 {
			name = first
		}
		if name == "" {
			m.fail(a.at, "%s: expected NAME=VALUE, got %s", clip(c.name), a.value)
		}
		if _, twice := config[name]; twice {
			m.fail(a.at, "%s: expected %s once, got it twice", clip(c.name), clip(name))
		}
		config[name] = m.plain(&a.value)
	}
	return config
}

// plain is a value as JSON has it.
func (m *meaning) plain(v *value) any {
	if b, ok := v.bool(); ok {
		return b
	}
	switch {
	case v.null():
		return nil
	case v.kind == numberValue:
		if n, ok := v.int(); ok {
			return n
		}
		f, err := strconv.ParseFloat(strings.TrimSuffix(v.text, "L"), 64)
		if err != nil {
			m.fail(v.at, "expected a number, got %s", v)
		}
		return f
	case v.kind == listValue:
		list := []any{}
		for i := range v.list {
			list = append(list, m.plain(&v.list[i]))
		}
		return list
	case v.kind == callValue:
		return &keras.Object{Class: v.call.name, Config: m.config(v.call, "")}
	}
	return v.text
}

// null reports whether the value is Python's None or R's NULL.
func (v *value) null() bool {
	return v.kind == wordValue && (v.text == "None" || v.text == "NULL" || v.text == "null")
}

// bool is the value as true or false, in Python's, R's or JSON's spelling.
func (v *value) bool() (b, ok bool) {
	if v.kind != wordValue {
		return false, false
	}
	switch v.text {
	case "true", "TRUE", "True", "T":
		return true, true
	case "false", "FALSE", "False", "F":
		return false, true
	}
	return false, false
}

// int is the value as a whole number: 32, R's 32L, 1e4.
func (v *value) int() (int, bool) {
	if v.kind != numberValue {
		return 0, false
	}
	text := strings.TrimSuffix(v.text, "L")
	if n, err := strconv.Atoi(text); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != float64(int32(f)) {
		return 0, false
	}
	return int(f), true
}

// String is the value as errors show it.
func (v value) String() string {
	switch v.kind {
	case stringValue:
		return quoted(v.text)
	case callValue:
		return clip(v.call.name) + "(…)"
	case listValue:
		return "a list of " + strconv.Itoa(len(v.list))
	}
	return clip(v.text)
}

// described is the value, or that there is none.
func described(v *value) string {
	if v == nil {
		return "none"
	}
	return v.String()
}
