package csvsum

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Columns selects columns: a step, or a list when List is not empty. Column numbers start at 1.
//
// Its JSON is an object for a step, {"first":2,"every":10}, or a list of numbers and header names, [3,"price"].
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

// DefaultEvery is the step where none is given.
const DefaultEvery = 10

// step returns first and every with the defaults filled in.
func (c *Columns) step() (first, every int) {
	every = c.Every
	if every == 0 {
		every = DefaultEvery
	}
	first = c.First
	if first == 0 {
		first = every
	}
	return first, every
}

func (c *Columns) validate() error {
	if c.First < 0 {
		return atLeastOne("columns.first", c.First)
	}
	if c.Every < 0 {
		return atLeastOne("columns.every", c.Every)
	}
	if len(c.List) > MaxSelected {
		return &OptionError{"columns", fmt.Sprintf("must list at most %d columns, got %d", MaxSelected, len(c.List))}
	}
	for _, r := range c.List {
		if r.Number < 0 {
			return atLeastOne("columns", r.Number)
		}
	}
	return nil
}

func atLeastOne(field string, got int) error {
	return &OptionError{field, fmt.Sprintf("must be at least 1, got %d", got)}
}

// MarshalJSON writes the list, or the members of the step that are given.
func (c Columns) MarshalJSON() ([]byte, error) {
	if len(c.List) == 0 {
		type step Columns
		return json.Marshal(step(c))
	}
	list := make([]any, len(c.List))
	for i, r := range c.List {
		if list[i] = r.Name; r.Number != 0 {
			list[i] = r.Number
		}
	}
	return json.Marshal(list)
}

// UnmarshalJSON reads either form; null leaves the default. Errors: *OptionError.
func (c *Columns) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	switch {
	case bytes.Equal(b, []byte("null")):
		return nil
	case len(b) > 0 && b[0] == '{':
		return c.unmarshalStep(b)
	case len(b) > 0 && b[0] == '[':
		return c.unmarshalList(b)
	}
	return &OptionError{"columns", `must be {"first":N,"every":N} or a list of numbers and names, got ` + cut(string(b), 40)}
}

func (c *Columns) unmarshalStep(b []byte) error {
	if !json.Valid(b) {
		return notJSON(b)
	}
	var step Columns
	dec := json.NewDecoder(bytes.NewReader(b))
	_, _ = dec.Token() // the brace: the syntax is right, so nothing here can fail
	for dec.More() {
		token, _ := dec.Token()
		var raw json.RawMessage
		_ = dec.Decode(&raw)
		name := token.(string)
		var to *int
		switch name {
		case "first":
			to = &step.First
		case "every":
			to = &step.Every
		default:
			return &OptionError{"columns", fmt.Sprintf("must have no members but first and every, got %q", cut(name, 40))}
		}
		if *to != 0 {
			return &OptionError{"columns." + name, "given twice"}
		}
		n, err := columnNumber("columns."+name, string(raw))
		if err != nil {
			return err
		}
		*to = n
	}
	*c = step
	return nil
}

// columnNumber reads a number of at least 1.
func columnNumber(field, s string) (int, error) {
	n, err := strconv.Atoi(s)
	switch {
	case errors.Is(err, strconv.ErrRange) && s[0] != '-':
		return 0, &OptionError{field, fmt.Sprintf("must be at most %d, got %s", math.MaxInt, cut(s, 40))}
	case errors.Is(err, strconv.ErrRange):
		return 0, &OptionError{field, "must be at least 1, got " + cut(s, 40)}
	case err != nil:
		return 0, &OptionError{field, "must be a whole number of at least 1, got " + cut(s, 40)}
	case n < 1:
		return 0, atLeastOne(field, n)
	}
	return n, nil
}

func notJSON(b []byte) error {
	return &OptionError{"columns", `must be JSON, {"first":N,"every":N} or a list of numbers and names, got ` + cut(string(b), 40)}
}

func (c *Columns) unmarshalList(b []byte) error {
	var items []json.RawMessage
	if err := json.Unmarshal(b, &items); err != nil {
		return notJSON(b)
	}
	if len(items) == 0 {
		return &OptionError{"columns", "must list at least 1 column, got 0"}
	}
	if len(items) > MaxSelected {
		return &OptionError{"columns", fmt.Sprintf("must list at most %d columns, got %d", MaxSelected, len(items))}
	}
	list := make([]ColumnRef, len(items))
	for i, raw := range items {
		if raw[0] == '"' {
			if err := json.Unmarshal(raw, &list[i].Name); err != nil {
				return notJSON(raw)
			}
			continue
		}
		if c := raw[0]; c != '-' && (c < '0' || c > '9') || bytes.ContainsAny(raw, ".eE") {
			return &OptionError{"columns", "must list whole numbers and names, got " + cut(string(raw), 40)}
		}
		n, err := columnNumber("columns", string(raw))
		if err != nil {
			return err
		}
		list[i].Number = n
	}
	*c = Columns{List: list}
	return nil
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "..."
}
