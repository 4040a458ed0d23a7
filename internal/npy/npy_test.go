package npy

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// The files of testdata are NumPy's own: see testdata/make.py.
func TestReadNumPy(t *testing.T) {
	for _, file := range []string{"stored.npz", "deflated.npz"} {
		arrays, err := ReadNPZ(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		numeric := 0
		for name, a := range arrays {
			kind, _, isNumeric := strings.Cut(name, "_")
			if !isNumeric || len(kind) != 2 || strings.HasSuffix(name, "special") {
				continue
			}
			numeric++
			first := -7.0
			if kind[0] == 'u' {
				first = 0
			}
			if !slices.Equal(a.Shape, []int{2, 3, 4}) || a.Dtype[1:] != kind {
				t.Errorf("%s: %s: got shape %v of dtype %s, want [2 3 4] of %s", file, name, a.Shape, a.Dtype, kind)
			}
			f64, f32, i64 := a.Float64(), a.Float32(), a.Int64()
			i32, err := a.Int32()
			for i := range 24 {
				want := first + float64(i)
				if f64[i] != want || float64(f32[i]) != want {
					t.Fatalf("%s: %s: element %d is %g and %g, want %g", file, name, i, f64[i], f32[i], want)
				}
				if kind[0] == 'f' {
					continue
				}
				if err != nil || float64(i64[i]) != want || float64(i32[i]) != want {
					t.Fatalf("%s: %s: element %d is %d and %d, want %g (%v)", file, name, i, i64[i], i32[i], want, err)
				}
			}
			if kind[0] == 'f' && (i64 != nil || err == nil) {
				t.Errorf("%s: %s: floats were given as integers", file, name)
			}
		}
		if numeric != 44 {
			t.Errorf("%s: %d numeric arrays, want 44", file, numeric)
		}
		if got := arrays["b1"].Int64(); !slices.Equal(got, []int64{1, 0, 1}) {
			t.Errorf("%s: b1 is %v", file, got)
		}
		if a := arrays["scalar"]; len(a.Shape) != 0 || !slices.Equal(a.Float64(), []float64{2.5}) {
			t.Errorf("%s: scalar is %v of shape %v", file, a.Float64(), a.Shape)
		}
		if a := arrays["empty"]; !slices.Equal(a.Shape, []int{3, 0, 2}) || a.Float32() == nil || len(a.Float32()) != 0 {
			t.Errorf("%s: empty is %v of shape %v", file, a.Float32(), a.Shape)
		}
		special := arrays["f2_special"].Float64()
		want := []float64{0, math.Copysign(0, -1), 1.0 / (1 << 24), 1023.0 / (1 << 24), 65504, math.Inf(1), math.Inf(-1), math.NaN()}
		for i := range want {
			if math.Float64bits(special[i]) != math.Float64bits(want[i]) && !(math.IsNaN(special[i]) && math.IsNaN(want[i])) {
				t.Errorf("%s: f2_special: element %d is %g, want %g", file, i, special[i], want[i])
			}
		}
		if got, want := arrays["S"].Strings(), []string{"one", "three\x00x", "", "\xff"}; !slices.Equal(got, want) {
			t.Errorf("%s: S is %q, want %q", file, got, want)
		}
		for _, name := range []string{"U", "U_be"} {
			if got, want := arrays[name].Strings(), []string{"naïve", "", "日本", "𝄞 a\x00b"}; !slices.Equal(got, want) {
				t.Errorf("%s: %s is %q, want %q", file, name, got, want)
			}
		}
	}
	versions, err := ReadNPZ(filepath.Join("testdata", "versions.npz"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"v1", "v2", "v3"} {
		if got := versions[name].Int64(); !slices.Equal(got, []int64{0, 1, 2, 3, 4}) {
			t.Errorf("format %s: got %v", name, got)
		}
	}
}

// samples are one array of everything that can be written, in an order.
func samples() (names []string, arrays map[string]*Array) {
	arrays = map[string]*Array{
		"f4":     From([]float32{1, -2.5, float32(math.Inf(1)), 4, 5, 6}, 3, 2),
		"f8":     From([]float64{math.Pi, math.SmallestNonzeroFloat64}),
		"i1":     From([]int8{-128, 127}),
		"i2":     From([]int16{-32768, 32767}),
		"i4":     From([]int32{math.MinInt32, math.MaxInt32}, 1, 1, 2),
		"i8":     From([]int64{math.MinInt64, math.MaxInt64}),
		"u1":     From([]uint8{0, 255}),
		"u2":     From([]uint16{0, 65535}),
		"u4":     From([]uint32{0, math.MaxUint32}),
		"u8":     From([]uint64{0, math.MaxUint64}),
		"b1":     From([]bool{true, false, true}),
		"text":   FromStrings([]string{"naïve", "", "日本"}),
		"empty":  From([]float32{}, 0, 7),
		"scalar": Scalar(float32(0.5)),
	}
	names = []string{"text", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1", "empty", "scalar"}
	return names, arrays
}

func TestRoundTrip(t *testing.T) {
	names, arrays := samples()
	path := filepath.Join(t.TempDir(), "all.npz")
	if err := SaveNPZ(path, names, arrays); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	z, err := OpenNPZ(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	if got := z.Names(); !slices.Equal(got, names) {
		t.Errorf("names %v, want %v", got, names)
	}
	for _, name := range names {
		got, err := z.Array(name)
		if err != nil {
			t.Fatal(err)
		}
		want := arrays[name]
		if !slices.Equal(got.Shape, want.Shape) || got.Dtype != want.Dtype || !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) != 1 {
		t.Errorf("files left behind: %v", left)
	}
}

// The data begin at a multiple of 64 bytes and the header is NumPy's, byte for byte (numpy.save of np.arange(3,
// dtype='<i2')).
func TestWriteBytes(t *testing.T) {
	var b bytes.Buffer
	if err := WriteNPY(&b, From([]int16{0, 1, 2})); err != nil {
		t.Fatal(err)
	}
	want := "\x93NUMPY\x01\x00\x76\x00{'descr': '<i2', 'fortran_order': False, 'shape': (3,), }" + strings.Repeat(" ", 60) + "\n" +
		"\x00\x00\x01\x00\x02\x00"
	if b.String() != want {
		t.Errorf("got  %q\nwant %q", b.String(), want)
	}
}

// NumPy itself reads what is written here, where there is a NumPy.
func TestNumPyReads(t *testing.T) {
	if err := exec.Command("python3", "-c", "import numpy").Run(); err != nil {
		t.Skip("no python3 with NumPy on this machine")
	}
	names, arrays := samples()
	path := filepath.Join(t.TempDir(), "all.npz")
	if err := SaveNPZ(path, names, arrays); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("python3", "-c", `
import sys, numpy as np
z = np.load(sys.argv[1])
for n in z.files: print(n, z[n].dtype.str, z[n].shape, z[n].ravel().tolist(), flush=True)
`, path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := `text <U5 (3,) ['naïve', '', '日本']
f4 <f4 (3, 2) [1.0, -2.5, inf, 4.0, 5.0, 6.0]
f8 <f8 (2,) [3.141592653589793, 5e-324]
i1 |i1 (2,) [-128, 127]
i2 <i2 (2,) [-32768, 32767]
i4 <i4 (1, 1, 2) [-2147483648, 2147483647]
i8 <i8 (2,) [-9223372036854775808, 9223372036854775807]
u1 |u1 (2,) [0, 255]
u2 <u2 (2,) [0, 65535]
u4 <u4 (2,) [0, 4294967295]
u8 <u8 (2,) [0, 18446744073709551615]
b1 |b1 (3,) [True, False, True]
empty <f4 (0, 7) []
scalar <f4 () [0.5]
`
	if string(out) != want {
		t.Errorf("NumPy reads\n%swant\n%s", out, want)
	}
}

func TestRefusals(t *testing.T) {
	file := func(header string, body ...byte) []byte {
		b := append([]byte(magic), 1, 0, byte(len(header)), byte(len(header)>>8))
		return append(append(b, header...), body...)
	}
	for _, c := range []struct {
		name, want string
		file       []byte
	}{
		{"empty", "magic string", nil},
		{"not npy", "expected a file that begins", []byte("PK\x03\x04 something")},
		{"version 4", "expected format version 1, 2 or 3, got 4.0", append([]byte(magic), 4, 0, 1, 0, '{')},
		{"long header", "expected a header of at most 65536 bytes", append([]byte(magic), 2, 0, 255, 255, 255, 255)},
		{"short header", "reading the header", append([]byte(magic), 1, 0, 200, 0, '{')},
		{"structured", "structured", file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }")},
		{"complex", `got "<c8"`, file("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }")},
		{"no width", `got "<U0"`, file("{'descr': '<U0', 'fortran_order': False, 'shape': (9999999,), }")},
		{"no key", "keys descr", file("{'descr': '<f4', 'shape': (1,), }")},
		{"twice", "every key once", file("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,), }")},
		{"other key", "one of the keys", file("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}")},
		{"negative", "lengths of axes", file("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }")},
		{"overflow", "fits memory", file("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }")},
		{"overflow beside zero", "fits memory", file("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4611686018427387904, 4), }")},
		{"promise", "expected 4000000000000 bytes", file("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }", 1, 2, 3)},
		{"rest", "the end of the header", file("{'descr': '<f4', 'fortran_order': False, 'shape': (0,), } x")},
	} {
		_, err := ReadNPY(bytes.NewReader(c.file))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want one with %q", c.name, err, c.want)
		}
	}
	if _, err := From([]int64{1, 1 << 31}).Int32(); err == nil || !strings.Contains(err.Error(), "got 2147483648") {
		t.Errorf("Int32 of 2^31: %v", err)
	}
	if _, err := From([]uint64{math.MaxUint64}).Int32(); err == nil {
		t.Error("Int32 of the largest u8: no error")
	}
}

func TestRefusalsNPZ(t *testing.T) {
	_, arrays := samples()
	var b bytes.Buffer
	if err := WriteNPZ(&b, []string{"f4", "f4"}, arrays); err == nil {
		t.Error("a name twice: no error")
	}
	if err := WriteNPZ(&b, []string{"absent"}, arrays); err == nil {
		t.Error("a name without an array: no error")
	}
	b.Reset()
	if err := WriteNPZ(&b, []string{"f4"}, arrays); err != nil {
		t.Fatal(err)
	}
	raw := b.Bytes()
	if z, err := OpenNPZ(bytes.NewReader(raw), int64(len(raw))); err != nil {
		t.Fatal(err)
	} else if _, err := z.Array("f8"); err == nil || !strings.Contains(err.Error(), `expected an array "f8", got a file of f4`) {
		t.Errorf("an absent array: %v", err)
	}
	// One bit of the data: the entry's sum tells.
	at := bytes.Index(raw, From([]float32{1, -2.5}).Bytes())
	raw[at] ^= 1
	if z, err := OpenNPZ(bytes.NewReader(raw), int64(len(raw))); err != nil {
		t.Fatal(err)
	} else if _, err := z.Array("f4"); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("a changed bit: %v", err)
	}
}

func FuzzReadNPY(f *testing.F) {
	names, arrays := samples()
	for _, name := range names {
		var b bytes.Buffer
		if err := WriteNPY(&b, arrays[name]); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add([]byte("\x93NUMPY\x01\x00\x46\x00{'descr': '>f8', 'fortran_order': True, 'shape': (2, 1), }            \n0123456789abcdef"))
	f.Fuzz(func(t *testing.T, file []byte) {
		a, err := ReadNPY(bytes.NewReader(file))
		if err != nil {
			return
		}
		a.Float64()
		a.Strings()
		if a.Kind() == 'O' {
			return
		}
		var b bytes.Buffer
		if err := WriteNPY(&b, a); err != nil {
			t.Fatal(err)
		}
		again, err := ReadNPY(&b)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(again.Shape, a.Shape) || again.Dtype != a.Dtype || !bytes.Equal(again.Bytes(), a.Bytes()) {
			t.Fatalf("read, written and read again: %+v, then %+v", a, again)
		}
	})
}

func FuzzOpenNPZ(f *testing.F) {
	for _, file := range []string{"deflated.npz", "versions.npz"} {
		raw, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	names, arrays := samples()
	var b bytes.Buffer
	if err := WriteNPZ(&b, names, arrays); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		defer func() {
			runtime.ReadMemStats(&after)
			// As much as deflate unpacks to at most, in buffers that double, and once more in another order of axes.
			if got, most := after.TotalAlloc-before.TotalAlloc, uint64(len(file))*maxRatio*4+4<<20; got > most {
				t.Errorf("a file of %d bytes made %d bytes of allocations, want at most %d", len(file), got, most)
			}
		}()
		z, err := OpenNPZ(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		for _, name := range z.Names() {
			if _, err := z.Array(name); err != nil {
				return
			}
		}
	})
}
