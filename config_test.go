package unroll

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// What is written of a layer is what Keras has written of it: every layer of every golden, read and written again.
func TestConfigsAreKerass(t *testing.T) {
	files, err := golden.Files("testdata/golden")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		c, err := golden.Load(f)
		if err != nil {
			t.Fatal(err)
		}
		model, err := keras.Decode("model", c.Meta.Model)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range model["config"].(map[string]any)["layers"].([]any) {
			want := part.(map[string]any)
			config := want["config"].(map[string]any)
			o, err := keras.ParseObject("layer", want)
			if err != nil {
				t.Fatal(err)
			}
			s, err := layers.FromConfig("layer", o)
			if err != nil {
				t.Errorf("%s: %v", filepath.Base(f), err)
				continue
			}
			in := layers.Signature{}
			if b, ok := want["build_config"].(map[string]any); ok {
				in.Shape = tensor.Shape(keras.Read("build", b).Axes("input_shape"))
			}
			trainable, given := config["trainable"].(bool)
			text, err := keras.Encode(layers.Serialize(s, config["name"].(string), in, trainable || !given))
			if err != nil {
				t.Fatal(err)
			}
			got, err := keras.Decode("layer", text)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(told(want), told(got)); d != "" {
				t.Errorf("%s: %s (-Keras +ours):\n%s", f, s.Class(), d)
			}
		}
	}
}

// told is a config without what is not kept: keys that Keras 3.15 writes as null and earlier versions of Keras 3 refuse, how Keras runs
// its loop, and the number of rows of a first batch. Numbers are numbers.
func told(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			switch k {
			case "input_axes", "output_axes", "unroll":
			case "batch_shape":
				m[k] = told(e.([]any)[1:])
			default:
				m[k] = told(e)
			}
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, e := range v {
			l[i] = told(e)
		}
		return l
	case interface{ Float64() (float64, error) }:
		f, err := v.Float64()
		if err != nil {
			return err
		}
		return f
	}
	return v
}
