package csvsum

import (
	"fmt"
	"strings"
)

// numberBytes make up numbers, besides the decimal sign. None of them may be the quote: 5 around 556 would make a 6 of it,
// and cells are read as numbers before they are looked at for quotes.
const numberBytes = "0123456789+-eE"

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

// OptionError says which option is wrong and what it may be.
type OptionError struct {
	Field  string // as in the API: "columns.every"
	Detail string // "must be at least 1, got 0"
}

func (e *OptionError) Error() string { return e.Field + ": " + e.Detail }

// Validate returns an *OptionError for the first option that no file could satisfy. Note that First and Every 0 mean
// "not given" here: a front end refuses an explicit 0 by itself ("columns.every: must be at least 1, got 0"), as the JSON
// form of Columns does.
func (o *Options) Validate() error {
	if err := o.Columns.validate(); err != nil {
		return err
	}
	for _, f := range []struct{ field, value, words string }{
		{"header", o.Header, "auto yes no"},
		{"invalid", o.Invalid, "report fail"},
		{"decimal", o.Decimal, ". ,"},
	} {
		if f.value != "" && !isWord(f.value, f.words) {
			return &OptionError{f.field, fmt.Sprintf("must be one of %s, got %q", f.words, f.value)}
		}
	}
	delimiter := o.Delimiter
	if delimiter == "auto" {
		delimiter = ""
	}
	used := map[byte]string{o.decimal(): "decimal"}
	for _, f := range []struct{ field, value string }{
		{"delimiter", delimiter},
		{"quote", string(nonzero(o.quote()))},
		{"comment", o.Comment},
	} {
		value := f.value
		if f.field == "quote" && o.Quote != nil {
			value = *o.Quote
		}
		if value == "" {
			continue
		}
		if len(value) != 1 {
			return &OptionError{f.field, fmt.Sprintf("must be one byte, got %q", value)}
		}
		c := value[0]
		if c == '\n' || c == '\r' || c == 0 {
			return &OptionError{f.field, fmt.Sprintf("must not be a line end or NUL, got %q", value)}
		}
		if f.field == "quote" && strings.IndexByte(numberBytes, c) >= 0 {
			return &OptionError{f.field, fmt.Sprintf("must not be a byte of a number, got %q", value)}
		}
		if other, taken := used[c]; taken {
			return &OptionError{f.field, fmt.Sprintf("must differ from %s, got %q for both", other, value)}
		}
		used[c] = f.field
	}
	if o.ChunkBytes < 0 {
		return &OptionError{"chunk_bytes", fmt.Sprintf("must be at least 0, got %d", o.ChunkBytes)}
	}
	return nil
}

func isWord(s, words string) bool {
	for len(words) > 0 {
		n := 0
		for n < len(words) && words[n] != ' ' {
			n++
		}
		if words[:n] == s {
			return true
		}
		words = words[min(n+1, len(words)):]
	}
	return false
}

func nonzero(c byte) []byte {
	if c == 0 {
		return nil
	}
	return []byte{c}
}

// quote, decimal and comment are the bytes asked for, 0 for none. They hold for valid options only.
func (o *Options) quote() byte {
	switch {
	case o.Quote == nil:
		return '"'
	case *o.Quote == "":
		return 0
	}
	return (*o.Quote)[0]
}

func (o *Options) decimal() byte {
	if o.Decimal == "," {
		return ','
	}
	return '.'
}

func (o *Options) comment() byte {
	if o.Comment == "" {
		return 0
	}
	return o.Comment[0]
}
