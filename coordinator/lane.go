package coordinator

import (
	"strings"
	"time"
)

const (
	// laneParallel bounds the works of one lane that are planned at once; each holds the head of its file in memory.
	laneParallel = 16
	// laneBase and laneMax bound the delay between two probes of a storage that does not answer.
	laneBase = time.Second
	laneMax  = 30 * time.Second
)

// lane is the planner's queue for one storage, so that works on a storage that hangs hold up nobody but each other. While
// the storage does not answer one work at a time probes it.
type lane struct {
	queue   []string // ids of works to plan, in the order they came
	busy    int      // works being planned
	since   time.Time
	delay   time.Duration
	probeAt time.Time
}

// laneOf names the storage that a path lies in.
func laneOf(path string) string {
	scheme, rest, ok := strings.Cut(path, "://")
	if !ok {
		return ""
	}
	if scheme = strings.ToLower(scheme); scheme != "s3" {
		return scheme
	}
	bucket, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + bucket
}

// next takes the work to plan next; ok is false when nothing may begin now.
func (l *lane) next(now time.Time) (id string, ok bool) {
	switch {
	case len(l.queue) == 0:
		return "", false
	case l.since.IsZero() && l.busy >= laneParallel:
		return "", false
	case !l.since.IsZero() && (l.busy > 0 || now.Before(l.probeAt)):
		return "", false
	}
	id = l.queue[0]
	l.queue = l.queue[1:]
	l.busy++
	return id, true
}

// failed records that the storage did not answer a work that began at a time. The work goes to the end of the queue: it
// may be its object alone that does not answer.
func (l *lane) failed(now, began time.Time, id string) {
	l.busy--
	l.queue = append(l.queue, id)
	switch {
	case l.since.IsZero():
		l.since, l.delay = began, laneBase
	case began.Before(l.probeAt):
		return // it began before the outage was known and tells nothing new
	default:
		l.delay = min(2*l.delay, laneMax)
	}
	l.probeAt = now.Add(l.delay)
}

// answered records that the storage did answer.
func (l *lane) answered() {
	l.busy--
	l.since = time.Time{}
}

// idle reports whether nothing would be lost with the lane.
func (l *lane) idle() bool { return len(l.queue) == 0 && l.busy == 0 && l.since.IsZero() }
