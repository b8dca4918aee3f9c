package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"colsum/coordinator/problem"
)

// fields are the members of a POST body, of a JSON object or of a form. In a form, and from clients such as httpie in JSON
// too, every value is a string: numbers are accepted as strings everywhere.
type fields map[string]field

// field is one value: text of a form or a JSON string, or any other JSON.
type field struct {
	text   string
	raw    json.RawMessage // nil in a form
	isText bool
}

func badField(name, format string, args ...any) error {
	return problem.New(problem.BadRequest, "%s: %w", name, fmt.Errorf(format, args...))
}

// parseFields reads a body; only the names in known may occur. An empty body has no fields.
func parseFields(b sent, known ...string) (fields, error) {
	var f fields
	var err error
	data := bytes.TrimSpace(b.data)
	isJSON := b.contentType == "" || b.contentType == "application/json" || strings.HasSuffix(b.contentType, "+json")
	switch {
	case len(data) == 0:
		return fields{}, nil
	case isJSON, b.contentType == formType && data[0] == '{': // curl -d sends JSON under a form's name
		f, err = parseObject(data)
	case b.contentType == formType:
		f, err = parseForm(data)
	default:
		return nil, problem.New(problem.UnsupportedMedia,
			"content-type: must be application/json or %s, got %q", formType, b.contentType)
	}
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if len(known) == 0 {
			return nil, badField(short(name), "unknown field; this call takes none")
		}
		if !slices.Contains(known, name) {
			return nil, badField(short(name), "unknown field; known are %s", strings.Join(known, ", "))
		}
	}
	return f, nil
}

const formType = "application/x-www-form-urlencoded"

func parseObject(data []byte) (fields, error) {
	bad := func(err error) error { return badField("body", "not a JSON object: %w", inJSON(err)) }
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil {
		return nil, bad(err)
	} else if t != json.Delim('{') {
		return nil, bad(fmt.Errorf("begins with %.20q", data))
	}
	f := fields{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, bad(err)
		}
		name := t.(string) // in an object the decoder gives nothing else in this place
		if _, twice := f[name]; twice {
			return nil, badField(short(name), "given twice")
		}
		var v field
		if err := dec.Decode(&v.raw); err != nil {
			return nil, bad(err)
		}
		v.isText = json.Unmarshal(v.raw, &v.text) == nil && v.raw[0] == '"'
		f[name] = v
	}
	if _, err := dec.Token(); err != nil {
		return nil, bad(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, bad(fmt.Errorf("more follows it"))
	}
	maps.DeleteFunc(f, func(_ string, v field) bool { return string(v.raw) == "null" }) // null: not given
	return f, nil
}

// inJSON says for people what the decoder found.
func inJSON(err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it ends too early")
	case errors.As(err, &syntax):
		return fmt.Errorf("wrong at byte %d", syntax.Offset)
	}
	return err
}

func parseForm(data []byte) (fields, error) {
	values, err := url.ParseQuery(string(data))
	if err != nil {
		return nil, badField("body", "not a form: %w", inQuery(err))
	}
	f := fields{}
	for name, v := range values {
		if len(v) > 1 {
			return nil, badField(short(name), "given %d times", len(v))
		}
		f[name] = field{text: v[0], isText: true}
	}
	return f, nil
}

// inQuery says for people what is wrong with a form or a query.
func inQuery(err error) error {
	var escape url.EscapeError
	if errors.As(err, &escape) {
		return fmt.Errorf("%q is no percent-encoded byte", string(escape))
	}
	return errors.New("a semicolon has to be written as %3B")
}

// checkQuery refuses what url.URL.Query leaves out without a word, and what is given twice: only one of the two would count.
func checkQuery(raw string) error {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return badField("query", "%w", inQuery(err))
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if n := len(values[name]); n > 1 {
			return badField(short(name), "given %d times", n)
		}
	}
	return nil
}

// text returns a string field.
func (f fields) text(name string) (s string, given bool, err error) {
	v, given := f[name]
	if given && !v.isText {
		return "", true, badField(name, "must be a string, got %s", short(string(v.raw)))
	}
	return v.text, given, nil
}

// whole returns a whole number of at least min.
func (f fields) whole(name string, min int64) (n int64, given bool, err error) {
	v, given := f[name]
	if !given {
		return 0, false, nil
	}
	s := strings.TrimSpace(v.text)
	if !v.isText {
		s = string(v.raw)
	}
	n, err = strconv.ParseInt(s, 10, 64)
	if err != nil {
		if digits(s) {
			return 0, true, badField(name, "must be at most %d, got %s", int64(math.MaxInt64), short(s))
		}
		return 0, true, badField(name, "must be a whole number of at least %d, got %s", min, short(string(v.shown())))
	}
	if n < min {
		return 0, true, badField(name, "must be at least %d, got %d", min, n)
	}
	return n, true, nil
}

// shown is the value as the user wrote it, as JSON.
func (v field) shown() json.RawMessage {
	if v.raw != nil {
		return v.raw
	}
	return json.RawMessage(strconv.Quote(v.text))
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// short cuts what a user sent to a length fit for an error.
func short(s string) string {
	const most = 80
	if len(s) <= most {
		return strings.ToValidUTF8(s, "?")
	}
	return strings.ToValidUTF8(s[:most], "?") + "..."
}
