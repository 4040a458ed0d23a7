package durable

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The contents of the file before and after; large enough for several writes.
var (
	before = bytes.Repeat([]byte("old "), 5000)
	after  = bytes.Repeat([]byte("new!"), 7001)
)

// A process started by TestKilledAtAnyByte writes the file and kills itself in the middle.
func TestMain(m *testing.M) {
	path := os.Getenv("UNROLL_KILL_PATH")
	if path == "" {
		os.Exit(m.Run())
	}
	at, err := strconv.Atoi(os.Getenv("UNROLL_KILL_AT"))
	if err != nil {
		panic(err)
	}
	for turn := 0; at < 0; turn++ { // TestKilledAtAnyMoment
		err := Write(path, func(w io.Writer) error {
			_, err := w.Write([][]byte{after, before}[turn%2])
			return err
		})
		if err != nil {
			panic(err)
		}
	}
	err = Write(path, func(w io.Writer) error {
		n := min(at, len(after))
		if _, err := w.Write(after[:n]); err != nil {
			return err
		}
		if at <= len(after) {
			self, err := os.FindProcess(os.Getpid())
			if err != nil {
				return err
			}
			self.Kill()
			select {}
		}
		return nil
	})
	if err != nil {
		panic(err)
	}
}

// A process that is killed when so many bytes are written leaves the file as it was.
func TestKilledAtAnyByte(t *testing.T) {
	places := []int{0, 1, 4096, len(before), len(after) - 1, len(after), len(after) + 1}
	if s := os.Getenv("UNROLL_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			places = append(places, i*len(after)/n)
		}
	}
	for _, at := range places {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, before, 0o666); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "UNROLL_KILL_PATH="+path, "UNROLL_KILL_AT="+strconv.Itoa(at))
		err := cmd.Run()
		want := before
		if at > len(after) {
			want = after
		}
		if killed := err != nil; killed != (at <= len(after)) {
			t.Errorf("kill at byte %d: the process ended with %v", at, err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("kill at byte %d: got a file of %d bytes that is not the one of before, or after: %v", at, len(got), err)
		}
	}
}

// A process that writes two contents in turn and is killed, whatever it is doing then, leaves one of them.
func TestKilledAtAnyMoment(t *testing.T) {
	kills := 4
	if s := os.Getenv("UNROLL_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "file")
	for i := range kills {
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "UNROLL_KILL_PATH="+path, "UNROLL_KILL_AT=-1")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// It is killed some time after the first content is there, which may take long on a busy machine.
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			if info, err := os.Stat(path); err == nil && info.Size() > 0 || time.Now().After(deadline) {
				break
			}
		}
		time.Sleep(rand.N(20 * time.Millisecond))
		cmd.Process.Kill()
		cmd.Wait()
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, before) && !bytes.Equal(got, after) {
			t.Errorf("kill %d: got a file of %d bytes that is none of those that were written: %v", i, len(got), err)
		}
	}
}

// After an error there is what was there before, and nothing else.
func TestWrite(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	put := func(text string, fail error) error {
		return Write(path, func(w io.Writer) error {
			if _, err := io.WriteString(w, text); err != nil {
				return err
			}
			return fail
		})
	}
	expect := func(want string) {
		t.Helper()
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("got %q: %v, want %q", got, err, want)
		}
		if files, err := os.ReadDir(folder); err != nil || len(files) != 1 {
			t.Errorf("expected one file in the folder, got %v: %v", files, err)
		}
	}
	if err := put("first", nil); err != nil {
		t.Fatal(err)
	}
	expect("first")
	broken := errors.New("broken")
	if err := put("half", broken); !errors.Is(err, broken) {
		t.Errorf("got error %v, want that of the content", err)
	}
	expect("first")
	if err := put("second", nil); err != nil {
		t.Fatal(err)
	}
	expect("second")
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Discard()
	expect("second")
	if err := Write(filepath.Join(folder, "none", "file"), nil); err == nil || strings.Contains(err.Error(), ".tmp") {
		t.Errorf("a folder that is not there: got error %v, want one without the temporary name", err)
	}
	if err := os.Mkdir(filepath.Join(folder, "taken"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := Write(filepath.Join(folder, "taken"), func(io.Writer) error { return nil }); err == nil || strings.Contains(err.Error(), ".tmp") {
		t.Errorf("a folder of that name: got error %v, want one without the temporary name", err)
	}
	os.Remove(filepath.Join(folder, "taken"))
	expect("second")
}
