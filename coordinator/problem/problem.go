// Package problem holds the errors that users see: each has a stable code for programs, an HTTP status and a sentence.
//
// The coordinator returns them, the API writes them out as RFC 9457 documents. Any other error that reaches the API is a
// defect or an outage and is shown as Internal without its text.
package problem

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Code is a stable word for programs: `code` in the problem document. Words are never renamed.
type Code string

const (
	BadRequest         Code = "bad_request"         // a field is wrong; the detail names field and bound
	FileNotFound       Code = "file_not_found"      // the file is certainly absent
	Forbidden          Code = "forbidden"           // the storage refuses access to the file
	UnknownWork        Code = "unknown_work"        // no work has this id (any more)
	NotFound           Code = "not_found"           // no such path in the API
	MethodNotAllowed   Code = "method_not_allowed"  // the path exists, not for this method
	KeyConflict        Code = "key_conflict"        // the Idempotency-Key belongs to another request
	BodyTooLarge       Code = "body_too_large"      // the request's body is over the limit
	UnsupportedMedia   Code = "unsupported_media"   // neither JSON nor a form
	TooManyWorks       Code = "too_many_works"      // so many works are queued or running that no more are taken
	NoLeader           Code = "no_leader"           // nobody leads at the moment: nothing was changed, try again
	OutcomeUnknown     Code = "outcome_unknown"     // leadership was lost on the way: it may have happened or not
	UnknownNode        Code = "unknown_node"        // no member of the cluster has this id
	NodeConflict       Code = "node_conflict"       // the id or address is another node's, or the node cannot do what is asked
	QuorumAtRisk       Code = "quorum_at_risk"      // without that node no majority would answer
	Busy               Code = "busy"                // the leader's queue is full: nothing was changed, try again
	StorageUnavailable Code = "storage_unavailable" // the storage does not answer
	Timeout            Code = "timeout"             // the request's time was up
	Internal           Code = "internal"            // a defect; the log says more
)

// statuses is the HTTP status of each code.
var statuses = map[Code]int{
	BadRequest:         http.StatusBadRequest,
	FileNotFound:       http.StatusNotFound,
	Forbidden:          http.StatusForbidden,
	UnknownWork:        http.StatusNotFound,
	NotFound:           http.StatusNotFound,
	MethodNotAllowed:   http.StatusMethodNotAllowed,
	KeyConflict:        http.StatusConflict,
	BodyTooLarge:       http.StatusRequestEntityTooLarge,
	UnsupportedMedia:   http.StatusUnsupportedMediaType,
	TooManyWorks:       http.StatusTooManyRequests,
	NoLeader:           http.StatusServiceUnavailable,
	OutcomeUnknown:     http.StatusServiceUnavailable,
	UnknownNode:        http.StatusNotFound,
	NodeConflict:       http.StatusConflict,
	QuorumAtRisk:       http.StatusConflict,
	Busy:               http.StatusServiceUnavailable,
	StorageUnavailable: http.StatusServiceUnavailable,
	Timeout:            http.StatusServiceUnavailable,
	Internal:           http.StatusInternalServerError,
}

// retries is the Retry-After of the codes that pass by themselves. An election takes about a second.
var retries = map[Code]time.Duration{
	TooManyWorks:       5 * time.Second,
	NoLeader:           time.Second,
	OutcomeUnknown:     time.Second,
	Busy:               time.Second,
	StorageUnavailable: 5 * time.Second,
	Timeout:            time.Second,
}

// Error is a problem of one request.
type Error struct {
	Code Code
	// Status is the HTTP status.
	Status int
	// Detail is one sentence for the user; it names the field and the bound where there is one.
	Detail string
	// RetryAfter is when another try makes sense; 0: trying again does not help.
	RetryAfter time.Duration
	// Err is the cause, for the log; nil where there is none.
	Err error
}

// New returns the problem of a code, with the code's status and Retry-After. The detail is formatted as by fmt.Errorf:
// an error given for %w becomes the cause.
func New(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	status, ok := statuses[code]
	if !ok {
		panic("problem: no status for code " + string(code))
	}
	return &Error{Code: code, Status: status, Detail: err.Error(), RetryAfter: retries[code], Err: errors.Unwrap(err)}
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Detail }
func (e *Error) Unwrap() error { return e.Err }

// From returns the problem that err is or wraps; any other error becomes Internal with a detail that tells nothing of it.
// It returns nil for nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: Internal, Status: statuses[Internal], Detail: "something went wrong inside; the log says more", Err: err}
}
