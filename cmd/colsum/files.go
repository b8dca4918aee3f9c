package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"os"
	"strconv"
	"text/tabwriter"
	"time"
)

// FilesCmd lists the files of a cluster's default store.
type FilesCmd struct {
	Prefix string `arg:"" optional:"" help:"Only files whose path begins so; s3://bucket/ lists another bucket."`
	Limit  int    `default:"1000" placeholder:"N" help:"List at most so many, 0 for all (default 1000)."`
	After  string `placeholder:"PATH" help:"Go on behind this path of an earlier listing."`

	ServerFlags
}

func (*FilesCmd) Help() string {
	return `Examples:
  colsum files
  colsum files 2026/ --limit 0
  colsum files s3://bucket/ --json`
}

func (c *FilesCmd) Validate() error {
	if c.Limit < 0 {
		return usagef("--limit: must be at least 0, got %d", c.Limit)
	}
	if c.Limit == 0 && c.JSON {
		return usagef("--limit: must be at least 1 with --json, which prints one page as the server gives it")
	}
	return nil
}

// fileList is the answer of list_files.
type fileList struct {
	Files []struct {
		Path string  `json:"path"`
		Size int64   `json:"size"`
		Time float64 `json:"time"` // unix seconds
	} `json:"files"`
	Next *string `json:"next"`
}

func (c *FilesCmd) Run(ctx context.Context) error {
	cl := c.client()
	t := newTable(os.Stdout, tabwriter.StripEscape)
	left, after := c.Limit, c.After
	for {
		n := pageSize
		if c.Limit > 0 {
			n = min(n, left)
		}
		if c.JSON {
			n = c.Limit
		}
		q := url.Values{"limit": {strconv.Itoa(n)}}
		if c.Prefix != "" {
			q.Set("prefix", c.Prefix)
		}
		if after != "" {
			q.Set("after", after)
		}
		answer, err := cl.get(ctx, "/api/list_files?"+q.Encode())
		if err != nil {
			return err
		}
		if c.JSON {
			return printRaw(answer)
		}
		var list fileList
		if err := json.Unmarshal(answer, &list); err != nil {
			return fmt.Errorf("read the list of files: %w", err)
		}
		for _, f := range list.Files {
			sec, frac := math.Modf(f.Time)
			when := time.Unix(int64(sec), int64(frac*1e9))
			fmt.Fprintf(t, "%d\t%s\t%s\n", f.Size, when.Format(time.DateTime), printable(f.Path))
		}
		left -= len(list.Files)
		if list.Next == nil || *list.Next == "" || c.Limit > 0 && left <= 0 {
			if err := t.Flush(); err != nil {
				return err
			}
			if list.Next != nil && *list.Next != "" {
				fmt.Fprintf(os.Stderr, "there are more: go on with --after %q or --limit 0\n", *list.Next)
			}
			return nil
		}
		after = *list.Next
	}
}
