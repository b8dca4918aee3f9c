package fsm

import (
	"bytes"
	"encoding/json"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"colsum/csvsum"
)

// changes gathers what a batch of entries changed, so that each record is written once, however often it changed.
type changes struct {
	works map[uint64]*change
	nodes map[string]Node
}

// change is what a batch did to one work.
type change struct {
	w       *work
	head    bool
	fold    bool
	removed bool
	// put holds new partials that wait beyond the frontier; del, those in the file that were dropped.
	put map[int64]*csvsum.Partial
	del map[int64]bool
	// final is set when the work ended, with what its document needs and the work lets go of.
	final *final
}

// final is a work as it was at its end. The document is made of it outside of the lock.
type final struct {
	head head // with its plan
	fold *csvsum.Fold
}

func newChanges() *changes {
	return &changes{works: map[uint64]*change{}, nodes: map[string]Node{}}
}

func (c *changes) of(w *work) *change {
	ch := c.works[w.seq]
	if ch == nil {
		ch = &change{w: w, put: map[int64]*csvsum.Partial{}, del: map[int64]bool{}}
		c.works[w.seq] = ch
	}
	return ch
}

// drop takes back a waiting partial.
func (ch *change) drop(task int64) {
	delete(ch.put, task)
	ch.del[task] = true
}

// write mirrors the changes to the file.
func (c *changes) write(tx *bolt.Tx) error {
	for _, ch := range c.works {
		if err := ch.write(tx); err != nil {
			return fmt.Errorf("work %s: %w", ch.w.head.ID, err)
		}
	}
	for id, n := range c.nodes {
		if err := putValue(tx, bucketNodes, []byte(id), &n); err != nil {
			return fmt.Errorf("node %s: %w", id, err)
		}
	}
	return nil
}

func (ch *change) write(tx *bolt.Tx) error {
	w, key := ch.w, seqKey(ch.w.seq)
	if ch.removed || ch.final != nil {
		if err := tx.Bucket(bucketFolds).Delete(key); err != nil {
			return err
		}
		if err := ch.deletePartials(tx, 1<<63-1); err != nil {
			return err
		}
	}
	if ch.removed {
		if err := tx.Bucket(bucketDocs).Delete(key); err != nil {
			return err
		}
		return tx.Bucket(bucketWorks).Delete(key)
	}
	if ch.head {
		h := w.head
		if h.Status == Running {
			// The fold record has these. Here they would depend on how the entries were batched.
			h.Mtime, h.Progress = h.Planned, progress{}
		}
		if err := putValue(tx, bucketWorks, key, &h); err != nil {
			return err
		}
	}
	if ch.final != nil {
		b, err := json.Marshal(ch.final.document())
		if err != nil {
			return fmt.Errorf("encode document: %w", err)
		}
		return tx.Bucket(bucketDocs).Put(key, b)
	}
	if !ch.fold {
		return nil
	}
	b, err := encodeFold(w.head.Mtime, w.head.Progress, w.fold)
	if err != nil {
		return fmt.Errorf("encode fold: %w", err)
	}
	if err := tx.Bucket(bucketFolds).Put(key, b); err != nil {
		return err
	}
	return ch.writePartials(tx)
}

// writePartials makes the partials in the file those that wait beyond the frontier.
func (ch *change) writePartials(tx *bolt.Tx) error {
	w, bucket := ch.w, tx.Bucket(bucketPartials)
	if err := ch.deletePartials(tx, w.fold.Frontier); err != nil {
		return err
	}
	for task := range ch.del {
		key := partialKey(w.seq, task)
		if bucket.Get(key) == nil {
			continue
		}
		if err := bucket.Delete(key); err != nil {
			return err
		}
		w.stored--
	}
	for task, p := range ch.put {
		if task < w.fold.Frontier {
			continue // folded within the batch
		}
		key := partialKey(w.seq, task)
		if bucket.Get(key) == nil {
			w.stored++
		}
		if err := putValue(tx, bucketPartials, key, p); err != nil {
			return err
		}
	}
	if n := w.fold.DoneCount(); n != w.stored {
		panic(fmt.Sprintf("fsm: work %s: %d partials wait, %d are in the file", w.head.ID, n, w.stored))
	}
	return nil
}

// deletePartials deletes those of tasks below end.
func (ch *change) deletePartials(tx *bolt.Tx, end int64) error {
	if ch.w.stored == 0 {
		return nil
	}
	bucket := tx.Bucket(bucketPartials)
	var keys [][]byte // deleting under a cursor would move it
	c := bucket.Cursor()
	last := string(partialKey(ch.w.seq, end))
	for k, _ := c.Seek(partialKey(ch.w.seq, 0)); k != nil && string(k) < last; k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	for _, k := range keys {
		if err := bucket.Delete(k); err != nil {
			return err
		}
		ch.w.stored--
	}
	return nil
}

// document is the work's last and final one.
func (f *final) document() *csvsum.Document {
	r := noResult()
	if f.fold != nil {
		r = f.fold.Result(f.head.Plan, f.head.Status == Done)
	}
	d := f.head.document(f.head.Progress, r)
	d.Progress.BytesPerSecond = f.head.speed()
	return d
}

func putValue(tx *bolt.Tx, bucket, key []byte, v any) error {
	b, err := marshal(v)
	if err != nil {
		return fmt.Errorf("encode record: %w", err)
	}
	return tx.Bucket(bucket).Put(key, b)
}
