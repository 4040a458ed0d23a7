package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/tensor"
)

// loadTable reads a .csv or .tsv of numbers. A first line that is not of numbers is a header. The last column is the target; for
// predict it is an input like the others unless its header is y, target, label or class.
func loadTable(r dataRequest, comma rune) (*rows, error) {
	f, _, err := open(r.name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t := csv.NewReader(f)
	t.Comma, t.ReuseRecord, t.TrimLeadingSpace = comma, true, comma == ','
	var header []string
	var data []float32
	columns := 0
	for first := true; ; first = false {
		record, err := t.Read()
		if err == io.EOF {
			break
		}
		var wrong *csv.ParseError
		switch {
		case errors.Is(err, csv.ErrFieldCount):
			line, _ := t.FieldPos(0)
			return nil, fmt.Errorf("--data: %s:%d: expected %d columns, got %d", r.name, line, columns, len(record))
		case errors.As(err, &wrong):
			return nil, fmt.Errorf("--data: %s:%d: %w", r.name, wrong.Line, wrong.Err)
		case err != nil:
			return nil, fmt.Errorf("--data: %s: %w", r.name, err)
		}
		line, _ := t.FieldPos(0)
		columns = len(record)
		if first && !anyNumber(record) {
			header = append(header, record...)
			continue
		}
		for i, field := range record {
			v, err := strconv.ParseFloat(strings.TrimSpace(field), 32)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				column := strconv.Itoa(i + 1)
				if header != nil {
					column = quoted(header[i])
				}
				return nil, fmt.Errorf("--data: %s:%d: expected a number in column %s, got %s", r.name, line, column, quoted(field))
			}
			data = append(data, float32(v))
		}
	}
	if columns == 0 {
		return nil, fmt.Errorf("--data: %s: expected rows of numbers, got none", r.name)
	}
	n := len(data) / columns
	if r.noTarget && !namesTarget(header) {
		return &rows{floats: &tensor.Tensor{Shape: tensor.Shape{n, columns}, Data: data}}, nil
	}
	if columns < 2 {
		return nil, fmt.Errorf("--data: %s: expected inputs and a last column with the target, got one column", r.name)
	}
	x, y := tensor.New(n, columns-1), tensor.New(n)
	for i := range n {
		row := data[i*columns : (i+1)*columns]
		copy(x.Data[i*(columns-1):], row[:columns-1])
		y.Data[i] = row[columns-1]
	}
	return &rows{floats: x, y: whole(y)}, nil
}

func anyNumber(record []string) bool {
	for _, field := range record {
		if _, err := strconv.ParseFloat(strings.TrimSpace(field), 64); err == nil {
			return true
		}
	}
	return false
}

// namesTarget reports whether the last column's header says that it is the target.
func namesTarget(header []string) bool {
	if len(header) == 0 {
		return false
	}
	switch strings.ToLower(strings.TrimSpace(header[len(header)-1])) {
	case "y", "target", "label", "class":
		return true
	}
	return false
}

// whole is the targets as ids when all are whole numbers: classes.
func whole(y *tensor.Tensor) any {
	ids := &tensor.IDs{Shape: y.Shape, Data: make([]int32, len(y.Data))}
	for i, v := range y.Data {
		if ids.Data[i] = int32(v); float32(ids.Data[i]) != v {
			return y
		}
	}
	return ids
}
