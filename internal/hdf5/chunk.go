package hdf5

import "fmt"

// How the chunks of a dataset are found: by a version 1 B-tree (layout version 3), or by the index that layout version 4
// names (IV.A.2.i). The others of version 4, for datasets that grow, are not read.
const (
	indexTree       = 0
	indexSingle     = 1
	indexImplicit   = 2
	indexFixedArray = 3
)

// placeChunks reads what a layout message says about chunks.
func (d *Dataset) placeChunks(c *cursor, version uint8) error {
	flags := uint8(0)
	if version >= 4 {
		flags = c.u8()
	}
	rank := int(c.u8()) - 1
	if rank != len(d.shape) || rank < 1 {
		return fmt.Errorf("chunks: expected %d axes, at least one, got %d", len(d.shape), rank)
	}
	width := 4
	if version == 3 {
		d.addr = c.u64()
	} else if width = int(c.u8()); width < 1 || width > 8 {
		return fmt.Errorf("chunks: expected lengths of 1 to 8 bytes, got %d", width)
	}
	d.chunk = make([]int, rank)
	for i := range d.chunk {
		n := c.uint(width)
		if n == 0 || n > 1<<40 {
			return fmt.Errorf("chunks: axis %d: expected a length from 1 to 2^40, got %d", i, n)
		}
		d.chunk[i] = int(n)
	}
	if size := c.uint(width); size != uint64(d.typ.Size) {
		return fmt.Errorf("chunks: expected elements of %d bytes, got %d", d.typ.Size, size)
	}
	if version >= 4 {
		if err := d.placeIndex(c, flags); err != nil {
			return err
		}
	}
	most := uint64(d.file.src.size)
	if len(d.filters) > 0 {
		most = most*maxInflate + freeInflate
	}
	if n, ok := product(d.chunk); !ok || n > most/uint64(d.typ.Size) {
		return fmt.Errorf("chunks: expected at most %d bytes, got %v of %v", most, d.chunk, d.typ)
	}
	return nil
}

// placeIndex reads the end of a layout message of version 4.
func (d *Dataset) placeIndex(c *cursor, flags uint8) error {
	const edgesUnfiltered, singleFiltered = 1, 2
	if flags&edgesUnfiltered != 0 && len(d.filters) > 0 {
		return unsupported("chunks whose edges are not filtered")
	}
	switch d.index = c.u8(); d.index {
	case indexSingle:
		if flags&singleFiltered != 0 {
			d.single, d.mask = c.u64(), c.u32()
		}
	case indexImplicit:
	case indexFixedArray:
		d.pages = c.u8()
	default:
		return unsupported(fmt.Sprintf("chunk index of type %d (extensible array or version 2 B-tree)", d.index))
	}
	d.addr = c.u64()
	return nil
}

// chunks is all elements of a chunked dataset.
func (d *Dataset) chunks() ([]byte, error) {
	whole := make([]byte, int(d.count)*d.typ.Size)
	d.fillIn(whole)
	if d.addr == undefined {
		return whole, nil
	}
	r := chunkReader{d: d, src: d.file.src, whole: whole, grid: make([]int, len(d.shape))}
	// Each chunk and each node of the index is read once.
	r.src.budget = 2 * d.file.src.size
	elements, _ := product(d.chunk)
	r.size = elements * uint64(d.typ.Size)
	r.count = 1
	for i, n := range d.shape {
		r.grid[i] = (n-1)/d.chunk[i] + 1
		r.count *= uint64(r.grid[i])
	}
	var err error
	switch d.index {
	case indexTree:
		err = r.tree(d.addr, -1)
	case indexSingle:
		err = r.one()
	case indexImplicit:
		err = r.implicit()
	case indexFixedArray:
		err = r.fixedArray()
	}
	return whole, err
}

// chunkReader puts chunks into the whole array.
type chunkReader struct {
	d     *Dataset
	src   source
	whole []byte
	size  uint64 // bytes of a chunk without filters
	grid  []int  // chunks an axis
	count uint64 // chunks in all
}

// tree reads all chunks below the B-tree node at addr (III.A.1, type 1).
func (r *chunkReader) tree(addr uint64, level int) error {
	const chunkNodes = 1
	_, level, used, err := r.src.treeNode(addr, chunkNodes, level)
	if err != nil {
		return err
	}
	// A key is the stored size, the mask of filters, and the offset of the chunk's first element, with one axis more.
	rank := len(r.d.shape)
	key := uint64(8 + 8*(rank+1))
	b, err := r.src.read("B-tree node", addr+treeHead, uint64(used)*(key+8)+key)
	if err != nil {
		return err
	}
	c := cursor{b: b}
	at := make([]int, rank)
	for range used {
		stored, mask := uint64(c.u32()), c.u32()
		inside := true
		for i := range at {
			o := c.u64()
			inside = inside && o < uint64(r.d.shape[i]) && o%uint64(r.d.chunk[i]) == 0
			at[i] = int(o)
		}
		c.skip(8)
		child := c.u64()
		switch {
		case level > 0:
			err = r.tree(child, level-1)
		case !inside:
			err = fmt.Errorf("chunk at %v: expected a multiple of %v inside %v", at, r.d.chunk, r.d.shape)
		default:
			err = r.chunk(at, child, stored, mask)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// one reads the only chunk.
func (r *chunkReader) one() error {
	if r.count != 1 {
		return fmt.Errorf("chunks: expected one, got %d", r.count)
	}
	stored := r.size
	if len(r.d.filters) > 0 {
		stored = r.d.single
	}
	return r.chunk(make([]int, len(r.d.shape)), r.d.addr, stored, r.d.mask)
}

// implicit reads chunks that lie one behind the other.
func (r *chunkReader) implicit() error {
	if len(r.d.filters) > 0 {
		return fmt.Errorf("chunks: expected no filters on chunks without an index")
	}
	for i := range r.count {
		if err := r.chunk(r.origin(i), r.d.addr+i*r.size, r.size, 0); err != nil {
			return err
		}
	}
	return nil
}

// fixedArray reads chunks whose addresses are in one array (III.H).
func (r *chunkReader) fixedArray() error {
	c, err := r.src.checksummed("FAHD", r.d.addr, 28)
	if err != nil {
		return err
	}
	c.skip(2) // version, what the entries are
	entry := uint64(c.u8())
	c.skip(1) // page bits, also in the layout
	entries, addr := c.u64(), c.u64()
	filtered := len(r.d.filters) > 0
	if entries != r.count || !filtered && entry != 8 || filtered && (entry < 13 || entry > 20) {
		return fmt.Errorf("fixed array: expected %d entries of 8 or 13 to 20 bytes, got %d of %d", r.count, entries, entry)
	}
	if addr == undefined {
		return nil
	}
	if r.d.pages > 32 || entries > 1<<r.d.pages {
		return unsupported(fmt.Sprintf("a fixed array of %d chunks, in pages", entries))
	}
	if c, err = r.src.checksummed("FADB", addr, 18+entries*entry); err != nil {
		return err
	}
	c.skip(10) // version, what the entries are, address of the header
	for i := range entries {
		at, stored, mask := c.u64(), r.size, uint32(0)
		if filtered {
			stored, mask = c.uint(int(entry)-12), c.u32()
		}
		if err := r.chunk(r.origin(i), at, stored, mask); err != nil {
			return err
		}
	}
	return nil
}

// origin is the first element of chunk i, counted row-major.
func (r *chunkReader) origin(i uint64) []int {
	at := make([]int, len(r.grid))
	for axis := len(at) - 1; axis >= 0; axis-- {
		n := uint64(r.grid[axis])
		at[axis] = int(i%n) * r.d.chunk[axis]
		i /= n
	}
	return at
}

// chunk puts the chunk whose first element is at this place into the whole array.
func (r *chunkReader) chunk(at []int, addr, stored uint64, mask uint32) error {
	if addr == undefined {
		return nil
	}
	raw, err := r.src.read("chunk", addr, stored)
	if err != nil {
		return err
	}
	for i := len(r.d.filters) - 1; i >= 0; i-- {
		if mask>>i&1 != 0 {
			continue
		}
		if raw, err = r.d.filters[i].undo(raw, r.size); err != nil {
			return fmt.Errorf("chunk at %v: %w", at, err)
		}
	}
	if uint64(len(raw)) != r.size {
		return fmt.Errorf("chunk at %v: expected %d bytes, got %d", at, r.size, len(raw))
	}
	r.copy(raw, at, 0, 0)
	return nil
}

// copy copies the part of a chunk that is inside the array, axis by axis; base is the index of the row in the array so far.
func (r *chunkReader) copy(raw []byte, at []int, axis, base int) {
	d := r.d
	n := min(d.chunk[axis], d.shape[axis]-at[axis])
	base = base*d.shape[axis] + at[axis]
	if axis == len(d.shape)-1 {
		copy(r.whole[base*d.typ.Size:], raw[:n*d.typ.Size])
		return
	}
	step := len(raw) / d.chunk[axis]
	for i := range n {
		r.copy(raw[i*step:][:step], at, axis+1, base+i)
	}
}
