package callbacks

import "math"

// histogram counts values in 30 buckets of one width, from the smallest value to the largest. Where there is but one value, all buckets are at that
// point and the last one has the count. Source: tensorboard/plugins/histogram/summary_v2.py, _buckets.
func histogram(values []float32) [][3]float64 {
	const n = 30
	buckets := make([][3]float64, n)
	if len(values) == 0 {
		return buckets
	}
	lo, hi := float64(values[0]), float64(values[0])
	for _, v := range values {
		lo, hi = math.Min(lo, float64(v)), math.Max(hi, float64(v)) // which keep NaN
	}
	edge := func(i int) float64 {
		switch i {
		case 0:
			return lo
		case n:
			return hi
		}
		return lo + (hi-lo)/n*float64(i)
	}
	if lo == hi {
		for i := range buckets {
			buckets[i] = [3]float64{hi, hi, 0}
		}
		buckets[n-1][2] = float64(len(values))
		return buckets
	}
	for i := range buckets {
		buckets[i] = [3]float64{edge(i), edge(i + 1), 0}
	}
	width := (hi - lo) / n
	for _, v := range values {
		if at := math.Floor((float64(v) - lo) / width); at >= 0 { // NaN is in no bucket
			buckets[int(min(at, n-1))][2]++
		}
	}
	return buckets
}
