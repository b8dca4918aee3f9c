package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	smallRows = 50
	smallCols = 20
	warmUp    = 50
)

// benchWorks is many small works: how long one takes, how many end in a second, and what the ended ones cost in memory
// beside a work of 1,000,000 tasks.
func benchWorks(ctx context.Context, s *settings, t *table) error {
	c, err := s.start(ctx, s.dir)
	if err != nil {
		return err
	}
	defer c.stop()
	if _, err := c.work(2, s.dir); err != nil {
		return err
	}
	if err := writeTable(filepath.Join(c.data, "small.csv"), smallRows, smallCols); err != nil {
		return err
	}
	if _, err := c.many(ctx, 1, warmUp); err != nil {
		return err
	}
	before := c.cpu()
	m, err := c.many(ctx, 1, s.latency)
	if err != nil {
		return err
	}
	t.add("small file, submit to result, p50", ms(quantile(m.took, 0.5)), "15 ms", fmt.Sprintf("%d works one after the other, asked of each node in turn; until accepted %s; %.1f ms of processor time each in all coordinators", s.latency, ms(quantile(m.accepted, 0.5)), (c.cpu()-before)/float64(s.latency)*1e3))
	t.add("small file, submit to result, p99", ms(quantile(m.took, 0.99)), "60 ms", "")

	before = c.cpu()
	if m, err = c.many(ctx, 32, s.works); err != nil {
		return err
	}
	t.add("works of one small file each, 32 clients", fmt.Sprintf("%.0f/s", m.rate), "500/s", fmt.Sprintf("%d works; p50 %s (until accepted %s), p99 %s; %.1f ms of processor time each in all coordinators",
		s.works, ms(quantile(m.took, 0.5)), ms(quantile(m.accepted, 0.5)), ms(quantile(m.took, 0.99)), (c.cpu()-before)/float64(s.works)*1e3))

	if left := s.keep - warmUp - s.latency - s.works; left > 0 {
		if _, err := c.many(ctx, 32, left); err != nil {
			return err
		}
	}
	return memory(ctx, s, c, t)
}

// memory reads what the coordinators hold with a huge work under way beside the finished ones.
func memory(ctx context.Context, s *settings, c *cluster, t *table) error {
	for _, w := range c.more {
		w.stop() // it would read the huge file
	}
	id, err := c.huge(ctx)
	if err != nil {
		return err
	}
	// The worst a work can do: its first task stays out, so everything else waits beyond the fold frontier.
	if _, err := c.simulate(ctx, &simulation{work: id, workers: 8, slots: 4, fetch: 32, tasks: 20_000, hold: true}); err != nil {
		return err
	}
	var list struct{ Counts struct{ Done int } }
	if err := get(ctx, c.http[0]+"/api/list_works?limit=1", &list); err != nil {
		return err
	}
	anon, resident, peak := c.memory()
	t.add("coordinator memory, the largest of 3", fmt.Sprintf("%.0f MiB", anon), "200 MiB", fmt.Sprintf(
		"one work of %d tasks with as many partials waiting as may, %d finished works; with the mapped pages of bbolt's files %.0f MiB, at most %.0f MiB", hugeTasks, list.Counts.Done, resident, peak))
	return nil
}

// measured is what came of many works.
type measured struct {
	took     []time.Duration
	accepted []time.Duration // the part of it until the work id was there
	rate     float64         // works a second
}

// many has clients sum the small file n times in all, asking the nodes in turn.
func (c *cluster) many(ctx context.Context, clients, n int) (*measured, error) {
	m := &measured{took: make([]time.Duration, n), accepted: make([]time.Duration, n)}
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	var once sync.Once
	var digest string
	began := time.Now()
	for range clients {
		group.Go(func() error {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				began := time.Now()
				r, err := sum(ctx, c.http[int(i)%len(c.http)], "small.csv")
				if err != nil {
					return err
				}
				m.took[i], m.accepted[i] = time.Since(began), r.accepted
				once.Do(func() { digest = r.Digest })
				if r.Rows != smallRows || r.Digest != digest {
					return fmt.Errorf("work %d: %d rows, digest %s, another than before", i, r.Rows, r.Digest)
				}
			}
			return nil
		})
	}
	err := group.Wait()
	m.rate = float64(n) / time.Since(began).Seconds()
	return m, err
}

// writeTable writes a file of random-looking decimals with a header.
func writeTable(path string, rows, cols int) error {
	var b []byte
	for i := range cols {
		b = fmt.Appendf(b, "col%d,", i)
	}
	b[len(b)-1] = '\n'
	for r := range rows {
		for i := range cols {
			b = fmt.Appendf(b, "0.%016d,", (uint64(r*cols+i)+1)*0x9e3779b97f4a7c15%1e16)
		}
		b[len(b)-1] = '\n'
	}
	return os.WriteFile(path, b, 0o644)
}
