package callbacks

import (
	"encoding/csv"
	"fmt"
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

	file    *os.File
	writer  *csv.Writer
	keys    []string
	headed  bool
	started bool
}

// TrainBegin implements unroll.Callback.
func (c *CSVLogger) TrainBegin(*unroll.Training) (err error) {
	separator := ','
	if c.Separator != "" {
		if utf8.RuneCountInString(c.Separator) != 1 || strings.ContainsAny(c.Separator, "\"\r\n") {
			return fmt.Errorf("callbacks: CSVLogger: separator must be one character, no quote and no line end, got %q", c.Separator)
		}
		separator, _ = utf8.DecodeRuneInString(c.Separator)
	}
	mode := os.O_TRUNC
	c.headed, c.started, c.keys = false, false, nil
	if c.Append {
		mode = os.O_APPEND
		if info, err := os.Stat(c.Filename); err == nil {
			c.headed = info.Size() > 0
		}
	}
	if c.file, err = os.OpenFile(c.Filename, os.O_CREATE|os.O_WRONLY|mode, 0o666); err != nil {
		return fmt.Errorf("callbacks: CSVLogger: %w", err)
	}
	c.writer = csv.NewWriter(c.file)
	c.writer.Comma, c.writer.UseCRLF = separator, true // as Python writes
	return nil
}

// EpochEnd implements unroll.Callback.
func (c *CSVLogger) EpochEnd(t *unroll.Training, logs unroll.Logs) error {
	if !c.started {
		c.start(logs)
	}
	row := []string{strconv.Itoa(t.Epoch)}
	for _, k := range c.keys {
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
	return nil
}

// start fixes the columns, and names them where the file has none yet.
func (c *CSVLogger) start(logs unroll.Logs) {
	validated := false
	for _, l := range logs {
		c.keys = append(c.keys, l.Name)
		validated = validated || strings.HasPrefix(l.Name, "val_")
	}
	slices.Sort(c.keys)
	if !validated {
		for _, k := range c.keys[:len(c.keys):len(c.keys)] {
			c.keys = append(c.keys, "val_"+k)
		}
	}
	if !c.headed {
		c.writer.Write(append([]string{"epoch"}, c.keys...)) // an error is kept until Flush
	}
	c.started = true
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
