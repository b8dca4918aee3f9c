package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A nemesis does faults, one after the other in each of three lanes: to processes and members, to the network and the
// storage, to files. So several meet, whose combination nobody thought of.
type nemesis struct {
	c   *cluster
	h   *history
	s   settings
	say func(format string, args ...any)

	named   int            // new names given; of the lane of processes
	current map[string]int // versions of files; of the lane of files

	mu   sync.Mutex
	done map[string]int // mu; faults by name
}

// fault breaks something, waits, and mends it. It returns at once when ctx ends, and leaves the mending to the end then.
type fault struct {
	name string
	do   func(n *nemesis, ctx context.Context, r *rand.Rand)
}

var processFaults = []fault{
	{"kill leader", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		n.kill(ctx, r, syscall.SIGKILL, n.leader(ctx, r))
	}},
	{"kill node", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		n.kill(ctx, r, syscall.SIGKILL, pick(r, n.c.members()))
	}},
	{"kill worker", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		n.kill(ctx, r, syscall.SIGKILL, pick(r, n.c.workers))
	}},
	{"kill all nodes", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		n.kill(ctx, r, syscall.SIGKILL, n.c.members()...)
	}},
	{"kill everything", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		n.kill(ctx, r, syscall.SIGKILL, append(n.c.members(), n.c.workers...)...)
	}},
	{"kill majority", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		n.kill(ctx, r, syscall.SIGKILL, some(r, n.c.members(), len(n.c.members())/2+1)...)
	}},
	{"pause leader", func(n *nemesis, ctx context.Context, r *rand.Rand) { n.pause(ctx, r, n.leader(ctx, r)) }},
	{"pause node", func(n *nemesis, ctx context.Context, r *rand.Rand) { n.pause(ctx, r, pick(r, n.c.members())) }},
	{"pause worker", func(n *nemesis, ctx context.Context, r *rand.Rand) { n.pause(ctx, r, pick(r, n.c.workers)) }},
	{"pause majority", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		n.pause(ctx, r, some(r, n.c.members(), len(n.c.members())/2+1)...)
	}},
	{"stop leader", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		n.kill(ctx, r, syscall.SIGTERM, n.leader(ctx, r))
	}},
	{"rolling restart", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		for _, p := range n.c.members() {
			if ctx.Err() == nil {
				n.kill(ctx, r, syscall.SIGTERM, p)
			}
		}
	}},
	{"full disk", func(n *nemesis, ctx context.Context, r *rand.Rand) { n.fill(ctx, r, pick(r, n.c.members())) }},
	{"full filesystem", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		n.fillFilesystem(ctx, r, pick(r, n.c.members()))
	}},
	{"full filesystem of leader", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		n.fillFilesystem(ctx, r, n.leader(ctx, r))
	}},
	{"lose folder", func(n *nemesis, ctx context.Context, r *rand.Rand) { n.wipe(ctx, pick(r, n.c.members())) }},
	{"transfer leadership", func(n *nemesis, ctx context.Context, r *rand.Rand) { n.transfer(ctx, r) }},
	{"node joins", func(n *nemesis, ctx context.Context, r *rand.Rand) { n.join(ctx, r, n.newName()) }},
	{"node leaves", func(n *nemesis, ctx context.Context, r *rand.Rand) { n.leave(ctx, r) }},
	{"replace node", func(n *nemesis, ctx context.Context, r *rand.Rand) { n.replace(ctx, r) }},
	{"full disk of leader", func(n *nemesis, ctx context.Context, r *rand.Rand) { n.fill(ctx, r, n.leader(ctx, r)) }},
}

var networkFaults = []fault{
	{"isolate leader", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		n.cut(ctx, r, both([]string{n.leader(ctx, r).name}, n.others))
	}},
	{"leader cannot send", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		n.cut(ctx, r, oneWay([]string{n.leader(ctx, r).name}, n.others))
	}},
	{"leader cannot hear", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		l := n.leader(ctx, r).name
		n.cut(ctx, r, oneWay(n.others([]string{l}), func([]string) []string { return []string{l} }))
	}},
	{"isolate node", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		n.cut(ctx, r, both([]string{pick(r, n.c.members()).name}, n.others))
	}},
	{"split", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		n.cut(ctx, r, both(names(some(r, n.c.members(), len(n.c.members())/2)), n.others))
	}},
	{"cut off worker", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		n.cut(ctx, r, both([]string{pick(r, n.c.workers).name}, n.others))
	}},
	{"slow network", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		n.c.net.delay(time.Duration(5+r.IntN(60))*time.Millisecond, both(names(n.c.members()), func([]string) []string { return names(n.c.members()) })...)
		n.wait(ctx, r, 2, 8)
	}},
	{"slow node", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		n.c.net.delay(time.Duration(100+r.IntN(400))*time.Millisecond, both([]string{pick(r, n.c.members()).name}, n.others)...)
		n.wait(ctx, r, 2, 8)
	}},
	{"reset connections", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		for range 1 + r.IntN(20) {
			n.c.net.resetAll(func(string, string) bool { return r.IntN(2) == 0 })
			pause(ctx, time.Duration(r.IntN(300))*time.Millisecond)
		}
	}},
	{"storage refuses", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		n.c.net.refuse("s3")
		n.wait(ctx, r, 1, 6)
	}},
	{"storage hangs", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		n.cut(ctx, r, both([]string{"s3"}, func([]string) []string { return n.all() }))
	}},
	{"storage flaps", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		for range 10 + r.IntN(40) {
			n.c.net.resetAll(func(_, to string) bool { return to == "s3" })
			pause(ctx, time.Duration(r.IntN(200))*time.Millisecond)
		}
	}},
	{"slow storage", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		n.c.net.delay(time.Duration(50+r.IntN(200))*time.Millisecond, both([]string{"s3"}, func([]string) []string { return n.all() })...)
		n.wait(ctx, r, 2, 8)
	}},
}

var fileFaults = []fault{
	{"replace file", func(n *nemesis, ctx context.Context, r *rand.Rand) {
		var list []file
		for _, f := range n.c.files {
			if len(f.versions) > 1 {
				list = append(list, f)
			}
		}
		f := list[r.IntN(len(list))]
		v := (n.current[f.path] + 1 + r.IntN(len(f.versions)-1)) % len(f.versions)
		n.current[f.path] = v
		if err := n.h.replace(f.path, v, func() error { return n.c.replace(f.path, v) }); err != nil {
			n.say("%v", err)
		}
	}},
}

func newNemesis(c *cluster, h *history, s settings, say func(string, ...any)) *nemesis {
	return &nemesis{c: c, h: h, s: s, say: say, done: map[string]int{}, current: map[string]int{}}
}

// run does faults until the time is up. What is broken then stays so: the caller heals.
func (n *nemesis) run(ctx context.Context, length time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var lanes sync.WaitGroup
	for i, faults := range [][]fault{processFaults, networkFaults, fileFaults} {
		r := rand.New(rand.NewPCG(n.s.seed, uint64(1000+i)))
		if n.s.only != "" {
			faults = slices.DeleteFunc(slices.Clone(faults), func(f fault) bool { return f.name != n.s.only })
		}
		if len(faults) == 0 {
			continue
		}
		most := 4.0
		if i == 2 {
			most = 1
		}
		lanes.Go(func() { n.lane(ctx, r, faults, most, i == 1) })
	}
	lanes.Wait()
	<-ctx.Done()
}

// lane does each fault once before any comes again, with some time between in which works can get on.
func (n *nemesis) lane(ctx context.Context, r *rand.Rand, faults []fault, most float64, network bool) {
	for ctx.Err() == nil {
		for _, i := range r.Perm(len(faults)) {
			n.wait(ctx, r, most/8, most)
			if ctx.Err() != nil {
				return
			}
			n.mu.Lock()
			n.done[faults[i].name]++
			n.mu.Unlock()
			faults[i].do(n, ctx, r)
			if network && ctx.Err() == nil {
				n.c.net.heal()
				n.say("network healed")
			}
		}
	}
}

func (n *nemesis) summary() string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(n.done)) {
		list = append(list, fmt.Sprintf("%s %d", name, n.done[name]))
	}
	return strings.Join(list, ", ")
}

// leader is the node that leads, any if nobody knows.
func (n *nemesis) leader(ctx context.Context, r *rand.Rand) *process {
	other := pick(r, n.c.members()) // drawn always, so that the seed decides alike whoever leads
	if p := n.c.leader(ctx); p != nil {
		return p
	}
	return other
}

func (n *nemesis) kill(ctx context.Context, r *rand.Rand, s syscall.Signal, who ...*process) {
	n.say("%s %s", s, names(who))
	hold := r.IntN(2) == 0
	for _, p := range who {
		if s == syscall.SIGKILL {
			p.end(s, hold)
		}
	}
	if s == syscall.SIGTERM {
		for _, p := range who {
			p.end(s, hold)
		}
	}
	if !hold {
		return
	}
	n.wait(ctx, r, 1, 8)
	n.restart(who...)
}

func (n *nemesis) restart(who ...*process) {
	n.say("start %s", names(who))
	for _, p := range who {
		if err := p.start(); err != nil {
			n.say("%v", err)
		}
	}
}

func (n *nemesis) pause(ctx context.Context, r *rand.Rand, who ...*process) {
	n.say("pause %s", names(who))
	for _, p := range who {
		p.signal(syscall.SIGSTOP)
	}
	n.wait(ctx, r, 0.3, 9)
	for _, p := range who {
		p.signal(syscall.SIGCONT)
	}
	n.say("wake %s", names(who))
}

func (n *nemesis) fill(ctx context.Context, r *rand.Rand, p *process) {
	n.say("disk of %s is full", p.name)
	p.fillDisk(true)
	n.wait(ctx, r, 2, 8)
	p.fillDisk(false)
	n.say("disk of %s has room again", p.name)
	n.wait(ctx, r, 2, 2)
	p.forgive()
}

func (n *nemesis) fillFilesystem(ctx context.Context, r *rand.Rand, p *process) {
	n.say("filesystem of %s is full", p.name)
	if err := p.fillFilesystem(true); err != nil {
		n.say("%v", err)
	}
	n.wait(ctx, r, 2, 8)
	if err := p.fillFilesystem(false); err != nil {
		n.say("%v", err)
	}
	n.say("filesystem of %s has room again", p.name)
	n.wait(ctx, r, 2, 2)
	p.forgive()
}

// wipe takes a node's folder away. It waits until the node is a whole member again: two that are not may be a majority, and
// what a majority has lost is lost.
func (n *nemesis) wipe(ctx context.Context, p *process) {
	n.say("%s loses its folder", p.name)
	p.end(syscall.SIGKILL, true)
	if err := os.RemoveAll(p.folder); err != nil {
		n.say("%v", err)
	}
	n.restart(p)
	for ctx.Err() == nil && !p.whole() {
		pause(ctx, 100*time.Millisecond)
	}
	if ctx.Err() == nil {
		n.say("%s is a whole member again", p.name)
	}
}

func (n *nemesis) cut(ctx context.Context, r *rand.Rand, ways []way) {
	n.say("nothing passes on %d ways, such as %s -> %s", len(ways), ways[0].from, ways[0].to)
	n.c.net.block(ways...)
	n.wait(ctx, r, 0.5, 9)
}

// wait waits for a random number of seconds.
func (n *nemesis) wait(ctx context.Context, r *rand.Rand, least, most float64) {
	pause(ctx, time.Duration((least+r.Float64()*(most-least))*float64(time.Second)))
}

// all is the names of all nodes and workers.
func (n *nemesis) all() []string { return names(n.c.running()) }

// others is all but some.
func (n *nemesis) others(some []string) []string {
	return slices.DeleteFunc(n.all(), func(name string) bool { return slices.Contains(some, name) })
}

// oneWay is every way from some to their others.
func oneWay(some []string, others func([]string) []string) (ways []way) {
	for _, a := range some {
		for _, b := range others(some) {
			if a != b {
				ways = append(ways, way{a, b})
			}
		}
	}
	return ways
}

// both is every way between some and their others.
func both(some []string, others func([]string) []string) (ways []way) {
	for _, w := range oneWay(some, others) {
		ways = append(ways, w, way{w.to, w.from})
	}
	return ways
}

func names(list []*process) (s []string) {
	for _, p := range list {
		s = append(s, p.name)
	}
	return s
}

func pick(r *rand.Rand, list []*process) *process { return list[r.IntN(len(list))] }

func some(r *rand.Rand, list []*process, n int) (s []*process) {
	for _, i := range r.Perm(len(list))[:n] {
		s = append(s, list[i])
	}
	return s
}
