package callbacks

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/durable"
)

// BackupAndRestore keeps a training in a folder, after every epoch or every SaveFreq batches, so that it goes on after an interruption: Fit, called again
// with the same model, data, options and callbacks, ends with the same weights, history and files, to the bit, as if nothing had happened. A kill at
// any moment leaves the last backup whole. When the training is over the backup is deleted.
//
// The folder has Keras's files, latest.weights.h5 and training_metadata.json, from which Keras goes on at the epoch, and as this does from Keras's;
// and training_state, which has what they do not say: the place in the epoch, sums, history, and callbacks' states. Event files of TensorBoard
// have steps behind the last backup twice.
type BackupAndRestore struct {
	unroll.NoCallback
	BackupDir        string
	SaveFreq         int  // batches; 0: an epoch
	DoubleCheckpoint bool // keep the backup before the last too, for the case that the last cannot be read
	NoDelete         bool // delete_checkpoint=False: a training that is over leaves its last backup

	state backedUp
}

// backedUp is what a BackupAndRestore remembers.
type backedUp struct{ Batches int } // since the last backup

// State implements unroll.Stateful.
func (c *BackupAndRestore) State() any { return &c.state }

// The files of a backup. A backup is the last one from the moment on in which stateFile gets its name: it says by a checksum to which weights it
// belongs, and those are found under weightsFile, or, after a kill in the wrong moment, still under comingFile.
const (
	weightsFile  = "latest.weights.h5"
	comingFile   = "next.weights.h5"
	metadataFile = "training_metadata.json"
	stateFile    = "training_state"
	previous     = ".bkp" // behind the name of a file of the backup before
)

// metadata is what Keras has in training_metadata.json. Source: keras/src/callbacks/backup_and_restore.py.
type metadata struct {
	Epoch int `json:"epoch"`
	Batch int `json:"batch"`
}

func (c *BackupAndRestore) path(name string) string { return filepath.Join(c.BackupDir, name) }

// Resume implements unroll.Keeper.
func (c *BackupAndRestore) Resume(t *unroll.Training) error {
	switch {
	case c.BackupDir == "":
		return errors.New("callbacks: BackupAndRestore: backup_dir must be a folder, got none")
	case c.SaveFreq < 0:
		return fmt.Errorf("callbacks: BackupAndRestore: save_freq must be epoch (0) or a number of batches, got %d", c.SaveFreq)
	}
	c.state = backedUp{}
	err := c.sweep()
	if err == nil {
		err = c.resume(t)
	}
	if err != nil {
		return fmt.Errorf("callbacks: BackupAndRestore: %s: %w", c.BackupDir, err)
	}
	return nil
}

func (c *BackupAndRestore) resume(t *unroll.Training) error {
	state, err := c.find()
	if err != nil && exists(c.path(stateFile+previous)) { // also where it is missing: a backup of before is never the only one
		for _, name := range []string{weightsFile, stateFile} {
			if err := replace(c.path(name+previous), c.path(name)); err != nil {
				return err
			}
		}
		state, err = c.find()
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && exists(c.path(weightsFile)) && exists(c.path(metadataFile)):
		return c.resumeKeras(t)
	case errors.Is(err, fs.ErrNotExist):
		return nil // a new training
	case err != nil:
		return err
	}
	if err := t.Model.LoadWeights(c.path(weightsFile)); err != nil {
		return err
	}
	return t.ReadState(bytes.NewReader(state))
}

// resumeKeras goes on from a backup that Keras wrote: at the beginning of the epoch.
func (c *BackupAndRestore) resumeKeras(t *unroll.Training) error {
	var m metadata
	b, err := os.ReadFile(c.path(metadataFile))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &m); err != nil || m.Epoch < 0 {
		return fmt.Errorf("%s: expected an epoch, got %q", metadataFile, b)
	}
	if err := t.Model.LoadWeights(c.path(weightsFile)); err != nil {
		return err
	}
	if m.Epoch > 0 {
		t.Epoch = m.Epoch
	}
	return nil
}

// find reads the state of the last backup and sees to it that its weights have their name.
func (c *BackupAndRestore) find() (state []byte, err error) {
	b, err := os.ReadFile(c.path(stateFile))
	if err != nil {
		return nil, err
	}
	const size = sha256.Size
	n := len(b) - size
	if n < size || sha256.Sum256(b[:n]) != [size]byte(b[n:]) {
		return nil, fmt.Errorf("%s: expected a file that ends in its checksum, got a damaged one", stateFile)
	}
	want, state := [size]byte(b[:size]), b[size:n]
	for _, name := range []string{weightsFile, comingFile} {
		if got, err := sum(c.path(name)); err != nil || got != want {
			continue
		}
		if name == comingFile {
			if err := durable.Rename(c.path(comingFile), c.path(weightsFile)); err != nil {
				return nil, err
			}
		}
		return state, nil
	}
	return nil, fmt.Errorf("%s: expected the weights whose checksum %s has, got others or damaged ones", weightsFile, stateFile)
}

// Keep implements unroll.Keeper.
func (c *BackupAndRestore) Keep(t *unroll.Training) error {
	if epoch := t.Step == 0; epoch == (c.SaveFreq > 0) {
		return nil
	}
	if c.SaveFreq > 0 {
		if c.state.Batches++; c.state.Batches < c.SaveFreq {
			return nil
		}
		c.state.Batches = 0
	}
	if err := c.save(t); err != nil {
		return fmt.Errorf("callbacks: BackupAndRestore: %s: %w", c.BackupDir, err)
	}
	return nil
}

func (c *BackupAndRestore) save(t *unroll.Training) error {
	if err := os.MkdirAll(c.BackupDir, 0o777); err != nil {
		return err
	}
	if err := t.Model.SaveWeights(c.path(comingFile)); err != nil {
		return err
	}
	weights, err := sum(c.path(comingFile))
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.Write(weights[:])
	if err := t.WriteState(&b); err != nil {
		return err
	}
	whole := sha256.Sum256(b.Bytes())
	b.Write(whole[:])
	if c.DoubleCheckpoint && exists(c.path(stateFile)) {
		for _, name := range []string{weightsFile, stateFile, metadataFile} {
			if err := replace(c.path(name), c.path(name+previous)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if err := write(c.path(stateFile), b.Bytes()); err != nil {
		return err
	}
	if err := durable.Rename(c.path(comingFile), c.path(weightsFile)); err != nil {
		return err
	}
	m, err := json.Marshal(metadata{Epoch: t.Epoch, Batch: t.Step})
	if err != nil {
		return err
	}
	return write(c.path(metadataFile), m)
}

// Done implements unroll.Keeper.
func (c *BackupAndRestore) Done(*unroll.Training) error {
	if c.NoDelete {
		return nil
	}
	return c.Delete()
}

// Delete removes the backup, and the folder where nothing else is in it.
func (c *BackupAndRestore) Delete() error {
	err := c.sweep()
	// In this order there is at any moment the whole backup or none, not even one of Keras's.
	for _, name := range []string{metadataFile, metadataFile + previous, stateFile + previous, stateFile, weightsFile, weightsFile + previous, comingFile} {
		if e := os.Remove(c.path(name)); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		return fmt.Errorf("callbacks: BackupAndRestore: %s: %w", c.BackupDir, err)
	}
	os.Remove(c.BackupDir) // which fails where somebody else's files are in it
	return nil
}

// sweep removes what a kill left half written.
func (c *BackupAndRestore) sweep() error {
	files, err := os.ReadDir(c.BackupDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, f := range files {
		for _, name := range []string{comingFile, weightsFile, stateFile, metadataFile} {
			if strings.HasPrefix(f.Name(), name+".") && strings.HasSuffix(f.Name(), ".tmp") {
				if err := os.Remove(c.path(f.Name())); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
