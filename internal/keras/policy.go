package keras

import "fmt"

// Float32Policy is what Keras writes as the dtype of a layer or model that computes in float32.
func Float32Policy() *Object {
	return &Object{Module: "keras", Class: "DTypePolicy", Config: map[string]any{"name": "float32"}}
}

// Float32 reads a dtype, a name or a policy, that must be float32; absent or null is.
func (r *Reader) Float32(key string) {
	o := r.Object(key)
	if o == nil {
		return
	}
	name := o.Class
	if o.Class == "DTypePolicy" {
		policy := Read(r.Path(key)+".config", o.Config)
		name = policy.String("name")
		r.Keep(policy.Err())
	}
	if name != "float32" {
		r.Keep(fmt.Errorf("keras: %s: expected float32 (nothing else is supported), got %s", r.Path(key), describe(name)))
	}
}

// AxesOf is a list of axis lengths as JSON has it: null for an axis of any length (-1).
func AxesOf(axes []int) []any {
	l := make([]any, len(axes))
	for i, n := range axes {
		if n >= 0 {
			l[i] = n
		}
	}
	return l
}
