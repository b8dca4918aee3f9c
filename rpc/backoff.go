package rpc

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	backoffBase = 50 * time.Millisecond
	backoffMax  = 2 * time.Second
)

// backoff waits with full jitter: a uniformly random time below a bound that doubles, so that clients which lost the same
// leader do not come back together.
type backoff struct{ bound time.Duration }

// wait returns early if one of the two contexts ends, or another leader was found.
func (b *backoff) wait(caller, client context.Context, heard <-chan struct{}) {
	b.bound = min(max(2*b.bound, backoffBase), backoffMax)
	t := time.NewTimer(rand.N(b.bound))
	defer t.Stop()
	select {
	case <-t.C:
	case <-caller.Done():
	case <-client.Done():
	case <-heard:
	}
}
