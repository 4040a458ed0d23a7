package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/unroll-ml/unroll/tensor"
)

// loadJSONL reads one object a line: {"x": [1, 14, 22], "y": 1}, or {"text": "what a film", "y": 1}, where x may stand for text, and label for y, a number or a class. x is a sequence, of numbers or of lists of numbers that are
// equally long; y a number or a list of numbers, or absent. Sequences of whole numbers are ids. Sequences of floats of different
// lengths get zeros in front, or lose their start, as Keras's pad_sequences does.
func loadJSONL(r dataRequest) (*rows, error) {
	f, _, err := open(r.name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	j := &jsonRows{width: -1, target: -1, whole: true}
	in := bufio.NewReader(f)
	for line := 1; ; line++ {
		text, err := in.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("--data: %s: %w", r.name, err)
		}
		if len(text) > 1 || len(text) == 1 && text[0] != '\n' {
			if err := j.add(text); err != nil {
				return nil, fmt.Errorf("--data: %s:%d: %w", r.name, line, err)
			}
		}
		if err == io.EOF {
			break
		}
	}
	rows, err := j.rows(r.maxLen)
	if err != nil {
		return nil, fmt.Errorf("--data: %s: %w", r.name, err)
	}
	return rows, nil
}

// jsonRows collects the lines.
type jsonRows struct {
	x      [][]float64 // a line's numbers, one step after the other
	width  int         // numbers a step; 0: the steps are numbers; -1: not known yet
	y      []float64
	target int // numbers a target, likewise; -2: no targets
	whole  bool
	texts  []string // nil where the lines have sequences
	labels []string // of texts
}

func (j *jsonRows) add(line []byte) error {
	var row struct {
		X     json.RawMessage `json:"x"`
		Text  *string         `json:"text"`
		Y     json.RawMessage `json:"y"`
		Label json.RawMessage `json:"label"`
	}
	if err := json.Unmarshal(line, &row); err != nil {
		return fmt.Errorf(`expected an object such as {"x": [1, 14, 22], "y": 1}: %w`, err)
	}
	if len(row.X) > 0 && row.X[0] == '"' {
		row.Text = new(string)
		if err := json.Unmarshal(row.X, row.Text); err != nil {
			return fmt.Errorf("x: %w", err)
		}
	}
	if row.Text != nil && row.Y == nil {
		row.Y = row.Label
	}
	if row.Text != nil || j.texts != nil {
		return j.addText(row.Text, row.Y)
	}
	var steps []json.RawMessage
	if row.X != nil {
		if err := json.Unmarshal(row.X, &steps); err != nil {
			return fmt.Errorf(`expected an object such as {"x": [1, 14, 22], "y": 1}: %w`, err)
		}
	}
	if steps == nil {
		return fmt.Errorf("expected a key x with a list")
	}
	var seq []float64
	for _, step := range steps {
		v, width, err := numbersOf(step)
		if err != nil {
			return fmt.Errorf("x: %w", err)
		}
		if j.width == -1 {
			j.width = width
		}
		if width != j.width {
			return fmt.Errorf("x: expected steps of %s, as before, got %s", stepWidth(j.width), stepWidth(width))
		}
		seq = append(seq, v...)
	}
	for _, v := range seq {
		j.whole = j.whole && v == float64(int32(v))
	}
	j.x = append(j.x, seq)
	y, width, err := []float64(nil), -2, error(nil)
	if row.Y != nil && string(row.Y) != "null" {
		if y, width, err = numbersOf(row.Y); err != nil {
			return fmt.Errorf("y: %w", err)
		}
	}
	if j.target == -1 {
		j.target = width
	}
	if width != j.target {
		return fmt.Errorf("y: expected %s, as before, got %s", stepWidth(j.target), stepWidth(width))
	}
	j.y = append(j.y, y...)
	return nil
}

// addText takes a line with a text.
func (j *jsonRows) addText(text *string, y json.RawMessage) error {
	if text == nil || len(j.x) > 0 {
		return fmt.Errorf("expected a text in every line or in none")
	}
	label := ""
	if y != nil && string(y) != "null" {
		if label = string(y); y[0] == '"' {
			if err := json.Unmarshal(y, &label); err != nil {
				return fmt.Errorf("y: %w", err)
			}
		} else if _, width, err := numbersOf(y); err != nil || width != 0 {
			return fmt.Errorf("y: expected a number or a class, got %s", quoted(label))
		}
		j.labels = append(j.labels, label)
	}
	j.texts = append(j.texts, *text)
	if len(j.labels) != 0 && len(j.labels) != len(j.texts) {
		return fmt.Errorf("y: expected a target in every line or in none")
	}
	return nil
}

// stepWidth is a width as errors show it.
func stepWidth(n int) string {
	switch n {
	case -2:
		return "nothing"
	case 0:
		return "a number"
	}
	return fmt.Sprintf("a list of %d", n)
}

// numbersOf is a number, width 0, or a list of numbers.
func numbersOf(raw json.RawMessage) (v []float64, width int, err error) {
	if len(raw) > 0 && raw[0] == '[' {
		if err = json.Unmarshal(raw, &v); err != nil || len(v) == 0 {
			return nil, 0, fmt.Errorf("expected a list of numbers, got %s", quoted(string(raw)))
		}
		return v, len(v), nil
	}
	v = make([]float64, 1)
	if err = json.Unmarshal(raw, &v[0]); err != nil || string(raw) == "null" {
		return nil, 0, fmt.Errorf("expected a number or a list of numbers, got %s", quoted(string(raw)))
	}
	return v, 0, nil
}

func (j *jsonRows) rows(maxLen int) (*rows, error) {
	r := &rows{}
	if j.texts != nil {
		if r.texts = j.texts; len(j.labels) > 0 {
			r.label(j.labels)
		}
		return r, nil
	}
	if j.target >= 0 {
		y := tensor.New(len(j.x))
		if j.target > 0 {
			y = tensor.New(len(j.x), j.target)
		}
		for i, v := range j.y {
			y.Data[i] = float32(v)
		}
		r.y = whole(y)
	}
	if j.whole && j.width <= 0 {
		r.seqs = make([][]int32, len(j.x))
		for i, seq := range j.x {
			ids := make([]int32, len(seq))
			for k, v := range seq {
				ids[k] = int32(v)
			}
			r.seqs[i] = ids
		}
		return r, nil
	}
	width, steps, total := max(1, j.width), maxLen, 0
	for _, seq := range j.x {
		if total += len(seq); maxLen == 0 {
			steps = max(steps, len(seq)/width)
		}
	}
	if err := checkPadded(len(j.x), steps*width, total); err != nil {
		return nil, err
	}
	r.floats, r.padded = tensor.New(len(j.x), steps, width), true
	for i, seq := range j.x {
		seq = seq[max(0, len(seq)-steps*width):]
		row := r.floats.Data[i*steps*width : (i+1)*steps*width]
		for k, v := range seq {
			row[len(row)-len(seq)+k] = float32(v)
		}
	}
	return r, nil
}
