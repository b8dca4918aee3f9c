// Command chaos breaks a cluster in every way it promises to survive, while clients use it, and checks that it did.
//
// A run starts real coordinators and workers, every connection between them through a proxy, and an S3 server. Clients ask
// for works on files whose sums are known, on disk and in S3, look at them, cancel some and have old ones forgotten. All the
// while a nemesis kills, pauses, cuts off, slows down, fills disks, takes the storage away, changes the members and replaces
// files. Then everything is healed, and
//
//   - every work that was accepted must end, as it must, with the right digest; none is lost and none is there twice,
//   - one on a file that was replaced meanwhile has the digest of one version of its time, or failed with file_changed,
//   - the members are those the nemesis has left, and their states must be equal,
//   - what the clients saw must be linearizable, work by work (porcupine),
//   - no process may have ended that nobody killed.
//
// The exit status is 0 only then. What the nemesis draws follows from the seed; what the processes make of it, and with it
// who leads and who is a member, does not.
//
// As root each node has a small filesystem of its own, in memory, which is unmounted at the end; after SIGKILL it is left over.
//
// Linux only: the proxies learn from /proc who calls.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// settings of a run.
type settings struct {
	seed    uint64
	length  time.Duration
	nodes   int
	workers int
	clients int
	bin     string // the program under test
	s3      string // versitygw
	dir     string // where everything lies; kept if something is wrong
	only    string // the one fault to do, "" for all
}

func main() {
	var s settings
	seconds := flag.Int("seconds", 600, "how long to break things")
	flag.Uint64Var(&s.seed, "seed", 0, "what the nemesis does (default: from the clock)")
	flag.IntVar(&s.nodes, "nodes", 0, "coordinators (default: 3 or 5, by the seed)")
	flag.IntVar(&s.workers, "workers", 3, "workers")
	flag.IntVar(&s.clients, "clients", 4, "clients")
	flag.StringVar(&s.bin, "bin", "../../bin/colsum", "the program")
	flag.StringVar(&s.s3, "versitygw", "../../.tools/bin/versitygw", "the S3 server")
	flag.StringVar(&s.only, "only", "", "do only the fault of this name")
	flag.Parse()
	s.length = time.Duration(*seconds) * time.Second
	if s.seed == 0 {
		s.seed = uint64(time.Now().UnixNano()) % 1e6
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if s.dir, err = os.MkdirTemp("", "colsum-chaos"); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(2)
	}
	bad, err := run(ctx, s, func(format string, args ...any) { fmt.Printf(format+"\n", args...) })
	if err != nil {
		fmt.Fprintf(os.Stderr, "chaos: %v; see %s\n", err, s.dir)
		os.Exit(2)
	}
	if len(bad) > 0 {
		fmt.Printf("\n%d checks failed, seed %d; logs and history are in %s\n", len(bad), s.seed, s.dir)
		os.Exit(1)
	}
	os.RemoveAll(s.dir)
	fmt.Printf("all checks held, seed %d\n", s.seed)
}

// run is one run; it returns what is wrong. An error is one of the run itself.
func run(ctx context.Context, s settings, say func(format string, args ...any)) (bad []string, err error) {
	if s.nodes == 0 {
		s.nodes = 3 + 2*int(s.seed%2)
	}
	say("seed %d: %d nodes, %d workers, %d clients, %v; logs in %s", s.seed, s.nodes, s.workers, s.clients, s.length, s.dir)
	c, err := startCluster(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close(err != nil || len(bad) > 0)) }()
	if c.nodes[0].disk == "" {
		say("no filesystem can be mounted here: a full one is imitated by a limit on the size of files")
	}
	h := newHistory()
	asking, enough := context.WithCancel(ctx)
	defer enough()
	var clients sync.WaitGroup
	for i := range s.clients {
		clients.Go(func() { newClient(i, s.seed, c.urls, c.files, h).run(asking) })
	}
	n := newNemesis(c, h, s, func(format string, args ...any) {
		say("%7.2f s  %s", time.Since(h.start).Seconds(), fmt.Sprintf(format, args...))
	})
	n.run(ctx, s.length)
	if err := c.recover(ctx); err != nil {
		bad = append(bad, err.Error())
	}
	enough()
	clients.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	bad = append(bad, check(ctx, h, c.files, c.urls, endTime)...)
	for _, p := range append(c.nodes, c.workers...) {
		bad = append(bad, p.complaints()...)
	}
	asks, ended, cancelled, changed := h.asks(), 0, 0, 0
	for _, a := range asks {
		if a.cancels > 0 {
			cancelled++
		}
		if a.id != "" {
			ended++
		}
		if a.code == "file_changed" {
			changed++
		}
	}
	say("%d works accepted, %d of them asked to be cancelled, %d ended by a change of their file; %d operations of clients; faults: %s",
		ended, cancelled, changed, len(h.ops), n.summary())
	for _, b := range bad {
		say("WRONG: %s", b)
	}
	return bad, nil
}
