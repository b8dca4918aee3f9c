package fsm

import (
	"fmt"
	"io"
)

// Backup writes the state as a snapshot, which VerifySnapshot checks and Restore takes. Apply goes on meanwhile.
func (f *FSM) Backup(w io.Writer) error {
	db, tx, err := f.begin()
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer db.release()
	defer tx.Rollback()
	if err := writeSnapshot(w, tx); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}
