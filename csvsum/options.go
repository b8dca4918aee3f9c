package csvsum

// Options is what a user asks for. The zero value asks for the defaults: every 10th column, everything else found out.
// It travels in the API (json), in the replicated log and over rpc (codec).
type Options struct {
	Columns Columns `json:"columns" codec:"columns"`
	// Header is "auto" (also ""), "yes" or "no".
	Header string `json:"header" codec:"header"`
	// Delimiter is "auto" (also "") or one byte.
	Delimiter string `json:"delimiter" codec:"delimiter"`
	// Quote is nil for the default `"`, "" for none, or one byte.
	Quote *string `json:"quote" codec:"quote"`
	// Decimal is "." (also "") or ",".
	Decimal string `json:"decimal" codec:"decimal"`
	// Comment is "" for none or one byte: lines that begin with it are skipped.
	Comment string `json:"comment" codec:"comment"`
	// Invalid is "report" (also "") or "fail".
	Invalid string `json:"invalid" codec:"invalid"`
	// ChunkBytes is the task size; 0 lets the planner choose.
	ChunkBytes int64 `json:"chunk_bytes" codec:"chunk_bytes"`
}

// Columns selects columns: a step, or a list when List is not empty. Column numbers start at 1.
type Columns struct {
	// Every is the step; 0 means 10. First is the first column; 0 means Every.
	First int `json:"first,omitempty" codec:"first"`
	Every int `json:"every,omitempty" codec:"every"`
	// List names columns by number or by header name. Order and repetition do not matter.
	List []ColumnRef `json:"-" codec:"list"`
}

// ColumnRef is a column by Number, or by header Name when Number is 0.
type ColumnRef struct {
	Number int    `codec:"number"`
	Name   string `codec:"name"`
}

// OptionError says which option is wrong and what it may be.
type OptionError struct {
	Field  string // as in the API: "columns.every"
	Detail string // "must be at least 1, got 0"
}

func (e *OptionError) Error() string { return e.Field + ": " + e.Detail }

// Validate returns an *OptionError for the first option that no file could satisfy. Note that First and Every 0 mean
// "not given" here: a front end refuses an explicit 0 by itself ("columns.every: must be at least 1, got 0").
func (o *Options) Validate() error { panic("stub") }
