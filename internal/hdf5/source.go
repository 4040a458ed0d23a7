package hdf5

import (
	"encoding/binary"
	"fmt"
	"io"
)

// undefined is the address of what is not in the file.
const undefined = ^uint64(0)

// source reads metadata, never more than its budget and never outside the file. Addresses count from base, the place of the
// superblock. A copy of a source has its own budget.
type source struct {
	r      io.ReaderAt
	base   int64
	size   int64 // from base to the end
	budget int64 // bytes of metadata that may still be read
	verify bool  // compare checksums
}

// within checks that n bytes at addr are in the file.
func (s *source) within(what string, addr, n uint64) error {
	if addr > uint64(s.size) || n > uint64(s.size)-addr {
		return fmt.Errorf("%s: expected %d bytes at address %#x, got a file of %d bytes", what, n, addr, s.size)
	}
	return nil
}

// read is n bytes of metadata at addr, in a slice of their own.
func (s *source) read(what string, addr, n uint64) ([]byte, error) {
	if err := s.within(what, addr, n); err != nil {
		return nil, err
	}
	if n > uint64(max(s.budget, 0)) {
		return nil, fmt.Errorf("%s at %#x: structures overlap: together they are larger than the file", what, addr)
	}
	s.budget -= int64(n)
	b := make([]byte, n)
	if err := s.readAt(what, b, addr); err != nil {
		return nil, err
	}
	return b, nil
}

// readAt fills dst from addr, which the caller has checked.
func (s *source) readAt(what string, dst []byte, addr uint64) error {
	if n, err := s.r.ReadAt(dst, s.base+int64(addr)); n < len(dst) {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("%s at %#x: expected %d bytes, got %d: %w", what, addr, len(dst), n, err)
	}
	return nil
}

// signed is read with the first four bytes compared with a signature, which are cut off.
func (s *source) signed(signature string, addr, n uint64) (cursor, error) {
	b, err := s.read(signature, addr, n)
	if err != nil {
		return cursor{}, err
	}
	if n < 4 || string(b[:4]) != signature {
		return cursor{}, fmt.Errorf("expected %s at %#x, got %q", signature, addr, b[:min(n, 4)])
	}
	return cursor{b: b[4:]}, nil
}

// checksummed is signed with the last four bytes compared with the checksum of all before, and cut off.
func (s *source) checksummed(signature string, addr, n uint64) (cursor, error) {
	b, err := s.read(signature, addr, n)
	if err != nil {
		return cursor{}, err
	}
	if n < 8 || string(b[:4]) != signature {
		return cursor{}, fmt.Errorf("expected %s at %#x, got %q", signature, addr, b[:min(n, 4)])
	}
	if err := s.compareSum(signature, addr, b); err != nil {
		return cursor{}, err
	}
	return cursor{b: b[4 : n-4]}, nil
}

// compareSum compares the last four bytes of b with the checksum of all before.
func (s *source) compareSum(what string, addr uint64, b []byte) error {
	body, end := b[:len(b)-4], b[len(b)-4:]
	if want, got := binary.LittleEndian.Uint32(end), lookup3(body); s.verify && got != want {
		return fmt.Errorf("%s at %#x: checksum: expected %#08x, got %#08x", what, addr, want, got)
	}
	return nil
}

// cursor takes fields off the front of a structure. Past the end it gives zeros and remembers; err reports it.
type cursor struct {
	b     []byte
	short bool
}

func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.b, c.short = nil, true
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n:]
	return b
}

// uint is a little-endian number of n bytes, n ≤ 8.
func (c *cursor) uint(n int) uint64 {
	var v uint64
	for i, b := range c.take(uint64(n)) {
		v |= uint64(b) << (8 * i)
	}
	return v
}

func (c *cursor) u8() uint8     { return uint8(c.uint(1)) }
func (c *cursor) u16() uint16   { return uint16(c.uint(2)) }
func (c *cursor) u32() uint32   { return uint32(c.uint(4)) }
func (c *cursor) u64() uint64   { return c.uint(8) }
func (c *cursor) skip(n uint64) { c.take(n) }

// err is nil when every field was there.
func (c *cursor) err(what string) error {
	if c.short {
		return fmt.Errorf("%s: the structure ends before its last field", what)
	}
	return nil
}

// pad8 is n rounded up to a multiple of 8, the alignment inside old structures.
func pad8[T int | uint64](n T) T { return (n + 7) &^ 7 }
