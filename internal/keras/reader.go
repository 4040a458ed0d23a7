package keras

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Reader gives typed access to a config. Every getter takes the key and an optional default; without a default the key must be there.
// The first mistake is kept, later getters return zero values, and Done reports it: code that reads a config has one error to check.
// Numbers may be json.Number (from a file) or Go numbers (from a Config method).
type Reader struct {
	path   string
	config map[string]any
	asked  map[string]bool
	err    error
}

// Read starts on a config; path is where it stands in the file and begins every error. A nil config is an empty one.
func Read(path string, config map[string]any) *Reader {
	return &Reader{path: path, config: config, asked: map[string]bool{}}
}

// Path is where a key stands in the file.
func (r *Reader) Path(key string) string { return r.path + "." + key }

// Has reports whether the key is there, null or not. It does not count as asking for the value.
func (r *Reader) Has(key string) bool {
	_, ok := r.config[key]
	return ok
}

// Null reports whether the key is absent or null.
func (r *Reader) Null(key string) bool {
	r.asked[key] = true
	return r.config[key] == nil
}

// Ignore declares keys harmless: Done does not mind them, whatever they hold.
func (r *Reader) Ignore(keys ...string) {
	for _, k := range keys {
		r.asked[k] = true
	}
}

// Only declares keys that may be there with one value: what an older or newer Keras writes where we have no choice.
// Absent is fine, any other value an error. Values: nil, bool, string, or a number as float64.
func (r *Reader) Only(key string, allowed ...any) {
	r.asked[key] = true
	v, ok := r.config[key]
	if !ok {
		return
	}
	for _, a := range allowed {
		if f, ok := number(v); ok && a == f {
			return
		}
		if b, ok := v.(bool); ok && a == b {
			return
		}
		if s, ok := v.(string); ok && a == s {
			return
		}
		if a == nil && v == nil {
			return
		}
	}
	want := make([]string, len(allowed))
	for i, a := range allowed {
		want[i] = describe(a)
	}
	r.fail(key, strings.Join(want, " or ")+" (nothing else is supported)", v)
}

// Fail records a mistake in a value that has the right type: expected says what would have been right.
func (r *Reader) Fail(key, expected string) { r.fail(key, expected, r.config[key]) }

// Done is the first mistake, or an error that names the keys nobody asked for.
func (r *Reader) Done() error {
	if r.err != nil {
		return r.err
	}
	var unknown []string
	for k := range r.config {
		if !r.asked[k] {
			unknown = append(unknown, k)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	more := ""
	if len(unknown) > 5 {
		more = fmt.Sprintf(" and %d more", len(unknown)-5)
		unknown = unknown[:5]
	}
	return fmt.Errorf("keras: %s: unknown key %s%s", r.path, strings.Join(quote(unknown), ", "), more)
}

// Err is the first mistake so far.
func (r *Reader) Err() error { return r.err }

// Int is a whole number; 3.0 counts as one, as it does where Python's JSON has gone through NumPy.
func (r *Reader) Int(key string, def ...int) int {
	v, ok := get(r, key, def)
	if !ok {
		return first(def)
	}
	if i, ok := integer(v); ok {
		return i
	}
	r.fail(key, "an integer", v)
	return 0
}

// Uint64 is a whole number from 0: a seed.
func (r *Reader) Uint64(key string) uint64 {
	v, ok := get[uint64](r, key, nil)
	if !ok {
		return 0
	}
	switch v := v.(type) {
	case json.Number:
		if u, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return u
		}
	case uint64:
		return v
	}
	if i, ok := integer(v); ok && i >= 0 {
		return uint64(i)
	}
	r.fail(key, "an integer from 0", v)
	return 0
}

// Float is a number.
func (r *Reader) Float(key string, def ...float64) float64 {
	v, ok := get(r, key, def)
	if !ok {
		return first(def)
	}
	if f, ok := number(v); ok {
		return f
	}
	r.fail(key, "a number", v)
	return 0
}

// Bool is true or false.
func (r *Reader) Bool(key string, def ...bool) bool {
	v, ok := get(r, key, def)
	if !ok {
		return first(def)
	}
	if b, ok := v.(bool); ok {
		return b
	}
	r.fail(key, "true or false", v)
	return false
}

// String is a string.
func (r *Reader) String(key string, def ...string) string {
	v, ok := get(r, key, def)
	if !ok {
		return first(def)
	}
	if s, ok := v.(string); ok {
		return s
	}
	r.fail(key, "a string", v)
	return ""
}

// Axes is a list of axis lengths, where null (-1 here) is an axis of any length; nil when the key is absent or null.
func (r *Reader) Axes(key string) []int {
	if r.Null(key) {
		return nil
	}
	l, ok := r.config[key].([]any)
	if !ok {
		r.fail(key, "a list of axis lengths", r.config[key])
		return nil
	}
	axes := make([]int, len(l))
	for i, v := range l {
		if v == nil {
			axes[i] = -1
		} else if n, ok := integer(v); ok && n >= 0 {
			axes[i] = n
		} else {
			r.fail(key, "axis lengths from 0, or null", v)
			return nil
		}
	}
	return axes
}

// Ints is a list of whole numbers; nil when the key is absent or null.
func (r *Reader) Ints(key string) []int {
	if r.Null(key) {
		return nil
	}
	l, ok := r.config[key].([]any)
	if !ok {
		r.fail(key, "a list of integers", r.config[key])
		return nil
	}
	ints := make([]int, len(l))
	for i, v := range l {
		if ints[i], ok = integer(v); !ok {
			r.fail(key, "a list of integers", v)
			return nil
		}
	}
	return ints
}

// Strings is a list of texts; nil when the key is absent or null.
func (r *Reader) Strings(key string) []string {
	if r.Null(key) {
		return nil
	}
	l, ok := r.config[key].([]any)
	if !ok {
		r.fail(key, "a list of strings", r.config[key])
		return nil
	}
	var texts []string
	for _, v := range l {
		s, ok := v.(string)
		if !ok {
			r.fail(key, "a list of strings", v)
			return nil
		}
		texts = append(texts, s)
	}
	return texts
}

// Floats is a list of numbers; nil when the key is absent or null.
func (r *Reader) Floats(key string) []float64 {
	if r.Null(key) {
		return nil
	}
	l, ok := r.config[key].([]any)
	if !ok {
		r.fail(key, "a list of numbers", r.config[key])
		return nil
	}
	floats := make([]float64, len(l))
	for i, v := range l {
		if floats[i], ok = number(v); !ok {
			r.fail(key, "a list of numbers", v)
			return nil
		}
	}
	return floats
}

// Object is a serialized object, also one named by a bare string; nil when the key is absent or null.
func (r *Reader) Object(key string) *Object {
	if r.Null(key) {
		return nil
	}
	o, err := ParseObject(r.Path(key), r.config[key])
	r.Keep(err)
	return o
}

// Objects is a list of serialized objects; nil when the key is absent or null.
func (r *Reader) Objects(key string) []*Object {
	if r.Null(key) {
		return nil
	}
	l, ok := r.config[key].([]any)
	if !ok {
		r.fail(key, "a list of objects", r.config[key])
		return nil
	}
	objects := make([]*Object, len(l))
	for i, v := range l {
		o, err := ParseObject(fmt.Sprintf("%s[%d]", r.Path(key), i), v)
		if err != nil {
			r.Keep(err)
			return nil
		}
		objects[i] = o
	}
	return objects
}

// Function is the name of a function, as a string or as the object that early versions of Keras 3 wrote; "" when absent or null.
// A class in that place (a layer used as an activation) is an error.
func (r *Reader) Function(key string) string {
	o := r.Object(key)
	if o == nil {
		return ""
	}
	if o.Config != nil {
		r.Fail(key, "the name of a function")
		return ""
	}
	return o.Class
}

// Map is a JSON object that is not a serialized class; nil when the key is absent or null.
func (r *Reader) Map(key string) map[string]any {
	if r.Null(key) {
		return nil
	}
	m, ok := r.config[key].(map[string]any)
	if !ok {
		r.fail(key, "an object", r.config[key])
	}
	return m
}

// Value is whatever stands there, nil when absent: for keys that hold one of several types.
func (r *Reader) Value(key string) any {
	r.asked[key] = true
	return r.config[key]
}

// get is the value of a key that must not be null, and whether there is one; a key with a default may be absent or null.
func get[T any](r *Reader, key string, def []T) (any, bool) {
	r.asked[key] = true
	v, ok := r.config[key]
	if v != nil {
		return v, true
	}
	if len(def) == 0 {
		if ok {
			r.Keep(fmt.Errorf("keras: %s: expected a value, got null", r.Path(key)))
		} else {
			r.Keep(fmt.Errorf("keras: %s: expected the key %q, got none", r.path, key))
		}
	}
	return nil, false
}

func first[T any](def []T) (v T) {
	if len(def) > 0 {
		v = def[0]
	}
	return v
}

func (r *Reader) fail(key, expected string, got any) {
	r.Keep(fmt.Errorf("keras: %s: expected %s, got %s", r.Path(key), expected, describe(got)))
}

// Keep records an error from reading a part of the config elsewhere; nil is none.
func (r *Reader) Keep(err error) {
	if r.err == nil {
		r.err = err
	}
}

func quote(s []string) []string {
	q := make([]string, len(s))
	for i, v := range s {
		q[i] = describe(v)
	}
	return q
}

// number is the value of a JSON or Go number. What overflows float64 is not one.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	case float64:
		return v, true
	case float32:
		return float64(v), true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	}
	return 0, false
}

// integer is the value of a number without a fractional part that fits an int.
func integer(v any) (int, bool) {
	switch n := v.(type) {
	case int:
		return n, true
	case json.Number:
		i, err := strconv.ParseInt(n.String(), 10, strconv.IntSize)
		if err == nil {
			return int(i), true
		}
		if errors.Is(err, strconv.ErrRange) {
			return 0, false
		}
	}
	// 2^53: beyond it a float64 does not say which integer was meant.
	f, ok := number(v)
	if !ok || f != math.Trunc(f) || math.Abs(f) > 1<<53 || math.Abs(f) > math.MaxInt {
		return 0, false
	}
	return int(f), true
}
