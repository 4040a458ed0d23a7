package optimizers

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/tensor"
)

// Common are the arguments that every optimizer has besides its rate and its weight decay. The caller, who sees all weights, does what
// they say: gradients are accumulated, then clipped, then applied; then the average moves. Source: keras/src/optimizers/base_optimizer.py.
type Common struct {
	// At most one of the three clips. A gradient g of norm |g| becomes g ClipNorm / max(|g|, ClipNorm), weight by weight; its values are
	// kept within ±ClipValue; or all gradients together, of norm |G|, are scaled by min(1, GlobalClipNorm / |G|).
	ClipNorm, ClipValue, GlobalClipNorm tensor.Float
	// UseEMA keeps a moving average of every weight, average = m average + (1 - m) w with m = EMAMomentum, 0 in the first update. Fit
	// ends with the averages as weights; every EMAOverwrite-th update they become the weights too.
	UseEMA       bool
	EMAMomentum  tensor.Float // 0.99
	EMAOverwrite int          // ema_overwrite_frequency; 0: never
	// AccumulationSteps is how many batches' gradients are averaged for an update, 2 at least; 0: every batch makes one.
	AccumulationSteps int
}

// Shared implements Optimizer.
func (c Common) Shared() Common { return c }

// Plain reports whether a batch's gradients are applied as they are, and nothing is averaged.
func (c Common) Plain() bool {
	return !c.UseEMA && c.AccumulationSteps == 0 && !c.ClipNorm.IsSet() && !c.ClipValue.IsSet() && !c.GlobalClipNorm.IsSet()
}

// Update is the number of the update, from 1, that batch number iteration, from 1, belongs to, and whether it makes the update.
func (c Common) Update(iteration int64) (number int64, now bool) {
	if c.AccumulationSteps == 0 {
		return iteration, true
	}
	k := int64(c.AccumulationSteps)
	return (iteration-1)/k + 1, iteration%k == 0
}

// Momentum is the average's momentum in an update.
func (c Common) Momentum(update int64) float64 {
	if update == 1 {
		return 0
	}
	return c.EMAMomentum.Or(0.99)
}

func (c Common) check(class string) error {
	clips := 0
	for _, a := range []struct {
		name string
		v    tensor.Float
	}{{"clipnorm", c.ClipNorm}, {"clipvalue", c.ClipValue}, {"global_clipnorm", c.GlobalClipNorm}} {
		if !a.v.IsSet() {
			continue
		}
		clips++
		if v := a.v.Or(0); !(v > 0) || math.IsInf(v, 0) {
			return fmt.Errorf("optimizers: %s: %s must be finite and positive, got %v", class, a.name, v)
		}
	}
	switch {
	case clips > 1:
		return fmt.Errorf("optimizers: %s: expected one of clipnorm, clipvalue and global_clipnorm, got %d", class, clips)
	case c.AccumulationSteps < 0 || c.AccumulationSteps == 1:
		return fmt.Errorf("optimizers: %s: gradient_accumulation_steps must be at least 2, got %d", class, c.AccumulationSteps)
	case c.EMAOverwrite < 0:
		return fmt.Errorf("optimizers: %s: ema_overwrite_frequency must be positive, got %d", class, c.EMAOverwrite)
	}
	return fraction(class, "ema_momentum", c.EMAMomentum.Or(0.99))
}

// write adds the arguments to a config.
func (c Common) write(config map[string]any) {
	orNull := func(key string, v tensor.Float) {
		config[key] = nil
		if v.IsSet() {
			config[key] = v.Or(0)
		}
	}
	orNull("clipnorm", c.ClipNorm)
	orNull("clipvalue", c.ClipValue)
	orNull("global_clipnorm", c.GlobalClipNorm)
	config["use_ema"], config["ema_momentum"] = c.UseEMA, c.EMAMomentum.Or(0.99)
	config["ema_overwrite_frequency"], config["gradient_accumulation_steps"], config["loss_scale_factor"] = nil, nil, nil
	if c.EMAOverwrite != 0 {
		config["ema_overwrite_frequency"] = c.EMAOverwrite
	}
	if c.AccumulationSteps != 0 {
		config["gradient_accumulation_steps"] = c.AccumulationSteps
	}
}

// readCommon reads them.
func readCommon(r *keras.Reader) Common {
	r.Only("loss_scale_factor", nil)
	// jit_compile and is_legacy_optimizer are how Keras runs.
	r.Ignore("jit_compile", "is_legacy_optimizer")
	return Common{ClipNorm: number(r, "clipnorm"), ClipValue: number(r, "clipvalue"), GlobalClipNorm: number(r, "global_clipnorm"),
		UseEMA: r.Bool("use_ema", false), EMAMomentum: number(r, "ema_momentum"), EMAOverwrite: r.Int("ema_overwrite_frequency", 0),
		AccumulationSteps: r.Int("gradient_accumulation_steps", 0)}
}

// traits are those of an optimizer, less what its common arguments take away.
func (c Common) traits(t Traits) Traits {
	if !c.Plain() {
		t.SparseSafe = false
	}
	return t
}
