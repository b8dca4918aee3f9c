package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"runtime"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
)

// contender is one program of the comparison.
type contender struct {
	name string
	args []string
	// sums reads the column sums from what the program printed; nil for a program that does not sum.
	sums func(out []byte) ([]string, error)
	peer bool

	wall, cpu, rss []float64
	answers        map[string]bool
	exact          bool
	err            error
}

func contenders(path string, s shape) []*contender {
	ours := func(bin string) []string {
		return append(append([]string{bin, "sum", "--json"}, s.flags()...), path)
	}
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	list := []*contender{
		{name: "colsum", args: ours("bin/colsum"), sums: ourSums},
		{name: "colsum, purego", args: ours("bench/colsum-purego"), sums: ourSums},
	}
	if s.peers {
		for _, p := range []string{"duckdb", "polars", "chdb"} {
			args := append([]string{"node", "bench/peers/" + p + ".mjs", path}, s.summed()...)
			list = append(list, &contender{name: p, args: args, sums: lines, peer: true})
		}
	}
	return append(list,
		&contender{name: "wc -l", args: []string{"wc", "-l", path}},
		&contender{name: "pread, 2 threads", args: []string{self, "-pread", "2", path}})
}

func ourSums(out []byte) ([]string, error) {
	var doc struct {
		Results []struct{ Sum json.Number }
	}
	if err := json.Unmarshal(out, &doc); err != nil {
		return nil, err
	}
	var sums []string
	for _, r := range doc.Results {
		sums = append(sums, r.Sum.String())
	}
	return sums, nil
}

func lines(out []byte) ([]string, error) { return strings.Fields(string(out)), nil }

// run starts the program once and notes its time, processor time, memory and answer.
func (c *contender) run(exact []string) []string {
	cmd := exec.Command(c.args[0], c.args[1:]...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if err != nil {
		c.err = fmt.Errorf("%v: %s", err, firstLine(errs.String()))
		return nil
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	c.wall = append(c.wall, wall.Seconds())
	c.cpu = append(c.cpu, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
	c.rss = append(c.rss, float64(usage.Maxrss)/1024)
	if c.sums == nil {
		return nil
	}
	sums, err := c.sums(out.Bytes())
	if err != nil {
		c.err = err
		return nil
	}
	if c.answers == nil {
		c.answers = map[string]bool{}
	}
	c.answers[strings.Join(sums, " ")] = true
	c.exact = exact == nil || equal(sums, exact)
	return sums
}

func equal(got, want []string) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		g, ok := new(big.Rat).SetString(got[i])
		w, ok2 := new(big.Rat).SetString(want[i])
		if !ok || !ok2 || g.Cmp(w) != 0 {
			return false
		}
	}
	return true
}

func firstLine(s string) string {
	for _, l := range strings.Split(s, "\n") {
		if strings.Contains(l, "Error") || strings.Contains(l, "error") {
			return l
		}
	}
	return strings.SplitN(s, "\n", 2)[0]
}

func bench(path string, s shape, rounds int) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	mb := float64(st.Size()) / 1e6
	if err := preadLoop(path, 2); err != nil { // warm the page cache
		return err
	}
	list := contenders(path, s)
	var exact []string
	for range rounds {
		for _, c := range list {
			if c.err != nil {
				continue
			}
			sums := c.run(exact)
			if exact == nil && c.err == nil {
				exact = sums // colsum's own, which the tests prove
			}
		}
	}
	ours := list[0]
	if ours.err != nil {
		return ours.err
	}
	fmt.Printf("\n### %s: %s, %.0f MB\n\n", s.name, s.what, mb)
	fmt.Println("| program | MB/s | CPU s | RSS MiB | exact | same each run | colsum is faster by |")
	fmt.Println("|---|---:|---:|---:|---|---|---:|")
	best := 0.0
	for _, c := range list {
		if c.err != nil {
			fmt.Printf("| %s | fails: %s | | | | | |\n", c.name, c.err)
			continue
		}
		wall := median(c.wall)
		exactText, sameText := "", ""
		if c.sums != nil {
			exactText, sameText = yes(c.exact), yes(len(c.answers) == 1)
		}
		fmt.Printf("| %s | %.0f | %.2f | %.0f | %s | %s | %.2f |\n", c.name, mb/wall, median(c.cpu), median(c.rss), exactText, sameText, wall/median(ours.wall))
		if c.peer && mb/wall > best {
			best = mb / wall
		}
	}
	if best > 0 {
		fmt.Printf("\ncolsum: %.1f times the fastest peer; built with -tags purego %.1f times.\n", mb/median(ours.wall)/best, mb/median(list[1].wall)/best)
	}
	return nil
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func median(v []float64) float64 {
	s := append([]float64(nil), v...)
	sort.Float64s(s)
	return s[len(s)/2]
}

// preadLoop reads the file with so many threads in 256 KiB buffers: what the machine can do at best.
func preadLoop(path string, threads int) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	part := (st.Size() + int64(threads) - 1) / int64(threads)
	errs := make([]error, threads)
	var wg sync.WaitGroup
	for i := range threads {
		wg.Go(func() {
			buf := make([]byte, 256<<10)
			for off := int64(i) * part; off < min(int64(i+1)*part, st.Size()); {
				n, err := f.ReadAt(buf, off)
				off += int64(n)
				if err != nil && err != io.EOF {
					errs[i] = err
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// machine describes where the figures come from.
func machine() string {
	model := "unknown processor"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for _, l := range strings.Split(string(b), "\n") {
			if name, ok := strings.CutPrefix(l, "model name"); ok {
				model = strings.TrimLeft(name, "\t: ")
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d cores, %s/%s, %s. MB = 10^6 bytes; medians; page cache warm.", model, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}
