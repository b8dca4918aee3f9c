// Package raftnode runs one node of the raft cluster that keeps package fsm's state alike everywhere. It is the only
// importer of hashicorp/raft besides fsm, which implements raft's FSM interface.
//
// A [Node] is opened over a data folder and a listening address; it proposes commands, answers whether it leads and who
// does, gives points for linearizable reads, and runs the leader's duties for as long as a leadership lasts ([Node.Lead]).
//
// What lies in the folder: identity.json (whose folder this is), raft.db (the log and raft's own term and vote, synced on
// each write), snapshots/. The replicated state itself is fsm's and is rebuilt from these at each start.
//
// Caveat: a node that lost its folder must not come back under its old id while the others remember it: it has forgotten
// its votes. Remove it from the cluster and add it anew.
package raftnode
