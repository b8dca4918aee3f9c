package csvsum

import (
	"errors"
	"slices"
)

// HeadBytes is how much of a file decides its dialect.
const HeadBytes = 1 << 20

// RecordLimit is the default bound on the length of one record in bytes, its end-of-record bytes included.
const RecordLimit = 16 << 20

// MaxSelected bounds the number of selected columns, so that no record can make memory explode.
const MaxSelected = 65536

// Newline says what ends records.
type Newline uint8

const (
	// NewlineLF: LF or CRLF, mixed at will; a lone CR is data.
	NewlineLF Newline = iota
	// NewlineCR: CR or CRLF; a lone LF is data.
	NewlineCR
)

// Dialect is how a file is written, everything decided. A zero byte means "none" for Quote and Comment.
type Dialect struct {
	Delimiter byte    `codec:"delimiter"`
	Quote     byte    `codec:"quote"`
	Decimal   byte    `codec:"decimal"`
	Comment   byte    `codec:"comment"`
	Newline   Newline `codec:"newline"`
	// NewlineText is what the first record ended with: "\n", "\r\n" or "\r". For display and the digest.
	NewlineText string `codec:"newline_text"`
	BOM         bool   `codec:"bom"`
	Header      bool   `codec:"header"`
	// OneColumn: no record of the first HeadBytes has a second field; a record that is one empty quoted field counts as
	// a blank line then.
	OneColumn bool `codec:"one_column"`
}

// Selection is the resolved choice of columns: the step First, First+Every, ... when Numbers is empty, else Numbers,
// ascending and distinct. Selected columns are addressed by their index in the selection.
type Selection struct {
	First   int   `codec:"first"`
	Every   int   `codec:"every"`
	Numbers []int `codec:"numbers"`
}

// Spec is all that a scan needs to know of a work; small enough to travel with each lease.
type Spec struct {
	Size int64 `codec:"size"`
	// DataStart is the offset of the first byte after BOM and header record (and the blank lines and comments before it).
	// Without a header it follows the BOM. The automaton is in RecordStart there.
	DataStart int64     `codec:"data_start"`
	Dialect   Dialect   `codec:"dialect"`
	Selection Selection `codec:"selection"`
	// FailOnInvalid: the first bad cell is a fault.
	FailOnInvalid bool `codec:"fail_on_invalid"`
	// RecordLimit in bytes; 0 means the constant.
	RecordLimit int64 `codec:"record_limit"`
}

// Plan is a Spec and what the result document needs besides.
type Plan struct {
	Spec Spec `codec:"spec"`
	// HeaderWidth is the number of cells of the header record, 0 without one.
	HeaderWidth int `codec:"header_width"`
	// Names[i] is the header cell of selected column i. It ends with the header; nil without one.
	Names []string `codec:"names"`
}

// ErrShortHead is returned by Sniff when head ends before the first record does and the file goes on: call again with
// more of the file, up to HeadBytes + RecordLimit.
var ErrShortHead = errors.New("csvsum: head too short")

// FormatError is why a file cannot be read as asked; Code is stable, for programs.
type FormatError struct {
	// Code: "unsupported_encoding", "compressed", "unknown_column", "ambiguous_column", "bad_option",
	// "record_too_long", "too_many_columns", "unterminated_quote".
	Code   string
	Detail string
	// Byte is where in the file it is wrong; nil where that is no one place.
	Byte *int64
}

func (e *FormatError) Error() string { return e.Detail }

// Tasks returns the number of tasks of a work at this chunk size: at least 1.
func Tasks(size, chunk int64) int64 {
	if chunk < 1 {
		panic("csvsum: chunk below 1")
	}
	if size <= chunk {
		return 1
	}
	return (size-1)/chunk + 1
}

// TaskRange returns the byte range of task i; it may be empty (in front of DataStart, or in an empty file).
func (s *Spec) TaskRange(i, chunk int64) (start, end int64) {
	start = min(i*chunk, s.Size)
	end = start + min(chunk, s.Size-start)
	return max(start, s.DataStart), max(end, s.DataStart)
}

// limit returns the record limit in bytes.
func (s *Spec) limit() int64 {
	if s.RecordLimit > 0 {
		return s.RecordLimit
	}
	return RecordLimit
}

// count returns how many columns of a record of width fields are selected.
func (s *Selection) count(width int) int {
	if len(s.Numbers) > 0 {
		n, _ := slices.BinarySearch(s.Numbers, width+1)
		return n
	}
	if width < s.First {
		return 0
	}
	return (width-s.First)/s.Every + 1
}

// number returns the column number of selected column i.
func (s *Selection) number(i int) int {
	if len(s.Numbers) > 0 {
		return s.Numbers[i]
	}
	return s.First + i*s.Every
}
