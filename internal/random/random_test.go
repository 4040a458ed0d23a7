package random

import (
	"math"
	"testing"
)

// Known answers from the authors' test vectors (Random123, kat_vectors, philox4x32 10).
func TestPhilox(t *testing.T) {
	for _, c := range []struct {
		ctr  [4]uint32
		key  [2]uint32
		want [4]uint32
	}{
		{want: [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{
			ctr:  [4]uint32{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
			key:  [2]uint32{0xffffffff, 0xffffffff},
			want: [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
		},
		{
			ctr:  [4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
			key:  [2]uint32{0xa4093822, 0x299f31d0},
			want: [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
		},
	} {
		s := Stream{ctr: c.ctr, key: c.key}
		var got [4]uint32
		if got[0], got[1], got[2], got[3] = s.block(); got != c.want {
			t.Errorf("philox(%x, %x) = %x, want %x", c.ctr, c.key, got, c.want)
		}
	}
}

// Fill goes on wherever the stream stands.
func TestFill(t *testing.T) {
	for before := range 5 {
		for n := range 14 {
			one, many := New(1, Data), New(1, Data)
			for range before {
				one.Uint32()
				many.Uint32()
			}
			got := make([]uint32, n)
			many.Fill(got)
			for i, v := range append(got, many.Uint32()) {
				if want := one.Uint32(); v != want {
					t.Fatalf("after %d, number %d of %d: got %x, want %x", before, i, n, v, want)
				}
			}
		}
	}
}

func TestMoments(t *testing.T) {
	const n = 200000
	s := New(1, Init, 0)
	var mean, sq float64
	for range n {
		v := s.Normal()
		mean += v / n
		sq += v * v / n
	}
	// Five standard errors: 5/sqrt(n) and 5*sqrt(2/n).
	if !(math.Abs(mean) <= 0.0112) || !(math.Abs(sq-1) <= 0.0158) {
		t.Errorf("normal: mean %g, mean square %g", mean, sq)
	}
	counts := make([]int, 7)
	for range n {
		counts[s.IntN(7)]++
	}
	for i, c := range counts {
		if !(math.Abs(float64(c)-n/7.0) <= 5*math.Sqrt(n/7.0)) {
			t.Errorf("IntN(7) = %d came %d times, want about %d", i, c, n/7)
		}
	}
}

func TestKeysKeepStreamsApart(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := range uint64(4) {
		for _, p := range []Purpose{Init, Shuffle, Dropout, Data} {
			for sub := range uint64(4) {
				for _, s := range []*Stream{New(seed, p, sub), New(seed, p, sub, 0), New(seed, p, 0, sub+10)} {
					v := s.Uint64()
					if seen[v] {
						t.Fatalf("two streams begin alike (seed %d, purpose %d, sub %d)", seed, p, sub)
					}
					seen[v] = true
				}
			}
		}
	}
}
