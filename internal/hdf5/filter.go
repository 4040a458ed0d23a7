package hdf5

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// filter is a step that changed a chunk when it was written.
type filter struct {
	id     uint16
	values []uint32
}

// The filters that are read (IV.A.2.l).
const (
	filterDeflate  = 1
	filterShuffle  = 2
	filterFletcher = 3
)

// filterPipeline reads a filter pipeline message.
func filterPipeline(body []byte) ([]filter, error) {
	c := cursor{b: body}
	version, count := c.u8(), int(c.u8())
	if version != 1 && version != 2 || count > 32 {
		return nil, fmt.Errorf("filters: expected version 1 or 2 and at most 32, got version %d and %d", version, count)
	}
	if version == 1 {
		c.skip(6)
	}
	filters := make([]filter, count)
	for i := range filters {
		f := &filters[i]
		f.id = c.u16()
		var nameLen uint64
		if version == 1 || f.id >= 256 {
			nameLen = uint64(c.u16())
		}
		c.skip(2) // flags
		values := int(c.u16())
		if version == 1 {
			nameLen = pad8(nameLen)
		}
		name := bytes.TrimRight(c.take(nameLen), "\x00")
		if values > len(c.b)/4 {
			return nil, fmt.Errorf("filters: expected %d values, got %d bytes", values, len(c.b))
		}
		for range values {
			f.values = append(f.values, c.u32())
		}
		if version == 1 && values%2 == 1 {
			c.skip(4)
		}
		// Twice deflated data could grow by the square of what deflate reaches.
		if slices.ContainsFunc(filters[:i], func(g filter) bool { return g.id == f.id }) {
			return nil, unsupported(fmt.Sprintf("filter %d applied twice", f.id))
		}
		switch f.id {
		case filterDeflate, filterFletcher:
		case filterShuffle:
			if len(f.values) != 1 || f.values[0] == 0 {
				return nil, fmt.Errorf("filters: shuffle: expected the size of an element, got %v", f.values)
			}
		default:
			return nil, unsupported(fmt.Sprintf("filter %d %q", f.id, name))
		}
	}
	return filters, c.err("filters")
}

// undoer undoes filters, chunk after chunk; a chunk is valid until the next.
type undoer struct {
	in      bytes.Reader
	inflate io.ReadCloser // also a zlib.Resetter; nil before its first use
	buf     [2]bytes.Buffer
}

// all is a chunk before all filters but those in the mask, which it skipped; its size should then be size.
func (u *undoer) all(filters []filter, mask uint32, raw []byte, size uint64) (_ []byte, err error) {
	for i := len(filters) - 1; i >= 0; i-- {
		if mask>>i&1 != 0 {
			continue
		}
		switch f := &filters[i]; f.id {
		case filterDeflate:
			raw, err = u.deflated(raw, size)
		case filterShuffle:
			raw = u.shuffled(raw, int(f.values[0]))
		default: // filterFletcher
			raw, err = withoutSum(raw)
		}
		if err != nil {
			return nil, err
		}
	}
	return raw, nil
}

func (u *undoer) deflated(raw []byte, size uint64) (_ []byte, err error) {
	u.in.Reset(raw)
	if u.inflate == nil {
		u.inflate, err = zlib.NewReader(&u.in)
	} else {
		err = u.inflate.(zlib.Resetter).Reset(&u.in, nil)
	}
	if err == nil {
		u.buf[0].Reset()
		// Checksums added before this filter make a chunk longer by a few bytes, which the sum over filters bounds.
		_, err = u.buf[0].ReadFrom(io.LimitReader(u.inflate, int64(size)+4*32+1))
	}
	if err != nil {
		return nil, fmt.Errorf("deflate: %w", err)
	}
	return u.buf[0].Bytes(), nil
}

// shuffled puts the bytes of numbers together again: first of all stood the first bytes of all numbers, then the second.
func (u *undoer) shuffled(raw []byte, width int) []byte {
	n := len(raw) / width
	u.buf[1].Reset()
	u.buf[1].Grow(len(raw))
	out := u.buf[1].AvailableBuffer()[:len(raw)]
	for j := range min(width, len(raw)) {
		for i := range n {
			out[i*width+j] = raw[j*n+i]
		}
	}
	copy(out[n*width:], raw[n*width:])
	return out
}

// withoutSum compares the checksum at the end of raw, and cuts it off.
func withoutSum(raw []byte) ([]byte, error) {
	end := len(raw) - 4
	if end < 0 {
		return nil, fmt.Errorf("fletcher32: expected at least 4 bytes, got %d", len(raw))
	}
	if want, got := binary.LittleEndian.Uint32(raw[end:]), fletcher32(raw[:end]); got != want {
		return nil, fmt.Errorf("fletcher32: expected checksum %#08x, got %#08x", want, got)
	}
	return raw[:end], nil
}
