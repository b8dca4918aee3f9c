package worker

import (
	"errors"
	"fmt"
	"strings"

	"colsum/rpc"
	"colsum/storage"
)

var (
	// errDropped is the cause of a task's context when the leader has no more use for the task.
	errDropped = errors.New("task stopped by the leader")
	// errGraceOver is its cause when the worker ends before the task does.
	errGraceOver = errors.New("worker is leaving")
)

// panicError is a task's panic.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic in task: %v", e.value) }

// maxMessage bounds the text of a failure, in bytes.
const maxMessage = 1000

// failureOf says whose fault an error of running a task is.
//
// An absent or forbidden file is certain for all when S3 says so. When a disk says so it holds for this host alone, and
// so it does when no *storage.Error tells which of the two spoke: the leader then tries other workers first. The same goes
// for a local file that is another version already when it is opened: it may be this host's own copy, which has another
// inode. Once the pinned version was open here, a change is a change of the very file.
func failureOf(err error) rpc.Failure {
	f := rpc.Failure{Kind: rpc.Broke, Code: storage.Code(err), Message: err.Error()}
	var broken *panicError
	switch {
	case errors.Is(err, errGraceOver):
		return returned(rpc.TaskRef{})
	case errors.As(err, &broken):
		f.Code = "worker_panic"
	case errors.Is(err, storage.ErrChanged):
		f.Kind = changed(err)
	case errors.Is(err, storage.ErrUnavailable):
		f.Kind = rpc.StorageAway
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrForbidden):
		f.Kind = absent(err)
	case errors.Is(err, storage.ErrRefused), errors.Is(err, storage.ErrBadPath), errors.Is(err, storage.ErrIsDir):
		// This worker's endpoint, region, certificates or folder may be at fault.
		f.Kind = rpc.NotHere
	default:
		f.Code = "internal"
	}
	if len(f.Message) > maxMessage {
		f.Message = strings.ToValidUTF8(f.Message[:maxMessage], "") + "..."
	}
	return f
}

func changed(err error) rpc.FailureKind {
	var e *storage.Error
	if errors.As(err, &e) && e.Op == "open" && !strings.HasPrefix(e.Path, "s3://") {
		return rpc.NotHere
	}
	return rpc.Changed
}

func absent(err error) rpc.FailureKind {
	var e *storage.Error
	if errors.As(err, &e) && strings.HasPrefix(e.Path, "s3://") {
		return rpc.Gone
	}
	return rpc.NotHere
}

func returned(r rpc.TaskRef) rpc.Failure {
	return rpc.Failure{TaskRef: r, Kind: rpc.Returned, Code: "worker_leaving", Message: "the worker is leaving"}
}
