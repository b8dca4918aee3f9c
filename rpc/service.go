package rpc

import "context"

// Service is what a coordinator answers. An error means the call itself went wrong; expected outcomes are in the reply.
// Methods are called from many goroutines; ctx ends with the connection or the server.
type Service interface {
	Lease(ctx context.Context, req *LeaseRequest) (*LeaseReply, error)
	Heartbeat(ctx context.Context, req *HeartbeatRequest) (*HeartbeatReply, error)
	Complete(ctx context.Context, req *CompleteRequest) (*CompleteReply, error)
	Fail(ctx context.Context, req *FailRequest) (*FailReply, error)
}

// Client is used by package worker through an interface of its own; its methods mirror Service, follow NotLeader by
// themselves, and retry until ctx ends:
//
//	func NewClient(cfg ClientConfig) (*Client, error)
//	func (c *Client) Lease(ctx context.Context, req *LeaseRequest) (*LeaseReply, error)   ... and so on
//	func (c *Client) Close() error
//
// ClientConfig: Coordinators []string, ClusterID string, Logger *slog.Logger.
//
// Server: func NewServer(cfg ServerConfig, s Service) *Server; (*Server).Serve(ctx context.Context, l net.Listener) error.
