package policy

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
)

// The binary form of property lists, as Apple's CFBinaryPList.c describes it: a header, objects, a table of their
// offsets, and a trailer of 32 bytes that says where that table is.
const (
	binaryMagic  = "bplist00"
	trailerBytes = 32
)

// mostNodes bounds what a file may unfold to: containers may share their members.
const mostNodes = 10_000

var errCutShort = errors.New("the binary property list is cut short or its offsets lead outside of it")

// binaryPlist reads one file.
type binaryPlist struct {
	objects    []byte // header and objects; offsets count from its beginning
	table      []byte
	offsetSize int
	refSize    int
	nodes      int // read so far
}

func parseBinaryPlist(content []byte) (node, error) {
	if len(content) < len(binaryMagic)+trailerBytes {
		return node{}, errCutShort
	}
	body, trailer := content[:len(content)-trailerBytes], content[len(content)-trailerBytes:]
	b := binaryPlist{offsetSize: int(trailer[6]), refSize: int(trailer[7])}
	count, top, table := binary.BigEndian.Uint64(trailer[8:]), binary.BigEndian.Uint64(trailer[16:]), binary.BigEndian.Uint64(trailer[24:])
	size := uint64(len(body))
	if b.offsetSize < 1 || b.offsetSize > 8 || b.refSize < 1 || b.refSize > 8 || table > size || count > (size-table)/uint64(b.offsetSize) {
		return node{}, errCutShort
	}
	b.objects, b.table = body[:table], body[table:table+count*uint64(b.offsetSize)]
	return b.object(top, 0)
}

// object reads the object with that number in the table.
func (b *binaryPlist) object(number uint64, depth int) (node, error) {
	if b.nodes++; depth > deepestPlist || b.nodes > mostNodes {
		return node{}, errTooDeep
	}
	if number >= uint64(len(b.table)/b.offsetSize) {
		return node{}, errCutShort
	}
	offset := bigEndian(b.table[number*uint64(b.offsetSize):][:b.offsetSize])
	if offset < uint64(len(binaryMagic)) || offset >= uint64(len(b.objects)) {
		return node{}, errCutShort
	}
	marker, rest := b.objects[offset], b.objects[offset+1:]
	switch marker >> 4 {
	case 0x0:
		return node{value: map[byte]any{0x8: false, 0x9: true}[marker]}, nil
	case 0x1:
		return integer(marker, rest)
	case 0x2:
		return node{value: foreign("a real")}, nil
	case 0x3:
		return node{value: foreign("a date")}, nil
	case 0x4:
		return node{value: foreign("data")}, nil
	}
	count, rest, err := b.count(marker, rest)
	if err != nil {
		return node{}, err
	}
	switch marker >> 4 {
	case 0x5:
		text, err := take(rest, count, 1)
		return node{value: string(text)}, err
	case 0x6:
		text, err := take(rest, count, 2)
		return node{value: fromUTF16(text)}, err
	case 0xA:
		return b.items(rest, count, depth)
	case 0xD:
		return b.members(rest, count, depth)
	}
	return node{}, fmt.Errorf("an object of the unknown kind %#x", marker)
}

// integer reads 1, 2, 4 or 8 bytes; only those of 8 have a sign. Those of 16 are numbers beyond any setting.
func integer(marker byte, rest []byte) (node, error) {
	if marker&0xF > 3 {
		return node{value: foreign("a number of more than 64 bits")}, nil
	}
	digits, err := take(rest, 1, 1<<(marker&0xF))
	if err != nil {
		return node{}, err
	}
	return node{value: json.Number(strconv.FormatInt(int64(bigEndian(digits)), 10))}, nil
}

// count reads how many elements an object has: in its marker, or in an integer after it.
func (b *binaryPlist) count(marker byte, rest []byte) (count uint64, after []byte, err error) {
	if marker&0xF != 0xF {
		return uint64(marker & 0xF), rest, nil
	}
	if len(rest) == 0 || rest[0]>>4 != 0x1 || rest[0]&0xF > 3 {
		return 0, nil, errCutShort
	}
	size := 1 << (rest[0] & 0xF)
	digits, err := take(rest[1:], 1, size)
	if err != nil {
		return 0, nil, err
	}
	return bigEndian(digits), rest[1+size:], nil
}

func (b *binaryPlist) items(rest []byte, count uint64, depth int) (node, error) {
	refs, err := take(rest, count, b.refSize)
	list := []node{}
	for ; err == nil && len(refs) > 0; refs = refs[b.refSize:] {
		var n node
		n, err = b.object(bigEndian(refs[:b.refSize]), depth+1)
		list = append(list, n)
	}
	return node{value: list}, err
}

func (b *binaryPlist) members(rest []byte, count uint64, depth int) (node, error) {
	keys, err := take(rest, count, b.refSize)
	if err != nil {
		return node{}, err
	}
	values, err := take(rest[len(keys):], count, b.refSize)
	if err != nil {
		return node{}, err
	}
	list := []member{}
	for ; len(keys) > 0; keys, values = keys[b.refSize:], values[b.refSize:] {
		key, err := b.object(bigEndian(keys[:b.refSize]), depth+1)
		if err != nil {
			return node{}, err
		}
		name, ok := key.value.(string)
		if !ok {
			return node{}, fmt.Errorf("%s is the name of a value", kind(key.value))
		}
		value, err := b.object(bigEndian(values[:b.refSize]), depth+1)
		if err != nil {
			return node{}, err
		}
		list = append(list, member{key: name, value: value})
	}
	return node{value: list}, nil
}

// take returns the first count elements of that size.
func take(from []byte, count uint64, size int) ([]byte, error) {
	if count > uint64(len(from)/size) {
		return nil, errCutShort
	}
	return from[:count*uint64(size)], nil
}

func bigEndian(digits []byte) (n uint64) {
	for _, d := range digits {
		n = n<<8 | uint64(d)
	}
	return n
}

func fromUTF16(text []byte) string {
	units := make([]uint16, len(text)/2)
	for i := range units {
		units[i] = binary.BigEndian.Uint16(text[2*i:])
	}
	return string(utf16.Decode(units))
}
