package unroll

import "fmt"

// FitOption is a setting of Fit, Evaluate or Predict.
type FitOption func(*fitOptions)

type fitOptions struct {
	epochs, initial              int
	batch, steps                 count
	split                        float64
	validation                   Data
	validationBatch, validationN count
	validationEvery              count
	validationEpochs             []int // from 1; nil: every validationEvery-th
	shuffle                      shuffling
	callbacks                    []Callback
	class                        map[int]float64 // weights of classes
	gradientNorm                 bool
}

// count is a number from 1 that may be left out.
type count struct {
	n     int
	given bool
}

func (c count) or(d int) int {
	if c.given {
		return c.n
	}
	return d
}

// Epochs is the number of times that all rows are seen; 1 unless set. With InitialEpoch it is the number of the last one, so that fewer are
// trained, as in Keras.
func Epochs(n int) FitOption { return func(o *fitOptions) { o.epochs = n } }

// InitialEpoch is where the counting of epochs begins, from 0.
func InitialEpoch(n int) FitOption { return func(o *fitOptions) { o.initial = n } }

// BatchSize is the number of rows of a step; 32 unless set. The last batch of a pass over the rows may have fewer. Where it is not set but the
// number of steps is, a batch has as many rows as make that number of steps of all rows.
func BatchSize(n int) FitOption { return func(o *fitOptions) { o.batch = count{n, true} } }

// StepsPerEpoch ends an epoch of Fit after n batches. The next epoch goes on where the pass over the rows stopped, and in the same
// order; one ends with the pass, though it has fewer steps then. Source: keras/src/trainers/epoch_iterator.py.
func StepsPerEpoch(n int) FitOption { return func(o *fitOptions) { o.steps = count{n, true} } }

// Steps ends Evaluate or Predict after n batches, where the data have so many.
func Steps(n int) FitOption { return StepsPerEpoch(n) }

// ValidationSplit sets the last part of the rows aside, before any shuffling, to validate on after each epoch.
func ValidationSplit(part float64) FitOption { return func(o *fitOptions) { o.split = part } }

// ValidationData are the rows to validate on after each epoch; ValidationSplit is then ignored.
func ValidationData(d Data) FitOption { return func(o *fitOptions) { o.validation = d } }

// ValidationBatchSize is the number of rows of a step of the validation; BatchSize unless set.
func ValidationBatchSize(n int) FitOption {
	return func(o *fitOptions) { o.validationBatch = count{n, true} }
}

// ValidationSteps ends a validation after n batches. Every validation begins with the first row.
func ValidationSteps(n int) FitOption { return func(o *fitOptions) { o.validationN = count{n, true} } }

// ValidationFreq validates after every n-th epoch alone. Other epochs have no val_ values.
func ValidationFreq(n int) FitOption {
	return func(o *fitOptions) { o.validationEvery, o.validationEpochs = count{n, true}, nil }
}

// ValidationEpochs validates after these epochs alone, which count from 1: Keras's validation_freq as a list.
func ValidationEpochs(epochs ...int) FitOption {
	return func(o *fitOptions) { o.validationEpochs = append([]int{}, epochs...) }
}

// Shuffle says whether rows come in a new random order each epoch; they do unless it is false.
func Shuffle(on bool) FitOption {
	return func(o *fitOptions) {
		if o.shuffle = shuffleRows; !on {
			o.shuffle = shuffleNone
		}
	}
}

// ShuffleBatches leaves batches in the order of the data and shuffles the rows within each: Keras's shuffle="batch", for data that are read
// best one after the other.
func ShuffleBatches() FitOption { return func(o *fitOptions) { o.shuffle = shuffleBatch } }

// Callbacks are told how the training goes, or the evaluation or prediction.
func Callbacks(c ...Callback) FitOption {
	return func(o *fitOptions) { o.callbacks = append(o.callbacks, c...) }
}

// GradientNorm adds gradient_norm to the logs of a training: the mean over the batches of the Euclidean norm of the gradient by all trained
// weights, before clips and penalties on weights.
func GradientNorm() FitOption { return func(o *fitOptions) { o.gradientNorm = true } }

func newFitOptions(opts []FitOption) (*fitOptions, error) {
	o := &fitOptions{epochs: 1}
	for _, set := range opts {
		set(o)
	}
	for _, c := range []struct {
		name string
		count
	}{{"batch_size", o.batch}, {"steps", o.steps}, {"validation_batch_size", o.validationBatch}, {"validation_steps", o.validationN},
		{"validation_freq", o.validationEvery}} {
		if c.given && c.n <= 0 {
			return nil, fmt.Errorf("unroll: %s must be positive, got %d", c.name, c.n)
		}
	}
	switch {
	case o.epochs < 0:
		return nil, fmt.Errorf("unroll: epochs must not be negative, got %d", o.epochs)
	case o.initial < 0:
		return nil, fmt.Errorf("unroll: initial_epoch must not be negative, got %d", o.initial)
	case !(o.split >= 0 && o.split < 1):
		return nil, fmt.Errorf("unroll: validation_split must be from 0 to below 1, got %v", o.split)
	}
	for _, e := range o.validationEpochs {
		if e < 1 {
			return nil, fmt.Errorf("unroll: validation_freq must list epochs from 1, got %d", e)
		}
	}
	return o, nil
}

// validates reports whether there is a validation after an epoch, which counts from 0.
func (o *fitOptions) validates(epoch int) bool {
	if o.validationEpochs == nil {
		return (epoch+1)%o.validationEvery.or(1) == 0
	}
	for _, e := range o.validationEpochs {
		if e == epoch+1 {
			return true
		}
	}
	return false
}

// batchOf is the number of rows of a batch. Source: keras/src/trainers/data_adapters/array_data_adapter.py.
func batchOf(batch, steps count, rows int) int {
	switch {
	case batch.given:
		return batch.n
	case steps.given:
		return max(1, ceil(rows, steps.n))
	}
	return 32
}

func ceil(n, d int) int { return (n + d - 1) / d }
