// Package keras is the syntax of Keras's files: objects written as {module, class_name, config, registered_name}, typed access to their
// configs, and the zip container of `.keras`. It knows no layer and no weight.
package keras

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"strconv"
)

// Object is one serialized Keras object: a layer, an initializer, a model. Source: keras/src/saving/serialization_lib.py.
type Object struct {
	Module         string // "keras.layers"; "" in files of Keras 2
	Class          string
	RegisteredName string // "package>Name" of a user's own class; "" (null in the file) for what Keras has itself

	// Config holds what the class was made with. Numbers are json.Number when decoded, any Go number when built here.
	// Nil when the file named the class by a bare string.
	Config map[string]any

	Build   map[string]any // build_config; nil when absent
	Compile map[string]any // compile_config; nil when absent
	Extra   map[string]any // every other key: name and inbound_nodes of a graph's layers, shared_object_id
}

// Encode is the object as encoding/json writes it in a `.keras` file: registered_name is null when empty, absent parts are left out.
func (o *Object) Encode() map[string]any {
	m := make(map[string]any, 4+len(o.Extra))
	maps.Copy(m, o.Extra)
	m["module"], m["class_name"], m["registered_name"] = o.Module, o.Class, nil
	if o.RegisteredName != "" {
		m["registered_name"] = o.RegisteredName
	}
	m["config"] = map[string]any{}
	if o.Config != nil {
		m["config"] = o.Config
	}
	if o.Build != nil {
		m["build_config"] = o.Build
	}
	if o.Compile != nil {
		m["compile_config"] = o.Compile
	}
	return m
}

// SymbolicTensor is the class name that stands for a value between the layers of a functional model.
const SymbolicTensor = "__keras_tensor__"

// unreadable says what a class name stands for that is no class's, or "".
func unreadable(class string) string {
	switch class {
	case "__lambda__":
		return "Python code"
	case "__typespec__":
		return "a TensorFlow type"
	case SymbolicTensor:
		return "a symbolic tensor"
	case "__tensor__":
		return "a tensor"
	case "__numpy__":
		return "an array"
	case "__bytes__":
		return "bytes"
	case "__slice__":
		return "a slice"
	case "__ellipsis__":
		return "an ellipsis"
	}
	return ""
}

// ParseObject reads a serialized object: a map with class_name, or a bare string that names the class. A function by name, which early
// versions of Keras 3 wrote as {"class_name": "function", "config": "tanh"}, is the object whose Class is that name.
// The error names path, which is where the object stands in the file.
func ParseObject(path string, v any) (*Object, error) {
	switch v := v.(type) {
	case string:
		if v == "" {
			return nil, fmt.Errorf("keras: %s: expected a class name, got an empty string", path)
		}
		return &Object{Class: v}, nil
	case map[string]any:
		return parseMap(path, v)
	}
	return nil, fmt.Errorf("keras: %s: expected an object, got %s", path, describe(v))
}

func parseMap(path string, m map[string]any) (*Object, error) {
	o := &Object{}
	var ok bool
	if o.Class, ok = m["class_name"].(string); !ok || o.Class == "" {
		return nil, fmt.Errorf("keras: %s.class_name: expected a string, got %s", path, describe(m["class_name"]))
	}
	if what := unreadable(o.Class); what != "" {
		return nil, fmt.Errorf("keras: %s: expected an object, got %s (%s)", path, what, o.Class)
	}
	for key, v := range m {
		switch key {
		case "class_name":
		case "module", "registered_name":
			s, ok := v.(string)
			if !ok && v != nil {
				return nil, fmt.Errorf("keras: %s.%s: expected a string or null, got %s", path, key, describe(v))
			}
			if key == "module" {
				o.Module = s
			} else {
				o.RegisteredName = s
			}
		case "config", "build_config", "compile_config":
			if name, is := v.(string); is && key == "config" && (o.Class == "function" || o.Class == "builtin_function_or_method") {
				return &Object{Class: name}, nil
			}
			c, ok := v.(map[string]any)
			if !ok && v != nil {
				return nil, fmt.Errorf("keras: %s.%s: expected an object, got %s", path, key, describe(v))
			}
			switch key {
			case "config":
				o.Config = c
			case "build_config":
				o.Build = c
			default:
				o.Compile = c
			}
		default:
			if o.Extra == nil {
				o.Extra = map[string]any{}
			}
			o.Extra[key] = v
		}
	}
	return o, nil
}

// Decode reads one JSON value whose top is an object. Numbers stay json.Number, so that 1 and 1.0 can be told apart.
func Decode(path string, data []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("keras: %s: expected JSON: %w", path, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("keras: %s: expected one JSON value, got more after byte %d", path, d.InputOffset())
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("keras: %s: expected a JSON object, got %s", path, describe(v))
	}
	return m, nil
}

// Encode writes v as JSON the way Keras's files have it: a float64 keeps its point (1.0, not 1), so that Python reads back a float;
// an *Object is written in its serialized form. NaN and infinities are errors, as JSON has none.
func Encode(v any) ([]byte, error) {
	p, err := pythonic(v)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(p); err != nil {
		return nil, fmt.Errorf("keras: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// pythonic is v with every float as a number that shows its point, and every object as a map.
func pythonic(v any) (any, error) {
	switch v := v.(type) {
	case *Object:
		if v == nil {
			return nil, nil
		}
		return pythonic(v.Encode())
	case map[string]any:
		if v == nil {
			return nil, nil
		}
		m := make(map[string]any, len(v))
		for k, e := range v {
			p, err := pythonic(e)
			if err != nil {
				return nil, err
			}
			m[k] = p
		}
		return m, nil
	case []any:
		s := make([]any, len(v))
		for i, e := range v {
			p, err := pythonic(e)
			if err != nil {
				return nil, err
			}
			s[i] = p
		}
		return s, nil
	case []*Object:
		s := make([]any, len(v))
		for i, e := range v {
			p, err := pythonic(e)
			if err != nil {
				return nil, err
			}
			s[i] = p
		}
		return s, nil
	case float32:
		return pythonic(float64(v))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("keras: expected a finite number, got %v", v)
		}
		b := strconv.AppendFloat(nil, v, 'g', -1, 64)
		if !bytes.ContainsAny(b, ".e") {
			b = append(b, '.', '0')
		}
		return json.RawMessage(b), nil
	}
	return v, nil
}

// describe is what a JSON value is, short enough for an error.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		if len(v) > 40 {
			return fmt.Sprintf("%q…", v[:40])
		}
		return strconv.Quote(v)
	case []any:
		return fmt.Sprintf("a list of %d", len(v))
	case map[string]any:
		return "an object"
	case json.Number:
		if len(v) > 40 {
			return string(v[:40]) + "…"
		}
		return v.String()
	}
	return fmt.Sprint(v)
}
