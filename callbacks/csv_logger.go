package callbacks

import (
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/unroll-ml/unroll"
)

// CSVLogger writes a line for every epoch: its number, from 0, and the logs by name in the order of the alphabet. Values of the validation that
// are not there yet are NA, and stay so.
type CSVLogger struct {
	unroll.NoCallback
	Filename  string
	Separator string // ","
	Append    bool   // to what the file has

	file   *os.File
	writer *csv.Writer
	state  table
}

// table is what a CSVLogger remembers.
type table struct {
	Keys            []string
	Headed, Started bool
	Size            int64 // of the file
}

// State implements unroll.Stateful.
func (c *CSVLogger) State() any { return &c.state }

// TrainBegin implements unroll.Callback.
func (c *CSVLogger) TrainBegin(t *unroll.Training) (err error) {
	separator := ','
	if c.Separator != "" {
		if utf8.RuneCountInString(c.Separator) != 1 || strings.ContainsAny(c.Separator, "\"\r\n") {
			return fmt.Errorf("callbacks: CSVLogger: separator must be one character, no quote and no line end, got %q", c.Separator)
		}
		separator, _ = utf8.DecodeRuneInString(c.Separator)
	}
	if !t.Resumed {
		c.state = table{}
	}
	if c.file, err = c.open(t.Resumed); err != nil {
		return fmt.Errorf("callbacks: CSVLogger: %w", err)
	}
	c.writer = csv.NewWriter(c.file)
	c.writer.Comma, c.writer.UseCRLF = separator, true // as Python writes
	return nil
}

// open opens the file, at its end. Of a training that goes on it has the lines of then, and loses those that came later.
func (c *CSVLogger) open(resumed bool) (*os.File, error) {
	mode := os.O_TRUNC
	if c.Append || resumed {
		mode = 0
	}
	f, err := os.OpenFile(c.Filename, os.O_CREATE|os.O_WRONLY|mode, 0o666)
	if err != nil {
		return nil, err
	}
	size, err := f.Seek(0, io.SeekEnd)
	switch {
	case err != nil:
	case !resumed:
		c.state.Size, c.state.Headed = size, size > 0
	case size < c.state.Size:
		err = fmt.Errorf("%s: expected the %d bytes that were written before, got %d", c.Filename, c.state.Size, size)
	default:
		if err = f.Truncate(c.state.Size); err == nil {
			_, err = f.Seek(0, io.SeekEnd)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// EpochEnd implements unroll.Callback.
func (c *CSVLogger) EpochEnd(t *unroll.Training, logs unroll.Logs) (err error) {
	if !c.state.Started {
		c.start(logs)
	}
	row := []string{strconv.Itoa(t.Epoch)}
	for _, k := range c.state.Keys {
		text := "NA"
		if v, ok := logs.Get(k); ok {
			text = python(v)
		}
		row = append(row, text)
	}
	c.writer.Write(row)
	c.writer.Flush()
	if err := c.writer.Error(); err != nil {
		return fmt.Errorf("callbacks: CSVLogger: %w", err)
	}
	if c.state.Size, err = c.file.Seek(0, io.SeekCurrent); err != nil {
		return fmt.Errorf("callbacks: CSVLogger: %w", err)
	}
	return nil
}

// start fixes the columns, and names them where the file has none yet.
func (c *CSVLogger) start(logs unroll.Logs) {
	validated := false
	for _, l := range logs {
		c.state.Keys = append(c.state.Keys, l.Name)
		validated = validated || strings.HasPrefix(l.Name, "val_")
	}
	slices.Sort(c.state.Keys)
	if !validated {
		for _, k := range c.state.Keys[:len(c.state.Keys):len(c.state.Keys)] {
			c.state.Keys = append(c.state.Keys, "val_"+k)
		}
	}
	if !c.state.Headed {
		c.writer.Write(append([]string{"epoch"}, c.state.Keys...)) // an error is kept until Flush
	}
	c.state.Started = true
}

// TrainEnd implements unroll.Callback.
func (c *CSVLogger) TrainEnd(*unroll.Training) error {
	if err := c.file.Close(); err != nil {
		return fmt.Errorf("callbacks: CSVLogger: %w", err)
	}
	return nil
}

// python is a number as Python prints it.
func python(v float64) string {
	s := strconv.FormatFloat(v, 'e', -1, 64)
	mantissa, exponent, ok := strings.Cut(s, "e")
	switch {
	case !ok: // NaN, infinities
		return strings.ToLower(strings.TrimPrefix(s, "+"))
	default:
		if e, err := strconv.Atoi(exponent); err != nil || e < -4 || e >= 16 {
			return mantissa + "e" + exponent
		}
	}
	if s = strconv.FormatFloat(v, 'f', -1, 64); !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
