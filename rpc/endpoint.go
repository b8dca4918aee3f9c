package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// serviceName is the first half of the method names on the wire: "Colsum.Lease".
const serviceName = "Colsum"

// Answer is what a handler's outcome looks like on the wire. It is exported because net/rpc demands it.
type Answer[R any] struct {
	Reply *R     `codec:"reply"`
	Fault *Fault `codec:"fault"` // if not nil, there is no reply
}

// Fault says that a call went wrong on the coordinator.
type Fault struct {
	Kind   FaultKind `codec:"kind"`
	Detail string    `codec:"detail"`
}

func (f *Fault) Error() string { return f.Detail }

// FaultKind says what to do about a Fault.
type FaultKind uint8

const (
	// FaultError: the handler returned an error. The call may be repeated, here or elsewhere.
	FaultError FaultKind = iota
	// FaultBusy: too many calls are under way. It may be repeated later.
	FaultBusy
	// FaultPanic: the handler panicked.
	FaultPanic
)

// endpoint is what net/rpc calls: one connection's view of the service. ctx stands in a struct because net/rpc's method
// shape has no room for it; it ends with the connection.
type endpoint struct {
	ctx     context.Context
	log     *slog.Logger
	service Service
	// polls bounds this connection's long polls, allPolls and allCalls those calls of the whole server. Polls have bounds of
	// their own, so that waiting workers cannot keep results and heartbeats out.
	polls, allPolls, allCalls chan struct{}
}

func (e *endpoint) Lease(req *LeaseRequest, a *Answer[LeaseReply]) error {
	if !tryEnter(e.polls) {
		a.Fault = &Fault{FaultBusy, "too many leases wait on this connection"}
		return nil
	}
	defer leave(e.polls)
	if !tryEnter(e.allPolls) {
		a.Fault = &Fault{FaultBusy, "too many leases wait on this coordinator"}
		return nil
	}
	defer leave(e.allPolls)
	handleCall(e, "lease", e.service.Lease, req, a)
	return nil
}

func (e *endpoint) Heartbeat(req *HeartbeatRequest, a *Answer[HeartbeatReply]) error {
	queueCall(e, "heartbeat", e.service.Heartbeat, req, a)
	return nil
}

func (e *endpoint) Complete(req *CompleteRequest, a *Answer[CompleteReply]) error {
	queueCall(e, "complete", e.service.Complete, req, a)
	return nil
}

func (e *endpoint) Fail(req *FailRequest, a *Answer[FailReply]) error {
	queueCall(e, "fail", e.service.Fail, req, a)
	return nil
}

type method[Q, R any] func(context.Context, *Q) (*R, error)

func queueCall[Q, R any](e *endpoint, name string, m method[Q, R], req *Q, a *Answer[R]) {
	select {
	case e.allCalls <- struct{}{}:
		defer leave(e.allCalls)
		handleCall(e, name, m, req, a)
	case <-e.ctx.Done():
		a.Fault = &Fault{FaultBusy, "the connection ended before the call's turn"}
	}
}

func handleCall[Q, R any](e *endpoint, name string, m method[Q, R], req *Q, a *Answer[R]) {
	defer func() {
		if p := recover(); p != nil {
			e.log.Error("rpc handler panicked", "method", name, "panic", p, "stack", string(debug.Stack()))
			*a = Answer[R]{Fault: &Fault{FaultPanic, fmt.Sprintf("the handler panicked: %v", p)}}
		}
	}()
	r, err := m(e.ctx, req)
	if err == nil && r == nil {
		err = errors.New("the handler returned nothing")
	}
	if err != nil {
		e.log.Debug("rpc call", "method", name, "err", err)
		a.Fault = &Fault{FaultError, err.Error()}
		return
	}
	a.Reply = r
}

func tryEnter(gate chan struct{}) bool {
	select {
	case gate <- struct{}{}:
		return true
	default:
		return false
	}
}

func leave(gate chan struct{}) { <-gate }
