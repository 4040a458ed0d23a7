// Package pickle reads Python's pickles of plain values and NumPy arrays, and nothing else: numbers, text, bytes, lists,
// tuples, dicts and arrays, in protocols 0 to 5. A pickle is a program; every function that it may call is written out in
// numpy.go, and any other, and any other opcode, is an error that names it.
//
// A list of integers that fit 32 bits is kept as 4 bytes an element, without a tree of interfaces, so that reading the object
// arrays of imdb.npz needs little more memory than the words themselves.
//
// Source: the opcodes' descriptions in Python's pickletools, and pickles that NumPy 1 and 2 write.
package pickle

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The bounds on what a pickle may hold at a time. Picklers append to lists and dicts a thousand elements at a time, so only
// a tuple's length and the nesting need the stack; the memo holds one entry an object.
const (
	maxStack = 1 << 20
	maxMemo  = 1 << 21
	maxLine  = 1 << 16 // bytes of an argument of protocol 0, other than text
)

// Tuple is a Python tuple.
type Tuple []any

// Dict is a Python dict: Keys[i] has Values[i], in the order of the pickle, a key that came twice included.
type Dict struct {
	Keys, Values []any

	ordered bool // an OrderedDict, which may have attributes
}

// value is an element of the stack. Integers, of which there are millions, stay out of the interface.
type value struct {
	n int64
	p any // isInt{} when the value is n
}

type isInt struct{}

func (v value) any() any {
	if _, ok := v.p.(isInt); ok {
		return v.n
	}
	return v.p
}

type machine struct {
	r     *bufio.Reader
	stack []value
	marks []int // places on the stack
	memo  map[uint64]value
	arena arena
	at    int // bytes read, for errors
	torch bool
}

// Read reads one pickle and returns its value: nil, bool, int64, float64, string, []byte, *List, Tuple, *Dict or *Array. It
// reads ahead of the pickle's end.
//
// Every list of integers, see List.Ints, begins with lead zeros that the pickle does not have: room for the caller's marks.
//
// Memory grows with the bytes that come, never with the sizes that they promise. The same object may be in several places,
// itself included, as in Python.
func Read(r io.Reader, lead int) (any, error) {
	m := &machine{r: bufio.NewReaderSize(r, 1<<16), memo: map[uint64]value{}, arena: arena{lead: lead, zeros: make([]int32, lead)}}
	v, err := m.run()
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("pickle: near byte %d: %w", m.at, err)
	}
	return v.any(), nil
}

// run is the stack machine. Opcodes are written as Python documents them: a character each, protocol 2 and later above 0x7f.
func (m *machine) run() (value, error) {
	for {
		if err := m.pushNext(); err != nil {
			return value{}, err
		}
		op, err := m.byte()
		if err != nil {
			return value{}, err
		}
		if op == '.' { // STOP
			if len(m.stack) != 1 || len(m.marks) != 0 {
				return value{}, fmt.Errorf("expected one value at the end, got %d", len(m.stack))
			}
			return m.stack[0], nil
		}
		if err := m.step(op); err != nil {
			return value{}, err
		}
	}
}

// pushNext pushes the small integers that lie next in the buffer, in one go: a file of sequences is hardly anything else.
func (m *machine) pushNext() (err error) {
	buf, _ := m.r.Peek(m.r.Buffered())
	at := 0
	for at+3 <= len(buf) && err == nil {
		n := int64(buf[at+1])
		switch buf[at] {
		case 'K':
			at += 2
		case 'M':
			n |= int64(buf[at+2]) << 8
			at += 3
		default:
			m.at += at
			_, _ = m.r.Discard(at) // they are in the buffer
			return nil
		}
		err = m.push(value{n, isInt{}})
	}
	m.at += at
	_, _ = m.r.Discard(at)
	return err
}

func (m *machine) step(op byte) error {
	switch op {
	case 'K', 'M': // BININT1, BININT2, where pushNext does not see the whole number
		size := 1
		if op == 'M' {
			size = 2
		}
		n, err := m.uint(size)
		return m.pushOr(value{int64(n), isInt{}}, err)
	case 0x80: // PROTO
		v, err := m.byte()
		if err == nil && v > 5 {
			err = fmt.Errorf("expected a protocol up to 5, got %d", v)
		}
		return err
	case 0x95: // FRAME: how many bytes belong together; of no use to a reader of a stream
		_, err := m.uint(8)
		return err

	case 'N':
		return m.pushAny(nil)
	case 0x88:
		return m.pushAny(true)
	case 0x89:
		return m.pushAny(false)
	case 'J': // BININT
		n, err := m.uint(4)
		return m.pushOr(value{int64(int32(n)), isInt{}}, err)
	case 'I': // INT, also the bools of protocol 0
		line, err := m.line()
		switch {
		case err != nil:
			return err
		case line == "00":
			return m.pushAny(false)
		case line == "01":
			return m.pushAny(true)
		}
		return m.pushDecimal(line)
	case 'L': // LONG
		line, err := m.line()
		if err != nil {
			return err
		}
		return m.pushDecimal(strings.TrimSuffix(line, "L"))
	case 0x8a: // LONG1
		return m.long(1)
	case 0x8b: // LONG4
		return m.long(4)
	case 'F': // FLOAT
		line, err := m.line()
		if err != nil {
			return err
		}
		f, err := strconv.ParseFloat(line, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return fmt.Errorf("expected a number, got %.40q", line)
		}
		return m.pushAny(f)
	case 'G': // BINFLOAT
		b, err := m.bytes(8)
		if err != nil {
			return err
		}
		return m.pushAny(math.Float64frombits(binary.BigEndian.Uint64(b)))

	case 'V': // UNICODE
		return m.unicodeLine()
	case 'S': // STRING of Python 2
		return m.quotedLine()
	case 0x8c: // SHORT_BINUNICODE
		return m.text(1)
	case 'X': // BINUNICODE
		return m.text(4)
	case 0x8d: // BINUNICODE8
		return m.text(8)
	case 'U': // SHORT_BINSTRING of Python 2
		return m.latin1(1)
	case 'T': // BINSTRING of Python 2
		return m.latin1(4)
	case 'C': // SHORT_BINBYTES
		return m.pushBytes(1)
	case 'B': // BINBYTES
		return m.pushBytes(4)
	case 0x8e, 0x96: // BINBYTES8, BYTEARRAY8
		return m.pushBytes(8)

	case '(': // MARK
		if len(m.marks) >= maxStack {
			return fmt.Errorf("expected at most %d marks at a time", maxStack)
		}
		m.marks = append(m.marks, len(m.stack))
		return nil
	case '0': // POP, of a mark when there is nothing above it
		if n := len(m.marks); n > 0 && m.marks[n-1] == len(m.stack) {
			m.marks = m.marks[:n-1]
			return nil
		}
		_, err := m.pop()
		return err
	case '1': // POP_MARK
		_, err := m.popMark()
		return err
	case '2': // DUP
		v, err := m.top()
		return m.pushOr(v, err)

	case 'p': // PUT
		line, err := m.line()
		if err != nil {
			return err
		}
		i, err := strconv.ParseUint(line, 10, 32)
		if err != nil {
			return fmt.Errorf("expected a place in the memo, got %.40q", line)
		}
		return m.put(i)
	case 'q': // BINPUT
		return m.putUint(1)
	case 'r': // LONG_BINPUT
		return m.putUint(4)
	case 0x94: // MEMOIZE
		return m.put(uint64(len(m.memo)))
	case 'g': // GET
		line, err := m.line()
		if err != nil {
			return err
		}
		i, err := strconv.ParseUint(line, 10, 32)
		if err != nil {
			return fmt.Errorf("expected a place in the memo, got %.40q", line)
		}
		return m.get(i)
	case 'h': // BINGET
		return m.getUint(1)
	case 'j': // LONG_BINGET
		return m.getUint(4)

	case ')':
		return m.pushAny(Tuple{})
	case 't': // TUPLE
		vs, err := m.popMark()
		return m.pushTuple(vs, err)
	case 0x85, 0x86, 0x87: // TUPLE1, TUPLE2, TUPLE3
		vs, err := m.popN(int(op) - 0x84)
		return m.pushTuple(vs, err)
	case ']': // EMPTY_LIST
		return m.pushAny(m.newList())
	case 'l': // LIST
		vs, err := m.popMark()
		if err != nil {
			return err
		}
		l := m.newList()
		m.extend(l, vs)
		return m.pushAny(l)
	case 'a': // APPEND
		vs, err := m.popN(1)
		return m.appendTo(vs, err)
	case 'e': // APPENDS
		vs, err := m.popMark()
		return m.appendTo(vs, err)
	case '}': // EMPTY_DICT
		return m.pushAny(&Dict{})
	case 'd': // DICT
		vs, err := m.popMark()
		if err != nil {
			return err
		}
		d := &Dict{}
		if err := d.set(vs); err != nil {
			return err
		}
		return m.pushAny(d)
	case 's': // SETITEM
		vs, err := m.popN(2)
		return m.setItems(vs, err)
	case 'u': // SETITEMS
		vs, err := m.popMark()
		return m.setItems(vs, err)

	case 'c': // GLOBAL
		module, err := m.line()
		if err != nil {
			return err
		}
		name, err := m.line()
		if err != nil {
			return err
		}
		return m.global(module, name)
	case 0x93: // STACK_GLOBAL
		vs, err := m.popN(2)
		if err != nil {
			return err
		}
		module, ok1 := vs[0].p.(string)
		name, ok2 := vs[1].p.(string)
		if !ok1 || !ok2 {
			return fmt.Errorf("expected the names of a module and of something in it, got %T and %T", vs[0].any(), vs[1].any())
		}
		return m.global(module, name)
	case 'R': // REDUCE
		vs, err := m.popN(2)
		if err != nil {
			return err
		}
		f, args := vs[0].p, vs[1].p
		v, err := call(f, args)
		return m.pushOr(value{p: v}, err)
	case 'b': // BUILD
		vs, err := m.popN(1)
		if err != nil {
			return err
		}
		state := vs[0].any()
		v, err := m.top()
		if err != nil {
			return err
		}
		return build(v.any(), state)

	case 'Q': // BINPERSID
		if m.torch {
			return m.persistent()
		}
	}
	return refusedOpcode(op)
}

func refusedOpcode(op byte) error {
	var name string
	switch op {
	case 'P', 'Q':
		name = "persistent id"
	case 'i', 'o', 0x81, 0x92:
		name = "instance of a class"
	case 0x82, 0x83, 0x84:
		name = "extension code"
	case 0x8f, 0x90, 0x91:
		name = "set"
	case 0x97, 0x98:
		name = "buffer outside the pickle"
	default:
		return fmt.Errorf("expected an opcode, got byte 0x%02x", op)
	}
	return fmt.Errorf("expected plain values and NumPy arrays only, got a %s (opcode 0x%02x)", name, op)
}

// The stack.

func (m *machine) push(v value) error {
	if len(m.stack) >= maxStack {
		return fmt.Errorf("expected at most %d values on the stack", maxStack)
	}
	m.stack = append(m.stack, v)
	return nil
}

func (m *machine) pushOr(v value, err error) error {
	if err != nil {
		return err
	}
	if n, ok := v.p.(int64); ok { // a function's result
		v = value{n, isInt{}}
	}
	return m.push(v)
}

func (m *machine) pushAny(v any) error { return m.push(value{p: v}) }

// popN takes n values above the last mark. The slice is good until the next push.
func (m *machine) popN(n int) ([]value, error) {
	floor := 0
	if k := len(m.marks); k > 0 {
		floor = m.marks[k-1]
	}
	if len(m.stack)-floor < n {
		return nil, fmt.Errorf("expected %d values on the stack, got %d", n, len(m.stack)-floor)
	}
	vs := m.stack[len(m.stack)-n:]
	m.stack = m.stack[:len(m.stack)-n]
	return vs, nil
}

func (m *machine) pop() (value, error) {
	vs, err := m.popN(1)
	if err != nil {
		return value{}, err
	}
	return vs[0], nil
}

func (m *machine) top() (value, error) {
	v, err := m.pop()
	if err == nil {
		m.stack = m.stack[:len(m.stack)+1]
	}
	return v, err
}

// popMark takes the values above the last mark, and the mark. The slice is good until the next push.
func (m *machine) popMark() ([]value, error) {
	k := len(m.marks)
	if k == 0 {
		return nil, errors.New("expected a mark on the stack, got none")
	}
	vs := m.stack[m.marks[k-1]:]
	m.stack = m.stack[:m.marks[k-1]]
	m.marks = m.marks[:k-1]
	return vs, nil
}

func (m *machine) pushTuple(vs []value, err error) error {
	if err != nil {
		return err
	}
	t := make(Tuple, len(vs))
	for i, v := range vs {
		t[i] = v.any()
	}
	return m.pushAny(t)
}

func (m *machine) appendTo(vs []value, err error) error {
	if err != nil {
		return err
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	l, ok := v.p.(*List)
	if !ok {
		return fmt.Errorf("expected a list to append to, got %T", v.any())
	}
	m.extend(l, vs)
	return nil
}

func (m *machine) setItems(vs []value, err error) error {
	if err != nil {
		return err
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	d, ok := v.p.(*Dict)
	if !ok {
		return fmt.Errorf("expected a dict to set items of, got %T", v.any())
	}
	return d.set(vs)
}

func (d *Dict) set(vs []value) error {
	if len(vs)%2 != 0 {
		return fmt.Errorf("expected pairs for a dict, got %d values", len(vs))
	}
	for i := 0; i < len(vs); i += 2 {
		d.Keys = append(d.Keys, vs[i].any())
		d.Values = append(d.Values, vs[i+1].any())
	}
	return nil
}

// The memo.

func (m *machine) put(i uint64) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	if len(m.memo) >= maxMemo {
		return fmt.Errorf("expected at most %d objects", maxMemo)
	}
	m.memo[i] = v
	return nil
}

func (m *machine) get(i uint64) error {
	v, ok := m.memo[i]
	if !ok {
		return fmt.Errorf("expected an object in the memo at %d, got none", i)
	}
	return m.push(v)
}

func (m *machine) putUint(size int) error {
	i, err := m.uint(size)
	if err != nil {
		return err
	}
	return m.put(i)
}

func (m *machine) getUint(size int) error {
	i, err := m.uint(size)
	if err != nil {
		return err
	}
	return m.get(i)
}

// Arguments.

func (m *machine) byte() (byte, error) {
	b, err := m.r.ReadByte()
	m.at++
	return b, err
}

// uint reads a little-endian number of size bytes.
func (m *machine) uint(size int) (uint64, error) {
	var n uint64
	for i := range size {
		b, err := m.byte()
		if err != nil {
			return 0, err
		}
		n |= uint64(b) << (8 * i)
	}
	return n, nil
}

// bytes reads n bytes into a slice that is never more than twice as long as what has already come, plus a first 64 KiB.
func (m *machine) bytes(n uint64) ([]byte, error) {
	if n > math.MaxInt64/2 {
		return nil, fmt.Errorf("expected a length that fits memory, got %d", n)
	}
	want := int(n)
	buf := make([]byte, 0, min(want, 1<<16))
	for len(buf) < want {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, min(want-len(buf), len(buf)))
		}
		k, err := io.ReadFull(m.r, buf[len(buf):min(cap(buf), want)])
		buf = buf[:len(buf)+k]
		m.at += k
		if err != nil {
			return nil, err
		}
	}
	return buf, nil
}

// sized reads bytes whose number is before them, in size bytes.
func (m *machine) sized(size int) ([]byte, error) {
	n, err := m.uint(size)
	if err != nil {
		return nil, err
	}
	return m.bytes(n)
}

// line reads an argument of protocol 0, without the end of the line.
func (m *machine) line() (string, error) {
	b, err := m.longLine(maxLine)
	return string(b), err
}

func (m *machine) longLine(limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := m.r.ReadSlice('\n')
		m.at += len(part)
		line = append(line, part...)
		if len(line) > limit {
			return nil, fmt.Errorf("expected a line of at most %d bytes", limit)
		}
		if err == nil {
			return line[:len(line)-1], nil
		}
		if err != bufio.ErrBufferFull {
			return nil, err
		}
	}
}

func (m *machine) pushDecimal(s string) error {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return fmt.Errorf("expected an integer of 64 bits, got %.40q", s)
	}
	return m.push(value{n, isInt{}})
}

// long reads an integer in two's complement of as many bytes as it says.
func (m *machine) long(size int) error {
	b, err := m.sized(size)
	if err != nil {
		return err
	}
	var n int64
	if len(b) > 8 {
		return fmt.Errorf("expected an integer of 64 bits, got one of %d bytes", len(b))
	}
	for i, c := range b {
		n |= int64(c) << (8 * i)
	}
	if k := len(b); k > 0 && k < 8 && b[k-1]&0x80 != 0 {
		n -= 1 << (8 * k)
	}
	return m.push(value{n, isInt{}})
}
