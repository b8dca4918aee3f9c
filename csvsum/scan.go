package csvsum

import (
	"context"
	"io"
)

// Task is one byte range of a file. State is the automaton's state at Start, or Unknown: then the scan guesses.
type Task struct {
	Start, End int64
	State      State
}

// ReadFrom is the offset at which the reader given to Scan must begin: Start, or a little before it where the scan wants
// to look back to guess the state.
func (t Task) ReadFrom(s *Spec) int64 { panic("stub") }

// Scanner holds the buffers of one slot, reused from task to task. The zero value is ready. Not safe for concurrent use.
type Scanner struct {
	stub int
}

// Scan reads r, which yields the file from t.ReadFrom on until its end (Scan stops reading by itself once the last record
// that begins in the task is complete), and sums the records that begin in [t.Start, t.End). Defects of the file are in
// Partial.Fault; an error is always the reader's or ctx's. A reader that ends before the file's size is io.ErrUnexpectedEOF.
func (sc *Scanner) Scan(ctx context.Context, spec *Spec, t Task, r io.Reader) (*Partial, error) {
	panic("stub")
}
