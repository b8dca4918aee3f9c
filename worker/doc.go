// Package worker runs tasks: it leases them from the leader of a cluster, reads their byte ranges from a store, and hands
// in the partial sums. It keeps nothing durable; whatever dies with it is leased to another worker.
//
// A [Worker] is one lease loop, a fixed number of slots that each run one task at a time, two senders (results, failures)
// and one heartbeat loop around a [board], which knows every task at hand and decides without goroutines or I/O.
//
// It talks to its cluster through [Coordinator], which *rpc.Client implements. A worker embedded in a coordinator's
// process uses such a client too, with the addresses of its own cluster: the leader may be another node at any time.
//
// Memory: a slot costs its csvsum.Scanner and what the store reads ahead; beside that, Config.Prefetch assignments and
// about Config.MaxUnsent bytes of results that wait for a leader. Nothing depends on the size of a file.
package worker
