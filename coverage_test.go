package unroll

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/npy"
)

var update = flag.Bool("update", false, "write docs/coverage.md again")

// coverage counts, by class and argument, the goldens in which the argument has each of its values.
type coverage map[string]map[string]map[string]int

// add counts an object and those within it, each once a golden.
func (c coverage) add(seen map[string]bool, v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			c.add(seen, e)
		}
	case map[string]any:
		class, _ := v["class_name"].(string)
		config, _ := v["config"].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(config)) {
			c.add(seen, config[key])
			switch key {
			case "name", "trainable", "dtype", "layers", "build_input_shape", "input_layers", "output_layers", "batch_shape", "sparse", "ragged", "optional", "quantization_config":
				continue
			}
			value, err := json.Marshal(bare(config[key]))
			if err != nil {
				panic(err)
			}
			if class != "" && class != keras.SymbolicTensor && class != "DTypePolicy" {
				if at := class + "\x00" + key + "\x00" + string(value); !seen[at] {
					seen[at] = true
					c.count(class, key, string(value))
				}
			}
		}
		if len(config) == 0 && class != "" && !seen[class] {
			seen[class] = true
			c.count(class, "", "")
		}
		for key, e := range v {
			if key != "config" {
				c.add(seen, e)
			}
		}
	}
}

func (c coverage) count(class, key, value string) {
	if c[class] == nil {
		c[class] = map[string]map[string]int{}
	}
	if c[class][key] == nil {
		c[class][key] = map[string]int{}
	}
	c[class][key][value]++
}

// bare is a value with objects by their class alone, which have lines of their own.
func bare(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if class, ok := v["class_name"].(string); ok {
			return class
		}
	case []any:
		all := make([]any, len(v))
		for i, e := range v {
			all[i] = bare(e)
		}
		return all
	}
	return v
}

// goldenObjects are what the goldens have of Keras's objects, by file.
func goldenObjects(t *testing.T) map[string][]any {
	t.Helper()
	objects := map[string][]any{}
	for _, dir := range []string{"testdata/golden", "testdata/layers", "testdata/graphs", "testdata/keras"} {
		paths, err := golden.Files(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			arrays, err := npy.ReadNPZ(p)
			if err != nil {
				t.Fatal(err)
			}
			var meta struct{ Model, Layer, Compile any }
			if err := json.Unmarshal(arrays["meta"].Bytes(), &meta); err != nil {
				t.Fatal(err)
			}
			objects[p] = []any{meta.Model, meta.Layer, meta.Compile}
			if file := strings.TrimSuffix(p, ".npz") + ".keras"; exists(file) {
				var config any
				if err := json.Unmarshal(member(t, file, "config.json"), &config); err != nil {
					t.Fatal(err)
				}
				objects[p] = append(objects[p], config)
			}
		}
	}
	return objects
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// docs/coverage.md says what is compared with Keras, argument by argument, and follows from the goldens: go test -run TestCoverage . -update
func TestCoverage(t *testing.T) {
	c := coverage{}
	objects := goldenObjects(t)
	for _, p := range slices.Sorted(maps.Keys(objects)) {
		c.add(map[string]bool{}, objects[p])
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# What is compared with Keras\n\nMade by `go test -run TestCoverage . -update` from the %d goldens under `testdata`, which Keras 3.15.1 computed. "+
		"A number is how many goldens have an argument at a value other than the one that most have; up to six of the values follow. "+
		"Drawn models (`make drawn`) come besides: each argument of each layer in three of them at least.\n", len(objects))
	sections := []struct{ name, where string }{
		{"Layers", "layers"}, {"Losses", "losses"}, {"Optimizers", "optimizers"}, {"Schedules", "schedules"}, {"Initializers", "initializers"}, {"Regularizers", "regularizers"}, {"Constraints", "constraints"},
	}
	place := classesByPackage(t)
	for _, s := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n| class | argument | goldens | values |\n|---|---|---|---|\n", s.name)
		for _, class := range slices.Sorted(maps.Keys(c)) {
			if place[class] != s.where {
				continue
			}
			for _, key := range slices.Sorted(maps.Keys(c[class])) {
				c.line(&b, class, key)
			}
		}
	}
	refused, err := os.ReadFile("testdata/refused.md")
	if err != nil {
		t.Fatal(err)
	}
	b.WriteString("\n## What Keras itself refuses\n\n" + string(refused))
	const file = "docs/coverage.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Errorf("%s does not follow from the goldens: run go test -run TestCoverage . -update", file)
	}
}

// line is that of an argument.
func (c coverage) line(b *strings.Builder, class, key string) {
	values := c[class][key]
	names := slices.SortedFunc(maps.Keys(values), func(x, y string) int {
		if d := values[y] - values[x]; d != 0 {
			return d
		}
		return strings.Compare(x, y)
	})
	others := 0
	for _, v := range names[1:] {
		others += values[v]
	}
	if len(names) > 6 {
		names = append(names[:6], "…")
	}
	for i, v := range names {
		if v != "" && v != "…" {
			names[i] = "`" + strings.ReplaceAll(v, "|", "\\|") + "`"
		}
	}
	if len(c[class][key]) == 1 {
		others = values[strings.Trim(names[0], "`")]
		if key != "" {
			fmt.Fprintf(b, "| %s | %s | %d, always the same | %s |\n", class, key, others, names[0])
			return
		}
	}
	fmt.Fprintf(b, "| %s | %s | %d | %s |\n", class, key, others, strings.Join(names, " "))
}

// classesByPackage says in which namespace of Keras a class stands.
func classesByPackage(t *testing.T) map[string]string {
	t.Helper()
	place := map[string]string{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if class, ok := v["class_name"].(string); ok {
				if module, _ := v["module"].(string); strings.HasPrefix(module, "keras.") && !strings.HasPrefix(module, "keras.src") {
					name := strings.Split(module, ".")[1]
					if strings.Contains(module, "schedules") {
						name = "schedules"
					}
					place[class] = name
				}
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	for _, o := range goldenObjects(t) {
		walk(o)
	}
	return place
}
