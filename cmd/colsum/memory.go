package main

import (
	"os"
	"runtime/debug"
)

// limitMemory keeps a process that sums within 64 MiB for storage's buffers and 32 MiB for all else, of which the program
// itself takes about 18. Left alone the collector would wait until there is as much garbage as there are buffers. It costs
// little: the buffers hold no pointers, so nothing of them is scanned. GOMEMLIMIT, where set, counts instead.
func limitMemory(slots int) {
	const buffers, rest, slot = 64 << 20, 8 << 20, 2 << 20
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(buffers + rest + slot*int64(slots))
	}
}
