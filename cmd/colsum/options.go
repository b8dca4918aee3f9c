package main

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"colsum/csvsum"

	"github.com/dustin/go-humanize"
)

// OptionFlags are the flags that say what to sum and how the file is written; sum and schedule share them.
type OptionFlags struct {
	First     *int     `placeholder:"N" help:"First column to sum, counted from 1 (default: the same as --every)."`
	Every     *int     `placeholder:"N" help:"Sum every N-th column (default 10)."`
	Columns   []string `placeholder:"3,price" help:"Sum these columns instead: numbers from 1, header names, or names in double quotes where a name looks like a number."`
	Header    string   `default:"auto" placeholder:"auto|yes|no" help:"Whether the first record is a header (default auto)."`
	Delimiter string   `default:"auto" placeholder:"BYTE" help:"The byte between fields; 'tab' or '\\t' for a tab (default: found out)."`
	Quote     *string  `placeholder:"BYTE" help:"The byte around quoted fields, or an empty text for none (default: the double quote)."`
	Decimal   string   `default:"." placeholder:"BYTE" help:"The decimal sign, '.' or ',' (default '.')."`
	Comment   string   `placeholder:"BYTE" help:"Skip lines that begin with this byte."`
	Invalid   string   `default:"report" placeholder:"report|fail" help:"What a cell that is no number does: be counted, or fail the work (default report)."`
	Chunk     chunk    `placeholder:"BYTES" help:"Bytes summed as one task, such as 65536 or 64MiB (default: chosen from the file size)."`
}

// Options returns what the flags ask for, or a *usageError that names the flag and the bound.
func (f *OptionFlags) Options() (csvsum.Options, error) {
	o := csvsum.Options{
		Header: f.Header, Delimiter: f.Delimiter, Quote: f.Quote, Decimal: f.Decimal,
		Comment: f.Comment, Invalid: f.Invalid, ChunkBytes: int64(f.Chunk),
	}
	if o.Delimiter == "tab" || o.Delimiter == `\t` {
		o.Delimiter = "\t"
	}
	for flag, n := range map[string]*int{"--first": f.First, "--every": f.Every} {
		if n != nil && *n < 1 {
			return o, usagef("%s: must be at least 1, got %d", flag, *n)
		}
	}
	if len(f.Columns) > 0 {
		if f.First != nil || f.Every != nil {
			return o, usagef("--columns: cannot be used together with --first or --every")
		}
		list, err := parseColumns(f.Columns)
		if err != nil {
			return o, err
		}
		o.Columns.List = list
	}
	if f.First != nil {
		o.Columns.First = *f.First
	}
	if f.Every != nil {
		o.Columns.Every = *f.Every
	}
	if err := o.Validate(); err != nil {
		var option *csvsum.OptionError
		if errors.As(err, &option) {
			return o, usagef("%s: %s", flagOf(option.Field), option.Detail)
		}
		return o, usagef("%s", err)
	}
	return o, nil
}

// body returns the fields of a schedule_work request that ask for the same; what was not given is left to the server.
func (f *OptionFlags) body(path string) (map[string]any, error) {
	o, err := f.Options()
	if err != nil {
		return nil, err
	}
	b := map[string]any{"filepath": path}
	if len(o.Columns.List) > 0 {
		var list []any
		for _, c := range o.Columns.List {
			if c.Number > 0 {
				list = append(list, c.Number)
			} else {
				list = append(list, c.Name)
			}
		}
		b["columns"] = list
	} else if f.First != nil || f.Every != nil {
		step := map[string]int{}
		if f.First != nil {
			step["first"] = *f.First
		}
		if f.Every != nil {
			step["every"] = *f.Every
		}
		b["columns"] = step
	}
	if o.Quote != nil {
		b["quote"] = *o.Quote
	}
	if o.ChunkBytes > 0 {
		b["chunk_bytes"] = o.ChunkBytes
	}
	for name, v := range map[string][2]string{
		"header": {o.Header, "auto"}, "delimiter": {o.Delimiter, "auto"}, "decimal": {o.Decimal, "."},
		"comment": {o.Comment, ""}, "invalid": {o.Invalid, "report"},
	} {
		if v[0] != "" && v[0] != v[1] {
			b[name] = v[0]
		}
	}
	return b, nil
}

// parseColumns reads the entries of --columns.
func parseColumns(entries []string) ([]csvsum.ColumnRef, error) {
	var list []csvsum.ColumnRef
	for _, e := range entries {
		if len(e) >= 2 && e[0] == '"' && e[len(e)-1] == '"' {
			list = append(list, csvsum.ColumnRef{Name: e[1 : len(e)-1]})
			continue
		}
		n, err := strconv.Atoi(e)
		switch {
		case err == nil && n < 1:
			return nil, usagef("--columns: a column number must be at least 1, got %d", n)
		case err == nil:
			list = append(list, csvsum.ColumnRef{Number: n})
		case errors.Is(err, strconv.ErrRange):
			return nil, usagef("--columns: column number %s is too large", e)
		case e == "":
			return nil, usagef("--columns: an empty name (write two double quotes to mean a column without a name)")
		default:
			list = append(list, csvsum.ColumnRef{Name: e})
		}
	}
	return list, nil
}

// flagOf returns the flag behind a field of the API: columns.every is --every.
func flagOf(field string) string {
	switch field {
	case "chunk_bytes":
		return "--chunk"
	case "columns.list":
		return "--columns"
	}
	return "--" + strings.TrimPrefix(field, "columns.")
}

// chunk is a task size in bytes; 0 is "auto".
type chunk int64

var _ encoding.TextUnmarshaler = (*chunk)(nil)

// UnmarshalText reads "auto", a number of bytes, or a number with a unit such as 64KiB or 1MB.
func (c *chunk) UnmarshalText(text []byte) error {
	if s := string(text); s == "" || s == "auto" {
		*c = 0
		return nil
	}
	n, err := parseBytes(string(text))
	if err != nil {
		return err
	}
	if n < 1 {
		return fmt.Errorf("must be at least 1 byte, got %d", n)
	}
	*c = chunk(n)
	return nil
}

// parseBytes reads a whole number of bytes, or one with a unit.
func parseBytes(s string) (int64, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, nil
	}
	n, err := humanize.ParseBytes(s)
	if err != nil || n > math.MaxInt64 {
		return 0, fmt.Errorf("must be a number of bytes such as 65536 or 64MiB, got %q", s)
	}
	return int64(n), nil
}
