// Package random draws numbers from a counter-based generator (Philox 4x32-10, Salmon et al., SC 2011): a draw depends only
// on its key and its place in the stream, never on who draws it or in which order, so results do not depend on threads.
package random

import (
	"math"
	"math/bits"
)

// Purpose keeps streams apart that share every other part of the key.
type Purpose uint32

// The purposes. Their numbers are part of "the same bits": never renumber, only add.
const (
	Init    Purpose = 1 // initial weights; sub-keys: weight number
	Shuffle Purpose = 2 // order of the rows; sub-key: epoch
	Dropout Purpose = 3 // masks of dropout; sub-keys: layer, epoch, step, row; in a recurrent layer also direction, mask
	Data    Purpose = 4 // made-up data; sub-keys: split, row
)

// Stream is a sequence of numbers that its key determines. It is not safe for concurrent use; streams are cheap, make one a use.
type Stream struct {
	key  [2]uint32
	ctr  [4]uint32
	buf  [4]uint32
	have int

	spare    float64
	hasSpare bool
}

// New is the stream of this seed, purpose and sub-keys.
func New(seed uint64, purpose Purpose, sub ...uint64) *Stream {
	s := &Stream{}
	s.Reset(seed, purpose, sub...)
	return s
}

// Reset makes s the stream that New would return, without allocating.
func (s *Stream) Reset(seed uint64, purpose Purpose, sub ...uint64) {
	// The sub-keys are folded into the key by rounds of splitmix64, a bijection for each sub-key. The multiplier (an odd
	// constant of L'Ecuyer's tables) breaks the symmetry between what is folded first and second.
	h := mix(seed + 0x9E3779B97F4A7C15*uint64(purpose))
	for _, v := range sub {
		h = mix(h*0xD1342543DE82EF95 + mix(v+0x9E3779B97F4A7C15))
	}
	*s = Stream{key: [2]uint32{uint32(h), uint32(h >> 32)}}
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// Uint32 is the next 32 random bits.
func (s *Stream) Uint32() uint32 {
	if s.have == 0 {
		s.buf[0], s.buf[1], s.buf[2], s.buf[3] = s.block()
		s.have = 4
	}
	s.have--
	return s.buf[3-s.have]
}

// Fill sets dst to what as many calls of Uint32 return.
func (s *Stream) Fill(dst []uint32) {
	for ; s.have > 0 && len(dst) > 0; dst = dst[1:] {
		dst[0] = s.Uint32()
	}
	for ; len(dst) >= 4; dst = dst[4:] {
		dst[0], dst[1], dst[2], dst[3] = s.block()
	}
	for i := range dst {
		dst[i] = s.Uint32()
	}
}

// Uint64 is the next 64 random bits.
func (s *Stream) Uint64() uint64 { return uint64(s.Uint32())<<32 | uint64(s.Uint32()) }

// Float64 is uniform in [0, 1) with 53 random bits.
func (s *Stream) Float64() float64 { return float64(s.Uint64()>>11) / (1 << 53) }

// Float32 is uniform in [0, 1) with 24 random bits.
func (s *Stream) Float32() float32 { return float32(s.Uint32()>>8) / (1 << 24) }

// IntN is uniform in [0, n), n > 0, without bias (Lemire's multiplication with rejection).
func (s *Stream) IntN(n int) int {
	un := uint64(n)
	hi, lo := bits.Mul64(s.Uint64(), un)
	if lo < un {
		for limit := -un % un; lo < limit; {
			hi, lo = bits.Mul64(s.Uint64(), un)
		}
	}
	return int(hi)
}

// Normal is drawn from the standard normal distribution (Box and Muller).
func (s *Stream) Normal() float64 {
	if s.hasSpare {
		s.hasSpare = false
		return s.spare
	}
	u := 1 - s.Float64() // (0, 1]
	r := math.Sqrt(-2 * math.Log(u))
	sin, cos := math.Sincos(2 * math.Pi * s.Float64())
	s.spare, s.hasSpare = r*sin, true
	return r * cos
}

// Shuffle permutes n elements (Fisher and Yates).
func (s *Stream) Shuffle(n int, swap func(i, j int)) {
	for i := n - 1; i > 0; i-- {
		swap(i, s.IntN(i+1))
	}
}

// block is the next four numbers: ten rounds of Philox 4x32; multipliers and Weyl constants from the paper.
func (s *Stream) block() (c0, c1, c2, c3 uint32) {
	c0, c1, c2, c3 = s.ctr[0], s.ctr[1], s.ctr[2], s.ctr[3]
	k0, k1 := s.key[0], s.key[1]
	for range 10 {
		hi0, lo0 := bits.Mul32(0xD2511F53, c0)
		hi1, lo1 := bits.Mul32(0xCD9E8D57, c2)
		c0, c1, c2, c3 = hi1^c1^k0, lo1, hi0^c3^k1, lo0
		k0 += 0x9E3779B9
		k1 += 0xBB67AE85
	}
	for i := range s.ctr {
		s.ctr[i]++
		if s.ctr[i] != 0 {
			break
		}
	}
	return c0, c1, c2, c3
}
