package callbacks

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// events writes a file of TensorBoard's: records of protocol buffers. Source: tensorflow/core/util/event.proto, core/framework/summary.proto and
// core/lib/io/record_writer.cc.
type events struct {
	file *os.File
	buf  []byte
}

// newEvents makes folder/events.out.tfevents.SECONDS.HOST.PROCESS.v2, which begins with the version of the format.
func newEvents(folder string) (*events, error) {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	now := time.Now()
	name := fmt.Sprintf("events.out.tfevents.%d.%s.%d.%d.v2", now.Unix(), host, os.Getpid(), now.Nanosecond())
	f, err := os.OpenFile(filepath.Join(folder, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, err
	}
	e := &events{file: f}
	const version = 3 // Event.file_version
	if err := e.write(now, 0, version, []byte("brain.Event:2")); err != nil {
		f.Close()
		return nil, err
	}
	return e, nil
}

// scalar adds a value under a tag, as a tensor of the plugin "scalars".
func (e *events) scalar(tag string, step int64, value float64) error {
	var tensor []byte
	tensor = number(tensor, 1, 1)    // TensorProto.dtype: float
	tensor = message(tensor, 2, nil) // TensorProto.tensor_shape: ()
	bits := protowire.AppendFixed32(nil, math.Float32bits(float32(value)))
	tensor = message(tensor, 5, bits) // TensorProto.float_val, packed
	const class = 1                   // DATA_CLASS_SCALAR
	return e.summary(tag, step, "scalars", class, tensor)
}

// histogram adds buckets under a tag, as a tensor (k, 3) of the plugin "histograms": of each its left and right edge and how many values are in it.
func (e *events) histogram(tag string, step int64, buckets [][3]float64) error {
	var tensor, shape, content []byte
	for _, n := range []int{len(buckets), 3} {
		shape = message(shape, 2, number(nil, 1, uint64(n))) // TensorShapeProto.dim, Dim.size
	}
	for _, b := range buckets {
		for _, v := range b {
			content = protowire.AppendFixed64(content, math.Float64bits(v))
		}
	}
	tensor = number(tensor, 1, 2)        // TensorProto.dtype: double
	tensor = message(tensor, 2, shape)   // TensorProto.tensor_shape
	tensor = message(tensor, 4, content) // TensorProto.tensor_content, little-endian
	const class = 2                      // DATA_CLASS_TENSOR
	return e.summary(tag, step, "histograms", class, tensor)
}

// summary adds a tensor under a tag, for a plugin.
func (e *events) summary(tag string, step int64, plugin string, class uint64, tensor []byte) error {
	var metadata, v []byte
	metadata = message(metadata, 1, text(nil, 1, plugin)) // SummaryMetadata.plugin_data, PluginData.plugin_name
	metadata = number(metadata, 4, class)                 // SummaryMetadata.data_class
	v = text(v, 1, tag)                                   // Summary.Value.tag
	v = message(v, 9, metadata)                           // Summary.Value.metadata
	v = message(v, 8, tensor)                             // Summary.Value.tensor
	const field = 5                                       // Event.summary
	return e.write(time.Now(), step, field, message(nil, 1, v))
}

// write adds an event: when, at which step, and one field.
func (e *events) write(at time.Time, step int64, field protowire.Number, value []byte) error {
	var event []byte
	event = protowire.AppendTag(event, 1, protowire.Fixed64Type) // Event.wall_time
	event = protowire.AppendFixed64(event, math.Float64bits(float64(at.UnixNano())/1e9))
	event = number(event, 2, uint64(step)) // Event.step
	event = message(event, field, value)
	e.buf = binary.LittleEndian.AppendUint64(e.buf[:0], uint64(len(event)))
	e.buf = binary.LittleEndian.AppendUint32(e.buf, masked(e.buf))
	e.buf = append(e.buf, event...)
	e.buf = binary.LittleEndian.AppendUint32(e.buf, masked(event))
	_, err := e.file.Write(e.buf)
	return err
}

func (e *events) close() error { return e.file.Close() }

// masked is the checksum of a record: CRC-32C, turned and shifted so that a record may hold records.
func masked(b []byte) uint32 {
	c := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	return (c>>15 | c<<17) + 0xa282ead8
}

func text(b []byte, field protowire.Number, s string) []byte { return message(b, field, []byte(s)) }

func message(b []byte, field protowire.Number, m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), m)
}

func number(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}
