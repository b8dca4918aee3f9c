package csvsum

import (
	"fmt"

	"colsum/decimal"
)

// MaxBadCells is how many bad cells are listed.
const MaxBadCells = 20

// MaxBadText is the length in bytes at which the text of a bad cell is cut.
const MaxBadText = 64

// Partial is what one task yields: the records that begin within [Start, End).
type Partial struct {
	Start int64 `codec:"start"`
	End   int64 `codec:"end"`
	// Assumed is the state the scan took for granted at Start.
	Assumed State `codec:"assumed"`
	// Ends[s] is the state at End if the state at Start is s, or Unknown where that was not computed. Ends[Assumed] is
	// always known, unless Fault is set: a scan that met a fault need not have reached End.
	Ends [NumStates]State `codec:"ends"`
	Rows int64            `codec:"rows"`
	// Width is the number of fields of the widest record, 0 without records.
	Width int `codec:"width"`
	// Columns[i] belongs to selected column i. It may be shorter than the selection: what is absent is all zero.
	Columns []Column `codec:"columns"`
	// Bad lists the first MaxBadCells bad cells; Row counts from 1 within this partial.
	Bad []BadCell `codec:"bad"`
	// Fault, if not nil, ends the work, provided Assumed was right.
	Fault *Fault `codec:"fault"`
}

// Column is the exact sum and the counts of one selected column. Missing cells are rows less the three counts.
type Column struct {
	Sum     decimal.Sum `codec:"sum"`
	Numeric int64       `codec:"numeric"`
	Empty   int64       `codec:"empty"`
	Invalid int64       `codec:"invalid"`
}

// BadCell is a cell that is neither a number nor empty.
type BadCell struct {
	Column int   `json:"column" codec:"column"`
	Row    int64 `json:"row" codec:"row"` // 1-based data record
	Byte   int64 `json:"byte" codec:"byte"`
	// Text is the cell without its quotes, valid UTF-8, cut at MaxBadText bytes.
	Text string `json:"text" codec:"text"`
}

// Fault is a defect of the file that ends its work.
type Fault struct {
	// Code: "unterminated_quote", "record_too_long", "too_many_columns", "invalid_cell".
	Code   string `codec:"code"`
	Detail string `codec:"detail"` // a sentence that names the byte
	Byte   int64  `codec:"byte"`
	// Row counts from 1 within the partial (within the file once folded); 0 where no row applies.
	Row    int64 `codec:"row"`
	Column int   `codec:"column"` // 0 where none applies
}

func (f *Fault) Error() string { return f.Detail }

// Validate returns an error for a partial that no scan of the work would have made: what comes from another machine is
// checked with it before it is offered to a Fold.
func (p *Partial) Validate() error {
	switch {
	case p.Start < 0 || p.End < p.Start:
		return fmt.Errorf("partial: range [%d, %d)", p.Start, p.End)
	case p.Assumed >= NumStates:
		return fmt.Errorf("partial: assumed state %d", p.Assumed)
	case p.Fault == nil && p.Ends[p.Assumed] == Unknown:
		return fmt.Errorf("partial: no end state for the assumed state %d", p.Assumed)
	case p.Rows < 0 || p.Width < 0:
		return fmt.Errorf("partial: %d rows of width %d", p.Rows, p.Width)
	case len(p.Columns) > MaxSelected:
		return fmt.Errorf("partial: %d columns, more than %d", len(p.Columns), MaxSelected)
	case len(p.Bad) > MaxBadCells:
		return fmt.Errorf("partial: %d bad cells, more than %d", len(p.Bad), MaxBadCells)
	}
	for s, end := range p.Ends {
		if end >= NumStates && end != Unknown {
			return fmt.Errorf("partial: end state %d for state %d", end, s)
		}
	}
	for i := range p.Columns {
		c := &p.Columns[i]
		if c.Numeric < 0 || c.Empty < 0 || c.Invalid < 0 ||
			c.Numeric > p.Rows || c.Empty > p.Rows-c.Numeric || c.Invalid > p.Rows-c.Numeric-c.Empty {
			return fmt.Errorf("partial: selected column %d: %d numeric, %d empty and %d invalid cells in %d rows", i, c.Numeric, c.Empty, c.Invalid, p.Rows)
		}
	}
	return nil
}
