package hdf5

import (
	"encoding/binary"
	"fmt"
)

// signature begins every file (II.A).
const signature = "\x89HDF\r\n\x1a\n"

// superblock finds the superblock, sets base and size by it, and gives the address of the root's object header.
func (s *source) superblock() (root uint64, err error) {
	// It is at 0, or behind a user block of 512, 1024, 2048 … bytes.
	var head [8]byte
	var version [1]byte
	for at := int64(0); ; at = max(512, 2*at) {
		if at > s.size-int64(len(head)+len(version)) {
			return 0, fmt.Errorf("expected an HDF5 file, got no signature in %d bytes", s.size)
		}
		s.base = at
		if err := s.readAt("signature", head[:], 0); err != nil {
			return 0, err
		}
		if string(head[:]) == signature {
			break
		}
	}
	whole := s.size
	s.size -= s.base
	s.budget = 256 // more than any superblock
	if err := s.readAt("superblock", version[:], 8); err != nil {
		return 0, err
	}
	var base, end uint64
	switch version[0] {
	case 0, 1:
		base, end, root, err = s.superblock0(version[0])
	case 2, 3:
		base, end, root, err = s.superblock2()
	default:
		err = fmt.Errorf("superblock: expected version 0 to 3, got %d", version[0])
	}
	if err != nil {
		return 0, err
	}
	// The end is an absolute address in all but name: the library adds the base to it when it writes.
	switch {
	case base != uint64(s.base):
		return 0, fmt.Errorf("superblock: expected base address %d, where it stands, got %d", s.base, base)
	case end > uint64(whole):
		return 0, fmt.Errorf("superblock: the file is cut short: expected %d bytes, got %d", end, whole)
	case end < base:
		return 0, fmt.Errorf("superblock: expected an end of file behind %d, got %d", base, end)
	}
	s.size = int64(end - base)
	return root, nil
}

// superblock0 reads versions 0 and 1, behind the signature.
func (s *source) superblock0(version uint8) (base, end, root uint64, err error) {
	n := uint64(96)
	if version == 1 {
		n += 4
	}
	b, err := s.read("superblock", 0, n)
	if err != nil {
		return 0, 0, 0, err
	}
	c := cursor{b: b[8:]}
	c.skip(5) // versions of parts, reserved
	if err := sizes(c.u8(), c.u8()); err != nil {
		return 0, 0, 0, err
	}
	c.skip(9) // reserved, ranks of B-trees, flags
	if version == 1 {
		c.skip(4)
	}
	base = c.u64()
	c.skip(8) // free space
	end = c.u64()
	c.skip(16) // driver information, link name of the root
	return base, end, c.u64(), c.err("superblock")
}

// superblock2 reads versions 2 and 3.
func (s *source) superblock2() (base, end, root uint64, err error) {
	b, err := s.read("superblock", 0, 48)
	if err != nil {
		return 0, 0, 0, err
	}
	if want, got := binary.LittleEndian.Uint32(b[44:]), lookup3(b[:44]); s.verify && got != want {
		return 0, 0, 0, fmt.Errorf("superblock: checksum: expected %#08x, got %#08x", want, got)
	}
	c := cursor{b: b[9:]}
	if err := sizes(c.u8(), c.u8()); err != nil {
		return 0, 0, 0, err
	}
	c.skip(1) // flags
	base = c.u64()
	c.skip(8) // extension: nothing in it changes how data are read
	end = c.u64()
	return base, end, c.u64(), c.err("superblock")
}

// sizes checks the widths of addresses and lengths, which are 8 in every file that h5py makes.
func sizes(offsets, lengths uint8) error {
	if offsets != 8 || lengths != 8 {
		return fmt.Errorf("superblock: expected addresses and lengths of 8 bytes, got %d and %d", offsets, lengths)
	}
	return nil
}
