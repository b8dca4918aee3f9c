package main

import (
	"context"
	"fmt"
	"time"
)

// benchTasks is how fast completions get through the log: workers that take no time for their tasks.
func benchTasks(ctx context.Context, s *settings, t *table) error {
	for _, load := range []struct {
		what, goal string
		fetch      int
	}{
		{"task completions through the log", "1,000/s, aim 3,000/s", 8},
		{"task completions, each a call of its own", "", 1},
	} {
		c, err := s.start(ctx, s.dir)
		if err != nil {
			return err
		}
		err = func() error {
			id, err := c.huge(ctx)
			if err != nil {
				return err
			}
			sim := &simulation{work: id, workers: 16, slots: 8, fetch: load.fetch, tasks: s.tasks * load.fetch / 8}
			before := c.cpu()
			r, err := c.simulate(ctx, sim)
			if err != nil {
				return err
			}
			t.add(load.what, fmt.Sprintf("%.0f/s", float64(r.done)/r.took.Seconds()), load.goal, fmt.Sprintf(
				"%d tasks, %d to a call, 10 columns each, from %d simulated workers; %.2f ms of processor time each in all coordinators",
				r.done, load.fetch, sim.workers, (c.cpu()-before)/float64(r.done)*1e3))
			return nil
		}()
		c.stop()
		if err != nil {
			return err
		}
	}
	return nil
}

// benchScale is a leader with many workers, each at one task for a second.
func benchScale(ctx context.Context, s *settings, t *table) error {
	c, err := s.start(ctx, s.dir)
	if err != nil {
		return err
	}
	defer c.stop()
	id, err := c.huge(ctx)
	if err != nil {
		return err
	}
	before := c.cpu()
	r, err := c.simulate(ctx, &simulation{work: id, workers: s.workers, slots: 1, fetch: 1, during: s.during, pause: time.Second})
	if err != nil {
		return err
	}
	p50, p99 := quantile(r.leases, 0.5), quantile(r.leases, 0.99)
	t.add(fmt.Sprintf("lease with %d simulated workers, p99", s.workers), ms(p99), "50 ms", fmt.Sprintf(
		"p50 %s; %.0f leases and %.0f completions a second, a heartbeat a second from each; %.2f cores in all coordinators",
		ms(p50), float64(len(r.leases))/r.took.Seconds(), float64(r.done)/r.took.Seconds(), (c.cpu()-before)/r.took.Seconds()))
	return nil
}
