package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"os"
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
	filter := url.Values{}
	if c.Prefix != "" {
		filter.Set("prefix", c.Prefix)
	}
	next, err := cl.pages(ctx, "/api/list_files", filter, c.Limit, c.After, c.JSON, func(answer []byte) (int, *string, error) {
		var list fileList
		if err := json.Unmarshal(answer, &list); err != nil {
			return 0, nil, fmt.Errorf("read the list of files: %w", err)
		}
		for _, f := range list.Files {
			sec, frac := math.Modf(f.Time)
			when := time.Unix(int64(sec), int64(frac*1e9))
			fmt.Fprintf(t, "%d\t%s\t%s\n", f.Size, when.Format(time.DateTime), printable(f.Path))
		}
		return len(list.Files), list.Next, nil
	})
	if err != nil {
		return err
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if next != "" {
		fmt.Fprintf(os.Stderr, "there are more: go on with --after %q or --limit 0\n", next)
	}
	return nil
}
