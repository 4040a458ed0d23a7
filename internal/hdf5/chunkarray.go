package hdf5

import (
	"fmt"
	"math/bits"
)

// entries is what the two indexes of chunks that are arrays have in common: entries of an address or, of chunks with filters, an address,
// the stored size and the mask of filters that the chunk skips, and a bitmap of pages that are in use where a block is cut into pages.
type entries struct {
	r        *chunkReader
	size     uint64 // bytes of an entry
	pageSize uint64 // entries a page
}

// newEntries checks what the header of an index says of its entries.
func (r *chunkReader) newEntries(kind, size, pageBits uint8) (entries, error) {
	least, most, want := uint8(8), uint8(8), uint8(0)
	if len(r.d.filters) > 0 {
		least, most, want = 13, 20, 1
	}
	if kind != want || size < least || size > most || pageBits > 32 {
		return entries{}, fmt.Errorf("chunks: array: expected entries of kind %d, %d to %d bytes and pages of at most 2^32, got kind %d, %d bytes, 2^%d",
			want, least, most, kind, size, pageBits)
	}
	return entries{r: r, size: uint64(size), pageSize: 1 << pageBits}, nil
}

// read reads the chunks of count entries, of which the first is chunk number first.
func (e *entries) read(c *cursor, first, count uint64) error {
	for i := range count {
		addr, stored, mask := c.u64(), e.r.size, uint32(0)
		if e.size > 8 {
			stored, mask = c.uint(int(e.size)-12), c.u32()
		}
		if addr == undefined || !e.r.place(first+i) {
			continue
		}
		if err := e.r.chunk(addr, stored, mask); err != nil {
			return err
		}
	}
	return c.err("chunks: array")
}

// pages reads count entries that stand in pages from addr on, each with its checksum. Used has a bit a page, the highest of a byte first,
// from bit skip on; a page that is not in use holds nothing.
func (e *entries) pages(addr, first, count uint64, used []byte, skip uint64) error {
	for page := uint64(0); page*e.pageSize < count; page++ {
		if bit := skip + page; used[bit/8]>>(7-bit%8)&1 == 0 {
			continue
		}
		n := min(e.pageSize, count-page*e.pageSize)
		b, err := e.r.src.read("page of an array of chunks", addr+page*(e.pageSize*e.size+4), n*e.size+4)
		if err != nil {
			return err
		}
		if err := e.r.src.compareSum("page of an array of chunks", addr, b); err != nil {
			return err
		}
		if err := e.read(&cursor{b: b}, first+page*e.pageSize, n); err != nil {
			return err
		}
	}
	return nil
}

// fits checks that the file has room for count entries of size bytes, before anything is computed from count.
func (s *source) fits(what string, count, size uint64) error {
	if count > uint64(s.size)/size {
		return fmt.Errorf("%s: expected at most %d entries in a file of %d bytes, got %d", what, uint64(s.size)/size, s.size, count)
	}
	return nil
}

// fixedArray reads chunks whose addresses are in one array (III.H).
func (r *chunkReader) fixedArray() error {
	c, err := r.src.checksummed("FAHD", r.d.addr, 28)
	if err != nil {
		return err
	}
	version, kind, size, pageBits := c.u8(), c.u8(), c.u8(), c.u8()
	count, addr := c.u64(), c.u64()
	e, err := r.newEntries(kind, size, pageBits)
	if err != nil {
		return err
	}
	if version != 0 || count != r.count {
		return fmt.Errorf("fixed array: expected version 0 and %d entries, got version %d and %d", r.count, version, count)
	}
	if addr == undefined {
		return nil
	}
	// Pages that are not in use have their place in the file too.
	if err := r.src.fits("fixed array", count, e.size); err != nil {
		return err
	}
	const head = 14 // signature, version, kind, address of the header
	if count <= e.pageSize {
		if c, err = r.src.checksummed("FADB", addr, head+count*e.size+4); err != nil {
			return err
		}
		c.skip(head - 4)
		return e.read(&c, 0, count)
	}
	bitmap := ((count-1)/e.pageSize + 8) / 8
	if c, err = r.src.checksummed("FADB", addr, head+bitmap+4); err != nil {
		return err
	}
	c.skip(head - 4)
	return e.pages(addr+head+bitmap+4, 0, count, c.take(bitmap), 0)
}

// extensible is an array that grows (III.I): its first entries are in an index block, the others in data blocks, which belong to super
// blocks. Super block u has 2^(u/2) data blocks of 2^((u+1)/2) times least entries, rounded down.
type extensible struct {
	entries
	offset  uint64 // bytes of a block's own offset
	least   uint64 // entries of the smallest data block
	next    uint64 // number of the first entry that has not been read
	supers  int    // how many super blocks there can be
	inIndex int    // of so many the index block has the data blocks
}

// extensibleArray reads chunks whose addresses are in such an array.
func (r *chunkReader) extensibleArray() error {
	c, err := r.src.checksummed("EAHD", r.d.addr, 72)
	if err != nil {
		return err
	}
	version, kind, size := c.u8(), c.u8(), c.u8()
	maxBits, inline, least, pointers, pageBits := int(c.u8()), uint64(c.u8()), uint64(c.u8()), uint64(c.u8()), c.u8()
	c.skip(4 * 8) // how many blocks there are, and their sizes
	c.skip(2 * 8) // the highest entry that is set, how many have a place
	addr := c.u64()
	x := extensible{least: least}
	if x.entries, err = r.newEntries(kind, size, pageBits); err != nil {
		return err
	}
	if version != 0 || !power(least) || !power(pointers) || pointers < 2 || maxBits > 48 || maxBits < bits.Len64(least)-1 {
		return fmt.Errorf("extensible array: expected version 0 and sizes that are powers of two, got version %d, blocks of %d, %d pointers, %d bits",
			version, least, pointers, maxBits)
	}
	if addr == undefined {
		return nil
	}
	x.offset = uint64(maxBits+7) / 8
	x.supers = 1 + maxBits - (bits.Len64(least) - 1)
	x.inIndex = min(2*(bits.Len64(pointers)-1), x.supers)
	const head = 14 // signature, version, kind, address of the header
	direct := 2 * (pointers - 1)
	rest := uint64(x.supers - x.inIndex)
	if c, err = r.src.checksummed("EAIB", addr, head+inline*x.size+(direct+rest)*8+4); err != nil {
		return err
	}
	c.skip(head - 4)
	if err := x.read(&c, 0, inline); err != nil {
		return err
	}
	x.next = inline
	for u := range x.inIndex {
		for range uint64(1) << (u / 2) {
			if err := x.dataBlock(c.u64(), u, nil, 0); err != nil {
				return err
			}
		}
	}
	for u := x.inIndex; u < x.supers; u++ {
		super := c.u64()
		if super == undefined {
			x.next += x.blockEntries(u) << (u / 2)
			continue
		}
		if err := x.superBlock(super, u); err != nil {
			return err
		}
	}
	return c.err("extensible array")
}

// blockEntries is how many entries a data block of super block u has.
func (x *extensible) blockEntries(u int) uint64 { return x.least << ((u + 1) / 2) }

// superBlock reads the data blocks of super block u.
func (x *extensible) superBlock(addr uint64, u int) error {
	blocks := uint64(1) << (u / 2)
	if err := x.r.src.fits("extensible array", blocks, 8); err != nil {
		return err
	}
	head := 14 + x.offset
	pages, bitmap := uint64(0), uint64(0)
	if n := x.blockEntries(u); n > x.pageSize {
		pages = n / x.pageSize
		bitmap = (pages + 7) / 8 * blocks
		if err := x.r.src.fits("extensible array", bitmap, 1); err != nil {
			return err
		}
	}
	c, err := x.r.src.checksummed("EASB", addr, head+bitmap+blocks*8+4)
	if err != nil {
		return err
	}
	c.skip(head - 4)
	used := c.take(bitmap)
	for i := range blocks {
		if err := x.dataBlock(c.u64(), u, used, i*pages); err != nil {
			return err
		}
	}
	return nil
}

// dataBlock reads a data block of super block u; of one in pages, used has the bits from skip on.
func (x *extensible) dataBlock(addr uint64, u int, used []byte, skip uint64) error {
	n, first := x.blockEntries(u), x.next
	x.next += n
	if addr == undefined {
		return nil
	}
	if err := x.r.src.fits("extensible array", n, x.size); err != nil {
		return err
	}
	head := 14 + x.offset
	if n <= x.pageSize {
		c, err := x.r.src.checksummed("EADB", addr, head+n*x.size+4)
		if err != nil {
			return err
		}
		c.skip(head - 4)
		return x.read(&c, first, n)
	}
	if used == nil {
		return unsupported("an extensible array whose first blocks are in pages")
	}
	if _, err := x.r.src.checksummed("EADB", addr, head+4); err != nil {
		return err
	}
	return x.pages(addr+head+4, first, n, used, skip)
}
