package fsm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	bolt "go.etcd.io/bbolt"

	"colsum/csvsum"
)

// restoreBatch is how many bytes of records one transaction of a restore takes.
const restoreBatch = 16 << 20

func (f *FSM) restorePath() string { return f.path + ".restore" }

// Restore replaces the state by a snapshot. It is read into a new file and wholly verified before that takes the old
// one's place: after an error the old state stands, in memory and file. Readers of the old state finish undisturbed.
func (f *FSM) Restore(r io.ReadCloser) error {
	defer r.Close()
	if err := f.restore(r); err != nil {
		return fmt.Errorf("restore snapshot: %w", err)
	}
	return nil
}

func (f *FSM) restore(r io.Reader) (err error) {
	path := f.restorePath()
	if err := removeFile(path); err != nil {
		return err
	}
	db, err := openDatabase(path)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.release(), removeFile(path))
		}
	}()
	applied, next, err := fill(db.bolt, r)
	if err != nil {
		return err
	}
	var s *state
	err = db.bolt.View(func(tx *bolt.Tx) error {
		s, err = load(tx, applied, next)
		return err
	})
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.db == nil {
		return ErrClosed
	}
	if err := os.Rename(path, f.path); err != nil {
		return err
	}
	old := f.db
	f.db, f.state, f.applied = db, s, applied
	f.watch.closeAll()
	if err := old.release(); err != nil {
		f.cfg.Logger.Warn("closing the state before the restored one", "err", err)
	}
	return nil
}

// fill writes the records of a snapshot into an empty file.
func fill(b *bolt.DB, r io.Reader) (applied, next uint64, err error) {
	tx, err := b.Begin(true)
	if err != nil {
		return 0, 0, err
	}
	defer func() { tx.Rollback() }() // of the last one; after Commit it does nothing
	pending := 0
	info, next, err := readSnapshot(r, func(bucket int, k, v []byte) error {
		if err := checkRecord(bucket, k, v); err != nil {
			return err
		}
		dst := tx.Bucket(buckets[bucket])
		dst.FillPercent = 0.9 // keys come in order
		if err := dst.Put(k, v); err != nil {
			return err
		}
		if pending += len(k) + len(v); pending < restoreBatch {
			return nil
		}
		pending = 0
		if err := tx.Commit(); err != nil {
			return err
		}
		t, err := b.Begin(true)
		if err != nil {
			return err
		}
		tx = t
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	if err := putMeta(tx, info.Index, next); err != nil {
		return 0, 0, err
	}
	return info.Index, next, tx.Commit()
}

// checkRecord refuses a record that does not decode.
func checkRecord(bucket int, k, v []byte) error {
	var err error
	switch name := buckets[bucket]; {
	case bytes.Equal(name, bucketNodes):
		_, err = decodeNode(k, v)
	case bytes.Equal(name, bucketPartials):
		_, _, _, err = decodePartial(k, v)
	case len(k) != 8:
		err = errors.New("its key is not of 8 bytes")
	case bytes.Equal(name, bucketWorks):
		err = unmarshal(v, &head{})
	case bytes.Equal(name, bucketFolds):
		_, err = decodeFold(v)
	case bytes.Equal(name, bucketDocs):
		_, err = decodeDocument(v)
	}
	if err != nil {
		return fmt.Errorf("%w: record %x of %s: %w", ErrBadSnapshot, k, buckets[bucket], err)
	}
	return nil
}

func decodeNode(k, v []byte) (n Node, err error) {
	if err := unmarshal(v, &n); err != nil {
		return n, err
	}
	if n.ID != string(k) {
		return n, errors.New("its key is not its id")
	}
	return n, nil
}

func decodeFold(v []byte) (*foldRecord, error) {
	r := &foldRecord{}
	if err := unmarshal(v, r); err != nil {
		return nil, err
	}
	if r.Fold == nil {
		return nil, errors.New("it holds no fold")
	}
	return r, nil
}

func decodePartial(k, v []byte) (seq uint64, task int64, p *csvsum.Partial, err error) {
	if len(k) != 16 {
		return 0, 0, nil, errors.New("its key is not of 16 bytes")
	}
	p = &csvsum.Partial{}
	return binary.BigEndian.Uint64(k), int64(binary.BigEndian.Uint64(k[8:])), p, unmarshal(v, p)
}

// load builds the memory from the file, and checks that the records fit together.
func load(tx *bolt.Tx, applied, next uint64) (*state, error) {
	s := newState()
	s.next = next
	bySeq := map[uint64]*work{}
	var folds, docs int
	err := eachRecord(tx, func(bucket int, k, v []byte) error {
		var err error
		switch name := buckets[bucket]; {
		case bytes.Equal(name, bucketWorks):
			w := &work{seq: binary.BigEndian.Uint64(k), changed: applied}
			if err = unmarshal(v, &w.head); err != nil {
				break
			}
			bySeq[w.seq] = w
			err = s.loadWork(w, tx)
			if w.head.Status.Ended() {
				docs++
			} else if w.head.Status == Running {
				folds++
			}
		case bytes.Equal(name, bucketFolds):
			folds--
		case bytes.Equal(name, bucketDocs):
			docs--
		case bytes.Equal(name, bucketPartials):
			var seq uint64
			var task int64
			var p *csvsum.Partial
			if seq, task, p, err = decodePartial(k, v); err == nil {
				err = bySeq[seq].loadPartial(task, p)
			}
		case bytes.Equal(name, bucketNodes):
			var n Node
			n, err = decodeNode(k, v)
			s.nodes[n.ID] = n
		}
		if err != nil {
			return fmt.Errorf("%w: record %x of %s: %w", ErrBadSnapshot, k, buckets[bucket], err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if folds != 0 || docs != 0 {
		return nil, fmt.Errorf("%w: folds or documents without a work", ErrBadSnapshot)
	}
	for _, w := range s.byStatus[Running].list {
		if p := w.progress(); p != w.head.Progress {
			return nil, fmt.Errorf("%w: work %s: its partials do not make its progress", ErrBadSnapshot, w.head.ID)
		}
	}
	return s, nil
}

func (s *state) loadWork(w *work, tx *bolt.Tx) error {
	h := &w.head
	switch {
	case w.seq == 0 || w.seq >= s.next:
		return errors.New("its number is not below the next work's")
	case h.ID == "" || s.works[h.ID] != nil:
		return fmt.Errorf("its id %q is empty or another's", h.ID)
	case h.Key != "" && s.keys[h.Key] != nil:
		return fmt.Errorf("its key %q is another's", h.Key)
	case s.byStatus[h.Status] == nil:
		return fmt.Errorf("unknown status %q", h.Status)
	case !h.Status.Ended() && h.Options == nil:
		return errors.New("it has no options")
	}
	switch h.Status {
	case Queued:
		if h.Plan != nil {
			return errors.New("it is queued and has a plan")
		}
	case Running:
		if h.Plan == nil {
			return errors.New("it runs and has no plan")
		}
		if err := validatePlan(h.Plan, h.Chunk); err != nil {
			return err
		}
		b := tx.Bucket(bucketFolds).Get(seqKey(w.seq))
		if b == nil {
			return errors.New("it runs and has no fold")
		}
		r, err := decodeFold(b)
		if err != nil {
			return err
		}
		w.tasks = csvsum.Tasks(h.Plan.Spec.Size, h.Chunk)
		w.fold, h.Mtime, h.Progress = r.Fold, r.Mtime, r.Progress
		if !validFold(w.fold, &h.Plan.Spec, w.tasks) {
			return errors.New("its fold is not that of a running work")
		}
	default:
		if tx.Bucket(bucketDocs).Get(seqKey(w.seq)) == nil {
			return errors.New("it has ended and has no document")
		}
	}
	s.add(w)
	return nil
}

// validFold reports whether f can be the fold of a running work of so many tasks: nothing in it makes csvsum stumble.
func validFold(f *csvsum.Fold, spec *csvsum.Spec, tasks int64) bool {
	for task, s := range f.Reruns {
		if task < f.Frontier || task > f.Known || s >= csvsum.NumStates {
			return false
		}
	}
	// What is folded has the shape of a partial that begins with the data.
	p := csvsum.Partial{Start: spec.DataStart, End: spec.Size, Rows: f.Rows, Width: f.Width, Columns: f.Columns, Bad: f.Bad}
	return f.Frontier >= 0 && f.Frontier < tasks && f.Known >= f.Frontier && f.Known <= tasks && f.Fault == nil &&
		f.KnownState < csvsum.NumStates && f.FrontierState < csvsum.NumStates &&
		validPartial(&p, spec, spec.DataStart, spec.Size)
}

func (w *work) loadPartial(task int64, p *csvsum.Partial) error {
	if w == nil || w.fold == nil {
		return errors.New("it belongs to no running work")
	}
	if task < w.fold.Frontier || task >= w.tasks {
		return errors.New("its task does not lie beyond the frontier")
	}
	spec := &w.head.Plan.Spec
	start, end := spec.TaskRange(task, w.head.Chunk)
	if !validPartial(p, spec, start, end) {
		return errors.New("it is not one of its task")
	}
	w.fold.Restore(task, p)
	w.stored++
	return nil
}
