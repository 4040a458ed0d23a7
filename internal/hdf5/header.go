package hdf5

import "fmt"

// Types of messages in an object header (IV.A.2).
const (
	msgDataspace    = 0x01
	msgLinkInfo     = 0x02
	msgDatatype     = 0x03
	msgFill         = 0x05
	msgLink         = 0x06
	msgExternal     = 0x07
	msgLayout       = 0x08
	msgFilters      = 0x0b
	msgAttribute    = 0x0c
	msgContinuation = 0x10
	msgSymbolTable  = 0x11
	msgAttrInfo     = 0x15
	msgLast         = 0x18 // of those that the specification names
)

// Flags of a message.
const (
	flagShared      = 0x02 // the body is a pointer to the message, in another header
	flagMustBeKnown = 0x80
)

type message struct {
	kind  uint16
	flags uint8
	body  []byte
}

// header reads the messages of the object header at addr, in order, continuations included.
func (s *source) header(addr uint64) ([]message, error) {
	prefix, err := s.read("object header", addr, 4)
	if err != nil {
		return nil, err
	}
	var msgs []message
	if string(prefix) == "OHDR" {
		msgs, err = s.header2(addr)
	} else {
		msgs, err = s.header1(addr)
	}
	if err != nil {
		return nil, err
	}
	for _, m := range msgs {
		if m.kind > msgLast && m.flags&flagMustBeKnown != 0 {
			return nil, unsupported(fmt.Sprintf("message of type %#x in an object header", m.kind))
		}
	}
	return msgs, nil
}

// only is the first message of a kind, with how many there are.
func only(msgs []message, kind uint16) (m message, n int) {
	for i := range msgs {
		if msgs[i].kind == kind {
			if n == 0 {
				m = msgs[i]
			}
			n++
		}
	}
	return m, n
}

// block is a piece of a header: the first one, or a continuation.
type block struct{ addr, size uint64 }

// header1 reads version 1.
func (s *source) header1(addr uint64) ([]message, error) {
	b, err := s.read("object header", addr, 16)
	if err != nil {
		return nil, err
	}
	c := cursor{b: b}
	if version := c.u8(); version != 1 {
		return nil, fmt.Errorf("object header at %#x: expected version 1 or 2, got %d", addr, version)
	}
	c.skip(1)
	count := int(c.u16())
	c.skip(4) // references
	blocks := []block{{addr + 16, uint64(c.u32())}}
	var msgs []message
	for len(blocks) > 0 {
		b, err := s.read("messages of an object header", blocks[0].addr, blocks[0].size)
		if err != nil {
			return nil, err
		}
		blocks = blocks[1:]
		c := cursor{b: b}
		// A rest too short for a message is a gap.
		for len(c.b) >= 8 && len(msgs) < count {
			m := message{kind: c.u16()}
			size := uint64(c.u16())
			m.flags = c.u8()
			c.skip(3)
			m.body = c.take(size)
			if err := c.err("object header"); err != nil {
				return nil, err
			}
			msgs = append(msgs, m)
			if m.kind == msgContinuation {
				c := cursor{b: m.body}
				blocks = append(blocks, block{c.u64(), c.u64()})
				if err := c.err("continuation of an object header"); err != nil {
					return nil, err
				}
			}
		}
	}
	if len(msgs) != count {
		return nil, fmt.Errorf("object header at %#x: expected %d messages, got %d", addr, count, len(msgs))
	}
	return msgs, nil
}

// header2 reads version 2.
func (s *source) header2(addr uint64) ([]message, error) {
	b, err := s.read("object header", addr, 6)
	if err != nil {
		return nil, err
	}
	c := cursor{b: b[4:]}
	if version := c.u8(); version != 2 {
		return nil, fmt.Errorf("object header at %#x: expected version 2 behind OHDR, got %d", addr, version)
	}
	flags := c.u8()
	fields := uint64(0)
	if flags&0x20 != 0 {
		fields += 16 // four times
	}
	if flags&0x10 != 0 {
		fields += 4 // bounds of compact and dense attributes
	}
	width := 1 << (flags & 3)
	b, err = s.read("object header", addr+6, fields+uint64(width))
	if err != nil {
		return nil, err
	}
	c = cursor{b: b[fields:]}
	front := 6 + fields + uint64(width)
	first := c.uint(width)
	if err := s.within("object header", addr, first); err != nil {
		return nil, err
	}
	var msgs []message
	c, err = s.checksummed("OHDR", addr, front+first+4)
	if err != nil {
		return nil, err
	}
	c.skip(front - 4)
	var blocks []block
	for {
		for len(c.b) >= 4 {
			m := message{kind: uint16(c.u8())}
			size := uint64(c.u16())
			m.flags = c.u8()
			if flags&0x04 != 0 {
				c.skip(2) // order of creation
			}
			m.body = c.take(size)
			if err := c.err("object header"); err != nil {
				return nil, err
			}
			msgs = append(msgs, m)
			if m.kind == msgContinuation {
				c := cursor{b: m.body}
				blocks = append(blocks, block{c.u64(), c.u64()})
				if err := c.err("continuation of an object header"); err != nil {
					return nil, err
				}
			}
		}
		if len(blocks) == 0 {
			return msgs, nil
		}
		c, err = s.checksummed("OCHK", blocks[0].addr, blocks[0].size)
		if err != nil {
			return nil, err
		}
		blocks = blocks[1:]
	}
}
