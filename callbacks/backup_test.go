package callbacks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/callbacks"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/schedules"
	"github.com/unroll-ml/unroll/tensor"
)

// outcome is all that a training leaves, to the bit.
type outcome struct {
	Weights []byte // a weights file, the optimizer's arrays included
	History []uint64
	Keys    []string
	Best    []byte // a ModelCheckpoint's
	Log     string // a CSVLogger's
	Rate    uint64
}

// run is a training with something of everything that must outlive an interruption.
type run struct {
	name      string
	optimizer optimizers.Optimizer
	schedule  bool // the rate is the optimizer's own affair
	opts      []unroll.FitOption
	saveFreq  int
	patience  int
	stateful  bool
}

func runs() []run {
	return []run{
		{"epochs", optimizers.Adam{LearningRate: tensor.F(0.02)}, false, []unroll.FitOption{unroll.Epochs(5), unroll.BatchSize(8)}, 0, 1, false},
		// A table of which the rows of a batch alone are updated, and a pass that lasts for several epochs.
		{"batches", optimizers.RMSprop{LearningRate: tensor.F(0.02)}, false, []unroll.FitOption{unroll.Epochs(6), unroll.BatchSize(5), unroll.StepsPerEpoch(3)}, 2, 9, false},
		{"each batch", optimizers.SGD{Schedule: schedules.ExponentialDecay{Initial: 0.1, Steps: 3, Rate: 0.9}, Momentum: 0.9,
			Common: optimizers.Common{UseEMA: true, EMAOverwrite: 4, AccumulationSteps: 3, GlobalClipNorm: tensor.F(0.5)}}, true,
			[]unroll.FitOption{unroll.Epochs(3), unroll.BatchSize(7), unroll.ShuffleBatches(), unroll.ValidationEpochs(2)}, 1, 9, false},
		{"averages", optimizers.Muon{Common: optimizers.Common{UseEMA: true}}, false, []unroll.FitOption{unroll.Epochs(3), unroll.Shuffle(false)}, 0, 9, false},
		{"states", optimizers.Adam{}, false, []unroll.FitOption{unroll.Epochs(2), unroll.BatchSize(6), unroll.Shuffle(false)}, 2, 9, true},
	}
}

// train trains, in a folder, with more callbacks behind the others.
func (r run) train(ctx context.Context, folder string, backup *callbacks.BackupAndRestore, more ...unroll.Callback) (*outcome, error) {
	m, err := unroll.Sequential(
		layers.Embedding{InputDim: 20, OutputDim: 4, MaskZero: true},
		layers.Bidirectional{Layer: layers.LSTM{Units: 5, Dropout: 0.2, RecurrentDropout: 0.2, ReturnSequences: true, Stateful: r.stateful}},
		layers.GRU{Units: 3, Stateful: r.stateful},
		layers.Dropout{Rate: 0.3},
		layers.Dense{Units: 1, Activation: activations.Sigmoid},
	)
	if err != nil {
		return nil, err
	}
	seed := uint64(7)
	if backup != nil && exists(filepath.Join(backup.BackupDir, "training_state")) {
		seed = 8 // the backup has the right one
	}
	if err := m.Init(seed); err != nil {
		return nil, err
	}
	if err := m.Compile(r.optimizer, losses.BinaryCrossentropy{}, metrics.Accuracy{Name: "acc"}, metrics.AUC{}); err != nil {
		return nil, err
	}
	x, y := tensor.NewIDs(24, 6), tensor.New(24)
	for i := range x.Data {
		x.Data[i] = int32(i * i % 19)
	}
	for i := range y.Data {
		y.Data[i] = float32(i / 3 % 2)
	}
	d, err := unroll.Arrays(x, y)
	if err != nil {
		return nil, err
	}
	best, log := filepath.Join(folder, "best.weights.h5"), filepath.Join(folder, "log.csv")
	cbs := []unroll.Callback{
		&callbacks.EarlyStopping{Patience: r.patience, RestoreBestWeights: true, Monitor: "val_auc"},
		&callbacks.ModelCheckpoint{FilePath: best, SaveWeightsOnly: true, SaveBestOnly: true},
		&callbacks.CSVLogger{Filename: log},
	}
	if !r.schedule {
		cbs = append(cbs, &callbacks.ReduceLROnPlateau{Factor: tensor.F(0.7), Patience: tensor.F(1), Cooldown: 1},
			&callbacks.LearningRateScheduler{Schedule: func(_ int, rate float64) float64 { return rate * 0.99 }})
	}
	if r.optimizer.Shared().UseEMA {
		cbs = append([]unroll.Callback{&callbacks.SwapEMAWeights{SwapOnEpoch: true}}, cbs...)
	}
	if backup != nil {
		cbs = append([]unroll.Callback{backup}, cbs...)
	}
	h, err := m.Fit(ctx, d, append(r.opts, unroll.ValidationSplit(0.25), unroll.Callbacks(append(cbs, more...)...))...)
	if err != nil {
		return nil, err
	}
	o := &outcome{Keys: h.Keys()}
	for _, k := range h.Keys() {
		for _, v := range h.Values(k) {
			o.History = append(o.History, math.Float64bits(v))
		}
	}
	rate, err := m.LearningRate()
	if err != nil {
		return nil, err
	}
	o.Rate = math.Float64bits(rate)
	end := filepath.Join(folder, "end.weights.h5")
	if err := m.SaveWeights(end); err != nil {
		return nil, err
	}
	for path, to := range map[string]*[]byte{end: &o.Weights, best: &o.Best} {
		if *to, err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	text, err := os.ReadFile(log)
	o.Log = string(text)
	return o, err
}

// same fails where a training ended otherwise than the one that was not interrupted.
func same(t *testing.T, want, got *outcome) {
	t.Helper()
	if !bytes.Equal(want.Weights, got.Weights) || !bytes.Equal(want.Best, got.Best) {
		t.Errorf("other weights: at the end equal %v, the best equal %v", bytes.Equal(want.Weights, got.Weights), bytes.Equal(want.Best, got.Best))
	}
	if d := cmp.Diff(want.Keys, got.Keys) + cmp.Diff(want.History, got.History) + cmp.Diff(want.Log, got.Log) + cmp.Diff(want.Rate, got.Rate); d != "" {
		t.Errorf("(-without interruption +with):\n%s", d)
	}
}

// breaks ends a training at its n-th call, whatever is called.
type breaks struct{ n int }

var errBroken = errors.New("broken")

func (b *breaks) count() error {
	if b.n--; b.n == 0 {
		return errBroken
	}
	return nil
}
func (b *breaks) TrainBegin(*unroll.Training) error                { return b.count() }
func (b *breaks) EpochBegin(*unroll.Training) error                { return b.count() }
func (b *breaks) BatchBegin(*unroll.Training) error                { return b.count() }
func (b *breaks) BatchEnd(*unroll.Training, unroll.Logs) error     { return b.count() }
func (b *breaks) TestBegin(*unroll.Training) error                 { return b.count() }
func (b *breaks) TestBatchEnd(*unroll.Training, unroll.Logs) error { return b.count() }
func (b *breaks) TestEnd(*unroll.Training, unroll.Logs) error      { return b.count() }
func (b *breaks) EpochEnd(*unroll.Training, unroll.Logs) error     { return b.count() }
func (b *breaks) TrainEnd(*unroll.Training) error                  { return b.count() }

// Interrupted anywhere, a training that goes on ends as it would have ended. The one that goes on has another seed until it has read the backup.
func TestGoesOnAsIfNothingHadHappened(t *testing.T) {
	for _, r := range runs() {
		want, err := r.train(t.Context(), t.TempDir(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; ; n += 3 {
			folder := t.TempDir()
			backup := func() *callbacks.BackupAndRestore {
				return &callbacks.BackupAndRestore{BackupDir: filepath.Join(folder, "backup"), SaveFreq: r.saveFreq, DoubleCheckpoint: n%2 == 0}
			}
			at := &breaks{n}
			got, err := r.train(t.Context(), folder, backup(), at)
			again := 0
			for ; errors.Is(err, errBroken); again++ {
				at = &breaks{n + 40*again} // some are interrupted several times
				if again > 2 {
					at.n = 0
				}
				got, err = r.train(t.Context(), folder, backup(), at)
			}
			if err != nil {
				t.Fatalf("%s, interrupted at call %d: %v", r.name, n, err)
			}
			same(t, want, got)
			if left := files(t, filepath.Join(folder)); len(left) != 2 || t.Failed() {
				t.Fatalf("%s, interrupted at call %d: left are %v", r.name, n, left)
			}
			if again == 0 {
				break // past the end
			}
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// stopper ends a training in a batch.
type stopper struct {
	unroll.NoCallback
	batches int
}

func (s *stopper) BatchEnd(t *unroll.Training, _ unroll.Logs) error {
	s.batches++
	t.Stop = t.Epoch == 1 && t.Step == 2
	return nil
}

// A training that was ending when it was interrupted ends, without more batches, and callbacks that are used again lose what they had.
func TestGoesOnToItsEnd(t *testing.T) {
	backup := &callbacks.BackupAndRestore{BackupDir: filepath.Join(t.TempDir(), "b"), SaveFreq: 1, NoDelete: true}
	early := &callbacks.EarlyStopping{Monitor: "loss", Patience: 3}
	stop := &stopper{}
	fit := func(n int) (*unroll.History, error) {
		return model(t).Fit(t.Context(), data(t, 1, 2, 3, 4), unroll.BatchSize(1), unroll.Epochs(5), unroll.Callbacks(backup, early, stop, &breaks{n}))
	}
	// TrainBegin, twice EpochBegin, six steps of two calls, EpochEnd twice.
	if _, err := fit(17); !errors.Is(err, errBroken) || stop.batches != 6 {
		t.Fatalf("got %v after %d batches", err, stop.batches)
	}
	early.StoppedEpoch, early.Wait = 9, 9
	for range 2 { // the second goes on from the end
		h, err := fit(0)
		if err != nil {
			t.Fatal(err)
		}
		if stop.batches != 6 || len(h.Epoch) != 2 || early.StoppedEpoch != 0 || early.Wait != 0 {
			t.Errorf("%d batches, epochs %v, stopped in %d, wait %d", stop.batches, h.Epoch, early.StoppedEpoch, early.Wait)
		}
	}
	if err := backup.Delete(); err != nil || exists(backup.BackupDir) {
		t.Errorf("after Delete the folder is there: %v, %v", exists(backup.BackupDir), err)
	}
}

// What a kill or a bad disk may leave.
func TestDamagedBackups(t *testing.T) {
	for _, c := range []struct {
		name   string
		double bool
		damage func(dir string) error
		want   string // in the error; "": it goes on
		epochs int    // trained after the damage, of 4, 2 of which were before
	}{
		{"the weights have not got their name", false, func(dir string) error { return os.Rename(dir+"/latest.weights.h5", dir+"/next.weights.h5") }, "", 2},
		{"the weights of a next backup without a state", false, func(dir string) error { return os.WriteFile(dir+"/next.weights.h5", []byte("x"), 0o666) }, "", 2},
		{"half written files", false, func(dir string) error {
			return errors.Join(os.WriteFile(dir+"/training_state.tmp", []byte("x"), 0o666), os.WriteFile(dir+"/next.weights.h5.00000000.tmp", nil, 0o666))
		}, "", 2},
		{"damaged weights", false, flip("latest.weights.h5"), "expected the weights whose checksum training_state has", 0},
		{"a damaged state", false, flip("training_state"), "training_state: expected a file that ends in its checksum, got a damaged one", 0},
		{"a cut state", false, func(dir string) error { return os.Truncate(dir+"/training_state", 20) }, "training_state: expected a file that ends in its checksum", 0},
		{"damaged weights, two backups", true, flip("latest.weights.h5"), "", 3},
		{"a damaged state, two backups", true, flip("training_state"), "", 3},
		{"no state, two backups", true, func(dir string) error { return os.Remove(dir + "/training_state") }, "", 3},
		{"nothing", false, os.RemoveAll, "", 4},
	} {
		dir := filepath.Join(t.TempDir(), "b")
		backup := &callbacks.BackupAndRestore{BackupDir: dir, DoubleCheckpoint: c.double, NoDelete: true}
		epochs := 0
		count := &callbacks.LambdaCallback{OnEpochEnd: func(*unroll.Training, unroll.Logs) error { epochs++; return nil }}
		fit := func(n int) error {
			_, err := model(t).Fit(t.Context(), data(t, 1, 2), unroll.Epochs(n), unroll.Callbacks(backup, count))
			return err
		}
		if err := errors.Join(fit(2), c.damage(dir)); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		epochs = 0
		err := fit(4)
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) || c.want == "" && err != nil || epochs != c.epochs {
			t.Errorf("%s: %d epochs, error %v", c.name, epochs, err)
		}
		if c.want == "" {
			want := []string{"latest.weights.h5", "training_metadata.json", "training_state"}
			if c.double {
				want = []string{"latest.weights.h5", "latest.weights.h5.bkp", "training_metadata.json", "training_metadata.json.bkp", "training_state", "training_state.bkp"}
			}
			if d := cmp.Diff(want, files(t, dir)); d != "" {
				t.Errorf("%s: %s", c.name, d)
			}
		}
	}
}

// flip damages a byte in the middle of a file.
func flip(name string) func(dir string) error {
	return func(dir string) error {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		b[len(b)/2] ^= 1
		return os.WriteFile(filepath.Join(dir, name), b, 0o666)
	}
}

// Another training than the one that was kept is refused.
func TestAnotherTraining(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "b")
	backup := func() *callbacks.BackupAndRestore { return &callbacks.BackupAndRestore{BackupDir: dir, NoDelete: true} }
	fit := func(d unroll.Data, opts ...unroll.FitOption) error {
		_, err := model(t).Fit(t.Context(), d, append([]unroll.FitOption{unroll.Epochs(2)}, opts...)...)
		return err
	}
	if err := fit(data(t, 1, 2), unroll.Callbacks(backup(), &callbacks.EarlyStopping{Monitor: "loss"})); err != nil {
		t.Fatal(err)
	}
	before := "callbacks: BackupAndRestore: " + dir + ": unroll: the training that goes on must be the one that was kept: expected "
	for _, c := range []struct {
		err  error
		want string
	}{
		{fit(data(t, 1, 2, 3), unroll.Callbacks(backup(), &callbacks.EarlyStopping{})), "rows 2, got 3"},
		{fit(data(t, 1, 2), unroll.BatchSize(1), unroll.Callbacks(backup(), &callbacks.EarlyStopping{})), "batch_size 32, got 1"},
		{fit(data(t, 1, 2), unroll.ValidationData(data(t, 1)), unroll.Callbacks(backup(), &callbacks.EarlyStopping{})), "rows to validate on 0, got 1"},
		{fit(data(t, 1, 2), unroll.Callbacks(backup())), "the callbacks [*callbacks.BackupAndRestore *callbacks.EarlyStopping], got [*callbacks.BackupAndRestore]"},
	} {
		if c.err == nil || c.err.Error() != before+c.want {
			t.Errorf("got error %v, want %s", c.err, before+c.want)
		}
	}
	for cb, want := range map[*callbacks.BackupAndRestore]string{
		{}:                             "callbacks: BackupAndRestore: backup_dir must be a folder, got none",
		{BackupDir: dir, SaveFreq: -1}: "callbacks: BackupAndRestore: save_freq must be epoch (0) or a number of batches, got -1",
	} {
		if err := fit(data(t, 1, 2), unroll.Callbacks(cb)); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}

// twice is Keras's training of oracle/backup.py.
func twice(t *testing.T, backup *callbacks.BackupAndRestore, epochs int) (trained []int, weight float64) {
	t.Helper()
	m := model(t)
	if err := m.Compile(optimizers.SGD{LearningRate: tensor.F(0.1), Momentum: 0.9}, losses.MeanSquaredError{}); err != nil {
		t.Fatal(err)
	}
	m.Weights()[0].Data[0] = 0.5
	m.Touch()
	x, err := tensor.From([]float32{1, 2}, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	y, err := tensor.From([]float32{2, 4}, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	d, err := unroll.Arrays(x, y)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Fit(t.Context(), d, unroll.Epochs(epochs), unroll.Shuffle(false), unroll.Callbacks(backup, &callbacks.LambdaCallback{
		OnEpochBegin: func(tr *unroll.Training) error { trained = append(trained, tr.Epoch); return nil },
	})); err != nil {
		t.Fatal(err)
	}
	return trained, float64(m.Weights()[0].Data[0])
}

// A backup that Keras wrote goes on here, at the epoch where Keras would go on, to the weight that Keras comes to.
func TestGoesOnFromKeras(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../testdata/backup")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "after.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Epochs []int
		Weight float64
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	epochs, weight := twice(t, &callbacks.BackupAndRestore{BackupDir: dir}, 4)
	if d := cmp.Diff(want.Epochs, epochs); d != "" || !(math.Abs(weight-want.Weight) <= 1e-6) {
		t.Errorf("got %v after %v, want %+v", weight, epochs, want)
	}
	// The backup is gone, what is not its own is not.
	if d := cmp.Diff([]string{"after.json"}, files(t, dir)); d != "" {
		t.Error(d)
	}
}

// And one of ours goes on in Keras. It needs a Python with it, whose path is in UNROLL_ORACLE_PYTHON (see oracle/README.md).
func TestKerasGoesOn(t *testing.T) {
	python := os.Getenv("UNROLL_ORACLE_PYTHON")
	if python == "" {
		t.Skip("UNROLL_ORACLE_PYTHON is not set: no Python with Keras to ask")
	}
	dir := filepath.Join(t.TempDir(), "b")
	twice(t, &callbacks.BackupAndRestore{BackupDir: dir, NoDelete: true}, 2)
	out, err := exec.Command(python, "../oracle/backup.py", dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Epochs []int
		Weight float64
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	_, want := twice(t, &callbacks.BackupAndRestore{BackupDir: filepath.Join(t.TempDir(), "c")}, 4)
	if d := cmp.Diff([]int{2, 3}, got.Epochs); d != "" || !(math.Abs(got.Weight-want) <= 1e-6) {
		t.Errorf("Keras got %+v, want %v", got, want)
	}
}
