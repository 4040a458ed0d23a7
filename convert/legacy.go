package convert

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/hdf5"
	"github.com/unroll-ml/unroll/internal/keras"
)

// A legacy file has, as attributes of the root, model_config and training_config (JSON), and the groups model_weights and optimizer_weights. Source:
// keras/src/legacy/saving/legacy_h5_format.py; tf_keras/src/saving/legacy/hdf5_format.py.

// era is which Keras wrote a file: names and formulas changed between them.
type era struct {
	version string
	// before3: Keras 2. alone: the Keras 2 that was a package of its own, not within TensorFlow; its crossentropies are of clipped probabilities.
	before3, alone bool

	layers       []string // of the model in the file, in its order
	oldOptimizer bool     // one of Keras 2 before 2.11, or of its package legacy
}

// eraOf reads a version: "2.2.4", "2.2.4-tf", "2.15.0", "3.15.1".
func eraOf(version string) (era, error) {
	parts := strings.SplitN(strings.TrimSuffix(version, "-tf"), ".", 3)
	major, err := strconv.Atoi(parts[0])
	if err != nil || len(parts) < 2 {
		return era{}, fmt.Errorf("keras_version: expected a version such as 2.15.0, got %.40q", version)
	}
	digits := parts[1]
	minor, err := strconv.Atoi(digits)
	if err != nil {
		return era{}, fmt.Errorf("keras_version: expected a version such as 2.15.0, got %.40q", version)
	}
	e := era{version: version, before3: major < 3}
	// Keras 2.4 was the first to be TensorFlow's alone.
	e.alone = major < 2 || major == 2 && minor < 4 && !strings.HasSuffix(version, "-tf")
	return e, nil
}

func loadLegacy(root *hdf5.Group, size int64, opts []unroll.LoadOption) (*unroll.Model, error) {
	text, ok, err := text(root, "model_config")
	switch {
	case err != nil:
		return nil, err
	case !ok && root.Has("layers"), !ok && root.Has("_layer_checkpoint_dependencies"):
		return nil, fmt.Errorf("expected a whole model, got weights alone (a .weights.h5 file): its layers must be said, see LoadWeights")
	case !ok:
		return nil, fmt.Errorf("expected a model with the attribute model_config, got none: a file of weights alone, or none of Keras's")
	}
	version := versionOf(root)
	e, err := eraOf(version)
	if err != nil {
		return nil, err
	}
	raw, err := keras.Decode("model_config", []byte(text))
	if err != nil {
		return nil, err
	}
	config, err := e.model("model_config", raw)
	if err != nil {
		return nil, err
	}
	training, compiled, err := trainingOf(root, &e)
	if err != nil {
		return nil, fmt.Errorf("%w (to predict only, load it with unroll.Uncompiled)", err)
	}
	if compiled {
		config["compile_config"] = training
	}
	normal, err := keras.Encode(config)
	if err != nil {
		return nil, err
	}
	// A weight takes at least two bytes of the file.
	m, err := unroll.FromJSON(normal, append(opts, unroll.Blank(int(size/2)))...)
	if err != nil {
		return nil, fmt.Errorf("model_config: %w", err)
	}
	group, err := root.Group("model_weights")
	if err != nil {
		return nil, err
	}
	if err := fillModel(m, group, false); err != nil {
		return nil, err
	}
	e.layers, _ = names(group, "layer_names")
	if m.Optimizer() != nil && root.Has("optimizer_weights") {
		slots, err := root.Group("optimizer_weights")
		if err == nil {
			err = fillOptimizer(m, slots, e)
		}
		if err != nil {
			return nil, fmt.Errorf("%w (to predict only, load it with unroll.Uncompiled)", err)
		}
	}
	m.Touch()
	return m, nil
}

// versionOf is the Keras that wrote the file; files of Keras 1 do not say.
func versionOf(root *hdf5.Group) string {
	if v, ok, err := text(root, "keras_version"); ok && err == nil {
		return v
	}
	if g, err := root.Group("model_weights"); err == nil {
		if v, ok, err := text(g, "keras_version"); ok && err == nil {
			return v
		}
	}
	return "1.0"
}

// text is an attribute that is one string.
func text(g *hdf5.Group, name string) (s string, ok bool, err error) {
	a, ok := g.Attr(name)
	if !ok {
		return "", false, nil
	}
	s, err = a.Text()
	return s, true, err
}

// names is an attribute that is a list of strings, which Keras cuts into NAME0, NAME1 … where it is long.
func names(g *hdf5.Group, name string) (list []string, ok bool) {
	if a, there := g.Attr(name); there {
		list, err := a.Strings()
		return list, err == nil
	}
	for i := 0; ; i++ {
		a, there := g.Attr(name + strconv.Itoa(i))
		if !there {
			return list, i > 0
		}
		part, err := a.Strings()
		if err != nil {
			return nil, false
		}
		list = append(list, part...)
	}
}
