package unroll

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/optimizers"
)

// Keras 3.15.1 computed these: outputs, every gradient, ten losses and the weights after ten steps, for every layer and argument.
func TestGoldens(t *testing.T) {
	files, err := golden.Files("testdata/golden")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name, err := filepath.Rel("testdata/golden", f)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(name, ".npz"), func(t *testing.T) {
			c, err := golden.Load(f)
			if err != nil {
				t.Fatal(err)
			}
			checkGolden(t, c)
		})
	}
}

func checkGolden(t *testing.T, c *golden.Case) {
	m := goldenModel(t, c)
	giveMasks(t, m, c.Masks)
	x := goldenData(t, c.X, golden.Batch{})
	out, err := m.Predict(context.Background(), x, BatchSize(x.Len()))
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "output", out.Data, c.Out.Data, c.Meta.OutTolerance())
	if c.HasGradients {
		checkGradients(t, m, c)
		for i, w := range c.Weights { // a pass in training moves averages
			copy(m.weights[i].Data, w.Value.Data)
		}
	}
	if len(c.Steps) == 0 {
		return
	}
	for i, step := range c.Steps {
		s := m.newSession(m.compiled, true)
		total := newSums(m.compiled)
		d := goldenData(t, step.X, step.Y)
		loss, err := s.train(d, s.some(0, d.Len()), 0, i, &total)
		s.close()
		if err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, "loss of step "+strconv.Itoa(i+1), []float64{loss}, []float64{float64(step.Loss)}, c.Meta.LossTolerance())
	}
	for i, w := range c.Weights {
		golden.Compare(t, w.Path+" after the steps", m.weights[i].Data, w.After.Data, c.Meta.AfterTolerance(i))
	}
}

// goldenModel is the model of a golden with its weights, compiled.
func goldenModel(t *testing.T, c *golden.Case) *Model {
	t.Helper()
	config, err := keras.Decode("model", c.Meta.Model)
	if err != nil {
		t.Fatal(err)
	}
	o, err := keras.ParseObject("model", config)
	if err != nil {
		t.Fatal(err)
	}
	room := 1 << 30
	m, err := modelOf("model", o, &room)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.weights) != len(c.Weights) {
		t.Fatalf("expected %d weights, got %d", len(c.Weights), len(m.weights))
	}
	for i, w := range c.Weights {
		if !m.weights[i].Shape.Equal(w.Value.Shape) || "sequential/"+m.weights[i].Path != w.Path {
			t.Fatalf("weight %d: expected %s %v, got %s %v", i, w.Path, w.Value.Shape, m.weights[i].Path, m.weights[i].Shape)
		}
		copy(m.weights[i].Data, w.Value.Data)
	}
	m.Touch()
	var loss, opt any
	if err := json.Unmarshal(c.Meta.Compile.Loss, &loss); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(c.Meta.Compile.Optimizer, &opt); err != nil {
		t.Fatal(err)
	}
	l, err := losses.Deserialize("loss", loss)
	if err != nil {
		t.Fatal(err)
	}
	op, err := optimizers.Deserialize("optimizer", opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Compile(op, l); err != nil {
		t.Fatal(err)
	}
	if c.HasGradients {
		if err := m.ready(goldenData(t, c.X, c.Y)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func goldenData(t *testing.T, x, y golden.Batch) Data {
	t.Helper()
	pick := func(b golden.Batch) any {
		switch {
		case b.Floats != nil:
			return b.Floats
		case b.IDs != nil:
			return b.IDs
		}
		return nil
	}
	d, err := Arrays(pick(x), pick(y))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// giveMasks has layers draw what Keras drew.
func giveMasks(t *testing.T, m *Model, masks []golden.Mask) {
	used := make([]bool, len(masks))
	for i, n := range m.nodes {
		if l, ok := n.layer.(interface{ NoiseBy(layers.NoiseSource) }); ok {
			l.NoiseBy(func(c *layers.Call, v *layers.Value, dst []float32) {
				for k, mask := range masks {
					if mask.Layer != i {
						continue
					}
					if len(mask.Values.Data) != len(dst) || c.Row != 0 {
						t.Fatalf("layer %d: expected %d draws, got %d from row %d on", i, len(dst), len(mask.Values.Data), c.Row)
					}
					copy(dst, mask.Values.Data)
					if v.TimeMajor {
						swap(dst, mask.Values.Data, v.Shape[0], v.Shape[1])
					}
					used[k] = true
					return
				}
				t.Fatalf("layer %d: no draws", i)
			})
		}
		l, ok := n.layer.(interface{ DropBy(layers.DropSource) })
		if !ok {
			continue
		}
		l.DropBy(func(c *layers.Call, backward bool, m cell.DropMask, dst []float32) {
			for k, mask := range masks {
				if mask.Layer == i && mask.Backward == backward && mask.State == m.State && (mask.Block < 0 || mask.Block == m.Block) {
					if len(mask.Values.Data) != len(dst) || c.Row != 0 {
						t.Fatalf("layer %d: expected a mask of %d numbers, got %d from row %d on", i, len(dst), len(mask.Values.Data), c.Row)
					}
					copy(dst, mask.Values.Data)
					used[k] = true
					return
				}
			}
			t.Fatalf("layer %d: no mask for %+v, backward %v", i, m, backward)
		})
	}
	t.Cleanup(func() {
		for k, ok := range used {
			if !ok && !t.Failed() {
				t.Errorf("nobody used the mask %+v", masks[k].MaskPlace)
			}
		}
	})
}

// checkGradients takes one batch forward and back, the input's gradient included, and leaves the weights alone.
func checkGradients(t *testing.T, m *Model, c *golden.Case) {
	d := goldenData(t, c.X, c.Y)
	s := m.newSession(m.compiled, true)
	defer s.close()
	if err := s.load(d, s.some(0, d.Len())); err != nil {
		t.Fatal(err)
	}
	if err := s.judged(); err != nil {
		t.Fatal(err)
	}
	if c.GradX != nil {
		s.wanted = []bool{true}
	}
	m.prepare(true)
	s.pass = layers.Pass{Training: true}
	s.front = nil // the plain way, whose gradients can be picked up one by one
	s.leaves = s.shards
	s.grads.begin(s.shards)
	var gx []float32
	total := m.penalty()
	for shard := range s.shards { // one after the other, since the input's gradient is picked up on the way
		s.doShard(s.workers[0], shard)
		total += s.sums[shard].loss
		gx = append(gx, s.workers[0].passer.grads[0]...)
	}
	golden.Compare(t, "loss", []float64{total}, []float64{float64(c.Loss)}, c.Meta.LossTolerance())
	if c.GradX != nil {
		golden.Compare(t, "gradient of the input", gx, c.GradX.Data, c.Meta.GradXTolerance())
	}
	got := make([][]float32, len(m.weights))
	at := 0
	for i, w := range m.weights {
		if w.Table {
			got[i] = make([]float32, len(w.Data))
			for shard := range s.shards {
				for _, part := range s.grads.shards[shard].Rows[w.Index] {
					for k, id := range part.IDs {
						for j := range w.Shape[1] {
							got[i][int(id)*w.Shape[1]+j] += part.Rows[k*w.Shape[1]+j]
						}
					}
				}
			}
			continue
		}
		got[i] = s.grads.total[at : at+len(w.Data)]
		at += len(w.Data)
	}
	for i, w := range m.weights {
		penalize(w, got[i])
	}
	for i, w := range c.Weights {
		if w.Gradient != nil {
			golden.Compare(t, "gradient of "+w.Path, got[i], w.Gradient.Data, c.Meta.GradientTolerance(i))
		}
	}
}
