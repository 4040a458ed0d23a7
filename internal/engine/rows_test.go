package engine

import (
	"slices"
	"testing"
)

// Inputs that occur many times are computed once each; the result is that of computing them at every place.
func TestDistinctRows(t *testing.T) {
	compared := 0
	for seed := range uint64(400) {
		d := draw(t, seed)
		if d.backwards {
			continue // the layer puts the index in processing order itself
		}
		distinct := 1 + d.s.IntN(4)
		x := d.normal(distinct * d.c)
		places := d.t * d.n
		rows := &Rows{X: x, D: distinct, Index: make([]int32, places)}
		for i := range rows.Index {
			rows.Index[i] = int32(d.s.IntN(distinct))
			copy(d.x[i*d.c:(i+1)*d.c], x[int(rows.Index[i])*d.c:])
		}
		want := d.run(Shape{}, Input{}, Gradient{})
		if !want.tame() {
			continue
		}
		compared++

		// Every other word has a row of sums of its own in each of two parts, as if they were shards.
		width := d.cell.SumWidth()
		rows.Table = make([]float32, distinct*d.cell.TableWidth())
		rows.Sums, rows.Local = make([]float32, 2*distinct*width), make([]int32, places)
		for i, id := range rows.Index {
			rows.Local[i] = 2*id + int32(i%2)
		}
		var run Run
		for lo := 0; lo < distinct; lo += 2 {
			run.Project(d.cell, rows, lo, min(lo+2, distinct))
		}
		run.Forward(d.cell, Shape{T: d.t, N: d.n, Training: true}, Input{Rows: rows})
		got := result{last: slices.Clone(run.Last()), grads: d.grads()}
		for i := range d.cell.plan.Cell.States {
			got.final = append(got.final, slices.Clone(run.Final(i)))
		}
		run.Backward(Gradient{Last: d.last, Weights: got.grads})
		dx := make([]float32, len(x))
		for lo := 0; lo < distinct; lo += 2 {
			hi := min(lo+2, distinct)
			sums := make([]float32, (hi-lo)*width)
			for i := range sums {
				word, k := lo+i/width, i%width
				sums[i] = rows.Sums[2*word*width+k] + rows.Sums[(2*word+1)*width+k]
			}
			run.BackRows(d.cell, rows, lo, hi, sums, dx[lo*d.c:hi*d.c], got.grads)
		}
		sum := make([]float32, len(x))
		for p, id := range rows.Index {
			for k := range d.c {
				sum[int(id)*d.c+k] += want.dx[p*d.c+k]
			}
		}
		agree(t, "distinct rows: gradient of the input", dx, sum)
		got.dx, want.dx = nil, nil
		d.compare(t, "distinct rows", got, want)
		if t.Failed() {
			t.Fatalf("seed %d, %d distinct rows at %d places:\n%s", seed, distinct, places, d.cell.plan.Cell.Text)
		}
	}
	if compared < 200 {
		t.Errorf("only %d runs were compared", compared)
	}
}
