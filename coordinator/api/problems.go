package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"colsum/coordinator/problem"
	"colsum/storage"

	"github.com/danielgtaylor/huma/v2"
)

const problemType = "application/problem+json"

// Problem is the RFC 9457 document of an error.
type Problem struct {
	Title  string       `json:"title" doc:"The status in words"`
	Status int          `json:"status" doc:"The HTTP status"`
	Detail string       `json:"detail" doc:"One sentence; it names the field and the bound"`
	Code   problem.Code `json:"code" doc:"A stable word for programs" example:"bad_request"`

	retry time.Duration
}

func document(e *problem.Error) *Problem {
	return &Problem{
		Title: http.StatusText(e.Status), Status: e.Status, Detail: e.Detail, Code: e.Code, retry: e.RetryAfter,
	}
}

// Error, GetStatus, GetHeaders and ContentType are what huma asks of an error that a handler returns.
func (p *Problem) Error() string             { return string(p.Code) + ": " + p.Detail }
func (p *Problem) GetStatus() int            { return p.Status }
func (p *Problem) ContentType(string) string { return problemType }
func (p *Problem) GetHeaders() http.Header {
	if p.retry <= 0 {
		return nil
	}
	return http.Header{"Retry-After": {retryAfter(p.retry)}}
}

// retryAfter gives whole seconds, at least 1.
func retryAfter(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Second-1)/time.Second)), 10)
}

// fail turns a handler's error into its document. What is nobody's business but ours is logged here, once.
func (a *API) fail(ctx context.Context, err error) error {
	e := problem.From(err)
	if e.Code == problem.Internal && ctx.Err() == nil {
		a.log.Error("request failed", "error", err)
	}
	return document(e)
}

// writeProblem answers with a problem outside of huma.
func writeProblem(w http.ResponseWriter, e *problem.Error) {
	p := document(e)
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(p) // the client is gone if this fails
}

// storageProblem says what a storage error means to the one who asked for field.
func storageProblem(field string, err error) error {
	switch {
	case errors.Is(err, storage.ErrBadPath), errors.Is(err, storage.ErrIsDir), errors.Is(err, storage.ErrRefused):
		return problem.New(problem.BadRequest, "%s: %w", field, err)
	case errors.Is(err, storage.ErrNotFound):
		return problem.New(problem.FileNotFound, "%s: %w", field, err)
	case errors.Is(err, storage.ErrForbidden):
		return problem.New(problem.Forbidden, "%s: %w", field, err)
	case errors.Is(err, storage.ErrChanged):
		return problem.New(problem.StorageUnavailable, "%s: it is being changed while it is read: %w", field, err)
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return problem.New(problem.StorageUnavailable, "the storage does not answer: %w", err)
	}
	return err
}

// huma makes its own errors (validation, unknown query parameters, unreadable requests) through this variable, which
// is global to the process. Its texts are turned into ours: 400 for every wrong input, the field first.
func init() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		details := make([]string, 0, len(errs))
		for _, err := range errs {
			details = append(details, sentence(err))
		}
		if len(details) == 0 {
			details = append(details, msg)
		}
		detail := strings.Join(details, "; ")
		code := problem.Internal
		switch status {
		case 0: // huma asks for an example, for the OpenAPI document
		case http.StatusBadRequest, http.StatusUnprocessableEntity:
			code = problem.BadRequest
		case http.StatusRequestEntityTooLarge:
			code = problem.BodyTooLarge
		case http.StatusUnsupportedMediaType:
			code = problem.UnsupportedMedia
		case http.StatusRequestTimeout:
			code = problem.Timeout
		}
		return document(problem.New(code, "%s", detail))
	}
}

// sentence turns huma's "expected number >= 1 (query.limit: -5)" into "limit: expected number >= 1, got -5".
func sentence(err error) string {
	var d huma.ErrorDetailer
	if !errors.As(err, &d) {
		return err.Error()
	}
	e := d.ErrorDetail()
	_, name, _ := strings.Cut(e.Location, ".")
	text := e.Message
	if name != "" {
		text = name + ": " + text
	}
	if e.Value != nil && e.Value != "" {
		if v, err := json.Marshal(e.Value); err == nil && len(v) <= 100 {
			text += ", got " + string(v)
		}
	}
	return text
}
