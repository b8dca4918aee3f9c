package rpc

import (
	"fmt"
	"time"
)

// Limits bound what one connection may cost. Both ends should use the same. A zero field means its default.
type Limits struct {
	// Frame is the longest frame in bytes that is read or written: 64 MiB.
	Frame int
	// Handshake is the time for the whole handshake: 5 s.
	Handshake time.Duration
	// Transfer is the time in which a frame must have been read once its length is known, and in which it must have been
	// written: 30 s.
	Transfer time.Duration
	// KeepAlive is the period of empty frames, sent by both ends: 10 s. A connection on which nothing arrives for three
	// periods is broken.
	KeepAlive time.Duration
}

// silence is how many KeepAlive periods may pass without a byte.
const silence = 3

func (l Limits) withDefaults() Limits {
	if l.Frame == 0 {
		l.Frame = 64 << 20
	}
	if l.Handshake == 0 {
		l.Handshake = 5 * time.Second
	}
	if l.Transfer == 0 {
		l.Transfer = 30 * time.Second
	}
	if l.KeepAlive == 0 {
		l.KeepAlive = 10 * time.Second
	}
	return l
}

func (l Limits) validate() error {
	if l.Frame < 1<<10 || l.Frame > 1<<30 {
		return fmt.Errorf("limits.frame: must be between 1 KiB and 1 GiB, got %d bytes", l.Frame)
	}
	for _, d := range []struct {
		name string
		d    time.Duration
	}{{"handshake", l.Handshake}, {"transfer", l.Transfer}, {"keep_alive", l.KeepAlive}} {
		if d.d < time.Millisecond || d.d > time.Hour {
			return fmt.Errorf("limits.%s: must be between 1ms and 1h, got %v", d.name, d.d)
		}
	}
	return nil
}
