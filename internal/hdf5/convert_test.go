package hdf5

import (
	"bytes"
	"io"
	"slices"
	"sync"
	"testing"
)

// Answers that the author of the hash gives in lookup3.c (driver5).
func TestLookup3(t *testing.T) {
	for text, want := range map[string]uint32{"": 0xdeadbeef, "Four score and seven years ago": 0x17770551} {
		if got := lookup3([]byte(text)); got != want {
			t.Errorf("%q: got %#x, want %#x", text, got, want)
		}
	}
}

// All types of numbers, in both orders of bytes, as all types that they may be read as.
func TestConversions(t *testing.T) {
	for _, c := range []struct {
		typ  Type
		raw  []byte // little-endian
		want float64
	}{
		{Type{Kind: Float, Size: 2}, []byte{0x00, 0xc1}, -2.5},
		{Type{Kind: BFloat, Size: 2}, []byte{0x20, 0xc0}, -2.5},
		{Type{Kind: Float, Size: 4}, []byte{0, 0, 0x20, 0xc0}, -2.5},
		{Type{Kind: Float, Size: 8}, []byte{0, 0, 0, 0, 0, 0, 4, 0xc0}, -2.5},
		{Type{Kind: Int, Size: 1}, []byte{0xfe}, -2},
		{Type{Kind: Int, Size: 2}, []byte{0xfe, 0xff}, -2},
		{Type{Kind: Int, Size: 4}, []byte{0xfe, 0xff, 0xff, 0xff}, -2},
		{Type{Kind: Int, Size: 8}, []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, -2},
		{Type{Kind: Uint, Size: 1}, []byte{0xfe}, 254},
		{Type{Kind: Uint, Size: 2}, []byte{0xfe, 0xff}, 65534},
		{Type{Kind: Uint, Size: 4}, []byte{0, 0, 0, 0x80}, 1 << 31},
		{Type{Kind: Uint, Size: 8}, []byte{0, 0, 0, 0, 0, 0, 0, 0x40}, 1 << 62},
		{Type{Kind: Bool, Size: 1}, []byte{1}, 1},
	} {
		for range 2 {
			_, f := written(t, tree(func(g *GroupBuilder) { g.Dataset("x", []int{2}, Raw{c.typ, slices.Concat(c.raw, c.raw)}) }))
			d, err := f.Root().Dataset("x")
			if err != nil {
				t.Fatal(err)
			}
			if d.Type() != c.typ {
				t.Errorf("%v: got type %v", c.typ, d.Type())
			}
			var f32 [2]float32
			var f64 [2]float64
			var i64 [2]int64
			if err := d.ReadFloat32(f32[:]); err != nil || f32 != [2]float32{float32(c.want), float32(c.want)} {
				t.Errorf("%v as float32: got %v, want %g: %v", c.typ, f32, c.want, err)
			}
			if err := d.ReadFloat64(f64[:]); err != nil || f64 != [2]float64{c.want, c.want} {
				t.Errorf("%v as float64: got %v, want %g: %v", c.typ, f64, c.want, err)
			}
			if c.typ.Kind != Float && c.typ.Kind != BFloat {
				if err := d.ReadInt64(i64[:]); err != nil || i64 != [2]int64{int64(c.want), int64(c.want)} {
					t.Errorf("%v as int64: got %v, want %g: %v", c.typ, i64, c.want, err)
				}
			}
			if c.typ.Size == 1 {
				break
			}
			c.typ.Big = true
			slices.Reverse(c.raw)
		}
	}
}

// The three ways in which a fixed string ends.
func TestFixedStrings(t *testing.T) {
	for pad, want := range map[uint8][]string{
		padNUL:   {"a", "a  ", "abcd"},
		padZero:  {"a\x00b", "a  ", "abcd"},
		padSpace: {"a\x00b\x00", "a  \x00", "abcd"},
	} {
		_, f := written(t, tree(func(g *GroupBuilder) {
			g.Dataset("x", []int{3}, Raw{Type{Kind: Fixed, Size: 4, pad: pad}, []byte("a\x00b\x00a  \x00abcd")})
			g.Dataset("y", []int{1}, Raw{Type{Kind: Fixed, Size: 4, pad: padSpace}, []byte("a b ")})
		}))
		got := make([]string, 3)
		d, err := f.Root().Dataset("x")
		if err == nil {
			err = d.ReadStrings(got)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("padding %d: got %q, want %q: %v", pad, got, want, err)
		}
		if d, err = f.Root().Dataset("y"); err == nil {
			err = d.ReadStrings(got[:1])
		}
		if err != nil || got[0] != "a b" {
			t.Errorf("padding with spaces: got %q, want %q: %v", got[0], "a b", err)
		}
	}
}

func TestConcurrentReads(t *testing.T) {
	_, want := everything()
	f := openFile(t, "testdata/types.h5")
	all, _ := everything()
	_, g := written(t, all)
	first := describe(t, f)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			compare(t, describe(t, f), first)
			compare(t, describe(t, g), want)
		})
	}
	wg.Wait()
}

// failing is a reader or writer that fails after n bytes.
type failing struct {
	data []byte
	n    int64
}

func (r failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > r.n {
		return 0, io.ErrClosedPipe
	}
	return copy(p, r.data[off:]), nil
}

func (r *failing) Write(p []byte) (int, error) {
	if r.n -= int64(len(p)); r.n < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

// Errors of the reader and the writer come through, wherever they happen.
func TestFailingFiles(t *testing.T) {
	root, _ := everything()
	var b bytes.Buffer
	if err := Write(&b, root); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 50, 4000, 300_000, b.Len() - 1} {
		if err := Write(&failing{n: int64(n)}, root); err == nil {
			t.Errorf("a writer that fails after %d of %d bytes: got no error", n, b.Len())
		}
		if _, err := Open(failing{b.Bytes(), int64(n)}, int64(b.Len())); err == nil {
			t.Errorf("a reader that fails after %d of %d bytes: got no error", n, b.Len())
		}
	}
	f, err := Open(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	f.src.r = failing{}
	d, err := f.Root().Dataset("large")
	if err == nil {
		err = d.ReadFloat32(make([]float32, d.Len()))
	}
	if err == nil {
		t.Error("a reader that fails while a dataset is read: got no error")
	}
}

func BenchmarkReadFloat32(b *testing.B) {
	root := NewGroup()
	values := make([]float32, 1<<22)
	root.Dataset("x", []int{len(values)}, values)
	var file bytes.Buffer
	if err := Write(&file, root); err != nil {
		b.Fatal(err)
	}
	f, err := Open(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		b.Fatal(err)
	}
	d, err := f.Root().Dataset("x")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(4 * len(values)))
	for b.Loop() {
		if err := d.ReadFloat32(values); err != nil {
			b.Fatal(err)
		}
	}
}
