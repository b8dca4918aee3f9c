package rpc

import (
	"context"
	"testing"

	"colsum/csvsum"
)

// BenchmarkCall is the cost of one call and its answer over loopback, both ends.
func BenchmarkCall(b *testing.B) {
	n := start(b, &node{}, ServerConfig{})
	c := client(b, ClientConfig{}, n.addr)
	ctx := context.Background()
	b.Run("heartbeat", func(b *testing.B) {
		req := &HeartbeatRequest{Worker: Worker{ID: "w"}, Running: make([]Running, 8)}
		for b.Loop() {
			if _, err := c.Heartbeat(ctx, req); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("complete-16x10-columns", func(b *testing.B) {
		req := &CompleteRequest{Worker: Worker{ID: "w"}, Done: make([]Completion, 16)}
		for i := range req.Done {
			req.Done[i].Partial = &csvsum.Partial{Columns: make([]csvsum.Column, 10)}
		}
		for b.Loop() {
			if _, err := c.Complete(ctx, req); err != nil {
				b.Fatal(err)
			}
		}
	})
}
