package main

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/layers"
)

// padding is how many zeros rows of ids begin and end with, which are no words; nil in rows of numbers, and where they are masked.
type padding struct {
	front, behind []int
	steps         int
}

func paddingOf(d unroll.Data, rows []int) (p padding, err error) {
	var b unroll.Batch
	if err := d.Batch(&b, rows); err != nil || len(b.X) != 1 || b.X[0].IDs == nil || len(b.X[0].Shape) < 2 || len(rows) == 0 {
		return p, err
	}
	ids := b.X[0].IDs
	p.steps = len(ids) / len(rows)
	for r := range rows {
		row := ids[r*p.steps : (r+1)*p.steps]
		word := func(id int32) bool { return id != 0 }
		front := slices.IndexFunc(row, word)
		if front < 0 {
			front = p.steps
		}
		behind := 0
		for behind < p.steps-front && row[p.steps-1-behind] == 0 {
			behind++
		}
		p.front, p.behind = append(p.front, front), append(p.behind, behind)
	}
	return p, nil
}

// The note on padding: from which part of a batch on it is worth a word.
const paddingWorthANote = 0.1

// paddingNote says what padding that is not masked costs, of the first batch; "" where there is little.
func paddingNote(m *model, d unroll.Data, batch int) (string, error) {
	i := slices.IndexFunc(m.specs, func(s layers.Spec) bool { _, ok := s.(layers.Embedding); return ok })
	if i < 0 || m.specs[i].(layers.Embedding).MaskZero || !slices.ContainsFunc(m.specs[i:], layers.IsRecurrent) {
		return "", nil
	}
	rows := make([]int, min(batch, d.Len()))
	for r := range rows {
		rows[r] = r
	}
	p, err := paddingOf(d, rows)
	if err != nil || p.front == nil {
		return "", err
	}
	front, behind := 0, 0
	for r := range rows {
		front, behind = front+p.front[r], behind+p.behind[r]
	}
	all := len(rows) * p.steps
	part := float64(front+behind) / float64(max(1, all))
	if part < paddingWorthANote {
		return "", nil
	}
	work, err := m.Work(d, rows)
	if err != nil {
		return "", err
	}
	note := fmt.Sprintf("note: %.0f%% of the ids are padding (0) that nothing masks: a layer reads it as words.", 100*part)
	if work.Positions == all { // one way
		words := all - front - behind
		note += fmt.Sprintf(" The first batch has %s words, and %s steps are walked: %.2g times as many.", thousands(words), thousands(work.Walked),
			float64(work.Walked)/float64(max(1, words)))
	}
	if behind > front {
		note += " It stands behind the words, so that the last output is one of padding."
	}
	e := m.specs[i].(layers.Embedding)
	return note + fmt.Sprintf(" embedding(%d, %d, mask_zero=true) leaves it out.", e.InputDim, e.OutputDim), nil
}
