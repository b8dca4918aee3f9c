// Package rpc carries messages between workers and coordinators: net/rpc with a msgpack codec of our own that has limits,
// deadlines and a handshake. It is the only importer of net/rpc.
//
// A coordinator runs a [Server] around its [Service]; a worker holds a [Client] that knows every coordinator and finds the
// leader by itself. The messages live for one release; what is durable is package fsm's.
package rpc
