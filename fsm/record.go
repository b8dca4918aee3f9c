package fsm

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"colsum/csvsum"
)

// The buckets of fsm.db. FORMAT.md describes their keys and values.
var (
	bucketMeta     = []byte("meta")
	bucketWorks    = []byte("works")    // seq -> head
	bucketFolds    = []byte("folds")    // seq -> foldRecord, of running works
	bucketPartials = []byte("partials") // seq, task -> csvsum.Partial, beyond the frontier of running works
	bucketDocs     = []byte("docs")     // seq -> csvsum.Document as JSON, of ended works
	bucketNodes    = []byte("nodes")    // id -> Node

	// buckets lists those that a snapshot holds, in its order. The index + 1 is the bucket's number there.
	buckets = [][]byte{bucketWorks, bucketFolds, bucketPartials, bucketDocs, bucketNodes}

	keyApplied = []byte("applied") // in meta: index of the last applied entry, 8 bytes big endian
	keyNextSeq = []byte("next")    // in meta: sequence number of the next work, 8 bytes big endian
)

// head is what is known of a work besides its sums. While it runs, Mtime and progress are the fold record's.
type head struct {
	ID       string           `codec:"id"`
	Path     string           `codec:"path"`
	Status   Status           `codec:"status"`
	Ctime    int64            `codec:"ctime"`
	Mtime    int64            `codec:"mtime"`
	Planned  int64            `codec:"planned"` // noTime until planned
	Key      string           `codec:"key"`
	Hash     []byte           `codec:"hash"`
	Error    *csvsum.DocError `codec:"error"`
	Progress progress         `codec:"progress"`
	// The rest is dropped when the work ends: its document holds what is still of use.
	Options *csvsum.Options `codec:"options"`
	Plan    *csvsum.Plan    `codec:"plan"` // nil until planned
	Version string          `codec:"version"`
	Chunk   int64           `codec:"chunk"`
}

// progress counts the tasks folded and those that wait beyond the frontier. Rows are the folded ones.
type progress struct {
	Bytes      int64 `codec:"bytes"`
	BytesTotal int64 `codec:"bytes_total"`
	Tasks      int64 `codec:"tasks"`
	TasksTotal int64 `codec:"tasks_total"`
	Rows       int64 `codec:"rows"`
}

func (p progress) doc() csvsum.Progress {
	return csvsum.Progress{BytesDone: p.Bytes, BytesTotal: p.BytesTotal, TasksDone: p.Tasks, TasksTotal: p.TasksTotal, Rows: p.Rows}
}

// foldRecord is what changes while a work runs.
type foldRecord struct {
	Mtime    int64        `codec:"mtime"`
	Progress progress     `codec:"progress"`
	Fold     *csvsum.Fold `codec:"fold"`
}

// encodeFold writes a fold in its one canonical form: what is empty is nil, whatever history left behind.
func encodeFold(mtime int64, p progress, f *csvsum.Fold) ([]byte, error) {
	c := *f
	if len(c.Reruns) == 0 {
		c.Reruns = nil
	}
	if len(c.Columns) == 0 {
		c.Columns = nil
	}
	if len(c.Bad) == 0 {
		c.Bad = nil
	}
	return marshal(&foldRecord{mtime, p, &c})
}

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

func partialKey(seq uint64, task int64) []byte {
	return binary.BigEndian.AppendUint64(seqKey(seq), uint64(task))
}

// speed is the average from the plan of an ended work to its end, in bytes per second; 0 for any other.
func (h *head) speed() float64 {
	took := h.Mtime - h.Planned
	if !h.Status.Ended() || h.Planned == noTime || took <= 0 {
		return 0
	}
	return float64(h.Progress.doc().BytesDone) * 1e9 / float64(took)
}

// document puts the head of a work and its result together.
func (h *head) document(p progress, r *csvsum.Result) *csvsum.Document {
	d := &csvsum.Document{
		WorkID:   h.ID,
		Filepath: h.Path,
		Status:   string(h.Status),
		Ctime:    fromNanos(h.Ctime),
		Mtime:    fromNanos(h.Mtime),
		Error:    cloneError(h.Error),
		Progress: p.doc(),
		Result:   *r,
	}
	if h.Plan != nil {
		d.File = &csvsum.DocFile{Size: h.Plan.Spec.Size, Version: h.Version}
		d.Dialect = h.Plan.Spec.Dialect.Doc()
	}
	if d.Results == nil {
		d.Results = []csvsum.ColumnResult{}
	}
	if d.BadCells == nil {
		d.BadCells = []csvsum.BadCell{}
	}
	if d.Warnings == nil {
		d.Warnings = []string{}
	}
	return d
}

// noResult is the result of a work that has no plan yet.
func noResult() *csvsum.Result { return &csvsum.Result{Total: json.Number("0")} }

func decodeDocument(b []byte) (*csvsum.Document, error) {
	d := &csvsum.Document{}
	if err := json.Unmarshal(b, d); err != nil {
		return nil, fmt.Errorf("decode document: %w", err)
	}
	return d, nil
}

func cloneError(e *csvsum.DocError) *csvsum.DocError {
	if e == nil {
		return nil
	}
	c := *e
	c.Byte, c.Row, c.Column = clone(e.Byte), clone(e.Row), clone(e.Column)
	return &c
}

func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
