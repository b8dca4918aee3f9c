package scheduler

import (
	"fmt"
	"time"

	"colsum/rpc"
)

const (
	// strikeLimit is how many attempts may end with a dead or broken worker before the task is held to be the cause. The
	// last attempt is made in isolation (see task.suspect), so a bystander is not struck out with the culprit.
	strikeLimit = 3

	// retryDelay is waited before the last attempt, so that what hit the others may pass.
	retryDelay = 2 * time.Second

	// avoidFor is how long a requeued task is kept from the worker it failed on while there is another one.
	avoidFor = 5 * time.Second

	// awayBase and awayMax bound the delay between two probes of a storage that does not answer.
	awayBase = time.Second
	awayMax  = 30 * time.Second

	// silentAfter is how long the storage of a work may send nothing to any of the tasks that wait for it before it counts
	// as away. Workers go on waiting for longer; this only keeps further tasks from joining them.
	silentAfter = 3 * time.Second

	// blindRetry is how often a worker that could not see a file is tried with it again.
	blindRetry = 15 * time.Second

	// A backup copy is worth its cost when the first copy has taken backupFactor times the median of its work's tasks and
	// at least backupMin. With fewer than backupSamples tasks done there is no median: then backupAlone.
	backupFactor  = 3
	backupMin     = 2 * time.Second
	backupSamples = 3
	backupAlone   = 30 * time.Second
	// backupScan is the least time between two looks for tasks worth a copy.
	backupScan = 100 * time.Millisecond
)

// Config of a Scheduler. The zero value means the defaults.
type Config struct {
	// Heartbeat is the period workers are asked to keep. Default 1 s.
	Heartbeat time.Duration
	// TTL is how long a lease or a worker lives without being heard of. Default 5 s, at least 2 heartbeats: a dead worker is
	// noticed within that time, and four lost heartbeats in a row are forgiven.
	TTL time.Duration
	// Grace is how long inherited works wait after an election for workers to report what they run. Default 2 heartbeats.
	Grace time.Duration
	// BlindLimit is how long a work whose file none of the live workers can see stays pending before it fails. Default 60 s.
	BlindLimit time.Duration
	// FirstToken is the first lease token; tokens count up from it. Choose it at random so that the tokens of two leaders
	// do not meet. Default 1.
	FirstToken rpc.LeaseToken
}

func (c Config) withDefaults() Config {
	if c.Heartbeat == 0 {
		c.Heartbeat = time.Second
	}
	if c.TTL == 0 {
		c.TTL = 5 * c.Heartbeat
	}
	if c.Grace == 0 {
		c.Grace = 2 * c.Heartbeat
	}
	if c.BlindLimit == 0 {
		c.BlindLimit = 60 * time.Second
	}
	if c.FirstToken == 0 {
		c.FirstToken = 1
	}
	return c
}

// Validate names the first field that is out of bounds.
func (c Config) Validate() error {
	c = c.withDefaults()
	switch {
	case c.Heartbeat < time.Millisecond:
		return fmt.Errorf("scheduler config: Heartbeat: must be at least 1ms, got %v", c.Heartbeat)
	case c.TTL < 2*c.Heartbeat:
		return fmt.Errorf("scheduler config: TTL: must be at least two heartbeats (%v), got %v", 2*c.Heartbeat, c.TTL)
	case c.Grace < 0:
		return fmt.Errorf("scheduler config: Grace: must not be negative, got %v", c.Grace)
	case c.BlindLimit < 0:
		return fmt.Errorf("scheduler config: BlindLimit: must not be negative, got %v", c.BlindLimit)
	}
	return nil
}
