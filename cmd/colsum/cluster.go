package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/dustin/go-humanize"
)

// ClusterCmd holds the commands for whoever runs a cluster.
type ClusterCmd struct {
	Status   ClusterStatusCmd   `cmd:"" help:"Show nodes, leader and workers."`
	Add      ClusterAddCmd      `cmd:"" help:"Add a node."`
	Remove   ClusterRemoveCmd   `cmd:"" help:"Remove a node."`
	Transfer ClusterTransferCmd `cmd:"" help:"Hand the leadership over."`
	Backup   ClusterBackupCmd   `cmd:"" help:"Write the state to a file."`
	Restore  ClusterRestoreCmd  `cmd:"" help:"Begin a node's state with a backup."`
	Recover  ClusterRecoverCmd  `cmd:"" help:"Give a node that lost its majority for good other members."`
}

// ClusterStatusCmd shows who is there.
type ClusterStatusCmd struct{ ServerFlags }

func (*ClusterStatusCmd) Help() string {
	return `One line for each node and each worker; the first word says which of the two. Contact is how long ago the leader heard
of it.

Examples:
  colsum cluster status
  colsum cluster status --json --server host1:5000,host2:5000`
}

// clusterView is the answer of /api/cluster.
type clusterView struct {
	Version string `json:"version"`
	Leader  string `json:"leader"` // "" while nobody knows
	Nodes   []struct {
		ID          string     `json:"id"`
		Role        string     `json:"role"`
		HTTP        string     `json:"http"`
		Raft        string     `json:"raft"`
		RPC         string     `json:"rpc"`
		LastContact *time.Time `json:"last_contact"`
		Reachable   *bool      `json:"reachable"`
	} `json:"nodes"`
	Workers []struct {
		ID             string    `json:"id"`
		Host           string    `json:"host"`
		Slots          int       `json:"slots"`
		Leaving        bool      `json:"leaving"`
		LastSeen       time.Time `json:"last_seen"`
		BytesPerSecond float64   `json:"bytes_per_second"`
		Running        []any     `json:"running"`
	} `json:"workers"`
}

func (c *ClusterStatusCmd) Run(ctx context.Context) error {
	answer, err := c.client().get(ctx, "/api/cluster")
	if err != nil {
		return err
	}
	if c.JSON {
		return printRaw(answer)
	}
	var view clusterView
	if err := json.Unmarshal(answer, &view); err != nil {
		return fmt.Errorf("read the view of the cluster: %w", err)
	}
	now := time.Now()
	t := newTable(os.Stdout, 0)
	fmt.Fprintln(t, "KIND\tID\tROLE\tHTTP\tRAFT\tRPC\tCONTACT")
	for _, n := range view.Nodes {
		contact := "-"
		if n.LastContact != nil {
			contact = ago(now, *n.LastContact)
		}
		if n.Reachable != nil && !*n.Reachable {
			contact += " (does not answer)"
		}
		fmt.Fprintf(t, "node\t%s\t%s\t%s\t%s\t%s\t%s\n", word(n.ID), n.Role, word(n.HTTP), word(n.Raft), word(n.RPC), contact)
	}
	if err := t.Flush(); err != nil || len(view.Workers) == 0 {
		return err
	}
	fmt.Println()
	t = newTable(os.Stdout, 0)
	fmt.Fprintln(t, "KIND\tID\tHOST\tSLOTS\tRUNNING\tSPEED\tCONTACT")
	for _, w := range view.Workers {
		contact := ago(now, w.LastSeen)
		if w.Leaving {
			contact += " (leaving)"
		}
		fmt.Fprintf(t, "worker\t%s\t%s\t%d\t%d\t%s/s\t%s\n", word(w.ID), word(w.Host), w.Slots, len(w.Running),
			humanize.Bytes(uint64(max(0, w.BytesPerSecond))), contact)
	}
	return t.Flush()
}

// ago is how long before now something was: "1.2s ago". The clocks of two machines may differ a little.
func ago(now, then time.Time) string {
	return max(0, now.Sub(then)).Round(100*time.Millisecond).String() + " ago"
}

// word makes one printable word of a name, for tables that scripts read too.
func word(s string) string {
	if s == "" {
		return "-"
	}
	return printable(s)
}
