package fsm

import (
	"bytes"
	"fmt"
	"time"

	"colsum/csvsum"
	"colsum/decimal"
)

// Bounds of what a command may hold, in bytes where nothing else is said.
const (
	MaxID        = 64
	MaxPath      = 4096
	MaxKey       = 255
	MaxHash      = 64
	MaxVersion   = 4096
	MaxErrorCode = 64
	MaxMessage   = 16 << 10
	MaxAddress   = 512
	// MaxTasks bounds the tasks of one work.
	MaxTasks = 1 << 32
)

// A CommandError says which field of a command is wrong and what it may be.
type CommandError struct {
	Field  string // "submit.path"
	Detail string // "must be at most 4096 bytes, got 5000"
	Err    error  // what it wraps, or nil
}

func (e *CommandError) Error() string { return e.Field + ": " + e.Detail }

func (e *CommandError) Unwrap() error { return e.Err }

// Validate checks what can be checked of a command without the state. Errors are *CommandError. Partials are not looked
// at: apply judges each by itself, so that one bad partial costs only itself.
func Validate(cmd Command) error {
	switch c := cmd.(type) {
	case *Submit:
		if err := c.Options.Validate(); err != nil {
			return &CommandError{"submit.options", err.Error(), err}
		}
		if c.Key != "" && len(c.Hash) == 0 {
			return &CommandError{Field: "submit.hash", Detail: "required with a key"}
		}
		if c.MaxActive < 0 {
			return atLeast("submit.max_active", 0, int64(c.MaxActive))
		}
		return first(
			text("submit.id", c.ID, 1, MaxID),
			when("submit.time", c.Time),
			text("submit.path", c.Path, 1, MaxPath),
			text("submit.key", c.Key, 0, MaxKey),
			text("submit.hash", string(c.Hash), 0, MaxHash))
	case *Plan:
		return first(
			text("plan.id", c.ID, 1, MaxID),
			when("plan.time", c.Time),
			text("plan.version", c.Version, 0, MaxVersion),
			validatePlan(&c.Plan, c.Chunk))
	case *Complete:
		if err := when("complete.time", c.Time); err != nil {
			return err
		}
		for i := range c.Done {
			err := first(
				text("complete.done.work", c.Done[i].Work, 0, MaxID),
				text("complete.done.version", c.Done[i].Version, 0, MaxVersion))
			if err != nil {
				return err
			}
		}
		return nil
	case *Fail:
		return first(
			text("fail.id", c.ID, 1, MaxID),
			when("fail.time", c.Time),
			text("fail.error.code", c.Error.Code, 1, MaxErrorCode),
			text("fail.error.message", c.Error.Message, 0, MaxMessage))
	case *Cancel:
		return first(text("cancel.id", c.ID, 1, MaxID), when("cancel.time", c.Time))
	case *Forget:
		if c.Limit < 0 {
			return atLeast("forget.limit", 0, int64(c.Limit))
		}
		return when("forget.before", c.Before)
	case *Announce:
		return first(
			text("announce.node.id", c.Node.ID, 1, MaxAddress),
			text("announce.node.raft", c.Node.Raft, 0, MaxAddress),
			text("announce.node.http", c.Node.HTTP, 0, MaxAddress),
			text("announce.node.rpc", c.Node.RPC, 0, MaxAddress),
			text("announce.node.version", c.Node.Version, 0, MaxAddress))
	}
	return &CommandError{Field: "command", Detail: fmt.Sprintf("unknown type %T", cmd)}
}

// validatePlan refuses plans on which csvsum could not stand.
func validatePlan(p *csvsum.Plan, chunk int64) error {
	s := &p.Spec
	switch {
	case chunk < 1:
		return atLeast("plan.chunk", 1, chunk)
	case s.Size < 0:
		return atLeast("plan.spec.size", 0, s.Size)
	case s.DataStart < 0 || s.DataStart > s.Size:
		return &CommandError{Field: "plan.spec.data_start", Detail: fmt.Sprintf("must lie within 0 and the size %d, got %d", s.Size, s.DataStart)}
	case s.RecordLimit < 0:
		return atLeast("plan.spec.record_limit", 0, s.RecordLimit)
	case s.Dialect.Newline > csvsum.NewlineCR:
		return &CommandError{Field: "plan.spec.dialect.newline", Detail: fmt.Sprintf("unknown value %d", s.Dialect.Newline)}
	case p.HeaderWidth < 0:
		return atLeast("plan.header_width", 0, int64(p.HeaderWidth))
	case len(p.Names) > csvsum.MaxSelected:
		return &CommandError{Field: "plan.names", Detail: fmt.Sprintf("must be at most %d, got %d", csvsum.MaxSelected, len(p.Names))}
	case s.Size/chunk >= MaxTasks:
		return &CommandError{Field: "plan.chunk", Detail: fmt.Sprintf("makes more than %d tasks of %d bytes", int64(MaxTasks), s.Size)}
	}
	sel := s.Selection
	if len(sel.Numbers) == 0 && sel.First >= 1 && sel.Every >= 1 && !validWidth(p.HeaderWidth, 0, s) {
		return &CommandError{Field: "plan.header_width", Detail: fmt.Sprintf("%d fields in %d bytes, of which more than %d are selected or that have no room", p.HeaderWidth, s.Size, csvsum.MaxSelected)}
	}
	if len(sel.Numbers) == 0 {
		if sel.First < 1 {
			return atLeast("plan.spec.selection.first", 1, int64(sel.First))
		}
		if sel.Every < 1 {
			return atLeast("plan.spec.selection.every", 1, int64(sel.Every))
		}
		return nil
	}
	if len(sel.Numbers) > csvsum.MaxSelected {
		return &CommandError{Field: "plan.spec.selection.numbers", Detail: fmt.Sprintf("must be at most %d, got %d", csvsum.MaxSelected, len(sel.Numbers))}
	}
	last := 0
	for _, n := range sel.Numbers {
		if n <= last {
			return &CommandError{Field: "plan.spec.selection.numbers", Detail: fmt.Sprintf("must be ascending from 1, got %d after %d", n, last)}
		}
		last = n
	}
	return nil
}

// validPartial reports whether p can be the partial of the task at [start, end) of this plan: its range is that task's,
// and what it holds is not at odds with itself. What it answers is part of the replicated state machine.
func validPartial(p *csvsum.Partial, spec *csvsum.Spec, start, end int64) bool {
	switch {
	case p == nil || p.Validate() != nil,
		p.Start != start || p.End != end,
		p.Rows > end-start, // each record begins at a byte of its own
		!validWidth(p.Width, start, spec),
		len(spec.Selection.Numbers) > 0 && len(p.Columns) > len(spec.Selection.Numbers):
		return false
	}
	for i := range p.Columns {
		if c := &p.Columns[i]; c.Numeric == 0 && !isZero(&c.Sum) {
			return false
		}
	}
	for _, b := range p.Bad {
		if b.Column < 1 || b.Row < 1 || b.Byte < start || b.Byte > spec.Size || len(b.Text) > csvsum.MaxBadText {
			return false
		}
	}
	if f := p.Fault; f != nil {
		return f.Code != "" && len(f.Code) <= MaxErrorCode && len(f.Detail) <= MaxMessage &&
			f.Byte >= 0 && f.Byte <= spec.Size && f.Row >= 0 && f.Column >= 0
	}
	return true
}

// validWidth bounds the fields of a record that begins at start or later: the delimiters between them lie in the file, and
// a step selects at most MaxSelected of them. Without the bound a broken worker could make a document of any size.
func validWidth(width int, start int64, spec *csvsum.Spec) bool {
	if width < 0 || int64(width)-1 > spec.Size-start {
		return false
	}
	sel := &spec.Selection
	return len(sel.Numbers) > 0 || width < sel.First || (width-sel.First)/sel.Every < csvsum.MaxSelected
}

// isZero compares encodings, since equal values have equal ones.
func isZero(s *decimal.Sum) bool {
	b, err := s.MarshalBinary()
	return err == nil && bytes.Equal(b, zeroSum)
}

var zeroSum, _ = decimal.Sum{}.MarshalBinary()

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func text(field, s string, min, max int) error {
	switch {
	case len(s) < min:
		return &CommandError{Field: field, Detail: "required"}
	case len(s) > max:
		return &CommandError{Field: field, Detail: fmt.Sprintf("must be at most %d bytes, got %d", max, len(s))}
	}
	return nil
}

func atLeast(field string, min, got int64) error {
	return &CommandError{Field: field, Detail: fmt.Sprintf("must be at least %d, got %d", min, got)}
}

// when refuses times that int64 nanoseconds cannot hold, time.Time{} among them.
func when(field string, t time.Time) error {
	if y := t.UTC().Year(); y < 1970 || y > 2261 {
		return &CommandError{Field: field, Detail: fmt.Sprintf("must lie within the years 1970 and 2261, got %v", t)}
	}
	return nil
}
