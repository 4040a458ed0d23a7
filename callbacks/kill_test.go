package callbacks_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/unroll-ml/unroll/callbacks"
)

// TestMain is the process that is killed, where it is told to be.
func TestMain(m *testing.M) {
	if folder := os.Getenv("UNROLL_KILL_FOLDER"); folder != "" {
		if err := victim(folder, os.Getenv("UNROLL_KILL_RUN")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// victim trains with a backup, and leaves how it ended.
func victim(folder, number string) error {
	n, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	r := runs()[n]
	o, err := r.train(context.Background(), folder, &callbacks.BackupAndRestore{BackupDir: filepath.Join(folder, "backup"), SaveFreq: r.saveFreq, DoubleCheckpoint: n == 1, NoDelete: true})
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(folder, "outcome"))
	if err != nil {
		return err
	}
	if err := gob.NewEncoder(f).Encode(o); err != nil {
		return err
	}
	return f.Close()
}

// Killed at random moments and started again, a training ends as one that nobody touched. UNROLL_KILLS says how many times; make kill has many.
func TestKilled(t *testing.T) {
	kills := 6
	if s := os.Getenv("UNROLL_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	done := 0
	for round := 0; done < kills; round++ {
		n := round % len(runs())
		want, err := runs()[n].train(t.Context(), t.TempDir(), nil)
		if err != nil {
			t.Fatal(err)
		}
		folder := t.TempDir()
		// A process that is left alone takes about this long; it is killed sooner, until it has come through.
		began := time.Now()
		if killed, err := start(t, folder, n, time.Hour); killed || err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		folder = t.TempDir()
		for {
			killed, err := start(t, folder, n, time.Duration(random.Int64N(int64(took)*5/4)))
			if err != nil {
				t.Fatal(err)
			}
			if !killed {
				break
			}
			done++
		}
		f, err := os.Open(filepath.Join(folder, "outcome"))
		if err != nil {
			t.Fatal(err)
		}
		var got outcome
		if err := gob.NewDecoder(f).Decode(&got); err != nil {
			t.Fatal(err)
		}
		f.Close()
		if same(t, want, &got); t.Failed() {
			t.Fatalf("run %s, after %d kills", runs()[n].name, done)
		}
	}
	t.Logf("%d kills", done)
}

// start runs a victim and kills it after a while, unless it is through.
func start(t *testing.T, folder string, n int, after time.Duration) (killed bool, err error) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "UNROLL_KILL_FOLDER="+folder, "UNROLL_KILL_RUN="+strconv.Itoa(n))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return false, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err = <-done:
	case <-time.After(after):
		cmd.Process.Kill()
		if err = <-done; err != nil && said.Len() == 0 {
			return true, nil
		}
	}
	if err != nil {
		return false, fmt.Errorf("%w: %s", err, &said)
	}
	return false, nil
}
