package rpc

import (
	"errors"
	"fmt"
)

var (
	// ErrTooLarge is returned when a message does not fit into a frame. Sending it again is of no use.
	ErrTooLarge = errors.New("message exceeds the frame limit")
	// ErrClosed is returned by calls on a Client that was closed.
	ErrClosed = errors.New("rpc client closed")
)

// errTimeout is the cause of a call's context when the call itself, not its caller, ran out of time.
var errTimeout = errors.New("call timed out")

// HandshakeError is returned when the other side does not want this connection, or speaks something else. A [Client]
// returns one to its caller only when every coordinator it knows answered with one: the worker is set up wrongly.
type HandshakeError struct {
	Addr   string
	Reason Reason
	Detail string
}

func (e *HandshakeError) Error() string {
	return fmt.Sprintf("rpc handshake with %s: %s: %s", e.Addr, e.Reason, e.Detail)
}

// RefusedError is returned when the coordinator understood that a call came in and will not carry it out however often it
// is repeated: it cannot decode the request, does not know the method, or its handler panicked.
type RefusedError struct {
	Method string
	Detail string
}

func (e *RefusedError) Error() string { return fmt.Sprintf("rpc %s refused: %s", e.Method, e.Detail) }
