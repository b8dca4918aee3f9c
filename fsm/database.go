package fsm

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
)

// database is one generation of fsm.db: Restore replaces it by another while readers may still be at it. It is closed
// when the last user lets go, so that nobody waits for a slow reader.
type database struct {
	bolt *bolt.DB
	refs atomic.Int64 // the FSM holds one while this is the current generation
}

// openDatabase creates path, which must not exist.
func openDatabase(path string) (*database, error) {
	b, err := bolt.Open(path, 0o600, &bolt.Options{
		Timeout: time.Second, // a lock that is held by another process is an error, not a wait
		// The file is rebuilt from snapshot and log at each start: it need not survive a crash, so nothing is synced.
		NoSync:     true,
		NoGrowSync: true,
		// The list of free pages is only of use to a later opening, and there is none.
		NoFreelistSync: true,
		FreelistType:   bolt.FreelistMapType,
		// A file that outgrows its mapping is mapped anew, for which a writer waits until all readers are done. With room
		// to grow in, a snapshot that is slow to persist does not stall Apply. It costs address space, not memory.
		InitialMmapSize: initialMmapSize,
		NoStatistics:    true,
	})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	err = b.Update(func(tx *bolt.Tx) error {
		for _, name := range append([][]byte{bucketMeta}, buckets...) {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return putMeta(tx, 0, 1)
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create buckets of %s: %w", path, err), b.Close())
	}
	db := &database{bolt: b}
	db.refs.Store(1)
	return db, nil
}

// initialMmapSize is far more than 10,000 works and a few large ones need. On 32-bit machines the mapping grows as needed.
const initialMmapSize = (4 << 30) * (strconv.IntSize / 64)

// acquire keeps the file open until release. The caller knows that somebody holds it already.
func (d *database) acquire() *database {
	d.refs.Add(1)
	return d
}

func (d *database) release() error {
	if d.refs.Add(-1) > 0 {
		return nil
	}
	return d.bolt.Close()
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}
