// Package scheduler decides which worker runs which task. It is the leader's memory of leases and workers.
//
// A [Scheduler] has no goroutines, does no I/O and reads no clock: each call is given the time, and the loop around it
// lives in package coordinator. It is told of works ([Scheduler.AddWork]), asked for tasks ([Scheduler.Lease]), kept up
// to date by heartbeats, completions and failures, and reports works that must fail by [Scheduler.TakeDoomed].
//
// Nothing here is durable and nothing here can make a sum wrong: the replicated state takes the first result of each task
// and refuses the rest, so the worst a wrong decision costs is a task run twice. A new leader starts with an empty
// Scheduler, adds the works found in the state and adopts the leases that workers report.
//
// A task that is not done is in exactly one of these places: not reached yet (implied by the work's cursor, so a work of a
// million tasks costs no more than its tasks in flight), ready, delayed, or leased (by one worker, or two where the second
// is a backup).
package scheduler
