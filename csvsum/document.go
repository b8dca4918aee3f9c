package csvsum

import (
	"encoding/json"
	"errors"
	"time"
)

// Document is the result document of api.md, the same for `colsum sum` and the cluster. Its zero-ish fields are filled in
// by whoever knows them: the engine fills the part from Rows to Digest (see Fold.Result).
type Document struct {
	WorkID   string    `json:"work_id"`
	Filepath string    `json:"filepath"`
	Status   string    `json:"status"`
	Ctime    time.Time `json:"ctime"`
	Mtime    time.Time `json:"mtime"`
	Error    *DocError `json:"error"`
	Progress Progress  `json:"progress"`
	File     *DocFile  `json:"file"`    // nil until planned
	Dialect  *DocDial  `json:"dialect"` // nil until planned
	Result
}

// Result is the part of the document that is computed from the file alone. While a work runs it is the sum so far, without digest.
type Result struct {
	Rows         int64          `json:"rows"`
	ColumnsTotal int            `json:"columns_total"`
	Results      []ColumnResult `json:"results"` // never null
	Total        json.Number    `json:"total"`
	BadCells     []BadCell      `json:"bad_cells"` // never null
	Warnings     []string       `json:"warnings"`  // never null
	// Digest is "sha256:..." over the canonical form; "" until the work is done.
	Digest string `json:"digest,omitempty"`
}

// ColumnResult is one selected column. Numeric + Empty + Invalid + Missing = Rows.
type ColumnResult struct {
	Column  int          `json:"column"`
	Name    *string      `json:"name"` // null without a header cell
	Sum     json.Number  `json:"sum"`
	Mean    *json.Number `json:"mean"` // null without numeric cells
	Numeric int64        `json:"numeric"`
	Empty   int64        `json:"empty"`
	Invalid int64        `json:"invalid"`
	Missing int64        `json:"missing"`
}

// DocError is why a work failed. Byte, Row and Column are given where they apply.
type DocError struct {
	Code    string `json:"code" codec:"code"`
	Message string `json:"message" codec:"message"`
	Byte    *int64 `json:"byte,omitempty" codec:"byte"`
	Row     *int64 `json:"row,omitempty" codec:"row"`
	Column  *int   `json:"column,omitempty" codec:"column"`
}

// Why returns err as a document tells it. What is neither a *FormatError nor an *OptionError has the code "internal".
func Why(err error) *DocError {
	var format *FormatError
	var option *OptionError
	switch {
	case errors.As(err, &format):
		return &DocError{Code: format.Code, Message: format.Detail, Byte: format.Byte}
	case errors.As(err, &option):
		return &DocError{Code: "bad_option", Message: err.Error()}
	}
	return &DocError{Code: "internal", Message: err.Error()}
}

// Progress of a work.
type Progress struct {
	BytesDone      int64   `json:"bytes_done"`
	BytesTotal     int64   `json:"bytes_total"`
	TasksDone      int64   `json:"tasks_done"`
	TasksTotal     int64   `json:"tasks_total"`
	Rows           int64   `json:"rows"`
	BytesPerSecond float64 `json:"bytes_per_second"`
	// StorageUnreachableSince is set while the storage of the file does not answer.
	StorageUnreachableSince *time.Time `json:"storage_unreachable_since,omitempty"`
}

// DocFile is the file a work was planned on.
type DocFile struct {
	Size    int64  `json:"size"`
	Version string `json:"version"`
}

// DocDial is the effective dialect.
type DocDial struct {
	Delimiter   string  `json:"delimiter"`
	Quote       string  `json:"quote"`
	Decimal     string  `json:"decimal"`
	Comment     *string `json:"comment"`
	Header      bool    `json:"header"`
	Newline     string  `json:"newline"`
	BOM         bool    `json:"bom"`
	Compression *string `json:"compression"`
}
