package main

import (
	"cmp"
	"context"
	"math/rand/v2"
	"os"
	"syscall"
)

// The nemesis changes the members in the lane of processes: so no other process is down but those it has killed just now, and
// they come back by themselves. What the other lane does only makes a change wait.

// transfer has another node lead.
func (n *nemesis) transfer(ctx context.Context, r *rand.Rand) {
	body := map[string]string{}
	to := pick(r, n.c.members())
	if r.IntN(3) > 0 {
		body["id"] = to.name
	}
	n.say("hand the leadership over to %s", cmp.Or(body["id"], "anybody"))
	if _, err := n.c.change(ctx, pick(r, n.c.members()), "transfer", body); err != nil && ctx.Err() == nil {
		n.say("not handed over: %v", err)
	}
}

// newName is a name that no node has had.
func (n *nemesis) newName() string {
	n.named++
	return nodeName(n.s.nodes + n.named - 1)
}

// join takes an empty node in. One node more than at the beginning is the most: another leaves first.
func (n *nemesis) join(ctx context.Context, r *rand.Rand, name string) {
	if len(n.c.members()) > n.s.nodes {
		n.leave(ctx, r)
	}
	if ctx.Err() != nil {
		return
	}
	n.say("%s joins", name)
	p, err := n.c.join(name)
	if err != nil {
		n.say("%v", err)
		return
	}
	if n.c.admit(ctx, p) == nil {
		n.say("%s is a member", name)
	}
}

// leave removes a node, of those there are then at least as many as at the beginning, and stops it some time after.
func (n *nemesis) leave(ctx context.Context, r *rand.Rand) {
	if len(n.c.members()) <= n.s.nodes {
		n.join(ctx, r, n.newName())
	}
	if len(n.c.members()) <= n.s.nodes {
		return // the time is up
	}
	p := pick(r, n.c.members())
	n.say("remove %s", p.name)
	if n.c.dismiss(ctx, p) != nil {
		return
	}
	n.say("%s is removed", p.name)
	n.wait(ctx, r, 0, 3)
	n.retire(p)
}

// replace kills a node for good; an empty one, under its name or a new one, takes its place.
func (n *nemesis) replace(ctx context.Context, r *rand.Rand) {
	p := pick(r, n.c.members())
	name := p.name
	if r.IntN(2) == 0 {
		name = n.newName()
	}
	n.say("%s is lost with its folder", p.name)
	n.c.stand(p, leaving)
	p.end(syscall.SIGKILL, true)
	p.stop()
	if err := os.RemoveAll(p.folder); err != nil {
		n.say("%v", err)
	}
	if n.c.dismiss(ctx, p) != nil {
		return
	}
	n.say("%s is removed", p.name)
	n.retire(p)
	n.join(ctx, r, name)
}

func (n *nemesis) retire(p *process) {
	if err := n.c.retire(p); err != nil {
		n.say("%v", err)
	}
}
