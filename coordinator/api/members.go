package api

import (
	"context"
	"errors"
	"net"

	"colsum/coordinator/problem"
	"colsum/coordinator/raftnode"
	"colsum/fsm"

	"github.com/danielgtaylor/huma/v2"
)

// caughtUp is how far a nonvoter's state may be behind the log to be given a vote: what a second brings, about.
const caughtUp = 1024

// Membership is what the calls that change a cluster need of a raft node; leader only.
type Membership interface {
	AddVoter(id, addr string) error
	AddNonvoter(id, addr string) error
	Remove(id string) error
	Transfer(id string) error
}

// The bodies of the calls below, for the OpenAPI document.
type (
	announceBody struct {
		ID      string `json:"id"`
		Raft    string `json:"raft"`
		HTTP    string `json:"http"`
		RPC     string `json:"rpc"`
		Version string `json:"version"`
		Applied uint64 `json:"applied" doc:"Newest log entry in the node's state"`
	}
	addBody struct {
		ID   string `json:"id" doc:"Name of the node, not that of a member"`
		Raft string `json:"raft" doc:"Its raft address, host:port"`
	}
	removeBody struct {
		ID string `json:"id"`
	}
	transferBody struct {
		ID string `json:"id,omitempty" doc:"Who shall lead; the node most up to date if absent"`
	}
)

// membership registers the calls.
func (a *API) membership(h huma.API, post func(id, path, summary string) huma.Operation) {
	for _, c := range []struct {
		name, summary string
		body          any
		answer        func(context.Context, *struct{}) (*memberOutput, error)
	}{
		{"announce", "A node tells its addresses and how far it is", announceBody{}, a.announce},
		{"add", "Add a node, which votes once it has caught up", addBody{}, a.add},
		{"remove", "Remove a node", removeBody{}, a.remove},
		{"transfer", "Hand the leadership over", transferBody{}, a.transfer},
	} {
		huma.Register(h, post("cluster_"+c.name, "/api/cluster/"+c.name, c.summary), c.answer)
		describeBody(h.OpenAPI(), "/api/cluster/"+c.name, c.body, nil)
	}
}

type memberOutput struct {
	Body struct {
		ID   string        `json:"id"`
		Role raftnode.Role `json:"role" doc:"Of the node, as the leader sees it"`
	}
}

// member answers what the leader knows of a node now.
func (a *API) member(id string) *memberOutput {
	out := &memberOutput{}
	out.Body.ID, out.Body.Role = id, raftnode.Removed
	for _, m := range a.cluster.Members() {
		if m.ID == id {
			out.Body.Role = m.Role
		}
	}
	return out
}

// find returns a member by its id.
func (a *API) find(id string) (raftnode.Member, error) {
	for _, m := range a.cluster.Members() {
		if m.ID == id {
			return m, nil
		}
	}
	return raftnode.Member{}, problem.New(problem.UnknownNode, "id: no member of the cluster has the id %.80q", id)
}

// announce takes the addresses of a node, and gives it a vote if it has none and has caught up.
func (a *API) announce(ctx context.Context, _ *struct{}) (*memberOutput, error) {
	f, err := parseFields(bodyOf(ctx), "id", "raft", "http", "rpc", "version", "applied")
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	var n fsm.Node
	for name, to := range map[string]*string{"id": &n.ID, "raft": &n.Raft, "http": &n.HTTP, "rpc": &n.RPC, "version": &n.Version} {
		if *to, _, err = f.text(name); err != nil {
			return nil, a.fail(ctx, err)
		}
	}
	applied, _, err := f.whole("applied", 0)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	m, err := a.find(n.ID)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	if err := a.works.Announce(ctx, n); err != nil {
		return nil, a.fail(ctx, err)
	}
	if !m.Voter && uint64(applied)+caughtUp >= a.cluster.Stats().Commit {
		if err := a.cluster.AddVoter(m.ID, m.Addr); err != nil {
			return nil, a.fail(ctx, memberProblem(err))
		}
		a.log.Info("node has caught up and votes from now on", "node", m.ID)
	}
	return a.member(n.ID), nil
}

// add takes a node in, without a vote until it has caught up (see announce).
func (a *API) add(ctx context.Context, _ *struct{}) (*memberOutput, error) {
	f, err := parseFields(bodyOf(ctx), "id", "raft")
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	id, _, err := f.text("id")
	if err == nil && (id == "" || len(id) > fsm.MaxID) {
		err = badField("id", "required, at most %d bytes", fsm.MaxID)
	}
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	addr, _, err := f.text("raft")
	if err == nil {
		if _, _, split := net.SplitHostPort(addr); split != nil || len(addr) > fsm.MaxAddress {
			err = badField("raft", "must be host:port, got %.80q", addr)
		}
	}
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	for _, m := range a.cluster.Members() {
		switch {
		case m.ID == id && m.Addr == addr:
			return a.member(id), nil // asked for before
		case m.ID == id:
			return nil, a.fail(ctx, problem.New(problem.NodeConflict,
				"id: node %s is a member already, at %s; remove it first", id, m.Addr))
		case m.Addr == addr:
			return nil, a.fail(ctx, problem.New(problem.NodeConflict, "raft: %s is the address of member %s", addr, m.ID))
		}
	}
	if err := a.cluster.AddNonvoter(id, addr); err != nil {
		return nil, a.fail(ctx, memberProblem(err))
	}
	a.log.Info("node added", "node", id, "raft", addr)
	return a.member(id), nil
}

// idOf returns the id in a body that has nothing else, "" if it has none.
func idOf(ctx context.Context) (string, error) {
	f, err := parseFields(bodyOf(ctx), "id")
	if err != nil {
		return "", err
	}
	id, _, err := f.text("id")
	return id, err
}

// remove takes a node out, unless too few of those that stay answer.
func (a *API) remove(ctx context.Context, _ *struct{}) (*memberOutput, error) {
	id, err := idOf(ctx)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	refusal := mayLose(a.cluster.Members(), id)
	if refusal != nil && refusal.Code != problem.UnknownNode {
		return nil, a.fail(ctx, refusal)
	}
	// Of a node that is no member, too: Members tells what is in the log, and a removal that is not committed yet may come
	// to nothing. A change that changes nothing is committed behind it.
	if err := a.cluster.Remove(id); err != nil {
		return nil, a.fail(ctx, memberProblem(err))
	}
	if refusal != nil {
		return nil, a.fail(ctx, refusal)
	}
	a.log.Info("node removed", "node", id)
	return a.member(id), nil
}

// mayLose returns why a member must not be removed, as the leader sees the members: a majority of the voters that stay has
// to answer, or nothing would be committed from then on.
func mayLose(members []raftnode.Member, id string) *problem.Error {
	voters, answering, found := 0, 0, false
	for _, m := range members {
		if m.ID == id {
			found = true
			continue
		}
		if m.Voter {
			voters++
			if !m.Silent {
				answering++
			}
		}
	}
	switch {
	case !found:
		return problem.New(problem.UnknownNode, "id: no member of the cluster has the id %.80q", id)
	case voters == 0:
		return problem.New(problem.QuorumAtRisk, "id: %s is the only node that votes", id)
	case answering < voters/2+1:
		return problem.New(problem.QuorumAtRisk,
			"id: without %s only %d of %d nodes that vote would answer, and %d are needed: bring another back first, or add one",
			id, answering, voters, voters/2+1)
	}
	return nil
}

// transfer hands the leadership over.
func (a *API) transfer(ctx context.Context, _ *struct{}) (*memberOutput, error) {
	id, err := idOf(ctx)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	if id != "" {
		m, err := a.find(id)
		switch {
		case err == nil && m.Self:
			return a.member(id), nil // it leads already
		case err == nil && !m.Voter:
			err = problem.New(problem.NodeConflict, "id: node %s has no vote yet", id)
		case err == nil && m.Silent:
			err = problem.New(problem.NodeConflict, "id: node %s does not answer", id)
		}
		if err != nil {
			return nil, a.fail(ctx, err)
		}
	}
	if err := a.cluster.Transfer(id); err != nil {
		return nil, a.fail(ctx, memberProblem(err))
	}
	leader, _ := a.awaitLeader(ctx)
	return a.member(leader), nil
}

// awaitLeader waits until another node is known to lead.
func (a *API) awaitLeader(ctx context.Context) (id string, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.HoldLeader)
	defer cancel()
	for {
		changed := a.cluster.LeaderChanged()
		if leader, self, ok := a.works.Leader(); ok && !self {
			return leader.ID, true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return "", false
		}
	}
}

// memberProblem is what a user is told when the membership could not be changed.
func memberProblem(err error) error {
	switch {
	case errors.Is(err, raftnode.ErrNotLeader):
		return problem.New(problem.NoLeader, "this node does not lead the cluster at the moment: %w", err)
	case errors.Is(err, raftnode.ErrUnknownOutcome):
		return problem.New(problem.OutcomeUnknown, "whether the cluster was changed is not known: %w", err)
	case errors.Is(err, raftnode.ErrBusy):
		return problem.New(problem.Busy, "the cluster has more to do than it can take: %w", err)
	}
	return err
}
