// Package fsm is the replicated state: works, their plans and running results, idempotency keys and node addresses.
//
// An [FSM] implements raft.BatchingFSM over one bbolt file. Commands come in as log entries (see command.go for the
// format), each answered by a [Response]. Reads are methods of FSM and may run at any time, on any goroutine.
//
// The bbolt file is a materialised view of snapshot + log and is rebuilt at each start. The package imports no network, no
// clock and no randomness: times and ids travel in the commands.
package fsm
