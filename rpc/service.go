package rpc

import "context"

// Service is what a coordinator answers. An error means the call itself went wrong (the client will repeat it); expected
// outcomes are in the reply. Methods are called from many goroutines. ctx ends with the connection or the server, and a
// method must return soon after that: a long poll of a worker that died is freed at once. A reply may be lost on the
// way, so each method must bear to be called again with the same request. Requests are the method's to keep. A panic is
// answered as an error that the client does not repeat.
//
// What comes in is decoded, not judged: lists may be empty and pointers nil.
type Service interface {
	Lease(ctx context.Context, req *LeaseRequest) (*LeaseReply, error)
	Heartbeat(ctx context.Context, req *HeartbeatRequest) (*HeartbeatReply, error)
	Complete(ctx context.Context, req *CompleteRequest) (*CompleteReply, error)
	Fail(ctx context.Context, req *FailRequest) (*FailReply, error)
}

// Both ends have the same methods; a Client answers NotLeader by itself.
var _ Service = (*Client)(nil)
