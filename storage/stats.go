package storage

import (
	"errors"
	"sync/atomic"
)

// Stats counts what a Router's stores have done since it was made. All fields only grow; read them with Load.
type Stats struct {
	Requests    atomic.Int64 // HTTP requests sent, retries included
	Retries     atomic.Int64 // requests sent again after a fault
	Resumes     atomic.Int64 // of these, those that went on in the middle of a range
	Stalls      atomic.Int64 // bodies given up because they were silent or too slow
	Throttles   atomic.Int64 // responses 429 and 503
	BytesS3     atomic.Int64 // body bytes read from S3
	BytesLocal  atomic.Int64 // bytes read from disk
	NotFound    atomic.Int64 // operations that ended in ErrNotFound
	Forbidden   atomic.Int64 // ... ErrForbidden
	Refused     atomic.Int64 // ... ErrRefused, ErrBadPath, ErrIsDir
	Changed     atomic.Int64 // ... ErrChanged
	Unavailable atomic.Int64 // ... ErrUnavailable
}

// Each calls f for every counter: a name in snake case and what it counts. For metrics.
func (s *Stats) Each(f func(name, help string, value int64)) {
	f("requests", "HTTP requests sent to S3, retries included.", s.Requests.Load())
	f("retries", "HTTP requests sent again after a fault.", s.Retries.Load())
	f("resumes", "Retries that went on in the middle of a range.", s.Resumes.Load())
	f("stalls", "Response bodies given up because they were silent or too slow.", s.Stalls.Load())
	f("throttles", "Responses 429 and 503.", s.Throttles.Load())
	f("s3_read_bytes", "Bytes read from S3.", s.BytesS3.Load())
	f("local_read_bytes", "Bytes read from local disk.", s.BytesLocal.Load())
	f("errors_not_found", "Operations that ended in: file not found.", s.NotFound.Load())
	f("errors_forbidden", "Operations that ended in: access denied.", s.Forbidden.Load())
	f("errors_refused", "Operations that ended in: request refused or path not allowed.", s.Refused.Load())
	f("errors_changed", "Operations that ended in: file changed.", s.Changed.Load())
	f("errors_unavailable", "Operations that ended in: storage unavailable.", s.Unavailable.Load())
}

// count books how an operation ended and returns err unchanged.
func (s *Stats) count(err error) error {
	switch {
	case err == nil:
	case errors.Is(err, ErrNotFound):
		s.NotFound.Add(1)
	case errors.Is(err, ErrForbidden):
		s.Forbidden.Add(1)
	case errors.Is(err, ErrChanged):
		s.Changed.Add(1)
	case errors.Is(err, ErrUnavailable):
		s.Unavailable.Add(1)
	case errors.Is(err, ErrRefused), errors.Is(err, ErrBadPath), errors.Is(err, ErrIsDir):
		s.Refused.Add(1)
	}
	return err
}
