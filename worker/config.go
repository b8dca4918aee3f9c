package worker

import (
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"time"

	"github.com/google/uuid"

	"colsum/rpc"
)

// Config sets a Worker up. A zero field means its default.
type Config struct {
	// ID names the worker in the cluster: a random UUID. Two workers must never share one.
	ID rpc.WorkerID
	// Host is shown to people: the host's name.
	Host string
	// Version of the program, shown to people.
	Version string
	// Slots is how many tasks run at a time: GOMAXPROCS.
	Slots int
	// Prefetch is how many tasks more are leased, so that no slot waits for the leader between two tasks: Slots. -1 is none.
	Prefetch int
	// Wait is how long the leader may hold a request for tasks while it has none: 20 s.
	Wait time.Duration
	// Heartbeat is the period of heartbeats until the leader wishes for another: 2 s.
	Heartbeat time.Duration
	// Grace is how long running tasks may go on after Run was told to end: 10 s. What is not done by then is handed back.
	// -1 is none.
	Grace time.Duration
	// BatchBytes bounds the results of one call to about so many bytes: 4 MiB. One result is sent whatever its size.
	BatchBytes int64
	// MaxUnsent bounds the results that wait to be handed in, in about bytes: 8 MiB. Beyond it slots stand still.
	MaxUnsent int64
	// Logger: slog.Default() if nil.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.ID == "" {
		c.ID = rpc.WorkerID(uuid.NewString())
	}
	if c.Host == "" {
		c.Host, _ = os.Hostname() // "" says as much as an error would
	}
	if c.Slots == 0 {
		c.Slots = runtime.GOMAXPROCS(0)
	}
	switch c.Prefetch {
	case 0:
		c.Prefetch = c.Slots
	case -1:
		c.Prefetch = 0
	}
	if c.Wait == 0 {
		c.Wait = 20 * time.Second
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 2 * time.Second
	}
	switch c.Grace {
	case 0:
		c.Grace = 10 * time.Second
	case -1:
		c.Grace = 0
	}
	if c.BatchBytes == 0 {
		c.BatchBytes = 4 << 20
	}
	if c.MaxUnsent == 0 {
		c.MaxUnsent = 8 << 20
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// validate is for a config with its defaults in place.
func (c *Config) validate() error {
	within := func(name string, v, lo, hi int64) error {
		if v < lo || v > hi {
			return fmt.Errorf("%s: must be between %d and %d, got %d", name, lo, hi, v)
		}
		return nil
	}
	during := func(name string, v, lo, hi time.Duration) error {
		if v < lo || v > hi {
			return fmt.Errorf("%s: must be between %v and %v, got %v", name, lo, hi, v)
		}
		return nil
	}
	for _, err := range []error{
		within("id length", int64(len(c.ID)), 1, 128),
		within("slots", int64(c.Slots), 1, 4096),
		within("prefetch", int64(c.Prefetch), 0, 4096),
		during("wait", c.Wait, time.Millisecond, time.Minute),
		during("heartbeat", c.Heartbeat, minHeartbeat, maxHeartbeat),
		during("grace", c.Grace, 0, time.Hour),
		within("batch_bytes", c.BatchBytes, 1, 32<<20),
		within("max_unsent", c.MaxUnsent, 1, 1<<30),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}
