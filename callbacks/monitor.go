// Package callbacks are what Keras's trainings do besides training: stopping early, saving, changing the rate, writing logs. Names, arguments
// and rules are those of Keras 3.15.1. A callback has state, so it is given as a pointer, and serves one training at a time.
package callbacks

import (
	"fmt"
	"math"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/metrics"
)

// Mode says which way a monitored value is better.
type Mode string

// The modes.
const (
	Auto Mode = "auto" // as the metric says; the default
	Min  Mode = "min"  // the smaller the better
	Max  Mode = "max"  // the larger the better
)

// monitor watches a value of the logs. Source: keras/src/callbacks/monitor_callback.py.
type monitor struct {
	class, name string
	mode        Mode
	delta       float64 // what does not count as an improvement

	down  bool
	known bool // down is
}

// record is the best value so far.
type record struct {
	Best float64
	Any  bool // there is one
}

func newMonitor(class, name string, mode Mode, delta float64) (monitor, error) {
	if name == "" {
		name = "val_loss"
	}
	if mode != "" && mode != Auto && mode != Min && mode != Max {
		return monitor{}, fmt.Errorf("callbacks: %s: mode must be auto, min or max, got %q", class, mode)
	}
	if math.IsNaN(delta) {
		return monitor{}, fmt.Errorf("callbacks: %s: min_delta must be a number, got NaN", class)
	}
	return monitor{class: class, name: name, mode: mode, delta: math.Abs(delta)}, nil
}

// value is what the logs have of it. A value of the validation may be missing where this epoch was not validated.
func (m *monitor) value(t *unroll.Training, logs unroll.Logs) (v float64, ok bool, err error) {
	if err := m.direct(t); err != nil {
		return 0, false, err
	}
	if v, ok = logs.Get(m.name); ok || strings.HasPrefix(m.name, "val_") && t.ValidationSamples > 0 && !validated(logs) {
		return v, ok, nil
	}
	names := make([]string, len(logs))
	for i, l := range logs {
		names[i] = l.Name
	}
	return 0, false, fmt.Errorf("callbacks: %s: monitor must be one of %s, got %q", m.class, strings.Join(names, ", "), m.name)
}

func validated(logs unroll.Logs) bool {
	_, ok := logs.Get("val_loss")
	return ok
}

// direct finds out which way the value is better.
func (m *monitor) direct(t *unroll.Training) error {
	if m.known {
		return nil
	}
	switch {
	case m.mode == Min:
		m.down = true
	case m.mode == Max:
		m.down = false
	default:
		switch t.Model.Better(m.name) {
		case metrics.Down:
			m.down = true
		case metrics.Up:
			m.down = false
		default:
			return fmt.Errorf("callbacks: %s: mode must be min or max for a monitor of which Keras does not know the better way, got auto for %q", m.class, m.name)
		}
	}
	m.known = true
	return nil
}

// better reports whether v is better than a reference by more than delta. A comparison with NaN is false.
func (m *monitor) better(v, reference float64) bool {
	if m.down {
		return v+m.delta < reference
	}
	return v-m.delta > reference
}

// improves reports whether v is the best so far, and keeps it if so; the first value always is.
func (m *monitor) improves(r *record, v float64) bool {
	if r.Any && !m.better(v, r.Best) {
		return false
	}
	*r = record{v, true}
	return true
}
