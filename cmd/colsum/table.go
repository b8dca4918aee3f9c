package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"colsum/csvsum"

	"github.com/dustin/go-humanize"
)

// printDocument writes a result document for people.
func printDocument(w io.Writer, d *csvsum.Document) error {
	head := fmt.Sprintf("%s: %s", printable(d.Filepath), d.Status)
	if d.WorkID != "" {
		head = fmt.Sprintf("work %s: %s", d.WorkID, head)
	}
	if d.File != nil {
		head += fmt.Sprintf(", %s", bytesText(d.File.Size))
	}
	if d.Status == "running" {
		head += ", " + progressText(d.Progress)
	}
	if d.File != nil {
		head += fmt.Sprintf(", %s of %s", count(d.Rows, "row"), count(int64(d.ColumnsTotal), "column"))
	}
	fmt.Fprintln(w, head)
	if since := d.Progress.StorageUnreachableSince; since != nil {
		fmt.Fprintf(w, "the storage has not answered since %s\n", since.Local().Format(time.DateTime))
	}
	if e := d.Error; e != nil {
		fmt.Fprintf(w, "error: %s: %s\n", e.Code, printable(e.Message))
	}
	if len(d.Results) > 0 {
		t := newTable(w, tabwriter.AlignRight)
		fmt.Fprintln(t, "column\tname\tsum\tmean\tnumeric\tempty\tinvalid\tmissing\t")
		for _, c := range d.Results {
			name, mean := "-", "-"
			if c.Name != nil {
				name = printable(*c.Name)
			}
			if c.Mean != nil {
				mean = c.Mean.String()
			}
			fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t\n",
				c.Column, name, c.Sum, mean, c.Numeric, c.Empty, c.Invalid, c.Missing)
		}
		if err := t.Flush(); err != nil {
			return err
		}
		fmt.Fprintf(w, "total %s\n", d.Total)
	}
	if len(d.BadCells) > 0 {
		var all int64
		for _, c := range d.Results {
			all += c.Invalid
		}
		fmt.Fprintf(w, "cells that are no numbers (%d of %d):\n", len(d.BadCells), max(all, int64(len(d.BadCells))))
		t := newTable(w, 0)
		for _, b := range d.BadCells {
			fmt.Fprintf(t, "  column %d\trow %d\tbyte %d\t%q\n", b.Column, b.Row, b.Byte, b.Text)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	for _, s := range d.Warnings {
		fmt.Fprintf(w, "warning: %s\n", printable(s))
	}
	if d.Digest != "" {
		fmt.Fprintf(w, "digest %s\n", d.Digest)
	}
	return nil
}

func newTable(w io.Writer, flags uint) *tabwriter.Writer {
	return tabwriter.NewWriter(w, 0, 8, 2, ' ', flags)
}

// progressText is the progress of a running work: "42% (3 of 7 tasks), 1.2 GB/s".
func progressText(p csvsum.Progress) string {
	percent := 0.0
	if p.BytesTotal > 0 {
		percent = 100 * float64(p.BytesDone) / float64(p.BytesTotal)
	} else if p.TasksTotal > 0 && p.TasksDone == p.TasksTotal {
		percent = 100 // an empty file
	}
	s := fmt.Sprintf("%.0f%% (%d of %s)", percent, p.TasksDone, count(p.TasksTotal, "task"))
	if p.BytesPerSecond > 0 {
		s += fmt.Sprintf(", %s/s", humanize.Bytes(uint64(p.BytesPerSecond)))
	}
	return s
}

// printable makes text from files and servers safe for a terminal and for one line of a table.
func printable(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) < 0 {
		return s
	}
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}

func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return humanize.Comma(n) + " " + noun + "s"
}

func bytesText(n int64) string {
	if n < 1000 {
		return count(n, "byte")
	}
	return humanize.Bytes(uint64(n))
}

// printRaw writes a document of the server as it came, on lines of its own.
func printRaw(doc []byte) error {
	_, err := os.Stdout.WriteString(strings.TrimRight(string(doc), "\n") + "\n")
	return err
}
