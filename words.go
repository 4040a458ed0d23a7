package unroll

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// words are the distinct rows of a table that a batch has to do with, in the order of their ids, but one may stand first.
type words struct {
	distinct []int32
	local    []int32 // of every row among them: its number; of others anything
}

// number is that of a row of the table; -1 where it is not among the words.
func (d *words) number(row int) int {
	if k := int(d.local[row]); k < len(d.distinct) && int(d.distinct[k]) == row {
		return k
	}
	return -1
}

// marks are room for the marks of that many rows: bytes of 0 and 1, and as many more as make them a multiple of eight.
func marks(rows int) []byte { return make([]byte, (rows+7)&^7) }

// collect takes the rows, below the number of them, that are marked in any of seen, one at least, and clears the marks. first, unless it is -1, comes
// first, marked or not.
func (d *words) collect(rows int, first int32, seen ...[]byte) {
	d.local, d.distinct = resize(d.local, rows), resize(d.distinct, rows)
	local, distinct, n := d.local, d.distinct, 0
	if first >= 0 {
		local[first], distinct[0], n = 0, first, 1
		for _, s := range seen {
			s[first] = 0
		}
	}
	all := seen[0][:(rows+7)&^7]
	for _, s := range seen[1:] {
		for at := 0; at < len(all); at += 8 {
			eight := binary.LittleEndian.Uint64(s[at:])
			binary.LittleEndian.PutUint64(all[at:], eight|binary.LittleEndian.Uint64(all[at:]))
		}
		clear(s[:len(all)])
	}
	for at := 0; at < len(all); at += 8 {
		eight := binary.LittleEndian.Uint64(all[at:])
		for ; eight != 0; eight &= eight - 1 {
			id := at + bits.TrailingZeros64(eight)>>3
			local[id], distinct[n] = int32(n), int32(id)
			n++
		}
	}
	clear(all)
	d.distinct = distinct[:n]
}

// share is what a shard adds to the gradient of a table: the rows that it meets, or their numbers, in increasing order, and sums for each.
type share struct {
	words []int32
	sums  []float32
}

// between is the part of a share from word lo to before word hi.
func (s *share) between(lo, hi, width int) (words []int32, sums []float32) {
	from, _ := slices.BinarySearch(s.words, int32(lo))
	to, _ := slices.BinarySearch(s.words, int32(hi))
	return s.words[from:to], s.sums[from*width : to*width]
}
