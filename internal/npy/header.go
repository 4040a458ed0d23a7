package npy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// The limits on a header before it is believed.
const (
	magic = "\x93NUMPY"
	// maxHeader is far more than a header without structured dtypes needs; NumPy itself refuses more than 10,000 characters.
	maxHeader = 1 << 16
	// maxAxes is NumPy 2's own limit.
	maxAxes = 64
)

// Header is what a .npy file says about its array.
type Header struct {
	Shape        []int
	Dtype        string // in memory's byte order, as in Array
	FortranOrder bool

	swap bool // big-endian in the file
	size int  // bytes an element, 0 for objects
}

// count is the number of elements; parseHeader has made sure that it and count*size fit an int.
func (h *Header) count() int {
	n := 1
	for _, d := range h.Shape {
		n *= d
	}
	return n
}

// ReadHeader reads a .npy file up to its first data byte.
func ReadHeader(r io.Reader) (*Header, error) {
	var pre [8]byte
	if _, err := io.ReadFull(r, pre[:]); err != nil {
		return nil, fmt.Errorf("npy: reading the magic string: %w", err)
	}
	if string(pre[:6]) != magic {
		return nil, fmt.Errorf("npy: expected a file that begins %q, got %q", magic, pre[:6])
	}
	var length int
	switch version := pre[6]; version {
	case 1:
		var b [2]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return nil, fmt.Errorf("npy: reading the header's length: %w", err)
		}
		length = int(binary.LittleEndian.Uint16(b[:]))
	case 2, 3:
		var b [4]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return nil, fmt.Errorf("npy: reading the header's length: %w", err)
		}
		n := binary.LittleEndian.Uint32(b[:])
		if n > maxHeader {
			return nil, fmt.Errorf("npy: expected a header of at most %d bytes, got %d", maxHeader, n)
		}
		length = int(n)
	default:
		return nil, fmt.Errorf("npy: expected format version 1, 2 or 3, got %d.%d", version, pre[7])
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, fmt.Errorf("npy: reading the header: %w", err)
	}
	return parseHeader(string(text))
}

// parseHeader reads the literal of a Python dict, as in {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
func parseHeader(text string) (*Header, error) {
	h := &Header{}
	p := literal{text: text}
	seen := map[string]bool{}
	p.want('{')
	for p.err == nil && !p.take('}') {
		key := p.str()
		p.want(':')
		switch key {
		case "descr":
			if p.peek() == '[' || p.peek() == '(' {
				return nil, fmt.Errorf("npy: expected a plain dtype, got a structured one")
			}
			if descr := p.str(); p.err == nil {
				if err := h.setDtype(descr); err != nil {
					return nil, err
				}
			}
		case "fortran_order":
			h.FortranOrder = p.boolean()
		case "shape":
			h.Shape = p.tuple()
		default:
			p.fail("one of the keys descr, fortran_order, shape")
		}
		if seen[key] {
			p.fail("every key once")
		}
		seen[key] = true
		if !p.take(',') && p.peek() != '}' {
			p.fail("',' or '}'")
		}
	}
	if p.err == nil && p.peek() != 0 {
		p.fail("the end of the header")
	}
	if p.err == nil && len(seen) != 3 {
		p.fail("the keys descr, fortran_order and shape")
	}
	if p.err != nil {
		return nil, p.err
	}
	// The product of the axes other than zero must fit, so that no later product of a part of them can overflow.
	total := max(h.size, 1)
	for _, d := range h.Shape {
		if d > 0 && total > math.MaxInt/d {
			return nil, fmt.Errorf("npy: expected an array that fits memory, got shape %v of dtype %s", h.Shape, h.Dtype)
		}
		total *= max(d, 1)
	}
	return h, nil
}

// setDtype reads a dtype's short form: byte order, kind, size.
func (h *Header) setDtype(descr string) error {
	unknown := fmt.Errorf("npy: expected a dtype among f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1 S U O, got %.40q", descr)
	if len(descr) < 2 || !strings.ContainsRune("<>|=", rune(descr[0])) {
		return unknown
	}
	kind := descr[1:]
	switch kind {
	case "O", "O8", "O4":
		h.Dtype = "|O"
		return nil
	case "f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1":
		h.size = int(kind[1] - '0')
	default:
		n, err := strconv.ParseUint(kind[1:], 10, 31)
		if err != nil || n == 0 || kind[1] == '0' || kind[1] == '+' {
			return unknown
		}
		switch kind[0] {
		case 'S':
			h.size = int(n)
		case 'U':
			if n > math.MaxInt32/4 {
				return unknown
			}
			h.size = 4 * int(n)
		default:
			return unknown
		}
	}
	order := "<"
	if h.size == 1 || kind[0] == 'S' {
		order = "|"
	}
	h.Dtype = order + kind
	h.swap = descr[0] == '>' && order == "<"
	return nil
}

// appendHeader is a header as NumPy writes it: the data begin at a multiple of 64 bytes. Version 1 unless the shape is too
// long for it, which 64 axes never are.
func appendHeader(dst []byte, a *Array) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{'descr': '%s', 'fortran_order': False, 'shape': (", a.Dtype)
	for i, d := range a.Shape {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%d", d)
		if i < len(a.Shape)-1 || i == 0 {
			b.WriteByte(',')
		}
	}
	b.WriteString("), }")
	const fixed = len(magic) + 2 + 2
	for (fixed+b.Len()+1)%64 != 0 {
		b.WriteByte(' ')
	}
	b.WriteByte('\n')
	dst = append(dst, magic...)
	dst = append(dst, 1, 0)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(b.Len()))
	return append(dst, b.Bytes()...)
}

// literal walks over the text of a Python literal. After the first error every method returns a zero.
type literal struct {
	text string
	at   int
	err  error
}

func (p *literal) fail(want string) {
	if p.err == nil {
		rest := p.text[min(p.at, len(p.text)):]
		p.err = fmt.Errorf("npy: header: expected %s, got %.24q at byte %d", want, rest, p.at)
	}
}

// peek is the next byte that is not white space, 0 at the end.
func (p *literal) peek() byte {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *literal) take(c byte) bool {
	if p.err == nil && p.peek() == c {
		p.at++
		return true
	}
	return false
}

func (p *literal) want(c byte) {
	if !p.take(c) {
		p.fail(strconv.QuoteRune(rune(c)))
	}
}

func (p *literal) str() string {
	quote := p.peek()
	if p.err == nil && (quote == '\'' || quote == '"') {
		if end := strings.IndexByte(p.text[p.at+1:], quote); end >= 0 {
			s := p.text[p.at+1 : p.at+1+end]
			p.at += end + 2
			return s
		}
	}
	p.fail("a quoted string")
	return ""
}

func (p *literal) boolean() bool {
	p.peek()
	rest := p.text[p.at:]
	switch {
	case p.err != nil:
	case strings.HasPrefix(rest, "True"):
		p.at += len("True")
		return true
	case strings.HasPrefix(rest, "False"):
		p.at += len("False")
	default:
		p.fail("True or False")
	}
	return false
}

// tuple reads the lengths of the axes; Python 2 wrote some of them as 3L.
func (p *literal) tuple() []int {
	dims := []int{}
	p.want('(')
	for p.err == nil && !p.take(')') {
		p.peek()
		start := p.at
		for p.at < len(p.text) && '0' <= p.text[p.at] && p.text[p.at] <= '9' {
			p.at++
		}
		d, err := strconv.Atoi(p.text[start:p.at])
		if err != nil || len(dims) == maxAxes {
			p.at = start
			p.fail(fmt.Sprintf("at most %d lengths of axes", maxAxes))
			break
		}
		p.take('L')
		dims = append(dims, d)
		if !p.take(',') && p.peek() != ')' {
			p.fail("',' or ')'")
		}
	}
	return dims
}
