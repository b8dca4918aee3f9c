package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// benchFile is the big file through the cluster beside `colsum sum`, and the memory of the worker.
func benchFile(ctx context.Context, s *settings, t *table) error {
	if _, err := os.Stat(s.big); os.IsNotExist(err) {
		gen := exec.CommandContext(ctx, s.bin, "generate", "--columns", "100", "--rows", "3000000", "--out", s.big)
		if out, err := gen.CombinedOutput(); err != nil {
			return fmt.Errorf("generate: %w: %s", err, out)
		}
	}
	st, err := os.Stat(s.big)
	if err != nil {
		return err
	}
	root := filepath.Dir(s.big)
	c, err := s.start(ctx, root)
	if err != nil {
		return err
	}
	defer c.stop()
	w, err := c.work(2, root)
	if err != nil {
		return err
	}
	var alone, through []time.Duration
	for i := range s.rounds + 1 {
		began := time.Now()
		want, err := s.sumAlone(ctx)
		if err != nil {
			return err
		}
		a := time.Since(began)
		began = time.Now()
		got, err := sum(ctx, c.http[0], "file://"+s.big)
		if err != nil {
			return err
		}
		if got.Digest != want.Digest {
			return fmt.Errorf("the cluster's digest is %s, colsum sum's %s", got.Digest, want.Digest)
		}
		if i > 0 { // the first round fills the page cache
			alone, through = append(alone, a), append(through, time.Since(began))
		}
	}
	var ratios []float64
	for i := range alone {
		ratios = append(ratios, through[i].Seconds()/alone[i].Seconds())
	}
	slices.Sort(ratios)
	t.add(fmt.Sprintf("file of %.1f GB, 3 nodes, 2 slots, beside `colsum sum`", float64(st.Size())/1e9),
		fmt.Sprintf("%.2f x", ratios[len(ratios)/2]), "1.3 x",
		fmt.Sprintf("median of %d pairs; medians %.0f ms and %.0f ms", s.rounds, quantile(through, 0.5).Seconds()*1e3, quantile(alone, 0.5).Seconds()*1e3))
	t.add("worker memory after it", fmt.Sprintf("%.0f MiB", w.status("VmHWM")), "96 MiB", "the most it ever had")

	for _, f := range []struct {
		what  string
		cells int
	}{{"a text cell of 10 MB, three times in a file", 1}, {"records of 10 MB in 500,000 cells", 500_000}} {
		if err := writeLong(filepath.Join(c.data, "long.csv"), 10<<20, f.cells); err != nil {
			return err
		}
		if _, err := sum(ctx, c.http[0], "long.csv"); err != nil {
			return err
		}
		t.add("worker memory after "+f.what, fmt.Sprintf("%.0f MiB", w.status("VmHWM")), "96 MiB", "the same process")
	}
	return nil
}

// sumAlone sums the big file without a cluster.
func (s *settings) sumAlone(ctx context.Context) (*result, error) {
	out, err := exec.CommandContext(ctx, s.bin, "sum", "--json", s.big).Output()
	if err != nil {
		return nil, err
	}
	var r result
	return &r, json.Unmarshal(out, &r)
}

// writeLong writes a file with three records of about so many bytes in so many cells, among 96 MiB of short ones. The first
// cell is quoted text with newlines.
func writeLong(path string, record, cells int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	row := strings.Repeat("0.12345678901,", 99) + "1\n"
	w.WriteString(strings.Repeat("c,", 99))
	w.WriteString("c\n")
	for range 3 {
		for range 32 << 20 / len(row) {
			w.WriteString(row)
		}
		w.WriteString("\"")
		w.WriteString(strings.Repeat("a,b\n", max(1, (record-16*cells)/4)))
		w.WriteString("\"")
		w.WriteString(strings.Repeat(",0.1234567890123", cells))
		w.WriteString("\n")
	}
	if err := w.Flush(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
