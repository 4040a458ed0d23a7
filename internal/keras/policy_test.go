package keras_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll/internal/keras"
)

func TestReadsFloat32(t *testing.T) {
	policy := func(name any) map[string]any {
		return map[string]any{"module": "keras", "class_name": "DTypePolicy", "config": map[string]any{"name": name}}
	}
	for name, c := range map[string]struct {
		dtype any
		want  string // the error
	}{
		"a name":          {"float32", ""},
		"a policy":        {policy("float32"), ""},
		"null":            {nil, ""},
		"another name":    {"float64", `keras: x.dtype: expected float32 (nothing else is supported), got "float64"`},
		"another policy":  {policy("mixed_bfloat16"), `keras: x.dtype: expected float32 (nothing else is supported), got "mixed_bfloat16"`},
		"a number":        {policy(3.0), `keras: x.dtype.config.name: expected a string, got 3`},
		"another class":   {map[string]any{"class_name": "QuantizedDTypePolicy", "config": map[string]any{}}, `keras: x.dtype: expected float32 (nothing else is supported), got "QuantizedDTypePolicy"`},
		"no dtype at all": {[]any{}, `keras: x.dtype: expected an object, got a list of 0`},
		"what we write":   {keras.Float32Policy().Encode(), ""},
	} {
		r := keras.Read("x", map[string]any{"dtype": c.dtype})
		r.Float32("dtype")
		if err := r.Done(); c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%s: expected error %q, got %v", name, c.want, err)
		}
	}
}

func TestAxesOf(t *testing.T) {
	axes := []int{-1, 0, 7}
	if d := cmp.Diff([]any{nil, 0, 7}, keras.AxesOf(axes)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff(axes, keras.Read("x", map[string]any{"axes": keras.AxesOf(axes)}).Axes("axes")); d != "" {
		t.Errorf("read again (-want +got):\n%s", d)
	}
}
