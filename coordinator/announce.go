package coordinator

import (
	"context"

	"colsum/fsm"
)

// Announce makes the addresses of a node known to all. Leader only. Errors are *problem.Error: bad_request, no_leader, busy,
// timeout, outcome_unknown.
func (c *Coordinator) Announce(ctx context.Context, node fsm.Node) error {
	if _, self := c.node.Leader(); !self {
		return notLeader()
	}
	for _, n := range c.State().Nodes() {
		if n == node {
			return nil
		}
	}
	_, err := c.node.Propose(ctx, &fsm.Announce{Node: node})
	return asProblem(ctx, err)
}
