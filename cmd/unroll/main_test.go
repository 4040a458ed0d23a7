package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"unroll": main})
}

func TestExitCodes(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for _, c := range []struct {
		code int
		args []string
	}{
		{exitOK, []string{"help"}},
		{exitOK, []string{"summary", lecture}},
		{exitFailed, []string{"summary", "embedding(0, 2) |> lstm(2)"}},
		{exitFailed, []string{"train", "--data", missing + ".csv"}},
		{exitFailed, []string{"train", "--out", missing + "/m.keras"}},
		{exitFailed, []string{"cell", missing}},
		{exitUsage, []string{"trian"}},
		{exitUsage, []string{"train", "--epoch", "3"}},
		{exitUsage, []string{"train", "--epochs", "0"}},
		{exitUsage, []string{"train", "--optimizer", "adm"}},
		{exitUsage, []string{"train", "--data", "imbd"}},
		{exitUsage, []string{"summary"}},
		{exitUsage, []string{"summary", "lstm(2"}},
		{exitUsage, []string{"summary", missing + ".keras"}},
		{exitUsage, []string{"plot", missing}},
	} {
		var out, err strings.Builder
		if code := run(c.args, &out, &err); code != c.code {
			t.Errorf("unroll %q ended with %d, want %d\n%s", c.args, code, c.code, &err)
		}
		if (c.code == exitOK) != (err.Len() == 0) || (c.code == exitOK) != (out.Len() > 0) {
			t.Errorf("unroll %q wrote %d bytes of results and %d of mistakes", c.args, out.Len(), err.Len())
		}
	}
}

// The lecture's model as it stands on the page, line breaks and all, is the model that is trained when none is named.
func TestLectureAsPasted(t *testing.T) {
	const pasted = `model <- keras_model_sequential() %>%
  layer_embedding(input_dim = 10000, output_dim = 32) %>%
  layer_simple_rnn(units = 32) %>%
  layer_dense(units = 1, activation = "sigmoid")
`
	var want, got, mistakes strings.Builder
	for text, out := range map[string]*strings.Builder{lecture: &want, pasted: &got} {
		if code := run([]string{"summary", "--style", "keras2", text}, out, &mistakes); code != exitOK {
			t.Fatalf("%s: %s", text, &mistakes)
		}
	}
	if got.String() != want.String() || !strings.Contains(got.String(), "Total params: 322,113\n") {
		t.Errorf("got\n%swant\n%s", &got, &want)
	}
}

// The whole workflow, as a user types it: see testdata.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			// An empty cache, and no network to fill it from.
			e.Setenv("UNROLL_CACHE", e.WorkDir+"/cache")
			graphs, err := filepath.Abs("../../testdata/graphs")
			if err != nil {
				return err
			}
			e.Setenv("GRAPHS", graphs)
			e.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
			e.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
			// Files of Keras.
			files, err := filepath.Abs(filepath.Join("..", "..", "testdata"))
			if err != nil {
				return err
			}
			e.Setenv("FILES", files)
			return os.MkdirAll(e.WorkDir+"/cache", 0o755)
		},
	})
}
