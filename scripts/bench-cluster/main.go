// Command bench-cluster measures a cluster of real processes on this machine: three `colsum serve`, one `colsum worker`
// where files are read, and workers simulated over rpc where only the coordinators are of interest. It prints one Markdown
// table, a row per figure with its goal beside it.
//
// Run it by `make bench-cluster`. Everything is bounded: by count where it counts (works, tasks), else by time. All
// processes are started here and ended here; their state lies in a temporary folder below -dir, so choose a -dir on the
// disk to be judged. Machines are noisy: rates and latencies are given with their medians, and the processor time of
// all coordinators stands beside, which varies far less than the clock.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// settings are the command line.
type settings struct {
	bin     string
	dir     string
	big     string
	rounds  int
	latency int
	works   int
	keep    int
	tasks   int
	workers int
	during  time.Duration
	kills   int
}

// part is a group of figures that share a cluster.
type part struct {
	name string
	run  func(ctx context.Context, s *settings, t *table) error
}

var parts = []part{
	{"disk", benchDisk},
	{"works", benchWorks},
	{"tasks", benchTasks},
	{"scale", benchScale},
	{"file", benchFile},
	{"failover", benchFailover},
}

func main() {
	log.SetFlags(0)
	s := &settings{}
	flag.StringVar(&s.bin, "bin", "bin/colsum", "the program to measure")
	flag.StringVar(&s.dir, "dir", "bench", "folder for files and states")
	flag.StringVar(&s.big, "big", "", "the big file (default DIR/decimals.csv, which is made if absent: 3,000,000 rows of 100 columns)")
	flag.IntVar(&s.rounds, "rounds", 5, "rounds with the big file, 1 to 50")
	flag.IntVar(&s.latency, "latency", 500, "works of one small file, one after the other")
	flag.IntVar(&s.works, "works", 3000, "works of one small file each, from 32 clients")
	flag.IntVar(&s.keep, "keep", 10000, "finished works kept when memory is read, at most 10000")
	flag.IntVar(&s.tasks, "tasks", 50000, "tasks of a work of 1,000,000 that are completed")
	flag.IntVar(&s.workers, "workers", 1000, "simulated workers on one leader")
	flag.DurationVar(&s.during, "for", 15*time.Second, "how long they work")
	flag.IntVar(&s.kills, "kills", 20, "times the leader is killed")
	only := flag.String("only", "", "comma-separated parts; empty for all: disk,works,tasks,scale,file,failover")
	flag.Parse()
	if s.rounds < 1 || s.rounds > 50 {
		log.Fatalf("-rounds: must be 1 to 50, got %d", s.rounds)
	}
	if err := s.prepare(); err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	t := &table{}
	before := load()
	for _, p := range parts {
		if *only != "" && !strings.Contains(","+*only+",", ","+p.name+",") {
			continue
		}
		log.Printf("measuring: %s", p.name)
		if err := p.run(ctx, s, t); err != nil {
			t.print()
			log.Fatalf("%s: %v", p.name, err)
		}
	}
	fmt.Println(machine(before))
	fmt.Println()
	t.print()
}

// prepare makes paths absolute and the folder.
func (s *settings) prepare() (err error) {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	if s.big == "" {
		s.big = filepath.Join(s.dir, "decimals.csv")
	}
	for _, p := range []*string{&s.bin, &s.dir, &s.big} {
		if *p, err = filepath.Abs(*p); err != nil {
			return err
		}
	}
	_, err = os.Stat(s.bin)
	return err
}

// table gathers the figures.
type table struct{ rows [][4]string }

// add takes a row: what was measured, the figure, its goal ("" for none), and a remark.
func (t *table) add(what, figure, goal, remark string) {
	t.rows = append(t.rows, [4]string{what, figure, goal, remark})
	log.Printf("  %s: %s (%s)", what, figure, remark)
}

func (t *table) print() {
	fmt.Println("| what | measured | goal | |")
	fmt.Println("|---|---|---|---|")
	for _, r := range t.rows {
		fmt.Printf("| %s |\n", strings.Join(r[:], " | "))
	}
}

// load is how many processes wanted to run in the last minute.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(b), " ")
	return one
}

// machine describes where the figures come from.
func machine(before string) string {
	model := "unknown processor"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for l := range strings.SplitSeq(string(b), "\n") {
			if name, ok := strings.CutPrefix(l, "model name"); ok {
				model = strings.TrimLeft(name, "\t: ")
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d cores for all processes and the clients, %s/%s, %s, load %s before, %s after: above 1 before, others were at work and the figures say little.",
		model, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), before, load())
}
