package unroll

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/tensor"
)

// compileAs compiles the model as a compile_config says.
func (m *Model) compileAs(path string, config map[string]any) error {
	r := keras.Read(path, config)
	if !r.Has("optimizer") {
		return fmt.Errorf("%s: expected an optimizer, got none (Keras leaves it out of a .keras file that it writes after an .h5 file of the same model)", path)
	}
	opt, err := deserialize(r.Path("optimizer"), r.Value("optimizer"), optimizers.Deserialize)
	if err != nil {
		return err
	}
	heads := make([]Head, len(m.outputs))
	if err := m.readHeads(r, heads); err != nil {
		return err
	}
	r.Ignore("run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss")
	if err := r.Done(); err != nil {
		return err
	}
	return m.CompileHeads(opt, heads...)
}

// compileFrom compiles the model as a compile_config says, and takes the optimizer's state from the file.
func (m *Model) compileFrom(config map[string]any, file weightFile) error {
	if err := m.compileAs("config.json.compile_config", config); err != nil {
		return err
	}
	if !file.has("optimizer/vars") {
		return nil
	}
	vars, err := file.group("optimizer/vars")
	if err != nil {
		return err
	}
	return m.compiled.restore(m, vars)
}

// readHeads reads losses, their weights and metrics: one for the only output, a list, or an object by the outputs' names.
func (m *Model) readHeads(r *keras.Reader, heads []Head) error {
	for i := range heads {
		loss, at, ok := m.ofOutput(r, "loss", i)
		if ok && loss != nil {
			var err error
			if heads[i].Loss, err = deserialize(at, loss, losses.Deserialize); err != nil {
				return err
			}
		}
		if weight, at, ok := m.ofOutput(r, "loss_weights", i); ok && weight != nil {
			n, is := weight.(json.Number)
			v, err := n.Float64()
			if !is || err != nil {
				return fmt.Errorf("keras: %s: expected a number, got %v", at, weight)
			}
			heads[i].LossWeight = tensor.F(v)
		}
		for _, list := range []struct {
			key string
			to  *[]metrics.Metric
		}{{"metrics", &heads[i].Metrics}, {"weighted_metrics", &heads[i].WeightedMetrics}} {
			v, at := r.Value(list.key), r.Path(list.key)
			if len(heads) > 1 {
				v, at, _ = m.ofOutput(r, list.key, i)
			}
			several, is := v.([]any)
			switch {
			case v == nil:
				continue
			case !is && len(heads) > 1: // one metric of an output
				several = []any{v}
			case !is:
				r.Fail(list.key, "a list of metrics")
				continue
			}
			for k, e := range several {
				if one, nested := e.([]any); nested && len(heads) == 1 && len(several) == 1 { // a list a model's output
					for k, e := range one {
						metric, err := deserialize(fmt.Sprintf("%s[0][%d]", at, k), e, metrics.Deserialize)
						if err != nil {
							return err
						}
						*list.to = append(*list.to, metric)
					}
					continue
				}
				metric, err := deserialize(fmt.Sprintf("%s[%d]", at, k), e, metrics.Deserialize)
				if err != nil {
					return err
				}
				*list.to = append(*list.to, metric)
			}
		}
	}
	return nil
}

// ofOutput is what a key of a compile_config has for output i, and where it stands.
func (m *Model) ofOutput(r *keras.Reader, key string, i int) (v any, at string, ok bool) {
	v, at = r.Value(key), r.Path(key)
	switch all := v.(type) {
	case []any:
		if len(all) != len(m.outputs) {
			r.Fail(key, fmt.Sprintf("an entry for every output of the model, %d", len(m.outputs)))
			return nil, at, false
		}
		return all[i], fmt.Sprintf("%s[%d]", at, i), true
	case map[string]any:
		name := m.outputName(i)
		if _, object := all["class_name"]; object {
			return v, at, true
		}
		e, has := all[name]
		return e, at + "." + name, has
	}
	return v, at, v != nil
}

// deserialize reads a part of a compile_config; the error for an unknown name says where it stands.
func deserialize[T any](path string, v any, read func(path string, v any) (T, error)) (T, error) {
	got, err := read(path, v)
	if _, name := v.(string); name && err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return got, err
}

// restore takes the optimizer's state over: the steps taken, the learning rate unless there is a schedule, the arrays.
func (c *compiled) restore(m *Model, vars variables) error {
	counter, err := vars.shaped(0, nil)
	if err != nil {
		return err
	}
	var steps [1]int64
	if err := counter.ReadInt64(steps[:]); err != nil {
		return err
	}
	if steps[0] < 0 {
		return fmt.Errorf("%s: expected a number of steps from 0, got %d", counter.Path(), steps[0])
	}
	c.iteration = steps[0]
	next := 1
	if _, schedule := c.optimizer.Rate(); schedule == nil {
		var rate [1]float32
		if err := vars.floats(1, nil, rate[:]); err != nil {
			return err
		}
		if !(rate[0] >= 0 && rate[0] <= math.MaxFloat32) {
			return fmt.Errorf("%s/1: expected a learning rate from 0, got %v", vars.path, rate[0])
		}
		// The config may have said it in more digits.
		if float32(c.rate) != rate[0] {
			c.rate = float64(rate[0])
		}
		next = 2
	}
	count := vars.count
	if count == next && c.iteration == 0 {
		return nil // saved before its first step
	}
	c.start(m)
	state := c.optimizerState(m)
	if count != next+len(state) {
		return fmt.Errorf("%s: expected %d variables of %s, got %d", vars.path, next+len(state), c.optimizer.Class(), count)
	}
	return readVariables(vars, next, state)
}
