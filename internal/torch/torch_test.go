package torch

import (
	"archive/zip"
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/pickle"
)

// tensorAt is the pickle of a tensor of shape (2, 2) with its axes exchanged, at an offset of storage 0, which has 4 floats.
func tensorAt(offset byte) string {
	return "\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQK" + string(rune(offset)) +
		"K\x02K\x02\x86K\x01K\x02\x86\x89ccollections\nOrderedDict\n)RtR."
}

const zeroToThree = "\x00\x00\x00\x00\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x40\x40"

func archive(t *testing.T, method uint16, members ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: members[i], Method: method})
		if err == nil {
			_, err = w.Write([]byte(members[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestView(t *testing.T) {
	b := archive(t, zip.Store, "a/data.pkl", tensorAt(0), "a/byteorder", "little", "a/data/0", zeroToThree)
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	tensor, ok := f.Root.(*pickle.Tensor)
	if !ok || DType(tensor) != "float32" {
		t.Fatalf("expected a tensor of float32, got %+v", f.Root)
	}
	if shape, err := f.Shape(tensor); err != nil || !slices.Equal(shape, []int{2, 2}) {
		t.Errorf("expected the shape (2, 2), got %v, %v", shape, err)
	}
	if v, err := Values[float64](f, tensor); err != nil || !slices.Equal(v, []float64{0, 2, 1, 3}) {
		t.Errorf("expected the axes to be exchanged, got %v, %v", v, err)
	}
}

func TestWrongFiles(t *testing.T) {
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"no archive": {[]byte("x"), "expected a file of torch.save, a zip archive"},
		"no pickle":  {archive(t, zip.Store, "a/b", ""), "an archive with data.pkl, got none"},
		"packed":     {archive(t, zip.Deflate, "a/data.pkl", "\x80\x02}."), "expected a member that is stored as it is"},
		"big-endian": {archive(t, zip.Store, "a/data.pkl", "\x80\x02}.", "a/byteorder", "big"), `byteorder: expected little, got "big"`},
		"a program":  {archive(t, zip.Store, "a/data.pkl", "\x80\x02cos\nsystem\n."), `got "os.system"`},
		"no storage": {archive(t, zip.Store, "a/data.pkl", tensorAt(0)), `expected a storage in the archive, got FloatStorage "0"`},
		"a half":     {archive(t, zip.Store, "a/data.pkl", tensorAt(0), "a/data/0", "123456"), "of numbers of 4 bytes, got 6"},
		"outside":    {archive(t, zip.Store, "a/data.pkl", tensorAt(1), "a/data/0", zeroToThree), "expected a view within 4 values"},
	} {
		f, err := Open(bytes.NewReader(c.file), int64(len(c.file)))
		if err == nil {
			if tensor, ok := f.Root.(*pickle.Tensor); ok {
				_, err = Values[float32](f, tensor)
			}
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected an error with %q, got %v", name, c.want, err)
		}
	}
}
