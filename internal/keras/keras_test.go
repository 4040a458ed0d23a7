package keras_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll/internal/keras"
)

// What Keras 3.15.1 writes for a Dense layer, shortened.
const dense = `{"module": "keras.layers", "class_name": "Dense", "config": {"name": "dense", "trainable": true, "units": 1,
	"dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": null, "shared_object_id": 140194824371344},
	"activation": "sigmoid", "rate": 0.5, "axes": [null, 3], "list": [1, 2], "values": [1, 2.5], "bias_constraint": null, "seed": 18446744073709551615,
	"old_activation": {"module": "builtins", "class_name": "function", "config": "tanh", "registered_name": "function"},
	"parts": [{"class_name": "A", "config": {}}, "B"], "map": {"a": 1},
	"kernel_initializer": {"module": "keras.initializers", "class_name": "GlorotUniform", "config": {"seed": null}, "registered_name": null}},
	"registered_name": null, "build_config": {"input_shape": [null, 3]}}`

func parse(t *testing.T, text string) *keras.Object {
	t.Helper()
	m, err := keras.Decode("config.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o, err := keras.ParseObject("config.json", m)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestReadsTypedValues(t *testing.T) {
	o := parse(t, dense)
	if o.Module != "keras.layers" || o.Class != "Dense" || o.RegisteredName != "" || o.Build == nil || o.Compile != nil {
		t.Fatalf("object: %+v", o)
	}
	r := keras.Read("layers[0]", o.Config)
	check := func(key string, got, want any) {
		t.Helper()
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", key, d)
		}
	}
	check("name", r.String("name"), "dense")
	check("trainable", r.Bool("trainable"), true)
	check("units", r.Int("units"), 1)
	check("rate", r.Float("rate"), 0.5)
	check("units as a float", r.Float("units"), 1.0)
	check("axes", r.Axes("axes"), []int{-1, 3})
	check("list", r.Ints("list"), []int{1, 2})
	check("values", r.Floats("values"), []float64{1, 2.5})
	check("seed", r.Uint64("seed"), uint64(math.MaxUint64))
	check("activation", r.Function("activation"), "sigmoid")
	check("old_activation", r.Function("old_activation"), "tanh")
	check("bias_constraint", r.Null("bias_constraint"), true)
	check("bias_constraint", r.Object("bias_constraint"), (*keras.Object)(nil))
	check("dtype", r.Object("dtype").Config["name"], "float32")
	check("kernel_initializer", r.Object("kernel_initializer").Class, "GlorotUniform")
	parts := r.Objects("parts")
	check("parts", []string{parts[0].Class, parts[1].Class}, []string{"A", "B"})
	check("parts[1]", parts[1].Config == nil, true)
	check("map", len(r.Map("map")), 1)
	check("absent, with defaults", []any{r.Int("no", 4), r.Float("no", .5), r.Bool("no", true), r.String("no", "x")}, []any{4, .5, true, "x"})
	if err := r.Done(); err != nil {
		t.Error(err)
	}
}

func TestReaderSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name string
		read func(r *keras.Reader)
		want string
	}{
		{"int of a string", func(r *keras.Reader) { r.Int("activation") }, `keras: layers[0].activation: expected an integer, got "sigmoid"`},
		{"int of a fraction", func(r *keras.Reader) { r.Int("rate") }, `keras: layers[0].rate: expected an integer, got 0.5`},
		{"float of a list", func(r *keras.Reader) { r.Float("list") }, `keras: layers[0].list: expected a number, got a list of 2`},
		{"bool of a number", func(r *keras.Reader) { r.Bool("units") }, `keras: layers[0].units: expected true or false, got 1`},
		{"string of null", func(r *keras.Reader) { r.String("bias_constraint") }, `keras: layers[0].bias_constraint: expected a value, got null`},
		{"absent", func(r *keras.Reader) { r.Int("filters") }, `keras: layers[0]: expected the key "filters", got none`},
		{"object of a number", func(r *keras.Reader) { r.Object("units") }, `keras: layers[0].units: expected an object, got 1`},
		{"function of a class", func(r *keras.Reader) { r.Function("kernel_initializer") }, `keras: layers[0].kernel_initializer: expected the name of a function, got an object`},
		{"axes of a string", func(r *keras.Reader) { r.Axes("name") }, `keras: layers[0].name: expected a list of axis lengths, got "dense"`},
		{"ints of fractions", func(r *keras.Reader) { r.Ints("values") }, `keras: layers[0].values: expected a list of integers, got 2.5`},
		{"a list as objects", func(r *keras.Reader) { r.Objects("list") }, `keras: layers[0].list[0]: expected an object, got 1`},
		{"only", func(r *keras.Reader) { r.Only("rate", nil, 0.0) }, `keras: layers[0].rate: expected null or 0 (nothing else is supported), got 0.5`},
		{"first mistake wins", func(r *keras.Reader) { r.Int("activation"); r.Int("rate") }, `keras: layers[0].activation: expected an integer, got "sigmoid"`},
		{"range", func(r *keras.Reader) { r.Fail("rate", "a rate in [0, 1)") }, `keras: layers[0].rate: expected a rate in [0, 1), got 0.5`},
		{"unknown keys", func(r *keras.Reader) {
			r.Ignore("name", "trainable", "units", "dtype", "activation", "rate", "axes", "list", "values", "seed", "old_activation", "parts", "map")
		}, `keras: layers[0]: unknown key "bias_constraint", "kernel_initializer"`},
	} {
		r := keras.Read("layers[0]", parse(t, dense).Config)
		c.read(r)
		if err := r.Done(); err == nil || err.Error() != c.want {
			t.Errorf("%s: got error %v, want %s", c.name, err, c.want)
		}
	}
}

func TestOnlyAcceptsWhatItNames(t *testing.T) {
	r := keras.Read("x", map[string]any{"a": nil, "b": false, "c": 0, "d": "auto"})
	r.Only("a", nil)
	r.Only("b", nil, false)
	r.Only("c", 0.0)
	r.Only("d", "auto")
	r.Only("e", 1.0)
	if err := r.Done(); err != nil {
		t.Error(err)
	}
}

func TestParseObjectRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"config": {}}`:    `config.json.class_name: expected a string, got null`,
		`{"class_name": 3}`: `config.json.class_name: expected a string, got 3`,
		`{"class_name": "__lambda__", "config": {"value": "…"}}`:         `expected an object, got Python code (__lambda__)`,
		`{"class_name": "Dense", "config": "tanh"}`:                      `config.json.config: expected an object, got "tanh"`,
		`{"class_name": "Dense", "config": {}, "module": 1}`:             `config.json.module: expected a string or null, got 1`,
		`{"class_name": "Dense", "config": {}, "build_config": "whole"}`: `config.json.build_config: expected an object, got "whole"`,
	} {
		m, err := keras.Decode("config.json", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = keras.ParseObject("config.json", m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %s", text, err, want)
		}
	}
	for text, want := range map[string]string{
		`[]`:     "expected a JSON object, got a list of 0",
		`{`:      "expected JSON",
		`{} {}`:  "expected one JSON value",
		`{"a":}`: "expected JSON",
	} {
		if _, err := keras.Decode("config.json", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %s", text, err, want)
		}
	}
}

// An object that is written and read again is the same, whatever its parts.
func TestRoundTrip(t *testing.T) {
	first := parse(t, dense)
	text, err := keras.Encode(first)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(first, parse(t, string(text))); d != "" {
		t.Error(d)
	}
}

func TestEncodeWritesFloatsAsPython(t *testing.T) {
	got, err := keras.Encode(map[string]any{"a": 1.0, "b": 1, "c": 1e-7, "d": []any{float32(0.5), nil, "<"}, "e": (*keras.Object)(nil),
		"f": []*keras.Object{{Module: "m", Class: "C"}}})
	want := `{"a":1.0,"b":1,"c":1e-07,"d":[0.5,null,"<"],"e":null,"f":[{"class_name":"C","config":{},"module":"m","registered_name":null}]}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	if _, err := keras.Encode(map[string]any{"a": math.NaN()}); err == nil {
		t.Error("NaN: expected an error")
	}
}

func TestArchive(t *testing.T) {
	meta := keras.Metadata{KerasVersion: "3.15.1", DateSaved: time.Date(2026, 1, 31, 12, 30, 15, 0, time.UTC)}
	model := &keras.Object{Module: "keras", Class: "Sequential", Config: map[string]any{"name": "sequential"}}
	weights := bytes.Repeat([]byte("\x89HDF"), 1000)
	write := func(w io.Writer) error { _, err := w.Write(weights); return err }

	var file, again bytes.Buffer
	for _, b := range []*bytes.Buffer{&file, &again} {
		if err := keras.WriteArchive(b, meta, model, write); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(file.Bytes(), again.Bytes()) {
		t.Error("the same model gave two different files")
	}
	a, err := keras.OpenArchive(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if a.Metadata != meta {
		t.Errorf("metadata: got %+v, want %+v", a.Metadata, meta)
	}
	if d := cmp.Diff(model, a.Config); d != "" {
		t.Errorf("config (-want +got):\n%s", d)
	}
	r, err := a.Weights()
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, weights) {
		t.Errorf("weights: %d bytes, %v, want %d", len(got), err, len(weights))
	}

	wrong := errors.New("disk full")
	if err := keras.WriteArchive(io.Discard, meta, model, func(io.Writer) error { return wrong }); !errors.Is(err, wrong) {
		t.Errorf("got error %v, want %v", err, wrong)
	}
}

// pack makes an archive by hand.
func pack(t *testing.T, method uint16, members ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: members[i], Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, members[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const model = `{"class_name": "Sequential", "config": {}}`

func TestArchiveReadsDeflatedMembers(t *testing.T) {
	file := pack(t, zip.Deflate, "config.json", model, "model.weights.h5", "weights")
	a, err := keras.OpenArchive(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.Weights()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != "weights" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestArchiveRefuses(t *testing.T) {
	good := pack(t, zip.Store, "config.json", model, "model.weights.h5", "weights")
	flipped := bytes.Clone(good)
	flipped[bytes.Index(flipped, []byte("weights.h5weights"))+len("weights.h5")]++
	// The central directory's uncompressed size of the last member, 24 bytes into its record, claims 4 GB.
	bomb := pack(t, zip.Deflate, "config.json", model, "model.weights.h5", "weights")
	record := bytes.LastIndex(bomb, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(bomb[record+24:], 0xfffffff0)

	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"no zip", []byte("\x89HDF\r\n\x1a\n and more"), "expected a .keras file"},
		{"empty", nil, "expected a .keras file"},
		{"cut off", good[:len(good)-30], "expected a .keras file"},
		{"no config", pack(t, zip.Store, "x", "y"), "expected a member config.json, got none"},
		{"twice", pack(t, zip.Store, "config.json", model, "config.json", model), `got "config.json" twice`},
		{"no JSON", pack(t, zip.Store, "config.json", "model"), "config.json: expected JSON"},
		{"bad date", pack(t, zip.Store, "config.json", model, "metadata.json", `{"date_saved": "today"}`), "date_saved: expected a date"},
		{"no weights", pack(t, zip.Store, "config.json", model), "expected a member model.weights.h5, got none"},
		{"npz weights", pack(t, zip.Store, "config.json", model, "model.weights.npz", ""), "got model.weights.npz"},
		{"checksum", flipped, "model.weights.h5: expected checksum"},
		{"bomb", bomb, "model.weights.h5: expected a size that fits"},
		{"method", pack93(t), "unsupported compression"},
	} {
		a, err := keras.OpenArchive(bytes.NewReader(c.file), int64(len(c.file)))
		if err == nil {
			_, err = a.Weights()
		}
		if err == nil || !strings.HasPrefix(err.Error(), "keras: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %s", c.name, err, c.want)
		}
	}
}

// pack93 is an archive whose weights use a compression (93, Zstandard) that the standard library cannot read.
func pack93(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, m := range []struct {
		name, text string
		method     uint16
	}{{"config.json", model, zip.Store}, {"model.weights.h5", "weights", 93}} {
		w, err := z.CreateRaw(&zip.FileHeader{Name: m.name, Method: m.method, CRC32: crc32.ChecksumIEEE([]byte(m.text)),
			CompressedSize64: uint64(len(m.text)), UncompressedSize64: uint64(len(m.text))})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, m.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Foreign bytes give an archive or an error, never a panic; what an archive hands out can be read to its end.
func FuzzOpenArchive(f *testing.F) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, method := range []uint16{zip.Store, zip.Deflate} {
		for _, name := range []string{"config.json", "metadata.json", "model.weights.h5"} {
			w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
			if err != nil {
				f.Fatal(err)
			}
			if _, err := io.WriteString(w, model); err != nil {
				f.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.Clone(b.Bytes()))
		b.Reset()
		z = zip.NewWriter(&b)
	}
	// What Keras writes.
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "keras", "*.keras"))
	if err != nil || len(files) == 0 {
		f.Fatalf("expected files of Keras in testdata, got %d: %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if len(data) < 1<<15 {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		defer func() {
			runtime.ReadMemStats(&after)
			// A value of JSON takes a hundred bytes where its text takes two; what is deflated may be 16 times the file.
			if got, most := after.TotalAlloc-before.TotalAlloc, uint64(len(data))*16*100+1<<20; got > most {
				t.Errorf("a file of %d bytes made %d bytes of allocations, want at most %d", len(data), got, most)
			}
		}()
		a, err := keras.OpenArchive(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		if a.Config == nil || a.Config.Class == "" {
			t.Error("an archive without a model was opened")
		}
		w, err := a.Weights()
		if err != nil {
			return
		}
		if n, err := io.Copy(io.Discard, w); err != nil || n != w.Size() {
			t.Errorf("read %d of %d bytes of weights: %v", n, w.Size(), err)
		}
	})
}
