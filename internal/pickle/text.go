package pickle

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// text reads UTF-8 whose length is before it, in size bytes.
func (m *machine) text(size int) error {
	b, err := m.sized(size)
	if err != nil {
		return err
	}
	return m.pushAny(strings.ToValidUTF8(string(b), "\uFFFD"))
}

// latin1 reads a string of Python 2, one character a byte.
func (m *machine) latin1(size int) error {
	b, err := m.sized(size)
	if err != nil {
		return err
	}
	return m.pushAny(fromLatin1(b))
}

func (m *machine) pushBytes(size int) error {
	b, err := m.sized(size)
	if err != nil {
		return err
	}
	return m.pushAny(b)
}

// unicodeLine reads text of protocol 0: one character a byte, others, and the backslash, as \uXXXX or \UXXXXXXXX.
func (m *machine) unicodeLine() error {
	line, err := m.longLine(1 << 30)
	if err != nil {
		return err
	}
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		if line[i] != '\\' || i+1 == len(line) || line[i+1] != 'u' && line[i+1] != 'U' {
			b.WriteRune(rune(line[i]))
			continue
		}
		digits := 4
		if line[i+1] == 'U' {
			digits = 8
		}
		if len(line)-i-2 < digits {
			return fmt.Errorf("expected %d hexadecimal digits after a backslash", digits)
		}
		r, err := strconv.ParseUint(string(line[i+2:i+2+digits]), 16, 32)
		if err != nil || r > utf8.MaxRune {
			return fmt.Errorf("expected a character's number after a backslash, got %q", line[i+2:i+2+digits])
		}
		b.WriteRune(rune(r))
		i += 1 + digits
	}
	return m.pushAny(b.String())
}

// quotedLine reads a string of Python 2 as its repr.
func (m *machine) quotedLine() error {
	line, err := m.longLine(1 << 30)
	if err != nil {
		return err
	}
	n := len(line)
	if n < 2 || line[0] != line[n-1] || line[0] != '\'' && line[0] != '"' {
		return fmt.Errorf("expected a quoted string, got %.40q", line)
	}
	var out []byte
	for rest := string(line[1 : n-1]); rest != ""; {
		if rest[0] != '\\' {
			out, rest = append(out, rest[0]), rest[1:]
			continue
		}
		// Python's escapes of a byte string are among Go's.
		c, _, tail, err := strconv.UnquoteChar(rest, 0)
		switch {
		case strings.HasPrefix(rest, `\'`), strings.HasPrefix(rest, `\"`):
			c, tail = rune(rest[1]), rest[2:]
		case err != nil || c > 0xff:
			return fmt.Errorf("expected an escape of a byte, got %.10q", rest)
		}
		out, rest = append(out, byte(c)), tail
	}
	return m.pushAny(fromLatin1(out))
}

func fromLatin1(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		s.WriteRune(rune(c))
	}
	return s.String()
}

// toLatin1 is one byte a character.
func toLatin1(s string) ([]byte, error) {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return nil, fmt.Errorf("expected characters below U+0100, got %U", r)
		}
		b = append(b, byte(r))
	}
	return b, nil
}
