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

		tables, handover := d.cell.RowWidths()
		for _, w := range tables {
			rows.Tables = append(rows.Tables, make([]float32, distinct*w))
		}
		for _, w := range handover {
			rows.Handover = append(rows.Handover, make([]float32, places*w))
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
			var sums [][]float32
			for i, w := range handover {
				sum := make([]float32, (hi-lo)*w)
				for p, id := range rows.Index {
					if int(id) >= lo && int(id) < hi {
						for k := range w {
							sum[(int(id)-lo)*w+k] += rows.Handover[i][p*w+k]
						}
					}
				}
				sums = append(sums, sum)
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
