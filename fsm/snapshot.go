package fsm

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"

	"github.com/hashicorp/raft"
	bolt "go.etcd.io/bbolt"
)

// ErrBadSnapshot is returned for a snapshot that is damaged, cut short, or of a format this program does not know.
var ErrBadSnapshot = errors.New("bad snapshot")

const (
	snapshotMagic   = "COLSUMSN"
	snapshotVersion = 1
	snapshotEnd     = 0 // in place of a bucket's number
	// maxRecordKey and maxRecordValue bound what a reader takes for a record. The largest real one is a fold of
	// csvsum.MaxSelected columns of thousands of digits each.
	maxRecordKey   = 1 << 10
	maxRecordValue = 1 << 30
)

// SnapshotInfo is what a snapshot says of itself.
type SnapshotInfo struct {
	Version int    // of the format
	Index   uint64 // the last log entry in it
	Works   int64
	Records int64
	Bytes   int64 // of the whole snapshot
	Sum     [sha256.Size]byte
}

// snapshot is the state at one moment: a read transaction, which later batches do not disturb.
type snapshot struct {
	db *database
	tx *bolt.Tx
}

// Snapshot captures the state. Persist may run beside Apply; pages it still needs are not reused until Release.
func (f *FSM) Snapshot() (raft.FSMSnapshot, error) {
	db, tx, err := f.begin()
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return &snapshot{db, tx}, nil
}

// begin starts a read transaction, which end ends.
func (f *FSM) begin() (*database, *bolt.Tx, error) {
	f.mu.RLock()
	if f.db == nil {
		f.mu.RUnlock()
		return nil, nil, ErrClosed
	}
	db := f.db.acquire()
	f.mu.RUnlock()
	tx, err := db.bolt.Begin(false)
	if err != nil {
		db.release()
		return nil, nil, err
	}
	return db, tx, nil
}

// Persist writes the snapshot; on an error the sink is cancelled.
func (s *snapshot) Persist(sink raft.SnapshotSink) error {
	if err := writeSnapshot(sink, s.tx); err != nil {
		return errors.Join(fmt.Errorf("persist snapshot: %w", err), sink.Cancel())
	}
	if err := sink.Close(); err != nil {
		return fmt.Errorf("persist snapshot: %w", err)
	}
	return nil
}

// Release ends the read transaction.
func (s *snapshot) Release() {
	s.tx.Rollback()
	s.db.release()
}

// writeSnapshot writes the state that tx sees; see FORMAT.md.
func writeSnapshot(w io.Writer, tx *bolt.Tx) error {
	sum := sha256.New()
	buf := bufio.NewWriterSize(w, 256<<10)
	out := io.MultiWriter(buf, sum)
	h := []byte(snapshotMagic)
	h = binary.BigEndian.AppendUint32(h, snapshotVersion)
	h = binary.BigEndian.AppendUint64(h, metaValue(tx, keyApplied))
	h = binary.BigEndian.AppendUint64(h, metaValue(tx, keyNextSeq))
	if _, err := out.Write(h); err != nil {
		return err
	}
	count := uint64(0)
	err := eachRecord(tx, func(bucket int, k, v []byte) error {
		count++
		h = append(h[:0], byte(bucket+1))
		h = binary.BigEndian.AppendUint32(h, uint32(len(k)))
		h = binary.BigEndian.AppendUint32(h, uint32(len(v)))
		for _, b := range [][]byte{h, k, v} {
			if _, err := out.Write(b); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	h = append(h[:0], snapshotEnd)
	h = binary.BigEndian.AppendUint64(h, count)
	if _, err := out.Write(h); err != nil {
		return err
	}
	if _, err := buf.Write(sum.Sum(nil)); err != nil {
		return err
	}
	return buf.Flush()
}

// eachRecord calls fn for each record in the order of a snapshot: by bucket, then by key.
func eachRecord(tx *bolt.Tx, fn func(bucket int, k, v []byte) error) error {
	for i, name := range buckets {
		err := tx.Bucket(name).ForEach(func(k, v []byte) error { return fn(i, k, v) })
		if err != nil {
			return err
		}
	}
	return nil
}

// VerifySnapshot reads a snapshot to its end and checks all that can be checked without a state: the frame, order, count
// and checksum, and that every record decodes. Errors wrap ErrBadSnapshot, or are the reader's.
func VerifySnapshot(r io.Reader) (SnapshotInfo, error) {
	info, _, err := readSnapshot(r, checkRecord)
	if err != nil {
		return SnapshotInfo{}, fmt.Errorf("verify snapshot: %w", err)
	}
	return info, nil
}

// readSnapshot calls fn for each record and returns the sequence number of the next work. What fn was told holds only if
// no error is returned. Key and value are fn's to keep.
func readSnapshot(r io.Reader, fn func(bucket int, k, v []byte) error) (info SnapshotInfo, next uint64, err error) {
	s := &snapshotReader{r: bufio.NewReaderSize(r, 256<<10), sum: sha256.New()}
	h, err := s.take(len(snapshotMagic) + 4 + 8 + 8)
	if err != nil {
		return info, 0, err
	}
	if string(h[:8]) != snapshotMagic {
		return info, 0, fmt.Errorf("%w: not a colsum snapshot", ErrBadSnapshot)
	}
	if v := binary.BigEndian.Uint32(h[8:]); v != snapshotVersion {
		return info, 0, fmt.Errorf("%w: format version %d, this program knows %d: upgrade this node", ErrBadSnapshot, v, snapshotVersion)
	}
	info.Version = snapshotVersion
	info.Index = binary.BigEndian.Uint64(h[12:])
	next = binary.BigEndian.Uint64(h[20:])
	bucket, key := -1, []byte(nil)
	for {
		b, err := s.take(1)
		if err != nil {
			return info, 0, err
		}
		if b[0] == snapshotEnd {
			break
		}
		i, k, v, err := s.record(int(b[0]) - 1)
		if err != nil {
			return info, 0, err
		}
		if i < bucket || i == bucket && bytes.Compare(k, key) <= 0 {
			return info, 0, fmt.Errorf("%w: record %d is out of order", ErrBadSnapshot, info.Records)
		}
		bucket, key = i, k
		if err := fn(i, k, v); err != nil {
			return info, 0, err
		}
		info.Records++
		if string(buckets[i]) == string(bucketWorks) {
			info.Works++
		}
	}
	return info, next, s.finish(&info)
}

// snapshotReader reads and sums up.
type snapshotReader struct {
	r   *bufio.Reader
	sum hash.Hash
	n   int64
}

// take reads n bytes. Memory is taken as bytes come, not as a damaged length asks.
func (s *snapshotReader) take(n int) ([]byte, error) {
	var b []byte
	if n <= 64<<10 {
		b = make([]byte, n)
		if _, err := io.ReadFull(s.r, b); err != nil {
			return nil, short(err)
		}
	} else {
		var buf bytes.Buffer
		if _, err := io.CopyN(&buf, s.r, int64(n)); err != nil {
			return nil, short(err)
		}
		b = buf.Bytes()
	}
	s.sum.Write(b)
	s.n += int64(n)
	return b, nil
}

func (s *snapshotReader) record(bucket int) (int, []byte, []byte, error) {
	if bucket >= len(buckets) {
		return 0, nil, nil, fmt.Errorf("%w: record of unknown kind %d", ErrBadSnapshot, bucket+1)
	}
	h, err := s.take(8)
	if err != nil {
		return 0, nil, nil, err
	}
	nk, nv := binary.BigEndian.Uint32(h), binary.BigEndian.Uint32(h[4:])
	if nk == 0 || nk > maxRecordKey || nv > min(maxRecordValue, math.MaxInt32) {
		return 0, nil, nil, fmt.Errorf("%w: record with a key of %d and a value of %d bytes", ErrBadSnapshot, nk, nv)
	}
	k, err := s.take(int(nk))
	if err != nil {
		return 0, nil, nil, err
	}
	v, err := s.take(int(nv))
	return bucket, k, v, err
}

// finish checks count, checksum, and that nothing follows.
func (s *snapshotReader) finish(info *SnapshotInfo) error {
	b, err := s.take(8)
	if err != nil {
		return err
	}
	if n := binary.BigEndian.Uint64(b); n != uint64(info.Records) {
		return fmt.Errorf("%w: it says %d records and has %d", ErrBadSnapshot, n, info.Records)
	}
	info.Sum = [sha256.Size]byte(s.sum.Sum(nil))
	b, err = s.take(sha256.Size)
	if err != nil {
		return err
	}
	if [sha256.Size]byte(b) != info.Sum {
		return fmt.Errorf("%w: checksum differs", ErrBadSnapshot)
	}
	if _, err := s.r.ReadByte(); err != io.EOF {
		if err == nil {
			return fmt.Errorf("%w: bytes after its end", ErrBadSnapshot)
		}
		return err
	}
	info.Bytes = s.n
	return nil
}

// short tells a snapshot that ends early from a reader that fails.
func short(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: it ends early", ErrBadSnapshot)
	}
	return err
}
