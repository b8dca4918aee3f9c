package api

import (
	"context"
	"encoding/hex"
	"time"

	"colsum/coordinator/problem"
	"colsum/coordinator/raftnode"
	"colsum/fsm"
	"colsum/rpc"
)

type clusterInput struct {
	Consistency string `query:"consistency" enum:"stale" doc:"stale: this node answers from what it knows"`
	Hash        bool   `query:"hash" doc:"Tell the state's hash too: it reads the whole state"`
}

type clusterOutput struct {
	Body struct {
		Version string       `json:"version" doc:"Of the node that answers"`
		Node    string       `json:"node" doc:"The node that answers"`
		Leader  *string      `json:"leader" doc:"null while nobody knows"`
		Raft    raftIndices  `json:"raft" doc:"Of the node that answers"`
		Nodes   []nodeView   `json:"nodes" nullable:"false"`
		Workers []workerView `json:"workers" nullable:"false" doc:"Known to the leader only"`
		State   *stateHash   `json:"state,omitempty" doc:"Of the node that answers, with hash=true"`
	}
}

type stateHash struct {
	Index  uint64 `json:"index" doc:"Newest log entry in it"`
	SHA256 string `json:"sha256" doc:"Alike on all nodes that stand at the same entry"`
}

type raftIndices struct {
	Term     uint64 `json:"term"`
	Last     uint64 `json:"last" doc:"Newest log entry"`
	Commit   uint64 `json:"commit" doc:"Newest entry that a majority has"`
	Applied  uint64 `json:"applied" doc:"Newest entry in the state"`
	Snapshot uint64 `json:"snapshot" doc:"Newest entry in a snapshot, 0 without one"`
}

type nodeView struct {
	ID          string        `json:"id"`
	Raft        string        `json:"raft" doc:"Address"`
	HTTP        string        `json:"http" doc:"Address, empty until announced"`
	RPC         string        `json:"rpc" doc:"Address, empty until announced"`
	Role        raftnode.Role `json:"role" enum:"leader,follower,candidate,nonvoter,removed"`
	Voter       bool          `json:"voter"`
	Version     string        `json:"version"`
	LastContact *time.Time    `json:"last_contact" doc:"When the answering node last heard from it; null: not known, or it is the node itself"`
	Reachable   *bool         `json:"reachable" doc:"Whether it answers the leader; null on a node that does not lead"`
}

type workerView struct {
	ID             string        `json:"id"`
	Host           string        `json:"host"`
	Version        string        `json:"version"`
	Slots          int           `json:"slots"`
	Leaving        bool          `json:"leaving"`
	LastSeen       time.Time     `json:"last_seen"`
	BytesPerSecond float64       `json:"bytes_per_second"`
	Running        []runningView `json:"running" nullable:"false"`
}

type runningView struct {
	WorkID rpc.WorkID `json:"work_id"`
	Task   int64      `json:"task"`
	Since  time.Time  `json:"since"`
	Bytes  int64      `json:"bytes" doc:"Done"`
	Length int64      `json:"length" doc:"Of the task's range, in bytes"`
	Backup bool       `json:"backup" doc:"Another worker is at it too"`
}

func (a *API) clusterView(ctx context.Context, in *clusterInput) (*clusterOutput, error) {
	if err := a.current(ctx, in.Consistency); err != nil {
		return nil, a.fail(ctx, err)
	}
	leader, self, ok := a.works.Leader()
	out := &clusterOutput{}
	b := &out.Body
	b.Version, b.Node = a.cfg.Version, a.cluster.ID()
	if ok {
		b.Leader = &leader.ID
	}
	b.Raft = raftIndices(a.cluster.Stats())
	b.Nodes = a.nodes(self)
	b.Workers = []workerView{}
	for _, w := range a.works.Workers() {
		v := workerView{
			ID: string(w.ID), Host: w.Host, Version: w.Version, Slots: w.Slots, Leaving: w.Leaving, LastSeen: w.LastSeen.UTC(),
			BytesPerSecond: w.BytesPerSecond, Running: []runningView{},
		}
		for _, t := range w.Running {
			v.Running = append(v.Running, runningView{t.Work, t.Task, t.Since.UTC(), t.Bytes, t.Length, t.Backup})
		}
		b.Workers = append(b.Workers, v)
	}
	if in.Hash {
		index, sum, err := a.works.State().Hash()
		if err != nil {
			return nil, a.fail(ctx, problem.From(err))
		}
		b.State = &stateHash{index, hex.EncodeToString(sum[:])}
	}
	return out, nil
}

// nodes joins what raft knows of the members with what they announced.
func (a *API) nodes(leading bool) []nodeView {
	announced := map[string]fsm.Node{}
	for _, n := range a.works.State().Nodes() {
		announced[n.ID] = n
	}
	list := []nodeView{}
	for _, m := range a.cluster.Members() {
		n := announced[m.ID]
		v := nodeView{ID: m.ID, Raft: m.Addr, HTTP: n.HTTP, RPC: n.RPC, Role: m.Role, Voter: m.Voter, Version: n.Version}
		if !m.LastContact.IsZero() && !m.Self {
			t := m.LastContact.UTC()
			v.LastContact = &t
		}
		if leading {
			reachable := !m.Silent
			v.Reachable = &reachable
		}
		list = append(list, v)
	}
	return list
}

type statusOutput struct {
	Body struct {
		Status string `json:"status"`
		Leader string `json:"leader,omitempty"`
	}
}

func (a *API) healthz(context.Context, *struct{}) (*statusOutput, error) {
	out := &statusOutput{}
	out.Body.Status = "ok"
	return out, nil
}

// readyz reports whether this node can have requests answered: it knows a leader and, unless it leads itself, its address.
func (a *API) readyz(ctx context.Context, _ *struct{}) (*statusOutput, error) {
	leader, self, ok := a.works.Leader()
	if !ok {
		return nil, a.fail(ctx, problem.New(problem.NoLeader, "no leader is known"))
	}
	if !self && leader.HTTP == "" {
		return nil, a.fail(ctx, problem.New(problem.NoLeader, "node %s leads and has not announced its address yet", leader.ID))
	}
	out := &statusOutput{}
	out.Body.Status, out.Body.Leader = "ready", leader.ID
	return out, nil
}
