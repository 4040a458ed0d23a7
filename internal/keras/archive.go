package keras

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"
)

// The members of a `.keras` file. Source: keras/src/saving/saving_lib.py.
const (
	metadataMember = "metadata.json"
	configMember   = "config.json"
	weightsMember  = "model.weights.h5"
)

// Bounds on what is believed: Keras stores members as they are, so a member is not larger than its file. One that somebody packed
// again may be larger, up to maxExpansion times the file, which JSON full of zeros does not reach in practice.
const (
	maxJSON      = 256 << 20
	maxExpansion = 16
)

// Metadata says who wrote a `.keras` file, and when.
type Metadata struct {
	KerasVersion string    // such as "3.15.1"
	DateSaved    time.Time // to the second, without time zone
}

const dateLayout = "2006-01-02@15:04:05"

// Archive is an open `.keras` file. It reads from its source as members are asked for.
type Archive struct {
	Metadata Metadata
	Config   *Object // the model

	src     io.ReaderAt
	size    int64
	members map[string]*zip.File
}

// OpenArchive reads the directory, the metadata and the config of a `.keras` file of size bytes. Nothing larger than a small
// multiple of size is allocated, whatever the file says of itself.
func OpenArchive(src io.ReaderAt, size int64) (*Archive, error) {
	z, err := zip.NewReader(src, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, fmt.Errorf("keras: expected a .keras file (a zip archive): %w", err)
	}
	a := &Archive{src: src, size: size, members: make(map[string]*zip.File, len(z.File))}
	for _, f := range z.File {
		if a.members[f.Name] != nil {
			return nil, fmt.Errorf("keras: archive: expected each member once, got %q twice", f.Name)
		}
		a.members[f.Name] = f
	}
	raw, err := a.readJSON(configMember)
	if err != nil {
		return nil, err
	}
	if a.Config, err = ParseObject(configMember, raw); err != nil {
		return nil, err
	}
	if err := a.readMetadata(); err != nil {
		return nil, err
	}
	return a, nil
}

// readMetadata tolerates a file without metadata: nothing in it is needed to read the model.
func (a *Archive) readMetadata() error {
	if a.members[metadataMember] == nil {
		return nil
	}
	raw, err := a.readJSON(metadataMember)
	if err != nil {
		return err
	}
	r := Read(metadataMember, raw)
	a.Metadata.KerasVersion = r.String("keras_version", "")
	if s := r.String("date_saved", ""); s != "" {
		if a.Metadata.DateSaved, err = time.Parse(dateLayout, s); err != nil {
			r.Fail("date_saved", "a date like 2026-01-31@12:30:00")
		}
	}
	return r.Err()
}

func (a *Archive) readJSON(name string) (map[string]any, error) {
	m, err := a.Member(name)
	if err != nil {
		return nil, err
	}
	if m.Size() > maxJSON {
		return nil, fmt.Errorf("keras: %s: expected at most %d bytes, got %d", name, maxJSON, m.Size())
	}
	data := make([]byte, m.Size())
	if _, err := io.ReadFull(m, data); err != nil {
		return nil, fmt.Errorf("keras: %s: %w", name, err)
	}
	return Decode(name, data)
}

// Has reports whether the archive has a member of that name.
func (a *Archive) Has(name string) bool { return a.members[name] != nil }

// Weights is the member model.weights.h5, an HDF5 file.
func (a *Archive) Weights() (*io.SectionReader, error) {
	if !a.Has(weightsMember) && a.Has("model.weights.npz") {
		// Keras 3.15.1 writes pickled variables of TensorFlow there, and refuses to read them itself.
		return nil, fmt.Errorf("keras: archive: expected the weights in %s, got model.weights.npz, which are pickled objects and not arrays (save with weights_format \"h5\")", weightsMember)
	}
	return a.Member(weightsMember)
}

// Member is random access to a member whose checksum has been verified. A stored member, which is what Keras writes, is read in place;
// a deflated one is unpacked into memory.
func (a *Archive) Member(name string) (*io.SectionReader, error) {
	f := a.members[name]
	if f == nil {
		return nil, fmt.Errorf("keras: archive: expected a member %s, got none (not a .keras file of Keras 3?)", name)
	}
	// The directory's sizes are claims: compare as unsigned before they become int64.
	if f.CompressedSize64 > uint64(a.size) || f.UncompressedSize64 > maxExpansion*uint64(a.size) {
		return nil, fmt.Errorf("keras: %s: expected a size that fits a file of %d bytes, got %d", name, a.size, f.UncompressedSize64)
	}
	if f.Method != zip.Store {
		return a.inflate(f)
	}
	if f.CompressedSize64 != f.UncompressedSize64 {
		return nil, fmt.Errorf("keras: %s: expected a stored member of %d bytes, got %d", name, f.UncompressedSize64, f.CompressedSize64)
	}
	off, err := f.DataOffset()
	if err != nil {
		return nil, fmt.Errorf("keras: %s: %w", name, err)
	}
	s := io.NewSectionReader(a.src, off, int64(f.UncompressedSize64))
	sum := crc32.NewIEEE()
	n, err := io.Copy(sum, s)
	if err != nil {
		return nil, fmt.Errorf("keras: %s: %w", name, err)
	}
	if n != s.Size() {
		return nil, fmt.Errorf("keras: %s: expected %d bytes, got %d", name, s.Size(), n)
	}
	if sum.Sum32() != f.CRC32 {
		return nil, fmt.Errorf("keras: %s: expected checksum %08x, got %08x", name, f.CRC32, sum.Sum32())
	}
	_, err = s.Seek(0, io.SeekStart)
	return s, err
}

func (a *Archive) inflate(f *zip.File) (*io.SectionReader, error) {
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("keras: %s: %w", f.Name, err)
	}
	defer r.Close()
	// The buffer grows with what comes, not with what the directory promises.
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(r, int64(f.UncompressedSize64)+1))
	if err != nil {
		return nil, fmt.Errorf("keras: %s: %w", f.Name, err)
	}
	if uint64(n) != f.UncompressedSize64 {
		return nil, fmt.Errorf("keras: %s: expected %d bytes, got %d", f.Name, f.UncompressedSize64, n)
	}
	return io.NewSectionReader(bytes.NewReader(b.Bytes()), 0, n), nil
}

// Asset is a member of a `.keras` file besides config and weights, such as a vocabulary.
type Asset struct {
	Name string // "assets/layers/text_vectorization/vocabulary.txt"
	Data []byte
}

// WriteArchive writes a `.keras` file: metadata, config, the weights that the function writes as an HDF5 file, and assets. The same arguments
// give the same bytes.
func WriteArchive(w io.Writer, m Metadata, config *Object, weights func(io.Writer) error, assets ...Asset) error {
	meta, err := Encode(map[string]any{"keras_version": m.KerasVersion, "date_saved": m.DateSaved.Format(dateLayout)})
	if err != nil {
		return err
	}
	model, err := Encode(config)
	if err != nil {
		return err
	}
	z := zip.NewWriter(w)
	type member struct {
		name  string
		write func(io.Writer) error
	}
	members := []member{{metadataMember, writeBytes(meta)}, {configMember, writeBytes(model)}, {weightsMember, weights}}
	for _, a := range assets {
		members = append(members, member{a.Name, writeBytes(a.Data)})
	}
	for _, member := range members {
		// Stored, so that a reader may seek in the weights. The date is the format's zero, the one that Python's zipfile writes.
		h := &zip.FileHeader{Name: member.name, Method: zip.Store, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
		mw, err := z.CreateHeader(h)
		if err != nil {
			return fmt.Errorf("keras: %s: %w", member.name, err)
		}
		if err := member.write(mw); err != nil {
			return fmt.Errorf("keras: %s: %w", member.name, err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("keras: archive: %w", err)
	}
	return nil
}

func writeBytes(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}
