package fsm

import (
	"crypto/sha256"
	"fmt"
	"io"

	bolt "go.etcd.io/bbolt"
)

// Dump writes the state in a canonical text, a line per record: bucket, key and value in hex, ordered. Nodes that have
// applied the same entries write the same text, however their entries were batched and whatever they were restored from.
// The applied index is not in it.
func (f *FSM) Dump(w io.Writer) error {
	db, tx, err := f.begin()
	if err != nil {
		return fmt.Errorf("dump: %w", err)
	}
	defer db.release()
	defer tx.Rollback()
	if err := dump(w, tx); err != nil {
		return fmt.Errorf("dump: %w", err)
	}
	return nil
}

// Hash returns the SHA-256 of what Dump writes, and the index of the last entry in it.
func (f *FSM) Hash() (index uint64, sum [sha256.Size]byte, err error) {
	db, tx, err := f.begin()
	if err != nil {
		return 0, sum, fmt.Errorf("hash: %w", err)
	}
	defer db.release()
	defer tx.Rollback()
	h := sha256.New()
	if err := dump(h, tx); err != nil {
		return 0, sum, fmt.Errorf("hash: %w", err)
	}
	return metaValue(tx, keyApplied), [sha256.Size]byte(h.Sum(nil)), nil
}

func dump(w io.Writer, tx *bolt.Tx) error {
	if _, err := fmt.Fprintf(w, "next %d\n", metaValue(tx, keyNextSeq)); err != nil {
		return err
	}
	return eachRecord(tx, func(bucket int, k, v []byte) error {
		_, err := fmt.Fprintf(w, "%s %x %x\n", buckets[bucket], k, v)
		return err
	})
}
