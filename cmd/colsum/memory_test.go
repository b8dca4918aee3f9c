package main

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestLimitMemory(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	t.Setenv("GOMEMLIMIT", "1GiB")
	limitMemory(2)
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64 {
		t.Errorf("beside GOMEMLIMIT: limit %d, want none of ours", got)
	}
	t.Setenv("GOMEMLIMIT", "")
	limitMemory(2)
	if got, want := debug.SetMemoryLimit(-1), int64(76<<20); got != want {
		t.Errorf("limit %d, want %d", got, want)
	}
}
