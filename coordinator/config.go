package coordinator

import (
	"fmt"
	"log/slog"
	"time"

	"colsum/coordinator/scheduler"
	"colsum/fsm"
)

// Config of a Coordinator.
type Config struct {
	// Self is how others reach this node; announced to the cluster. Self.ID is the raft node's id. Required.
	Self fsm.Node
	// MinChunk is the smallest chunk_bytes a user may ask for. Default 1 MiB.
	MinChunk int64
	// MaxActive bounds the works that are queued or running. Default 100,000.
	MaxActive int
	// KeepEnded is how many ended works are kept; the oldest are forgotten first. Default 10,000, at least 1.
	KeepEnded int
	// KeepFor is how long an ended work is kept. Default 7 days.
	KeepFor time.Duration
	// Heartbeat and LeaseTTL are what workers are told to keep; see scheduler.Config for the defaults (1 s and 5 s).
	Heartbeat time.Duration
	LeaseTTL  time.Duration
	// Logger. Default slog.Default().
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.MinChunk == 0 {
		c.MinChunk = 1 << 20
	}
	if c.MaxActive == 0 {
		c.MaxActive = 100_000
	}
	if c.KeepEnded == 0 {
		c.KeepEnded = 10_000
	}
	if c.KeepFor == 0 {
		c.KeepFor = 7 * 24 * time.Hour
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.Self.ID == "":
		return fmt.Errorf("coordinator config: Self.ID: required")
	case c.MinChunk < 1:
		return fmt.Errorf("coordinator config: MinChunk: must be at least 1, got %d", c.MinChunk)
	case c.MaxActive < 1:
		return fmt.Errorf("coordinator config: MaxActive: must be at least 1, got %d", c.MaxActive)
	case c.KeepEnded < 1:
		return fmt.Errorf("coordinator config: KeepEnded: must be at least 1, got %d", c.KeepEnded)
	case c.KeepFor < time.Second:
		return fmt.Errorf("coordinator config: KeepFor: must be at least 1s, got %v", c.KeepFor)
	}
	if err := (scheduler.Config{Heartbeat: c.Heartbeat, TTL: c.LeaseTTL}).Validate(); err != nil {
		return fmt.Errorf("coordinator config: %w", err)
	}
	return nil
}
