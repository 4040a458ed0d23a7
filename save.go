package unroll

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/unroll-ml/unroll/internal/durable"
	"github.com/unroll-ml/unroll/internal/hdf5"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/optimizers"
)

// kerasVersion is the version of Keras whose files are written.
const kerasVersion = "3.15.1"

// Save writes the model as a `.keras` file, which Keras 3 loads: layers, weights, and of a compiled model the optimizer with its
// state, the loss and the metrics. The file appears under its name when it is whole; one that was there is kept until then.
func (m *Model) Save(path string) error {
	if !strings.HasSuffix(path, ".keras") {
		return fmt.Errorf("unroll: Save: expected a file name that ends in .keras, got %q", path)
	}
	if !m.built {
		return fmt.Errorf("unroll: Save: %s: the model is not built yet: build it for a shape, or fit it", path)
	}
	if err := durable.Write(path, m.write); err != nil {
		return fmt.Errorf("unroll: Save: %s: %w", path, err)
	}
	return nil
}

// SaveWeights writes the weights, and of a compiled model the optimizer's state: as a `.weights.h5` file of Keras 3, or as a `.npz` file of NumPy,
// whose arrays have the same paths as names, such as "layers/dense/vars/0". The file appears under its name when it is whole.
func (m *Model) SaveWeights(path string) error {
	if !isWeights(path) {
		return fmt.Errorf("unroll: SaveWeights: expected a file name that ends in .weights.h5 or .npz, got %q", path)
	}
	if !m.built {
		return fmt.Errorf("unroll: SaveWeights: %s: the model is not built yet: build it for a shape, or fit it", path)
	}
	write := m.writeNPZ
	if !strings.HasSuffix(path, ".npz") {
		write = func(w io.Writer) error { return hdf5.Write(w, m.hdf5()) }
	}
	if err := durable.Write(path, write); err != nil {
		return fmt.Errorf("unroll: SaveWeights: %s: %w", path, err)
	}
	return nil
}

func (m *Model) write(w io.Writer) error {
	config, err := m.config()
	if err != nil {
		return err
	}
	weights := m.hdf5()
	return keras.WriteArchive(w, keras.Metadata{KerasVersion: kerasVersion, DateSaved: time.Now()}, config, func(w io.Writer) error {
		return hdf5.Write(w, weights)
	}, m.assets()...)
}

// trainable is what Keras knows of a whole layer only.
func (p *part) trainable() (bool, error) {
	trained, fixed := 0, 0
	for _, w := range p.weights {
		switch {
		case w.Statistic:
		case w.Trainable:
			trained++
		default:
			fixed++
		}
	}
	if trained > 0 && fixed > 0 {
		return false, fmt.Errorf("layer %q: expected all of its weights to be trained or none, got %d trained and %d not", p.name, trained, fixed)
	}
	if l, ok := p.layer.(interface{ Trainable() bool }); ok {
		return l.Trainable(), nil
	}
	return fixed == 0, nil
}

// config is the compile_config. Source: keras/src/trainers/trainer.py, compile.
func (c *compiled) config() map[string]any {
	opt := optimizers.Object(c.optimizer)
	if _, schedule := c.optimizer.Rate(); schedule == nil {
		opt.Config["learning_rate"] = c.rate // a callback may have changed it
	}
	config := map[string]any{"optimizer": opt, "loss_weights": nil, "run_eagerly": false, "steps_per_execution": 1, "jit_compile": "auto"}
	config["loss"] = c.each(func(h *head) any {
		if h.Loss == nil {
			return nil
		}
		return losses.Object(h.Loss)
	})
	for _, h := range c.heads {
		if h.LossWeight.IsSet() {
			config["loss_weights"] = c.each(func(h *head) any { return h.LossWeight.Or(1) })
		}
	}
	config["metrics"] = c.lists(func(h *head) []metrics.Metric { return h.Metrics })
	config["weighted_metrics"] = c.lists(func(h *head) []metrics.Metric { return h.WeightedMetrics })
	return config
}

// each is what the heads have of something: that of the only one, or a list.
func (c *compiled) each(of func(*head) any) any {
	if len(c.heads) == 1 {
		return of(c.heads[0])
	}
	var all []any
	for _, h := range c.heads {
		all = append(all, of(h))
	}
	return all
}

// lists are the heads' metrics; nil where there are none.
func (c *compiled) lists(of func(*head) []metrics.Metric) any {
	some := false
	all := c.each(func(h *head) any {
		list := []any{}
		for _, metric := range of(h) {
			list, some = append(list, metrics.Serialize(metric)), true
		}
		return list
	})
	if !some {
		return nil
	}
	return all
}

// integers are whole numbers as Keras keeps them.
func integers(values []float32) []int64 {
	whole := make([]int64, len(values))
	for i, v := range values {
		whole[i] = int64(v)
	}
	return whole
}
