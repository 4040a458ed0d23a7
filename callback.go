package unroll

// Callback is told how a training goes. An error ends it and is returned by Fit. Embed NoCallback to have what you do not need.
// A callback may also be told of more, see BatchBeginner, Tester, Predictor, Stateful and Keeper.
type Callback interface {
	TrainBegin(t *Training) error
	EpochBegin(t *Training) error
	// BatchEnd has the means since the epoch's start, as Keras shows them.
	BatchEnd(t *Training, logs Logs) error
	EpochEnd(t *Training, logs Logs) error
	TrainEnd(t *Training) error
}

// BatchBeginner is a callback that is told before every step of a training: Keras's on_train_batch_begin.
type BatchBeginner interface {
	BatchBegin(t *Training) error
}

// Tester is a callback that is told how evaluations go, those of Evaluate and those that Fit makes after its epochs, in which Validating is set.
// Names in the logs have no val_ before them. Keras's on_test_….
type Tester interface {
	TestBegin(t *Training) error
	TestBatchEnd(t *Training, logs Logs) error
	TestEnd(t *Training, logs Logs) error
}

// Predictor is a callback that is told how Predict goes: Keras's on_predict_….
type Predictor interface {
	PredictBegin(t *Training) error
	PredictBatchEnd(t *Training) error
	PredictEnd(t *Training) error
}

// Stateful is a callback with something to remember across an interruption. State is a pointer to a struct, whose exported fields are
// written by encoding/gob when a training is kept. When one goes on, they are set before TrainBegin is called, and Resumed says so: TrainBegin must
// then not start them afresh.
type Stateful interface {
	State() any
}

// Keeper is a callback that keeps whole trainings (Training.WriteState) and makes them go on (Training.ReadState), see
// callbacks.BackupAndRestore.
type Keeper interface {
	// Resume is called before any TrainBegin.
	Resume(t *Training) error
	// Keep is called behind every step and every epoch, when all callbacks have been told of it. Epoch and Step say how far the training has come:
	// after an epoch they are the next epoch and 0.
	Keep(t *Training) error
	// Done is called at the end, behind TrainEnd of all callbacks.
	Done(t *Training) error
}

// NoCallback does nothing.
type NoCallback struct{}

func (NoCallback) TrainBegin(*Training) error     { return nil }
func (NoCallback) EpochBegin(*Training) error     { return nil }
func (NoCallback) BatchEnd(*Training, Logs) error { return nil }
func (NoCallback) EpochEnd(*Training, Logs) error { return nil }
func (NoCallback) TrainEnd(*Training) error       { return nil }

// Training is what callbacks see of a running Fit; of an Evaluate or a Predict they see Model, Step, Steps, Samples and BatchSize.
type Training struct {
	Model                      *Model
	Epoch, Epochs              int // Epoch counts from 0
	Step, Steps                int // Step is the number of batches done in this epoch
	Samples, ValidationSamples int
	BatchSize                  int
	Rows                       int  // how many the batches done in this epoch have together
	Validating                 bool // an evaluation after an epoch is going on
	// Resumed: the training goes on where another stopped, at Epoch and Step, and callbacks have the State of then. Where Step is not 0,
	// EpochBegin was called in the other one, and is not called again.
	Resumed bool
	// Stop ends the training when a callback sets it: in BatchEnd without the epoch's other batches, then the epoch ends as any other.
	Stop bool
	// Broken is why the loss is no finite number any more; nil where it is, or where that was not found.
	Broken *Broken

	logs Logs // of the epoch that ends
	fit  *fit // nil in Evaluate and Predict
}

// Add adds a value to the logs of the epoch that ends, for the callbacks that follow and for the history, unless it is there. It may be called in EpochEnd.
func (t *Training) Add(name string, value float64) {
	if _, ok := t.logs.Get(name); !ok {
		t.logs = append(t.logs, Log{name, value})
	}
}

// each tells all callbacks, or those that are of a kind, one after the other.
func each[C any](callbacks []Callback, tell func(C) error) error {
	for _, cb := range callbacks {
		if c, ok := cb.(C); ok {
			if err := tell(c); err != nil {
				return err
			}
		}
	}
	return nil
}
