package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"os"
)

// errBroken means that the file is no database that bbolt can be trusted with.
var errBroken = errors.New("state database is broken")

// The file format of bbolt, version 2 (its internal/common): pages of a fixed size, the first two
// with a meta record each, of which the valid one with the higher transaction number counts. Numbers
// are in the machine's byte order.
const (
	magic        = 0xED0CDAED
	version      = 2
	headerBytes  = 16 // of a page: id u64, flags u16, count u16, overflow u32
	elementBytes = 16 // of an entry in a branch or leaf page
	bucketBytes  = 16 // root page u64, sequence u64, at the start of a bucket's value
	metaBytes    = 64

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10
	entryBucket  = 0x01 // flag of a leaf entry whose value is a bucket

	noFreelist  = math.MaxUint64
	minPageSize = 1 << 10
	maxPageSize = 1 << 24
	maxDepth    = 64 // of branches and buckets; a tree of two entries a page is never so deep
)

var order = binary.NativeEndian

type meta struct {
	pageSize              int64
	root, freelist, pages uint64
	tx                    uint64
}

// checkFile reads every page that the database uses and makes sure that each is what its parent
// takes it for, within the file, and used once. It maps nothing and allocates no more than the
// largest page run in the file. The error is errBroken, or that of opening; a sector that cannot be
// read is a broken database too, or the service would never start again.
func checkFile(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", path)
	}
	if info.Size() == 0 {
		return nil // bbolt makes a fresh one of it
	}
	err = check(f, info.Size())
	if err != nil && !errors.Is(err, errBroken) {
		return broken("%v", err)
	}
	return err
}

func check(r io.ReaderAt, size int64) error {
	m, err := readMeta(r, size)
	if err != nil {
		return err
	}
	if m.pages > uint64(size/m.pageSize) {
		return broken("%d pages in a file of %d bytes", m.pages, size)
	}
	c := &checker{r: r, meta: m, used: make([]bool, m.pages)}
	c.used[0], c.used[1] = true, true
	if m.freelist != noFreelist {
		if err := c.freelist(m.freelist); err != nil {
			return err
		}
	}
	return c.tree(m.root, span{}, 0)
}

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errBroken, fmt.Sprintf(format, args...))
}

// readMeta finds the meta record that bbolt would choose.
func readMeta(r io.ReaderAt, size int64) (meta, error) {
	first, err := metaAt(r, size, 0)
	if err != nil {
		return meta{}, err
	}
	if first != nil {
		second, err := metaAt(r, size, first.pageSize)
		if err != nil {
			return meta{}, err
		}
		if second != nil && second.pageSize == first.pageSize && second.tx > first.tx {
			return *second, nil
		}
		return *first, nil
	}
	for at := int64(minPageSize); at <= maxPageSize; at *= 2 {
		second, err := metaAt(r, size, at)
		if err != nil {
			return meta{}, err
		}
		if second != nil && second.pageSize == at {
			return *second, nil
		}
	}
	return meta{}, broken("no valid meta page")
}

// metaAt returns the meta record of the page at an offset, nil if there is no valid one.
func metaAt(r io.ReaderAt, size, at int64) (*meta, error) {
	// bbolt looks at 4 KiB, whatever the page size is.
	if at+4096 > size {
		return nil, nil
	}
	b := make([]byte, metaBytes)
	if _, err := r.ReadAt(b, at+headerBytes); err != nil {
		return nil, err
	}
	sum := fnv.New64a()
	sum.Write(b[:56])
	if order.Uint32(b) != magic || order.Uint32(b[4:]) != version || order.Uint64(b[56:]) != sum.Sum64() {
		return nil, nil
	}
	m := &meta{
		pageSize: int64(order.Uint32(b[8:])),
		root:     order.Uint64(b[16:]),
		freelist: order.Uint64(b[32:]),
		pages:    order.Uint64(b[40:]),
		tx:       order.Uint64(b[48:]),
	}
	if m.pageSize < minPageSize || m.pageSize > maxPageSize || m.pageSize&(m.pageSize-1) != 0 || m.pages < 4 {
		return nil, nil
	}
	return m, nil
}

type checker struct {
	r    io.ReaderAt
	meta meta
	used []bool // by page: in the tree, in the list of free pages, or part of that list
}

// page reads a page with its overflow pages and claims them.
func (c *checker) page(id uint64) ([]byte, error) {
	if id >= c.meta.pages {
		return nil, broken("page %d is beyond the last", id)
	}
	var head [headerBytes]byte
	if _, err := c.r.ReadAt(head[:], int64(id)*c.meta.pageSize); err != nil {
		return nil, err
	}
	run := uint64(order.Uint32(head[12:])) + 1
	if order.Uint64(head[:]) != id || run > c.meta.pages-id {
		return nil, broken("page %d has a bad header", id)
	}
	for p := id; p < id+run; p++ {
		if c.used[p] {
			return nil, broken("page %d is used twice", p)
		}
		c.used[p] = true
	}
	b := make([]byte, int64(run)*c.meta.pageSize)
	_, err := c.r.ReadAt(b, int64(id)*c.meta.pageSize)
	return b, err
}

func (c *checker) freelist(id uint64) error {
	b, err := c.page(id)
	if err != nil {
		return err
	}
	if order.Uint16(b[8:]) != flagFreelist {
		return broken("page %d is no list of free pages", id)
	}
	count, ids := uint64(order.Uint16(b[10:])), b[headerBytes:]
	if count == math.MaxUint16 { // then the first entry is the count
		count, ids = order.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		return broken("list of %d free pages is too long", count)
	}
	for ; count > 0; count-- {
		free := order.Uint64(ids)
		ids = ids[8:]
		if free >= c.meta.pages || c.used[free] {
			return broken("page %d cannot be free", free)
		}
		c.used[free] = true
	}
	return nil
}

// span is what the keys of a subtree may be: from low, below high; nil is no bound.
type span struct{ low, high []byte }

// tree checks the pages from id down. Buckets in it are trees of their own.
func (c *checker) tree(id uint64, keys span, depth int) error {
	if depth > maxDepth {
		return broken("page %d is too deep", id)
	}
	b, err := c.page(id)
	if err != nil {
		return err
	}
	switch flags := order.Uint16(b[8:]); flags {
	case flagBranch:
		return c.branch(b, keys, depth)
	case flagLeaf:
		return c.leaf(b, keys, depth)
	default:
		return broken("page %d is of kind %#x", id, flags)
	}
}

func (c *checker) branch(b []byte, keys span, depth int) error {
	count := int(order.Uint16(b[10:]))
	if count == 0 || headerBytes+count*elementBytes > len(b) {
		return broken("branch of %d entries", count)
	}
	// Entry: position of the key u32, counted from the entry; its length u32; page u64.
	key := func(i int) ([]byte, error) {
		at := headerBytes + i*elementBytes
		return cut(b, at+int(order.Uint32(b[at:])), int(order.Uint32(b[at+4:])))
	}
	low, err := key(0)
	if err != nil {
		return err
	}
	for i := range count {
		if i > 0 && !keys.holds(low) {
			return broken("key of a branch is out of place")
		}
		below := span{low: low, high: keys.high}
		if i == 0 {
			below.low = keys.low // bbolt does not lower it when a smaller key is put before
		}
		if i+1 < count {
			if below.high, err = key(i + 1); err != nil {
				return err
			}
			if bytes.Compare(low, below.high) >= 0 {
				return broken("keys of a branch are not in order")
			}
		}
		at := headerBytes + i*elementBytes
		if err := c.tree(order.Uint64(b[at+8:]), below, depth+1); err != nil {
			return err
		}
		low = below.high
	}
	return nil
}

func (c *checker) leaf(b []byte, keys span, depth int) error {
	count := int(order.Uint16(b[10:]))
	if headerBytes+count*elementBytes > len(b) {
		return broken("leaf of %d entries", count)
	}
	var last []byte
	for i := range count {
		// Entry: flags u32, position of key and value u32, counted from the entry; their lengths u32.
		at := headerBytes + i*elementBytes
		flags, pos := order.Uint32(b[at:]), int(order.Uint32(b[at+4:]))
		klen, vlen := int(order.Uint32(b[at+8:])), int(order.Uint32(b[at+12:]))
		key, err := cut(b, at+pos, klen)
		if err != nil {
			return err
		}
		value, err := cut(b, at+pos+klen, vlen)
		if err != nil {
			return err
		}
		if !keys.holds(key) || (i > 0 && bytes.Compare(last, key) >= 0) {
			return broken("keys of a leaf are not in order")
		}
		last = key
		if flags&entryBucket == 0 {
			continue
		}
		if err := c.bucket(value, depth); err != nil {
			return err
		}
	}
	return nil
}

// bucket checks the value of an entry that is a bucket: the number of its root page, or 0 and its
// only page right there.
func (c *checker) bucket(value []byte, depth int) error {
	if depth > maxDepth || len(value) < bucketBytes {
		return broken("bucket of %d bytes", len(value))
	}
	if root := order.Uint64(value); root != 0 {
		return c.tree(root, span{}, depth+1)
	}
	inline := value[bucketBytes:]
	if len(inline) < headerBytes || order.Uint16(inline[8:]) != flagLeaf || order.Uint32(inline[12:]) != 0 {
		return broken("inline bucket has a bad header")
	}
	return c.leaf(inline, span{}, depth+1)
}

func (s span) holds(key []byte) bool {
	return (s.low == nil || bytes.Compare(s.low, key) <= 0) && (s.high == nil || bytes.Compare(key, s.high) < 0)
}

// cut returns n bytes of b from at.
func cut(b []byte, at, n int) ([]byte, error) {
	if at < 0 || n < 0 || at > len(b) || n > len(b)-at {
		return nil, broken("entry reaches beyond its page")
	}
	return b[at : at+n], nil
}
