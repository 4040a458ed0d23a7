package main

import (
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/layers"
)

// kerasLayer is a layer whose call in a text is Keras's: its arguments are the keys of its config.
type kerasLayer struct {
	name, class string
	args        []string // in Keras's order
}

// kerasLayers are those.
func kerasLayers() []kerasLayer {
	poolings, global := []string{"pool_size", "strides", "padding", "data_format"}, []string{"data_format", "keepdims"}
	return []kerasLayer{
		{"dropout", "Dropout", []string{"rate", "noise_shape", "seed"}},
		{"spatial_dropout1d", "SpatialDropout1D", []string{"rate", "seed"}},
		{"gaussian_noise", "GaussianNoise", []string{"stddev", "seed"}},
		{"gaussian_dropout", "GaussianDropout", []string{"rate", "seed"}},
		{"activation", "Activation", []string{"activation"}},
		{"masking", "Masking", []string{"mask_value"}},
		{"conv1d", "Conv1D", []string{"filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "groups", "activation", "use_bias",
			"kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint"}},
		{"max_pooling1d", "MaxPooling1D", poolings},
		{"average_pooling1d", "AveragePooling1D", poolings},
		{"global_max_pooling1d", "GlobalMaxPooling1D", global},
		{"global_average_pooling1d", "GlobalAveragePooling1D", global},
		{"layer_normalization", "LayerNormalization", []string{"axis", "epsilon", "center", "scale", "beta_initializer", "gamma_initializer",
			"beta_regularizer", "gamma_regularizer", "beta_constraint", "gamma_constraint", "rms_scaling"}},
		{"batch_normalization", "BatchNormalization", []string{"axis", "momentum", "epsilon", "center", "scale", "beta_initializer", "gamma_initializer",
			"moving_mean_initializer", "moving_variance_initializer", "beta_regularizer", "gamma_regularizer", "beta_constraint", "gamma_constraint",
			"renorm", "renorm_clipping", "renorm_momentum", "synchronized"}},
		{"normalization", "Normalization", []string{"axis", "mean", "variance", "invert"}},
		{"text_vectorization", "TextVectorization", []string{"max_tokens", "standardize", "split", "ngrams", "output_mode", "output_sequence_length",
			"pad_to_max_tokens", "vocabulary", "idf_weights", "sparse", "ragged", "encoding"}},
		{"rescaling", "Rescaling", []string{"scale", "offset"}},
		{"repeat_vector", "RepeatVector", []string{"n"}},
		{"flatten", "Flatten", []string{"data_format"}},
		{"reshape", "Reshape", []string{"target_shape"}},
		{"permute", "Permute", []string{"dims"}},
	}
}

// findKeras is the layer of that name; R has an underscore before 1d.
func findKeras(name string) (kerasLayer, bool) {
	if before, ok := strings.CutSuffix(name, "_1d"); ok {
		name = before + "1d"
	}
	all := kerasLayers()
	i := slices.IndexFunc(all, func(k kerasLayer) bool { return k.name == name })
	if i < 0 {
		return kerasLayer{}, false
	}
	return all[i], true
}

// keras is the layer of a call, by way of its config.
func (m *meaning) keras(c *call, k kerasLayer) (layers.Spec, *arguments) {
	a := m.bind(c, k.args...)
	config := map[string]any{}
	if name := a.text("name"); name != "" {
		config["name"] = name
	}
	for _, name := range k.args {
		v := a.get(name)
		switch {
		case v == nil:
		case v.kind == callValue && hasObject(name):
			config[name] = m.object(v.call).Encode()
		case hasObject(name) && (v.kind == wordValue || v.kind == stringValue) && !v.null():
			config[name] = objectName(v.text)
		default:
			config[name] = m.plain(v)
			if function, ok := config[name].(string); ok && name == "activation" {
				config[name] = m.profile.function(function)
			}
		}
	}
	s, err := layers.FromConfig(k.name, &keras.Object{Class: k.class, Config: config})
	if err != nil {
		m.kerasFault(c, a, k, err)
	}
	return s, a
}

// kerasFault puts an error of a config where the argument stands.
func (m *meaning) kerasFault(c *call, a *arguments, k kerasLayer, err error) {
	msg := without(err, "keras: ", k.name+".config")
	if missing, ok := strings.CutPrefix(msg, `: expected the key "`); ok {
		name, _, _ := strings.Cut(missing, `"`)
		m.fail(c.at, "%s: expected %s, got none", clip(c.name), name)
	}
	msg = strings.TrimPrefix(strings.TrimPrefix(msg, "."), "…: ")
	at := c.at
	for name, v := range a.byName {
		if strings.HasPrefix(msg, name+":") || strings.HasPrefix(msg, name+".") {
			at = v.at
		}
	}
	m.fail(at, "%s", strings.TrimPrefix(msg, "layers: "))
}

// hasObject reports whether an argument names a class of Keras's with arguments of its own.
func hasObject(name string) bool {
	return strings.HasSuffix(name, "_initializer") || strings.HasSuffix(name, "_regularizer") || strings.HasSuffix(name, "_constraint")
}

// objectName is the name of such a class without R's prefix, and in Keras's spelling.
func objectName(name string) string {
	for _, prefix := range []string{"initializer_", "regularizer_", "constraint_"} {
		name = strings.TrimPrefix(name, prefix)
	}
	switch name {
	case "maxnorm":
		return "max_norm"
	case "nonneg":
		return "non_neg"
	case "unitnorm":
		return "unit_norm"
	case "minmaxnorm":
		return "min_max_norm"
	case "orthogonal_regularizer", "l1_l2":
		return strings.Replace(name, "l1_l2", "l1l2", 1)
	}
	return name
}

// object is a call as such a class: l2(0.01), max_norm(2), R's regularizer_l2(l = 0.01).
func (m *meaning) object(c *call) *keras.Object {
	class := objectName(c.name)
	names := map[string][]string{"l1": {"l1"}, "l2": {"l2"}, "l1l2": {"l1", "l2"}, "orthogonal_regularizer": {"factor", "mode"},
		"max_norm": {"max_value", "axis"}, "unit_norm": {"axis"}, "min_max_norm": {"min_value", "max_value", "rate", "axis"}}[class]
	named := &call{name: c.name, at: c.at}
	for i, a := range c.args {
		switch {
		case a.name == "" && i < len(names):
			a.name = names[i]
		case a.name == "l" && (class == "l1" || class == "l2"):
			a.name = class
		}
		named.args = append(named.args, a)
	}
	return &keras.Object{Class: class, Config: m.config(named, "")}
}
