package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"colsum/coordinator/raftnode"
)

const (
	// announceEvery is how often a node looks whether the cluster knows its addresses.
	announceEvery = time.Second
	// announceTime bounds one request to the leader.
	announceTime = 15 * time.Second
)

// KeepAnnounced sees to it that the cluster knows this node's addresses (Config.Self), that it becomes a member, if it has
// never been one, by asking the nodes whose HTTP addresses join lists, and that it gets a vote once it has caught up. The
// leader announces itself: see package coordinator. It returns nil when ctx ends.
func (a *API) KeepAnnounced(ctx context.Context, join []string) error {
	tick := time.NewTicker(announceEvery)
	defer tick.Stop()
	failed := false
	for n := 0; ; n++ {
		path, to, body := a.announcement(join, n)
		if to != "" {
			err := a.tell(ctx, to+path, body)
			if err != nil && ctx.Err() == nil && !failed {
				a.log.Warn("this node is not announced yet", "to", to, "error", err)
			}
			failed = err != nil
		}
		changed := a.cluster.LeaderChanged()
		select {
		case <-changed: // a pause all the same: it flickers
			select {
			case <-time.After(announceEvery / 10):
			case <-ctx.Done():
				return nil
			}
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// announcement is what there is to tell, and to whom; to is "" for nothing. n counts the tries.
func (a *API) announcement(join []string, n int) (path, to string, body any) {
	self := a.cfg.Self
	stats := a.cluster.Stats()
	if len(join) > 0 && !a.cluster.Joined() { // one that was removed had joined
		return "/api/cluster/add", baseURL(join[n%len(join)]), addBody{ID: self.ID, Raft: self.Raft}
	}
	leader, leads, ok := a.works.Leader()
	if !ok || leads || leader.HTTP == "" {
		return "", "", nil
	}
	known, votes, member := false, true, false
	for _, x := range a.works.State().Nodes() {
		known = known || x == self
	}
	for _, m := range a.cluster.Members() {
		if m.Self && m.Role != raftnode.Removed {
			member, votes = true, m.Voter
		}
	}
	if !member || known && votes {
		return "", "", nil
	}
	return "/api/cluster/announce", baseURL(leader.HTTP), announceBody{
		ID: self.ID, Raft: self.Raft, HTTP: self.HTTP, RPC: self.RPC, Version: self.Version, Applied: stats.Applied,
	}
}

func baseURL(addr string) string {
	if !strings.Contains(addr, "://") {
		addr = "http://" + addr
	}
	return strings.TrimRight(addr, "/")
}

// tell posts body to another node.
func (a *API) tell(ctx context.Context, url string, body any) error {
	ctx, cancel := context.WithTimeout(ctx, announceTime)
	defer cancel()
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.toLeader.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody))
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s", resp.Status, bytes.TrimSpace(answer))
	}
	return err
}
