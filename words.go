package unroll

import (
	"encoding/binary"
	"math/bits"
)

// words are the distinct rows of a table that a batch has to do with, in the order of their ids, but one may stand first.
type words struct {
	distinct []int32
	local    []int32 // of every row of the table: its number among them; -1: none
}

// collect takes the words that are marked in any of seen, and clears the marks: bytes of 0 and 1, one a row of the table and as many
// more as make them a multiple of eight. first, unless it is -1, comes first, marked or not.
func (d *words) collect(rows int, first int32, seen ...[]byte) {
	for _, id := range d.distinct {
		d.local[id] = -1
	}
	d.distinct = d.distinct[:0]
	if cap(d.local) < rows {
		d.local = resize(d.local, rows)
		all := d.local[:cap(d.local)]
		for i := range all {
			all[i] = -1
		}
	}
	d.local = d.local[:rows]
	if first >= 0 {
		d.distinct = append(d.distinct, first)
	}
	for at := 0; at < rows; at += 8 {
		eight := uint64(0)
		for _, s := range seen {
			eight |= binary.LittleEndian.Uint64(s[at:])
			binary.LittleEndian.PutUint64(s[at:], 0)
		}
		for ; eight != 0; eight &= eight - 1 {
			if id := int32(at + bits.TrailingZeros64(eight)/8); id != first {
				d.distinct = append(d.distinct, id)
			}
		}
	}
	for i, id := range d.distinct {
		d.local[id] = int32(i)
	}
}

// marks are room for the marks of that many rows.
func marks(rows int) []byte { return make([]byte, (rows+7)&^7) }
