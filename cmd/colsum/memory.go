package main

import (
	"os"
	"runtime/debug"
)

// A worker needs little besides what it reads into: storage has 64 MiB of buffers, a slot less than 1 MiB. But a record may
// be long, and the buffer that held it is given back right after: without a limit the collector would let several of those
// pile up. The limit is a soft one: what is in use may exceed it.
const (
	workerMemory = 64 << 20
	slotMemory   = 8 << 20
)

// limitMemory sets the limit for a worker's process, unless GOMEMLIMIT does.
func limitMemory(slots int) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(workerMemory + int64(slots)*slotMemory)
	}
}
