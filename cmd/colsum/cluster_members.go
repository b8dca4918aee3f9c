package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// ClusterAddCmd takes a node in.
type ClusterAddCmd struct {
	Node string `arg:"" placeholder:"ID=HOST:PORT" help:"Name and raft address of the node."`

	ServerFlags
}

func (*ClusterAddCmd) Help() string {
	return `The node follows without a vote until it has caught up; then it gets one by itself. A node that is started with --join
needs no such command: it asks by itself. To replace a node that is gone for good, remove it, then start an empty one with
--join, under the same name or another.

Example:
  colsum cluster add d=host4:5001 --server host1:5000`
}

func (c *ClusterAddCmd) Validate() error {
	id, addr, ok := strings.Cut(c.Node, "=")
	if !ok || id == "" {
		return usagef("node: must be ID=HOST:PORT, got %q", c.Node)
	}
	return checkAddress("node", addr, 1)
}

func (c *ClusterAddCmd) Run(ctx context.Context) error {
	id, addr, _ := strings.Cut(c.Node, "=")
	return c.change(ctx, "add", map[string]string{"id": id, "raft": addr})
}

// ClusterRemoveCmd takes a node out.
type ClusterRemoveCmd struct {
	ID string `arg:"" help:"Name of the node."`

	ServerFlags
}

func (*ClusterRemoveCmd) Help() string {
	return `Refused if too few of the nodes that stay answer to make a majority: nothing would be committed then. The process of a
removed node goes on and answers reads of what it knew (?consistency=stale) until it is stopped.

Example:
  colsum cluster remove c --server host1:5000,host2:5000`
}

func (c *ClusterRemoveCmd) Run(ctx context.Context) error {
	return c.change(ctx, "remove", map[string]string{"id": c.ID})
}

// ClusterTransferCmd makes another node lead.
type ClusterTransferCmd struct {
	ID string `arg:"" optional:"" help:"Who shall lead (default: the node most up to date)."`

	ServerFlags
}

func (*ClusterTransferCmd) Help() string {
	return `Works go on; requests are held for the moment in which nobody leads. A node that is stopped by SIGTERM hands over by
itself.

Example:
  colsum cluster transfer b`
}

func (c *ClusterTransferCmd) Run(ctx context.Context) error {
	body := map[string]string{}
	if c.ID != "" {
		body["id"] = c.ID
	}
	return c.change(ctx, "transfer", body)
}

// change posts one change of the membership and prints what the node is now.
func (f *ServerFlags) change(ctx context.Context, what string, body map[string]string) error {
	answer, err := f.client().post(ctx, "/api/cluster/"+what, body, nil)
	if err != nil {
		return err
	}
	if f.JSON {
		return printRaw(answer)
	}
	var now struct{ ID, Role string }
	if err := json.Unmarshal(answer, &now); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	_, err = fmt.Printf("%s: %s\n", word(now.ID), now.Role)
	return err
}
