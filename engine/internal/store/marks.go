package store

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// A download's bitmap is cut into chunks of 4 KiB, so that marking a piece of a huge object rewrites
// one chunk. A chunk is stored up to its last byte that was ever set; the key is its number, u32 big
// endian.
const (
	chunkBytes  = 4096
	chunkPieces = chunkBytes * 8
)

// maxPiece bounds what one mark can make the database grow by. Manifests allow 262,144 pieces; plain
// streams have no manifest, 2^26 pieces of 1 MiB are 64 TiB.
const maxPiece = 1 << 26

// MarkDurable sets the pieces of each download in one transaction. It must only be called when the
// pieces' bytes are on the disk. It keeps nothing of marks.
func (s *Store) MarkDurable(marks map[string][]int) error {
	err := s.update(func(tx *bolt.Tx) error {
		for _, id := range slices.Sorted(maps.Keys(marks)) {
			b, err := tx.Bucket([]byte(bucketDurable)).CreateBucketIfNotExists([]byte(id))
			if err != nil {
				return err
			}
			if err := changeBits(b, marks[id], setBit); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("mark durable: %w", err)
	}
	return nil
}

// ClearDurable takes the marks of the pieces back, of all pieces if pieces is nil.
func (s *Store) ClearDurable(id string, pieces []int) error {
	err := s.update(func(tx *bolt.Tx) error {
		if pieces == nil {
			return deleteMarks(tx, id)
		}
		b := tx.Bucket([]byte(bucketDurable)).Bucket([]byte(id))
		if b == nil {
			return nil
		}
		return changeBits(b, pieces, clearBit)
	})
	if err != nil {
		return fmt.Errorf("clear durable %s: %w", id, err)
	}
	return nil
}

// Durable returns the durable pieces of a download as a bit field in the order of BEP 3: piece 0 is
// the highest bit of the first byte. It is as long as the last piece that was ever marked needs; the
// caller owns it.
func (s *Store) Durable(id string) ([]byte, error) {
	var field []byte
	err := s.view(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(bucketDurable)).Bucket([]byte(id))
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, v []byte) error {
			if len(k) != 4 || len(v) > chunkBytes {
				return fmt.Errorf("chunk %x of %d bytes makes no sense", k, len(v))
			}
			at := int(binary.BigEndian.Uint32(k)) * chunkBytes
			if at > maxPiece/8 {
				return fmt.Errorf("chunk %x makes no sense", k)
			}
			field = append(field, make([]byte, max(0, at+len(v)-len(field)))...)
			copy(field[at:], v)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read durable %s: %w", id, err)
	}
	return field, nil
}

func deleteMarks(tx *bolt.Tx, id string) error {
	all := tx.Bucket([]byte(bucketDurable))
	if all.Bucket([]byte(id)) == nil {
		return nil
	}
	return all.DeleteBucket([]byte(id))
}

func setBit(chunk []byte, bit int) []byte {
	chunk = append(chunk, make([]byte, max(0, bit/8+1-len(chunk)))...)
	chunk[bit/8] |= 0x80 >> (bit % 8)
	return chunk
}

func clearBit(chunk []byte, bit int) []byte {
	if bit/8 < len(chunk) {
		chunk[bit/8] &^= 0x80 >> (bit % 8)
	}
	return chunk
}

// changeBits applies change to the bits of the pieces, reading and writing each chunk once.
func changeBits(b *bolt.Bucket, pieces []int, change func(chunk []byte, bit int) []byte) error {
	chunks := map[int][]byte{}
	for _, p := range pieces {
		if p < 0 || p >= maxPiece {
			return fmt.Errorf("piece %d makes no sense", p)
		}
		n := p / chunkPieces
		chunk, ok := chunks[n]
		if !ok {
			chunk = slices.Clone(b.Get(chunkKey(n)))
		}
		chunks[n] = change(chunk, p%chunkPieces)
	}
	for n, chunk := range chunks {
		if err := b.Put(chunkKey(n), chunk); err != nil {
			return err
		}
	}
	return nil
}

func chunkKey(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }
