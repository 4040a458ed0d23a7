package callbacks

import "time"

// SetClock has a bar go by another clock.
func (c *ProgressBar) SetClock(now func() time.Time) { c.clock = now }

// Histogram is what TensorBoard writes of values.
var Histogram = histogram
