package main

import (
	"os"
	"sync/atomic"
	"time"

	"colsum/csvsum"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// A bar shows progress in bytes on standard error, if that is a terminal. Its methods may be called from any goroutine.
type bar struct {
	shown *progressbar.ProgressBar // nil without a terminal
	done  atomic.Int64
}

// newBar starts a bar of total bytes.
func newBar(total int64, what string) *bar {
	b := &bar{}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		b.shown = progressbar.NewOptions64(max(total, 1),
			progressbar.OptionSetWriter(os.Stderr),
			progressbar.OptionSetDescription(what),
			progressbar.OptionShowBytes(true), // and bytes a second
			progressbar.OptionShowTotalBytes(true),
			progressbar.OptionSetElapsedTime(true),
			progressbar.OptionSetPredictTime(true), // the time left
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish(),
			progressbar.OptionFullWidth(),
		)
	}
	return b
}

// add moves the bar on by n bytes.
func (b *bar) add(n int64) { b.set(b.done.Add(n)) }

// set moves the bar to n bytes. The bar never fills up by itself: it is gone after finish.
func (b *bar) set(n int64) {
	if b.shown != nil {
		_ = b.shown.Set64(min(n, b.shown.GetMax64()-1))
	}
}

// show moves the bar to where a work of a cluster is.
func (b *bar) show(p csvsum.Progress) {
	if b.shown == nil || p.BytesTotal <= 0 {
		return
	}
	if b.shown.GetMax64() != p.BytesTotal {
		b.shown.ChangeMax64(p.BytesTotal)
	}
	if since := p.StorageUnreachableSince; since != nil {
		b.shown.Describe("storage does not answer since " + since.Local().Format(time.TimeOnly))
	}
	b.set(p.BytesDone)
}

// finish removes the bar.
func (b *bar) finish() {
	if b.shown != nil {
		_ = b.shown.Clear()
	}
}
