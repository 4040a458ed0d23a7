package hdf5

import "fmt"

// How the chunks of a dataset are found: by a version 1 B-tree (layout version 3), or by the index that layout version 4
// names (IV.A.2.i).
const (
	indexTree       = 0
	indexSingle     = 1
	indexImplicit   = 2
	indexFixedArray = 3
	indexExtensible = 4
	indexTree2      = 5
)

// placeChunks reads what a layout message says about chunks.
func (d *Dataset) placeChunks(c *cursor, version uint8) error {
	flags := uint8(0)
	if version >= 4 {
		flags = c.u8()
	}
	rank := int(c.u8()) - 1
	if rank != len(d.space) || rank < 1 {
		return fmt.Errorf("chunks: expected %d axes, at least one, got %d", len(d.space), rank)
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
	if size := c.uint(width); size != uint64(d.unit) {
		return fmt.Errorf("chunks: expected elements of %d bytes, got %d", d.unit, size)
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
	if n, ok := product(d.chunk); !ok || n > most/uint64(d.unit) {
		return fmt.Errorf("chunks: expected at most %d bytes, got %v of %v", most, d.chunk, d.typ)
	}
	return nil
}

// placeIndex reads the end of a layout message of version 4.
func (d *Dataset) placeIndex(c *cursor, flags uint8) error {
	const edgesUnfiltered, singleFiltered = 1, 2
	d.rawEdges = flags&edgesUnfiltered != 0
	switch d.index = c.u8(); d.index {
	case indexSingle:
		if flags&singleFiltered != 0 {
			d.single, d.mask = c.u64(), c.u32()
		}
	case indexImplicit:
	// What the indexes say here of how they grow their own headers say too.
	case indexFixedArray:
		c.skip(1)
	case indexExtensible:
		c.skip(5)
	case indexTree2:
		c.skip(6)
	default:
		return unsupported(fmt.Sprintf("chunk index of type %d", d.index))
	}
	d.addr = c.u64()
	return nil
}

// chunks is stream for a chunked dataset.
func (d *Dataset) chunks(use func(at int, raw []byte) error) error {
	// What no chunk covers has the fill value; which that is shows at the end only.
	if err := d.fillAll(use); err != nil || d.addr == undefined {
		return err
	}
	r := chunkReader{d: d, src: d.file.src, use: use, grid: make([]uint64, len(d.space)), at: make([]int, len(d.space))}
	// Each chunk and each node of the index is read once.
	r.src.budget = 2 * d.file.src.size
	elements, _ := product(d.chunk)
	r.size = elements * uint64(d.unit)
	r.count = 1
	for i, n := range d.most {
		if n < 0 && r.grows == 0 {
			r.axis = i
		}
		if n < 0 {
			r.grows++
			continue
		}
		if n < d.space[i] {
			return fmt.Errorf("chunks: expected that axis %d may grow from %d, got at most %d", i, d.space[i], n)
		}
		r.grid[i] = uint64(max(n, 1)-1)/uint64(d.chunk[i]) + 1
		if r.count > 1<<62/r.grid[i] {
			return fmt.Errorf("chunks: expected fewer than 2^62, got shape %v in chunks of %v", d.most, d.chunk)
		}
		r.count *= r.grid[i]
	}
	if fixed := d.index == indexSingle || d.index == indexImplicit || d.index == indexFixedArray; fixed && r.grows > 0 ||
		d.index == indexExtensible && r.grows != 1 {
		return fmt.Errorf("chunks: expected another index than that of type %d for a shape that grows along %d axes", d.index, r.grows)
	}
	switch d.index {
	case indexTree:
		return r.tree(d.addr, -1)
	case indexSingle:
		return r.one()
	case indexImplicit:
		return r.implicit()
	case indexFixedArray:
		return r.fixedArray()
	case indexExtensible:
		return r.extensibleArray()
	default:
		return r.tree2()
	}
}

// chunkReader hands on the elements of chunks.
type chunkReader struct {
	d     *Dataset
	src   source
	use   func(at int, raw []byte) error
	size  uint64   // bytes of a chunk without filters
	grid  []uint64 // chunks an axis has when it is as long as it may be; 0 where that has no bound
	count uint64   // product of grid, without axes that have no bound
	grows int      // axes without a bound
	axis  int      // the first of them
	at    []int    // the first element of the chunk that is read
	undo  undoer
}

// tree reads all chunks below the B-tree node at addr (III.A.1, type 1).
func (r *chunkReader) tree(addr uint64, level int) error {
	const chunkNodes = 1
	_, level, used, err := r.src.treeNode(addr, chunkNodes, level)
	if err != nil {
		return err
	}
	// A key is the stored size, the mask of filters, and the offset of the chunk's first element, with one axis more.
	d := r.d
	rank := len(d.space)
	key := uint64(8 + 8*(rank+1))
	b, err := r.src.read("B-tree node", addr+treeHead, uint64(used)*(key+8)+key)
	if err != nil {
		return err
	}
	c := cursor{b: b}
	offset := make([]uint64, rank)
	for range used {
		stored, mask := uint64(c.u32()), c.u32()
		for i := range offset {
			offset[i] = c.u64()
		}
		c.skip(8)
		child := c.u64()
		if level > 0 {
			if err := r.tree(child, level-1); err != nil {
				return err
			}
			continue
		}
		for i, o := range offset {
			if o >= uint64(d.space[i]) || o%uint64(d.chunk[i]) != 0 {
				return fmt.Errorf("chunk at %v: expected a multiple of %v inside %v", offset, d.chunk, d.space)
			}
			r.at[i] = int(o)
		}
		if err := r.chunk(child, stored, mask); err != nil {
			return err
		}
	}
	return nil
}

// tree2 reads the chunks that a version 2 B-tree lists (III.A.2, types 10 and 11).
func (r *chunkReader) tree2() error {
	const plain, filtered = 10, 11
	rank := len(r.d.space)
	kind, least, most := uint8(plain), 8+8*rank, 8+8*rank
	if len(r.d.filters) > 0 {
		kind, least, most = filtered, least+4+1, least+4+8
	}
	return r.src.records(r.d.addr, kind, least, most, func(record []byte) error {
		c := cursor{b: record}
		addr, stored, mask := c.u64(), r.size, uint32(0)
		if kind == filtered {
			stored, mask = c.uint(len(record)-least+1), c.u32()
		}
		for i := range r.at {
			n := c.u64()
			if n > uint64(r.d.space[i]-1)/uint64(r.d.chunk[i]) {
				return fmt.Errorf("chunk %d of axis %d: expected one inside %v", n, i, r.d.space)
			}
			r.at[i] = int(n) * r.d.chunk[i]
		}
		return r.chunk(addr, stored, mask)
	})
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
	clear(r.at)
	return r.chunk(r.d.addr, stored, r.d.mask)
}

// implicit reads chunks that lie one behind the other.
func (r *chunkReader) implicit() error {
	if len(r.d.filters) > 0 {
		return fmt.Errorf("chunks: expected no filters on chunks without an index")
	}
	if n := uint64(r.src.size) / r.size; r.count > n {
		return fmt.Errorf("chunks: expected at most %d, which the file has room for, got %d", n, r.count)
	}
	for i := range r.count {
		if !r.place(i) {
			continue
		}
		if err := r.chunk(r.d.addr+i*r.size, r.size, 0); err != nil {
			return err
		}
	}
	return nil
}

// place sets at to the first element of chunk i, counted row-major over all chunks that there may come to be, an axis without a bound
// outermost. It reports whether the chunk is inside the dataset as it is.
func (r *chunkReader) place(i uint64) bool {
	inside := true
	set := func(axis int, k uint64) {
		if inside = inside && k <= uint64(r.d.space[axis]-1)/uint64(r.d.chunk[axis]); inside {
			r.at[axis] = int(k) * r.d.chunk[axis]
		}
	}
	for axis := len(r.grid) - 1; axis >= 0; axis-- {
		if n := r.grid[axis]; n > 0 {
			set(axis, i%n)
			i /= n
		}
	}
	if r.grows > 0 {
		set(r.axis, i)
		return inside
	}
	return inside && i == 0
}

// chunk hands on the elements of the chunk that begins at r.at.
func (r *chunkReader) chunk(addr, stored uint64, mask uint32) error {
	if addr == undefined {
		return nil
	}
	raw, err := r.src.read("chunk", addr, stored)
	if err != nil {
		return err
	}
	d := r.d
	partial := false
	for i, o := range r.at {
		partial = partial || d.chunk[i] > d.space[i]-o
	}
	if !(partial && d.rawEdges) {
		if raw, err = r.undo.all(d.filters, mask, raw, r.size); err != nil {
			return fmt.Errorf("chunk at %v: %w", r.at, err)
		}
	}
	if uint64(len(raw)) != r.size {
		return fmt.Errorf("chunk at %v: expected %d bytes, got %d", r.at, r.size, len(raw))
	}
	return r.rows(raw, 0, 0)
}

// rows hands on the part of a chunk that is inside the dataset, axis by axis; base is the index of the row in the dataset so far.
func (r *chunkReader) rows(raw []byte, axis, base int) error {
	d := r.d
	n := min(d.chunk[axis], d.space[axis]-r.at[axis])
	base = base*d.space[axis] + r.at[axis]
	if axis == len(d.space)-1 {
		return r.use(base*(d.unit/d.typ.Size), raw[:n*d.unit])
	}
	step := len(raw) / d.chunk[axis]
	for i := range n {
		if err := r.rows(raw[i*step:][:step], axis+1, base+i); err != nil {
			return err
		}
	}
	return nil
}
