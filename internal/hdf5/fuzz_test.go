package hdf5

import "testing"

// FuzzOpen reads whatever the bytes say, checksums or not, and bounds the memory that takes. Its seeds are the files that
// h5py, Keras and this package write.
func FuzzOpen(f *testing.F) {
	for _, data := range samples(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return // larger files take longer, not other ways
		}
		checkMemory(t, "fuzz", data)
	})
}
