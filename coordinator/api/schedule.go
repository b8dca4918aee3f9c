package api

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"colsum/coordinator"
	"colsum/coordinator/problem"
	"colsum/csvsum"
	"colsum/fsm"
)

// scheduleBody is the shape of schedule_work's body in the OpenAPI document; parseSchedule is what reads it.
type scheduleBody struct {
	Filepath   string       `json:"filepath" minLength:"1" maxLength:"4096" doc:"As list_files shows it, s3://bucket/key, or file:///... below an allowed root"`
	Columns    columnsShape `json:"columns,omitempty" doc:"A step, 1-based, or a list of column numbers and header names"`
	First      int          `json:"first,omitempty" minimum:"1" doc:"Short for columns.first"`
	Every      int          `json:"every,omitempty" minimum:"1" doc:"Short for columns.every"`
	Header     string       `json:"header,omitempty" enum:"auto,yes,no" default:"auto"`
	Delimiter  string       `json:"delimiter,omitempty" default:"auto" doc:"auto or one byte"`
	Quote      string       `json:"quote,omitempty" default:"\"" doc:"One byte, or empty for none"`
	Decimal    string       `json:"decimal,omitempty" pattern:"^[.,]$" default:"."`
	Comment    string       `json:"comment,omitempty" doc:"One byte: lines that begin with it are skipped"`
	Invalid    string       `json:"invalid,omitempty" enum:"report,fail" default:"report"`
	ChunkBytes int64        `json:"chunk_bytes,omitempty" minimum:"1" doc:"Size of a task; chosen by the server if absent"`
}

type scheduleInput struct {
	Key string `header:"Idempotency-Key" maxLength:"255" doc:"The same key with the same request gives the same work"`
}

type scheduleOutput struct {
	Location string `header:"Location"`
	Body     struct {
		WorkID string `json:"work_id"`
	}
}

func (a *API) scheduleWork(ctx context.Context, in *scheduleInput) (*scheduleOutput, error) {
	req, err := parseSchedule(bodyOf(ctx))
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	req.Key = in.Key
	id, err := a.works.Submit(ctx, req)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	out := &scheduleOutput{Location: "/api/get_result/" + id}
	out.Body.WorkID = id
	return out, nil
}

// parseSchedule reads the body of schedule_work. It refuses what is not well-formed; whether the values make sense
// together is for csvsum.Options.Validate to say, in Submit.
func parseSchedule(b sent) (coordinator.SubmitRequest, error) {
	var req coordinator.SubmitRequest
	f, err := parseFields(b, append(slices.Clone(formatFields), "filepath", "invalid", "chunk_bytes")...)
	if err != nil {
		return req, err
	}
	if req.Path, err = parsePath(f); err != nil {
		return req, err
	}
	opt := &req.Options
	if *opt, err = parseFormat(f); err != nil {
		return req, err
	}
	if opt.Invalid, _, err = f.text("invalid"); err != nil {
		return req, err
	}
	if auto, _, err := f.text("chunk_bytes"); err != nil || auto != "auto" {
		if opt.ChunkBytes, _, err = f.whole("chunk_bytes", 1); err != nil {
			return req, err
		}
	}
	return req, nil
}

func parsePath(f fields) (string, error) {
	path, _, err := f.text("filepath")
	switch {
	case err != nil:
		return "", err
	case path == "":
		return "", badField("filepath", "required")
	case len(path) > fsm.MaxPath:
		return "", badField("filepath", "must be at most %d bytes, got %d", fsm.MaxPath, len(path))
	}
	return path, nil
}

// formatFields are the options that say which columns are meant and how the file is written.
var formatFields = []string{"columns", "first", "every", "header", "delimiter", "quote", "decimal", "comment"}

// parseFormat reads formatFields.
func parseFormat(f fields) (opt csvsum.Options, err error) {
	if opt.Columns, err = parseColumns(f); err != nil {
		return opt, err
	}
	for name, to := range map[string]*string{
		"header": &opt.Header, "delimiter": &opt.Delimiter, "decimal": &opt.Decimal, "comment": &opt.Comment,
	} {
		if *to, _, err = f.text(name); err != nil {
			return opt, err
		}
	}
	if quote, given, err := f.text("quote"); err != nil {
		return opt, err
	} else if given {
		opt.Quote = &quote
	}
	return opt, nil
}

// parseColumns reads columns, or its short forms first and every.
func parseColumns(f fields) (csvsum.Columns, error) {
	var c csvsum.Columns
	for name, to := range map[string]*int{"first": &c.First, "every": &c.Every} {
		n, given, err := f.whole(name, 1)
		if err != nil {
			return c, err
		}
		if _, both := f["columns"]; given && both {
			return c, badField(name, "give either columns or first and every, not both")
		}
		if n > math.MaxInt32 {
			return c, badField(name, "must be at most %d, got %d", math.MaxInt32, n)
		}
		*to = int(n)
	}
	v, given := f["columns"]
	if !given {
		return c, nil
	}
	if v.isText {
		if s := strings.TrimSpace(v.text); !strings.HasPrefix(s, "{") && !strings.HasPrefix(s, "[") {
			return listColumns(s)
		}
		v.raw = []byte(v.text)
	}
	if err := c.UnmarshalJSON(v.raw); err != nil {
		return c, problem.New(problem.BadRequest, "%w", err)
	}
	return c, nil
}

// listColumns reads "3,price": numbers and header names. A name with a comma in it needs the JSON form.
func listColumns(s string) (csvsum.Columns, error) {
	var c csvsum.Columns
	for item := range strings.SplitSeq(s, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			return c, badField("columns", "must be a list such as 3,price without empty items, got %q", short(s))
		}
		ref := csvsum.ColumnRef{Name: item}
		n, err := strconv.Atoi(item)
		switch {
		case errors.Is(err, strconv.ErrRange):
			return c, badField("columns", "numbers must be from 1 to %d, got %s", math.MaxInt, short(item))
		case err == nil && n < 1:
			return c, badField("columns", "numbers must be at least 1, got %d", n)
		case err == nil:
			ref = csvsum.ColumnRef{Number: n}
		}
		c.List = append(c.List, ref)
	}
	return c, nil
}
